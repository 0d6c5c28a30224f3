"""Configurations survive the way through JSON and YAML, and every other value is refused with its place."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic_eval.config import apply_sets, as_tree, read_yaml, resolve
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.outputs import differences, listing


@dataclass(frozen=True)
class Inner:
    steps: int = 10
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    name: str = "x"
    on: bool = False
    path: Path | None = None
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[str, float] = ("p", 1.0)
    inner: Inner = field(default_factory=Inner)
    by_name: dict[str, Inner] = field(default_factory=dict)
    other: int | str = 3


words = st.text("abcdefgh", min_size=1, max_size=6)
floats = st.floats(-1e12, 1e12, allow_nan=False)
inners = st.builds(Inner, steps=st.integers(-(2**63), 2**63 - 1), rate=floats, kind=st.sampled_from(["a", "b"]))
outers = st.builds(
    Outer,
    name=words,
    on=st.booleans(),
    path=st.none() | words.map(Path),
    sizes=st.lists(st.integers(-99, 99), max_size=4).map(tuple),
    pair=st.tuples(words, floats),
    inner=inners,
    by_name=st.dictionaries(words, inners, max_size=3),
    other=st.integers(-99, 99) | words.map("w{}".format),
)


@settings(deadline=None)
@given(config=outers)
def test_a_configuration_is_what_its_json_says(config: Outer) -> None:
    assert resolve(Outer, json.loads(json.dumps(as_tree(config)))) == config


@settings(deadline=None, max_examples=40)
@given(config=outers)
def test_a_configuration_is_what_its_yaml_says(tmp_path_factory: pytest.TempPathFactory, config: Outer) -> None:
    path = tmp_path_factory.mktemp("yaml") / "c.yaml"
    path.write_text(yaml.safe_dump(as_tree(config)), encoding="utf-8")
    assert resolve(Outer, read_yaml(path)) == config


@settings(deadline=None, max_examples=40)
@given(config=outers, steps=st.integers(-999, 999), rate=floats)
def test_sets_change_what_they_name_and_nothing_else(config: Outer, steps: int, rate: float) -> None:
    before = as_tree(config)
    tree = apply_sets(before, [f"inner.steps={steps}", f"inner.rate={rate!r}"])
    assert resolve(Outer, tree) == replace(config, inner=replace(config.inner, steps=steps, rate=rate))
    assert before == as_tree(config)
    changed = differences(before, tree)
    assert {text.split(":")[0] for text in changed} <= {"inner.steps", "inner.rate"}
    assert (config_hash(before) == config_hash(tree)) == (not changed)


@settings(deadline=None, max_examples=40)
@given(a=outers, b=outers)
def test_trees_differ_where_configurations_do(a: Outer, b: Outer) -> None:
    assert differences(as_tree(a), as_tree(a)) == []
    assert (differences(as_tree(a), as_tree(b)) == []) == (as_tree(a) == as_tree(b))


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"sizes": [1, "x"]}, r"config\.sizes\[1\]: expected int"),
        ({"sizes": {"a": 1}}, r"config\.sizes: expected a list"),
        ({"pair": ["p"]}, r"config\.pair: expected 2 values, got 1"),
        ({"by_name": {"k": {"steps": "many"}}}, r"config\.by_name\.k\.steps: expected int, got 'many'"),
        ({"by_name": [1]}, r"config\.by_name: expected a mapping, got \[1\]; set its keys, as by_name\.KEY=VALUE"),
        ({"inner": 3}, r"config\.inner: expected a section of keys, got 3"),
        ({"inner": {"rate": "fast"}}, r"config\.inner\.rate: expected float, got 'fast'"),
        ({"inner": {"stepz": 1}}, r"config\.inner: unknown key 'stepz'\. Did you mean 'steps'\?"),
        ({"on": 1}, r"config\.on: expected bool, got 1"),
        ({"path": 3}, r"config\.path: expected Path, got 3"),
        ({"other": [1]}, r"config\.other: expected str, got \[1\]"),
        ({"inner": {"steps": 2**63}}, r"beyond an integer of 64 bits"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(values: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        resolve(Outer, values)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("steps", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("name.deep=3", "'name' is a value, not a section"),
        ("a=[1", "not readable as YAML"),
        (".".join("k" * 70) + "=1", "more than 64 levels"),
    ],
)
def test_a_set_that_cannot_be_applied_is_named(item: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        apply_sets({"name": "x"}, [item])


def test_numbers_as_yaml_1_1_reads_them_become_floats() -> None:
    assert resolve(Inner, apply_sets({}, ["rate=1e-3"])).rate == 0.001
    assert resolve(Inner, {"rate": 3}).rate == 3.0


def test_many_differences_are_listed_in_part() -> None:
    changed = differences({f"k{i}": 0 for i in range(9)}, {f"k{i}": 1 for i in range(9)})
    assert listing(changed) == "; ".join(changed[:6]) + "; and 3 more"
    assert listing(changed[:2]) == "k0: 0 → 1; k1: 0 → 1"
    assert differences({"a": 1}, {"b": 2}) == ["a: 1 → not there", "b: not there → 2"]


def test_a_section_that_one_side_lacks_is_one_difference() -> None:
    page = {"show": 20, "audio": "aac"}
    assert differences({"page": None}, {"page": page}) == ["page: null → given"]
    assert differences({"page": page}, {}) == ["page: given → not there"]
    assert differences({"page": page}, {"page": {**page, "show": 4}}) == ["page.show: 20 → 4"]
