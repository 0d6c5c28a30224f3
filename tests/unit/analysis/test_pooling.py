from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from unit.report.synthetic import as_run, score, simple

from clipsonic_eval.analysis.pooling import pool_scores
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord

FAD = ("fad", "PD")


def test_a_cell_of_three_seeds_holds_their_mean_and_sample_standard_deviation() -> None:
    runs = [as_run(simple({FAD: v}, train_seed=str(i)), f"r{i}") for i, v in enumerate((10.0, 12.0, 17.0))]
    cell = pool_scores(runs)[FAD]
    assert cell.value == pytest.approx(13.0)
    assert cell.seed_std == pytest.approx(13.0**0.5)  # (9 + 1 + 16) / 2
    assert dict(cell.by_seed) == {"0": 10.0, "1": 12.0, "2": 17.0}


def test_seeds_are_ordered_as_numbers() -> None:
    runs = [as_run(simple({FAD: float(v)}, train_seed=str(v)), f"r{v}") for v in (10, 9, 2)]
    assert list(pool_scores(runs)[FAD].by_seed) == ["2", "9", "10"]


def test_the_interval_of_a_set_metric_is_the_mean_of_the_seeds_ends() -> None:
    records = [
        RunRecord("evaluate", (score("fad", "PD", 10.0, ci=(8.0, 11.0)),), tags={"train_seed": "0"}),
        RunRecord("evaluate", (score("fad", "PD", 14.0, ci=(12.0, 17.0)),), tags={"train_seed": "1"}),
    ]
    assert pool_scores([as_run(r, str(i)) for i, r in enumerate(records)])[FAD].ci == (10.0, 14.0)


def test_a_single_run_keeps_its_own_interval_and_has_no_spread() -> None:
    cell = pool_scores([as_run(RunRecord("evaluate", (score("fad", "PD", 10.0, ci=(9.0, 11.5)),)))])[FAD]
    assert cell.ci == (9.0, 11.5)
    assert cell.seed_std is None


def test_a_control_that_is_the_same_beside_every_seed_counts_once() -> None:
    runs = [as_run(simple({("fad", "real"): 2.8}, train_seed=str(i)), f"r{i}") for i in range(3)]
    cell = pool_scores(runs)["fad", "real"]
    assert cell.seed_std is None
    assert dict(cell.by_seed) == {"": 2.8}


def test_seeds_that_agree_on_one_metric_by_chance_remain_seeds() -> None:
    accuracy = ("class_accuracy", "PD")
    runs = [as_run(simple({FAD: 10.0 + i, accuracy: 0.5}, train_seed=str(i)), f"r{i}") for i in range(2)]
    cell = pool_scores(runs)[accuracy]
    assert cell.seed_std == 0.0
    assert dict(cell.by_seed) == {"0": 0.5, "1": 0.5}


def test_the_interval_of_a_clip_metric_is_over_queries_after_averaging_seeds() -> None:
    rng = np.random.default_rng(0)
    queries = rng.normal(0.5, 0.1, 400)
    wobble = rng.normal(0, 0.05, 400)
    records = []
    for i, sign in enumerate((1, -1)):  # the seeds' deviations cancel query by query
        items = {f"q{k}": float(v) for k, v in enumerate(queries + sign * wobble)}
        mean = float(np.mean(list(items.values())))
        records.append(
            RunRecord("evaluate", (score("clap_score", "PD", mean, per_clip=items),), tags={"train_seed": str(i)})
        )
    cell = pool_scores([as_run(r, str(i)) for i, r in enumerate(records)])["clap_score", "PD"]
    half = 1.96 * queries.std(ddof=1) / 20
    assert cell.ci is not None
    assert cell.ci == pytest.approx((queries.mean() - half, queries.mean() + half), abs=0.15 * half)


def test_two_values_for_one_seed_are_refused_by_name() -> None:
    runs = [as_run(simple({FAD: 1.0}, train_seed="0"), "first"), as_run(simple({FAD: 2.0}, train_seed="0"), "second")]
    with pytest.raises(UserError, match=r"'first' and 'second' both give fad of 'PD' for train_seed 0 \(1 and 2\)"):
        pool_scores(runs)


def test_seeds_that_were_scored_differently_are_refused() -> None:
    one = simple({FAD: 1.0}, train_seed="0")
    other = replace(simple({FAD: 2.0}, train_seed="1"), scores=(score("fad", "PD", 2.0, signature="fad|rate:8k"),))
    with pytest.raises(UserError, match=r"train_seed 1: signature 'fad\|rate:8k' does not match"):
        pool_scores([as_run(one, "a"), as_run(other, "b")])


def test_pooled_intervals_stand_in_for_clip_scores_that_were_not_kept() -> None:
    key = ("clap_score", "PD")
    runs = [as_run(simple({key: v}, train_seed=str(i)), f"r{i}") for i, v in enumerate((0.4, 0.6))]
    pooled = RunRecord("pooled", (score("clap_score", "PD", 0.5, ci=(0.47, 0.52), ci_method="kept"),))
    cell = pool_scores(runs, pooled)[key]
    assert cell.ci == (0.47, 0.52)
    assert cell.ci_method == "kept"


def test_runs_of_two_test_sets_are_told_apart_by_their_tag() -> None:
    """The same system on two data sets has two values; which one the table shows is the user's to say."""
    runs = [as_run(simple({("fad", "PD"): value}, dataset=name)) for name, value in (("VGGSound", 2.0), ("MUSIC", 3.0))]
    with pytest.raises(
        UserError, match=r"\(2 and 3\); choose one, e\.g\. --select dataset=VGGSound, or tag them apart"
    ):
        pool_scores(runs)
