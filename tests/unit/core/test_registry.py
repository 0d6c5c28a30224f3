"""Registries: what is scanned, what entry points add, and what a broken plug-in costs."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.datasets import DATASETS
from clipsonic_eval.encoders import ENCODERS, load_encoder
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.registry import Registry
from clipsonic_eval.systems import SYSTEMS, resolve
from clipsonic_eval.types import Query

Install = Callable[..., None]

ENCODER = """
import numpy as np

from clipsonic_eval.encoders import EncoderBase
from clipsonic_eval.types import EncoderCard


class Loudness(EncoderBase):
    def audio(self, clips):
        return np.array([[np.abs(clip.samples).mean()] for clip in clips], np.float32)

    def audio_rows(self, clips):
        return [clip.key for clip in clips]


def load(weights=None, *, device="cpu", floor=0.0):
    "Loudness as an embedding."
    return Loudness(EncoderCard("loudness", "0" * 64, 1, ("audio",), f"floor:{floor:g}"))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Give a function that lays a distribution with one module and entry points onto the path."""
    for registry in (CONVENTIONS, DATASETS, ENCODERS, METRICS, SYSTEMS):
        len(registry)  # scanned now: a first scan during the test would keep the distribution for all later tests
    modules: list[str] = []

    def lay(name: str, source: str, entries: dict[str, dict[str, str]], version: str = "1.2") -> None:
        site = tmp_path / name
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        groups = [
            f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()) for group, lines in entries.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(groups))
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        modules.append(name)

    yield lay
    for name in modules:
        sys.modules.pop(name, None)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with a plug-in in a module, one in a sub-package, and a module that must not be imported."""
    root = tmp_path / "scanned_things"
    (root / "family").mkdir(parents=True)
    (root / "__init__.py").write_text(
        "from clipsonic_eval.registry import Registry\nTHINGS = Registry('thing', 'scanned_things')\n"
    )
    (root / "plain.py").write_text("from scanned_things import THINGS\nTHINGS.add('plain', 1)\n")
    (root / "family" / "__init__.py").write_text("from scanned_things import THINGS\nTHINGS.add('of-family', 2)\n")
    (root / "_private.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "scanned_things"
    for name in [name for name in sys.modules if name.split(".")[0] == "scanned_things"]:
        del sys.modules[name]


def fresh(monkeypatch: pytest.MonkeyPatch, registry: Registry[object]) -> None:
    """Let a registry look for entry points again; what it finds is forgotten after the test."""
    for name in ("_items", "_origins", "_broken"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    monkeypatch.setattr(registry, "_scanned", False)


def test_modules_and_sub_packages_are_scanned_and_private_modules_are_not(package: str) -> None:
    things: Registry[int] = importlib.import_module(package).THINGS
    assert list(things) == ["of-family", "plain"]
    assert (things["plain"], things["of-family"], len(things)) == (1, 2, 2)
    assert "plain" in things
    assert "private" not in things
    assert things.origin("plain") == ""
    assert things.broken() == {}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert "toy-clip" in list(ENCODERS)
    with pytest.raises(UserError, match="Did you mean 'toy-clip'"):
        ENCODERS["toy-klip"]


def test_a_name_registered_twice_is_a_bug() -> None:
    registry: Registry[int] = Registry("thing", "clipsonic_eval.encoders")
    registry.add("a", 1)
    with pytest.raises(RuntimeError, match="registered twice"):
        registry.add("a", 2)


def test_an_entry_point_stands_beside_the_scanned_modules(package: str, install: Install) -> None:
    install("more_things", "THREE = 3\n", {package: {"three": "more_things:THREE"}})
    things: Registry[int] = importlib.import_module(package).THINGS
    assert list(things) == ["of-family", "plain", "three"]
    assert things["three"] == 3
    assert things.origin("three") == "more_things 1.2"


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("import no_such_module_at_all\n", "broken:X", r"broken:X cannot be imported \(No module named 'no_such_mod"),
        ("def f(:\n", "broken:X", "cannot be imported .*invalid syntax"),
        ("X = 1\n", "broken:Y", "cannot be imported .*has no attribute 'Y'"),
        ("raise KeyError\n", "broken:X", r"cannot be imported \(KeyError\)"),
    ],
)
def test_a_plug_in_that_cannot_be_imported_costs_one_sentence_and_no_other_plug_in(
    package: str, install: Install, caplog: pytest.LogCaptureFixture, source: str, value: str, said: str
) -> None:
    install("broken", source, {package: {"bad": value}})
    install("works", "FOUR = 4\n", {package: {"four": "works:FOUR"}})
    things: Registry[int] = importlib.import_module(package).THINGS
    with caplog.at_level(logging.WARNING):
        assert list(things) == ["four", "of-family", "plain"]
    (record,) = caplog.records
    assert record.getMessage().startswith("thing 'bad' of broken 1.2 is left out: ")
    assert "update or uninstall broken 1.2" in record.getMessage()
    with pytest.raises(UserError, match=said):
        things["bad"]
    assert set(things.broken()) == {"bad"}


