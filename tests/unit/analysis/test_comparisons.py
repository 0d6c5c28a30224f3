from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from unit.report.synthetic import as_run, score, simple

from clipsonic_eval.analysis.comparisons import pool_comparisons
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.pooling import pool_scores
from clipsonic_eval.analysis.results import analyse
from clipsonic_eval.analysis.runs import Run, find
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.reporting import export_records
from clipsonic_eval.reporting.statements import caveats
from clipsonic_eval.study.catalogue import CLIPSONIC


def pairs_of(runs: list[Run]) -> dict[tuple[str, str, str], Comparison]:
    catalogue = CLIPSONIC.completed(name for run in runs for name in run.record.system_names)
    found = pool_comparisons(runs, pool_scores(runs), catalogue, catalogue.planned)
    return {(c.metric, c.a, c.b): c for c in found}


def of_one_run(values: Mapping[str, float], tests: Mapping[tuple[str, str], tuple[float, float]]) -> list[Run]:
    record = simple({("fad", s): v for s, v in values.items()}, {("fad", a, b): t for (a, b), t in tests.items()})
    return [as_run(record)]


def test_holm_is_over_the_planned_pairs_and_no_others() -> None:
    values = {"IQ": 1.0, "PD": 2.0, "ZS": 3.0, "real": 0.5}
    tests = {
        ("PD", "ZS"): (-1.0, 0.01),
        ("IQ", "PD"): (-1.0, 0.04),
        ("IQ", "ZS"): (-2.0, 0.03),
        ("IQ", "real"): (0.5, 0.9),
    }
    found = pairs_of(of_one_run(values, tests))
    assert {k[1:]: round(p.p_holm, 10) for k, p in found.items()} == {
        ("PD", "ZS"): 0.03,
        ("IQ", "PD"): 0.06,
        ("IQ", "ZS"): 0.06,
    }


def test_a_recorded_pair_is_turned_round_to_the_question() -> None:
    pair = pairs_of(of_one_run({"PD": 2.0, "ZS": 5.0}, {("ZS", "PD"): (3.0, 0.01)}))["fad", "PD", "ZS"]
    assert pair.difference == -3.0
    assert pair.ci == (-4.0, -2.0)
    assert pair.effect_size == -0.5
    assert pair.a_better  # FAD: lower is better
    assert pair.gain == 3.0
    assert pair.gain_ci == (2.0, 4.0)


def test_reversing_a_pair_twice_gives_it_back() -> None:
    pair = pairs_of(of_one_run({"PD": 2.0, "ZS": 5.0}, {("PD", "ZS"): (-3.0, 0.01)}))["fad", "PD", "ZS"]
    assert pair.reversed().a_better is False
    assert pair.reversed().reversed() == pair


def three_seeds(p_values: tuple[float, ...], differences: tuple[float, ...]) -> Comparison:
    runs = []
    for seed, (p, d) in enumerate(zip(p_values, differences, strict=True)):
        record = simple(
            {("fad", "PD"): 20 + d, ("fad", "ZS"): 20.0}, {("fad", "PD", "ZS"): (d, p)}, train_seed=str(seed)
        )
        runs.append(as_run(record, f"r{seed}"))
    return pairs_of(runs)["fad", "PD", "ZS"]


def test_equal_tests_of_dependent_seeds_merge_to_the_same_p() -> None:
    pair = three_seeds((0.01, 0.01, 0.01), (-2.0, -2.5, -3.0))
    assert pair.p_value == pytest.approx(0.01)
    assert pair.difference == pytest.approx(-2.5)
    assert pair.seeds_agree == 3


def test_seeds_of_opposite_sign_cancel() -> None:
    pair = three_seeds((0.001, 0.001, 1.0), (-2.0, 2.0, 0.0))
    assert pair.p_value == pytest.approx(1.0)


def test_a_merged_p_is_never_below_the_smallest() -> None:
    assert three_seeds((0.001, 0.02, 0.5), (-3.0, -2.0, -0.5)).p_value > 0.001


