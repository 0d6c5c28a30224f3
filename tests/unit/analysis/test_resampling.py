"""Intervals and tests over per-query means, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from unit.report.synthetic import score

from clipsonic_eval.analysis.resampling import mean_interval, paired_test
from clipsonic_eval.types import Score


def of(system: str, values: np.ndarray, metric: str = "clap_score") -> Score:
    return score(metric, system, float(values.mean()), per_clip={f"q{i:03d}": float(v) for i, v in enumerate(values)})


def test_the_interval_of_a_mean_is_that_of_students_t_where_values_are_normal() -> None:
    values = np.random.default_rng(0).normal(0.4, 0.1, 300)
    (low, high), method = mean_interval({f"q{i}": float(v) for i, v in enumerate(values)}, 0.95)
    expected = stats.t.interval(0.95, 299, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=0.002)
    assert method.endswith(", per-query means over seeds")


def test_a_higher_level_gives_a_wider_interval() -> None:
    values = {f"q{i}": float(v) for i, v in enumerate(np.random.default_rng(1).normal(size=100))}
    (low, high), (lower, higher) = mean_interval(values, 0.9)[0], mean_interval(values, 0.99)[0]
    assert lower < low < high < higher


def test_the_p_value_of_a_paired_test_is_near_students() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.52, 0.1, 200), rng.normal(0.5, 0.1, 200)
    found = paired_test(of("a", a), of("b", b))
    assert found.p_value == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.02)
    assert found.difference == pytest.approx(float((a - b).mean()))
    assert found.effect_size == pytest.approx(float((a - b).mean() / (a - b).std(ddof=1)))
    assert found.n == 200


def test_only_queries_that_both_systems_answered_are_tested() -> None:
    a, b = of("a", np.arange(10.0)), of("b", np.arange(20.0))
    found = paired_test(a, b)
    assert (found.n, found.difference) == (10, 0.0)


@settings(max_examples=10)
@given(st.integers(0, 2**31))
def test_changing_sides_turns_the_test_round(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = of("a", rng.normal(size=30)), of("b", rng.normal(size=30))
    one, other = paired_test(a, b), paired_test(b, a).reversed()
    assert (one.a, one.b, one.n) == (other.a, other.b, other.n)
    assert one.difference == pytest.approx(other.difference)
    assert one.p_value == pytest.approx(other.p_value)


@pytest.mark.parametrize(("metric", "higher"), [("clap_score", True), ("kl", False)])
def test_a_test_knows_the_direction_of_its_metric(metric: str, higher: bool) -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.5])
    found = paired_test(of("a", a, metric), of("b", b, metric))
    assert found.higher_is_better == higher
    assert found.a_better == (not higher)
