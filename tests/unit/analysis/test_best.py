from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from unit.report.synthetic import as_run, score, simple

from clipsonic_eval.analysis.best import against_best, best_systems
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.pooling import pool_scores
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.stats.paired import holm
from clipsonic_eval.types import Score


def compared(*records: RunRecord) -> dict[tuple[str, str, str], Comparison]:
    runs = [as_run(record) for record in records]
    names = [name for record in records for name in record.system_names]
    found = against_best(runs, pool_scores(runs), Catalogue().completed(names))
    return {(c.metric, c.a, c.b): c for c in found}


def per_clip(metric: str, system: str, shift: float, seed: int, n: int = 60) -> Score:
    shared = np.random.default_rng(5).normal(0, 1, n)
    values = shared + shift + np.random.default_rng(seed).normal(0, 0.3, n)
    values += shift - values.mean()
    return score(metric, system, shift, n=n, per_clip={f"q{i}": float(v) for i, v in enumerate(values)})


def fad(system: str, value: float, spread: float, n: int = 200, seed: int = 0) -> Score:
    """A distance whose influences predict the interval that it has."""
    rng = np.random.default_rng(seed)
    own, reference = rng.normal(0, spread / n**0.5, (2, n))
    half = 1.96 * float(np.sqrt(own @ own + reference @ reference))
    return score(
        "fad", system, value, n=n, ci=(value - half, value + half),
        influence={f"q{i}": float(v) for i, v in enumerate(own)},
        reference_influence={f"r{i}": float(v) for i, v in enumerate(reference)},
    )  # fmt: skip


def test_each_system_is_tested_against_the_best_and_controls_are_not() -> None:
    scores = (per_clip("clap_score", "A", 0.5, 1), per_clip("clap_score", "B", 0.45, 2),
              per_clip("clap_score", "C", -1.0, 3), per_clip("clap_score", "real", 2.0, 4))  # fmt: skip
    found = compared(RunRecord("evaluate", scores))
    assert set(found) == {("clap_score", "A", "B"), ("clap_score", "A", "C")}
    assert found["clap_score", "A", "C"].significant
    assert found["clap_score", "A", "C"].difference == pytest.approx(1.5)
    assert not found["clap_score", "A", "B"].significant


def test_the_family_of_the_correction_is_all_comparisons_with_a_best_system() -> None:
    scores = [per_clip("clap_score", name, shift, i) for i, (name, shift) in enumerate([("A", 0.5), ("B", 0.42)])]
    alone = compared(RunRecord("evaluate", tuple(scores)))["clap_score", "A", "B"]
    more = [per_clip("class_accuracy", name, shift, i) for i, (name, shift) in enumerate([("A", 0.5), ("B", 0.45)])]
    both = compared(RunRecord("evaluate", (*scores, *more)))
    assert both["clap_score", "A", "B"].p_value == alone.p_value
    assert sorted(c.p_holm for c in both.values()) == sorted(holm([c.p_value for c in both.values()]))
    assert both["clap_score", "A", "B"].p_holm >= alone.p_holm


def test_a_recorded_comparison_is_used_where_a_metric_has_no_values_per_clip() -> None:
    found = compared(simple({("fad", "A"): 2.0, ("fad", "B"): 3.0}, {("fad", "B", "A"): (1.0, 0.03)}))
    assert found["fad", "A", "B"].difference == -1.0
    assert found["fad", "A", "B"].p_value == 0.03


def test_distances_that_no_run_compared_are_tested_by_their_influences() -> None:
    made = (fad("A", 2.0, 0.5, seed=1), fad("B", 2.02, 0.5, seed=2), fad("C", 9.0, 0.5, seed=3))
    found = compared(RunRecord("evaluate", made))
    c = found["fad", "A", "B"]
    own = np.array(list(made[0].influence.values())) - np.array(list(made[1].influence.values()))
    reference = np.array(list(made[0].reference_influence.values())) - np.array(
        list(made[1].reference_influence.values())
    )
    z = 0.02 / np.sqrt(own @ own + reference @ reference)  # Student's t of 199 degrees is near normal
    from scipy.stats import norm

    assert c.p_value == pytest.approx(2 * norm.sf(z), abs=0.002)
    assert c.test == "influence-t"
    assert not c.significant
    assert found["fad", "A", "C"].significant


def test_influences_that_do_not_describe_the_scatter_make_no_test() -> None:
    wrong = replace(fad("B", 3.0, 0.5, seed=2), ci=(0.0, 9.0))
    assert compared(RunRecord("evaluate", (fad("A", 2.0, 0.5, seed=1), wrong))) == {}


def test_influences_are_averaged_over_training_seeds() -> None:
    runs = [
        RunRecord("evaluate", (fad("A", 2.0 + i, 0.5, seed=i), fad("B", 5.0 + i, 0.5, seed=9 + i)),
                  tags={"train_seed": str(i)})
        for i in range(3)
    ]  # fmt: skip
    found = compared(*runs)["fad", "A", "B"]
    assert found.difference == pytest.approx(-3.0)
    assert found.test == "influence-t, mean over seeds"


def test_without_a_single_best_system_there_is_nothing_to_test() -> None:
    assert compared(simple({("fad", "A"): 3.0, ("fad", "B"): 3.0})) == {}
    catalogue = Catalogue().completed(["A", "real"])
    assert best_systems([score("fad", "A", 3.0), score("fad", "real", 1.0)], catalogue) == {}


def test_a_system_as_good_as_the_best_is_rarely_called_worse() -> None:
    """Six equal systems, means with a standard error of one: the first must be best, or not worse, in 95 %."""
    from scipy.stats import norm

    means = np.random.default_rng(0).standard_normal((2000, 6))
    called_worse = 0
    for draw in means:
        best = int(draw.argmax())
        others = [i for i in range(6) if i != best]
        corrected = holm([float(2 * norm.sf((draw[best] - draw[i]) / 2**0.5)) for i in others])
        called_worse += best != 0 and dict(zip(others, corrected, strict=True))[0] < 0.05
    assert called_worse / 2000 < 0.05
