from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from clipsonic_eval.config import apply_sets, as_tree, coerce, read_yaml, resolve, resolve_arguments
from clipsonic_eval.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    steps: int = 10
    lr: float = 1e-3
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)
    sizes: tuple[int, ...] = (1, 2)
    path: Path | None = None


def test_defaults_file_and_sets_apply_in_that_order(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("name: x\ninner:\n  steps: 20\n  lr: 5e-4\n")
    got = resolve(Outer, apply_sets(read_yaml(file), ["inner.steps=30", "path=a/b", "sizes=[3]"]))
    assert got == Outer("x", Inner(30, 5e-4), (3,), Path("a/b"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "iner": {}}, "Did you mean 'inner'"),
        ({}, "'name' is required"),
        ({"name": 3}, "expected str, got 3"),
        ({"name": "x", "inner": {"kind": "c"}}, "config.inner.kind: 'c' is not one of 'a', 'b'"),
        ({"name": "x", "inner": {"steps": 1.5}}, "expected int"),
        ({"name": "x", "inner": {"steps": True}}, "expected int"),
        ({"name": "x", "sizes": 3}, "expected a list"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", "\\(")):
        resolve(Outer, values)


def test_a_set_without_equals_or_through_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        apply_sets({}, ["steps"])
    with pytest.raises(ConfigError, match="is a value, not a section"):
        apply_sets({"a": 1}, ["a.b=2"])


def test_a_missing_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; give a YAML file"):
        read_yaml(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [1,\n")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        read_yaml(bad)


def test_resolve_inverts_as_tree() -> None:
    config = Outer("x", Inner(3), (4, 5), Path("p"))
    assert resolve(Outer, as_tree(config)) == config


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"inner": {"lr": float("nan")}}, r"config.inner.lr: must be a finite number, got nan"),
        ({"inner": {"lr": float("-inf")}}, "must be a finite number"),
        ({"inner": {"lr": "1e400"}}, "must be a finite number"),
        ({"inner": {"lr": 10**400}}, "is beyond a float"),
        ({"inner": {"steps": 10**400}}, "is beyond an integer of 64 bits"),
        ({"extra": {"a": [1, float("inf")]}}, r"config.extra.a\[1\]: must be a finite number"),
    ],
)
def test_numbers_are_finite_and_fit_their_type(values: dict[str, object], why: str) -> None:
    @dataclass(frozen=True)
    class Numbers:
        inner: Inner = field(default_factory=Inner)
        extra: Any = None

    with pytest.raises(ConfigError, match=why) as told:
        resolve(Numbers, values)
    assert len(str(told.value)) < 200


class Tower:
    def __init__(
        self, width: int, *, rate: float = 1.0, path: Path | None = None, mask: np.ndarray | None = None
    ) -> None:
        self.arguments = (width, rate, path, mask)


def test_arguments_of_a_class_are_converted_to_its_type_hints() -> None:
    assert resolve_arguments(Tower, {"width": 3, "rate": "1e-3", "path": "a/b"}, where="tower") == {
        "width": 3,
        "rate": 1e-3,
        "path": Path("a/b"),
    }


def test_an_argument_that_no_configuration_can_hold_is_passed_on() -> None:
    mask = np.zeros(3)
    assert resolve_arguments(Tower, {"width": 3, "mask": mask}, where="tower")["mask"] is mask


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 3, "rat": 2.0}, "tower: unknown key 'rat'. Did you mean 'rate'"),
        ({"rate": 2.0}, "tower: key 'width' is required"),
        ({"width": "wide"}, "tower.width: expected int, got 'wide'"),
        ({"width": 3, "rate": float("nan")}, "tower.rate: must be a finite number"),
    ],
)
def test_arguments_that_do_not_fit_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_arguments(Tower, values, where="tower")


@dataclass(frozen=True)
class Roof:
    tower: Tiles | None = None


@dataclass(frozen=True)
class Tiles:
    pattern: dict[str, int]
    picture: Path


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tower": {"picture": "x"}}, "key 'pattern' is required; give it with --set tower.pattern.KEY=VALUE"),
        ({"tower": {"pattern": {}}}, "key 'picture' is required; give it with --set tower.picture=PATH"),
    ],
)
def test_a_missing_key_is_given_by_set_where_a_command_has_it(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(Roof, values, where="my.py:roof", by_set=True)
    assert str(caught.value) == f"my.py:roof.tower: {said}"
    with pytest.raises(ConfigError) as caught:
        resolve(Roof, values, where="roof.json")
    assert "--set" not in str(caught.value)


def test_arguments_that_the_caller_supplies_cannot_be_configured() -> None:
    assert resolve_arguments(Tower, {"rate": 2}, where="tower", given=("width",)) == {"rate": 2.0}
    with pytest.raises(ConfigError, match="unknown key 'width'"):
        resolve_arguments(Tower, {"width": 3}, where="tower", given=("width",))


def test_any_keyword_may_go_to_a_function_that_takes_any() -> None:
    def build(width: int, **options: object) -> None: ...

    assert resolve_arguments(build, {"width": 1, "colour": "red"}, where="build") == {"width": 1, "colour": "red"}
    with pytest.raises(ConfigError, match="'width' is required"):
        resolve_arguments(build, {"colour": "red"}, where="build")


def test_type_hints_for_type_checkers_alone_check_nothing() -> None:
    def build(module: Absent) -> None: ...  # type: ignore[name-defined] # noqa: F821

    assert resolve_arguments(build, {"module": 3}, where="build") == {"module": 3}


@dataclass(frozen=True)
class Given:
    folders: dict[str, Path]
    names: tuple[str, ...] = ()
    cache: Path | None = None

    def __post_init__(self) -> None:
        coerce(self)


def test_python_may_give_strings_for_paths_and_lists_for_tuples() -> None:
    given = Given({"a": "x/y"}, ["b", "c"], "z")  # type: ignore[dict-item, arg-type]
    assert given == Given({"a": Path("x/y")}, ("b", "c"), Path("z"))
    assert isinstance(given.folders["a"], Path)
    with pytest.raises(ConfigError, match=r"folders\.a: expected Path, got 3"):
        Given({"a": 3})  # type: ignore[dict-item]
