from __future__ import annotations

import re
from pathlib import Path

import pytest

from clipsonic_eval.bench.cases import BenchConfig, Case, Target, cases, named_targets
from clipsonic_eval.errors import ConfigError


def test_settings_are_for_all_targets_or_for_the_one_that_is_named() -> None:
    zs, pd, clap = named_targets(
        ["ZS=s:Z", "PD=s:P", "toy-clap"],
        ["model=m", "PD.prior=p", "toy-clap.batch=4"],
        ["steps=10,20", "PD.guidance=1,2.5", "toy-clap.length=1,10"],
    )
    assert (zs.spec, zs.name, zs.settings) == ("s:Z", "ZS", {"model": "m"})
    assert zs.grid == {"steps": (10, 20)}
    assert pd.settings == {"model": "m", "prior": "p"}
    assert pd.grid == {"steps": (10, 20), "guidance": (1, 2.5)}
    assert (clap.name, clap.settings) == ("", {"model": "m", "batch": 4})


def test_values_of_a_grid_are_of_every_kind() -> None:
    (target,) = named_targets(["a:A"], [], ["compile=false,true", "sampler=ddim,ddpm", "channels=[1,2],[3]"])
    assert target.grid == {"compile": (False, True), "sampler": ("ddim", "ddpm"), "channels": ([1, 2], [3])}


def test_cases_are_all_combinations_and_are_named_by_what_varies() -> None:
    config = BenchConfig(targets=named_targets(["a:A", "fad"], ["a=1"], ["steps=10,20", "batch=1,2", "seed=0"]))
    labels = [case.label("X") for case in cases(config)]
    assert labels[:4] == ["X steps=10 batch=1", "X steps=10 batch=2", "X steps=20 batch=1", "X steps=20 batch=2"]
    assert len(labels) == 8


def test_flags_are_named_as_they_are_written() -> None:
    case = Case(Target("a:A", grid={"compile": (False, True)}), {"compile": True})
    assert case.label("ZS") == "ZS compile=true"


def test_a_worker_is_told_everything_and_processes_have_seeds_of_their_own() -> None:
    config = BenchConfig(targets=(Target("a:A", "X", {"m": 1}, {"steps": (3,)}),), queries=Path("q.csv"), processes=4)
    told = [cases(config)[0].request(config, process) for process in range(4)]
    assert told[0]["settings"] == {"m": 1, "steps": 3}
    assert told[0]["queries"] == "q.csv"
    assert len({one["seed"] for one in told}) == 4
    assert sum(one["kept"] for one in told) <= 2000


@pytest.mark.parametrize(
    ("words", "sets", "grid", "sentence"),
    [
        (["=x"], [], [], "=x: expected SPEC or NAME=SPEC"),
        (["A=x:X", "A=y:Y"], [], [], "'A' stands twice"),
        (["fad", "fad"], [], [], "'fad' stands twice; give each a name of its own"),
        (["a:A"], [], ["steps"], "--grid steps: expected KEY=VALUE,VALUE"),
        (["a:A"], [], ["steps="], "--grid steps=: expected KEY=VALUE,VALUE"),
        (["a:A"], [], ["steps=10,10"], "--grid steps: a value stands twice"),
        (["a:A"], ["steps=5"], ["steps=10"], "steps: given by --set and by --grid"),
        (["a:A"], [], ["steps=[1"], "not readable as YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], sets: list[str], grid: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        named_targets(words, sets, grid)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"targets": ()}, "nothing to measure"),
        ({"processes": 0}, "at least 1"),
        ({"calls": 0}, "at least 1"),
        ({"seconds": 0.0}, "seconds must be above 0"),
        ({"interleave": True}, "exactly two targets"),
        ({"targets": (Target("a:A"), Target("b:B", grid={"s": (1, 2)})), "interleave": True}, "one point each"),
    ],
)
def test_a_bench_that_makes_no_sense_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        BenchConfig(**{"targets": (Target("a:A"),), **changes})  # type: ignore[arg-type]