def test_a_taken_name_keeps_what_it_stood_for(package: str, install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("a_thief", "X = 9\n", {package: {"plain": "a_thief:X", "nine": "a_thief:X"}})
    install("b_thief", "X = 10\n", {package: {"nine": "b_thief:X"}})
    things: Registry[int] = importlib.import_module(package).THINGS
    with caplog.at_level(logging.WARNING):
        assert (things["plain"], things["nine"]) == (1, 9)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "thing 'plain' of a_thief 1.2 is left out: the name is taken by clipsonic-eval; rename it, or uninstall one of "
        "the two",
        "thing 'nine' of b_thief 1.2 is left out: the name is taken by a_thief 1.2; rename it, or uninstall one of the "
        "two",
    ]


def test_an_encoder_from_another_package_loads_is_listed_and_refuses_wrong_options(
    monkeypatch: pytest.MonkeyPatch, install: Install
) -> None:
    from clipsonic_eval.types import Clip

    install("loud", ENCODER, {"clipsonic_eval.encoders": {"loudness": "loud:load"}})
    fresh(monkeypatch, ENCODERS)
    encoder = load_encoder("loudness", floor=0.5)
    np.testing.assert_array_equal(encoder.audio([Clip("a", np.full((1, 4), -0.25, np.float32), 16000)]), [[0.25]])
    assert encoder.card.preprocessing == "floor:0.5"
    with pytest.raises(ConfigError, match="loudness: no option 'ceiling'; there are floor"):
        load_encoder("loudness", ceiling=1)
    listed = json.loads(CliRunner().invoke(main, ["ls", "encoders", "--json"]).output)
    assert listed["loudness"] == "Loudness as an embedding. (from loud 1.2)"
    assert "from" not in listed["vggish"]


def test_a_metric_that_is_none_is_left_out(
    monkeypatch: pytest.MonkeyPatch, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    source = "from clipsonic_eval.metrics import METRICS\nMINE = METRICS['fad']\ndef other(): ...\n"
    install("mine", source, {"clipsonic_eval.metrics": {"mine": "mine:MINE", "other": "mine:other"}})
    fresh(monkeypatch, METRICS)
    with caplog.at_level(logging.WARNING):
        assert METRICS["mine"] is METRICS["fad"]
    assert METRICS.origin("mine") == "mine 1.2"
    with pytest.raises(UserError, match="mine:other is a function, no metric; update mine"):
        METRICS["other"]


def test_a_system_from_another_package_answers_by_its_name(monkeypatch: pytest.MonkeyPatch, install: Install) -> None:
    source = (
        "import numpy as np\n"
        "class Hum:\n"
        "    'A hum.'\n"
        "    name, sample_rate = 'hum', 16000\n"
        "    def generate(self, queries, seeds):\n"
        "        return [np.zeros(16, np.float32) for _ in queries]\n"
    )
    install("hums", source, {"clipsonic_eval.systems": {"hum": "hums:Hum"}})
    fresh(monkeypatch, SYSTEMS)
    system = resolve("hum")
    assert system.name == "hum"
    assert system.generate([Query("a", "rain")], [0])[0].shape == (16,)
    listed = json.loads(CliRunner().invoke(main, ["ls", "systems", "--json"]).output)
    assert listed["hum"] == "A hum. (from hums 1.2)"
    with pytest.raises(UserError, match=r"'humm': neither a folder of wavs .*nor the name of an installed system"):
        resolve("humm")


def test_listing_with_a_broken_plug_in_goes_on(
    monkeypatch: pytest.MonkeyPatch, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("ruin", "1 / 0\n", {"clipsonic_eval.encoders": {"ruin": "ruin:load"}})
    fresh(monkeypatch, ENCODERS)
    with caplog.at_level(logging.WARNING):
        result = CliRunner().invoke(main, ["ls", "encoders"])
    assert result.exit_code == 0
    assert "vggish" in result.output
    assert [r.getMessage() for r in caplog.records] == [
        "encoder 'ruin' of ruin 1.2 is left out: ruin:load cannot be imported (division by zero); update or uninstall "
        "ruin 1.2"
    ]