def test_clip_metrics_are_tested_over_queries_however_many_seeds_there_are() -> None:
    rng = np.random.default_rng(1)
    gain = rng.normal(0.02, 0.1, 300)
    hard = rng.normal(0.5, 0.2, 300)
    runs, means = [], []
    for seed in range(3):
        noise = rng.normal(0, 0.02, 300)
        items = {
            "PD": {f"q{k:03d}": float(v) for k, v in enumerate(hard + gain + noise)},
            "ZS": {f"q{k:03d}": float(v) for k, v in enumerate(hard)},
        }
        means.append(gain + noise)
        scores = tuple(score("clap_score", s, float(np.mean(list(i.values()))), per_clip=i) for s, i in items.items())
        runs.append(as_run(RunRecord("evaluate", scores, tags={"train_seed": str(seed)}), f"r{seed}"))
    pair = pairs_of(runs)["clap_score", "PD", "ZS"]
    per_query = np.mean(means, axis=0)
    truth = stats.ttest_1samp(per_query, 0.0)
    assert pair.difference == pytest.approx(per_query.mean())
    assert pair.p_value == pytest.approx(truth.pvalue, rel=0.5)
    assert pair.n == 300
    assert pair.effect_size == pytest.approx(per_query.mean() / per_query.std(ddof=1))


def test_a_system_with_one_value_stands_against_every_seed_of_the_other() -> None:
    runs = [as_run(simple({("fad", "PD"): v}, train_seed=str(i)), f"r{i}") for i, v in enumerate((10.0, 12.0))]
    tests = {("fad", "PD", "mine"): (-5.0, 0.01)}
    runs[0] = as_run(simple({("fad", "PD"): 10.0}, tests, train_seed="0"), "r0")
    runs[1] = as_run(simple({("fad", "PD"): 12.0}, tests, train_seed="1"), "r1")
    runs.append(as_run(simple({("fad", "mine"): 16.0}), "mine"))
    pair = pairs_of(runs)["fad", "PD", "mine"]
    assert dict(pair.by_seed) == {"0": -6.0, "1": -4.0}
    assert pair.difference == pytest.approx(-5.0)


def test_pairs_of_foreign_systems_are_shown_as_far_as_a_run_compared_them() -> None:
    values = {"mine": 1.0, "yours": 2.0, "noise": 9.0}
    tests = {("mine", "yours"): (-1.0, 0.02), ("mine", "noise"): (-8.0, 0.001)}
    assert list(pairs_of(of_one_run(values, tests))) == [("fad", "mine", "yours")]


def test_a_pair_that_nobody_tested_is_left_out() -> None:
    assert pairs_of(of_one_run({"PD": 1.0, "ZS": 2.0}, {})) == {}


@pytest.mark.parametrize("asked", [{"pairs": ["IQ:real"]}, {"baselines": ["real"]}])
def test_a_pair_that_a_run_was_asked_for_is_shown_whoever_it_is(asked: dict[str, list[str]], tmp_path: Path) -> None:
    record = simple({("fad", s): v for s, v in (("IQ", 1.0), ("real", 0.5))}, {("fad", "IQ", "real"): (0.5, 0.01)})
    run = as_run(replace(record, config=asked))
    assert list(pairs_of([run])) == [("fad", "IQ", "real")]
    assert list(pairs_of([as_run(record)])) == []
    results = analyse(sort([run]), CLIPSONIC)
    assert not any("No paired test" in line for line in caveats.read(results))
    export_records.write(results, tmp_path)  # and the report is remade from what it keeps
    assert list(pairs_of(find([tmp_path / run.name]))) == [("fad", "IQ", "real")]


def test_tests_that_answer_no_question_of_the_report_are_not_said_to_be_missing() -> None:
    record = simple({("fad", s): v for s, v in (("IQ", 1.0), ("real", 0.5))}, {("fad", "IQ", "real"): (0.5, 0.01)})
    lines = caveats.read(analyse(sort([as_run(record)]), CLIPSONIC))
    assert not any("No paired test was made" in line for line in lines)
    assert any("The paired tests of FAD in the records answer none of the questions" in line for line in lines)


def test_a_sweep_tests_its_own_pairs_and_leaves_the_table_the_others() -> None:
    """The runs of a study name all its planned pairs; only those of the sweep enter Holm's correction there."""
    values = {("fad", s): v for s, v in (("IQ", 1.0), ("PD", 2.0), ("ZS", 3.0), ("mine", 4.0))}
    tests = {("fad", a, b): (-1.0, 0.01) for a, b in (("PD", "ZS"), ("IQ", "PD"), ("IQ", "ZS"), ("mine", "ZS"))}
    run = as_run(replace(simple(values, tests), config={"pairs": ["PD:ZS", "IQ:PD", "IQ:ZS", "mine:ZS"]}))
    catalogue = CLIPSONIC.completed(run.record.system_names)
    found = pool_comparisons([run], pool_scores([run]), catalogue, catalogue.sweep)
    assert [(c.a, c.b) for c in found] == [("IQ", "ZS"), ("PD", "ZS"), ("mine", "ZS")]
    assert [c.p_holm for c in found] == pytest.approx([0.03] * 3)
