from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats import pareto
from clipsonic_eval.stats.bootstrap import resample_counts

B = 4000


def by_definition(points: list[tuple[float, float]]) -> list[bool]:
    def dominates(p: tuple[float, float], q: tuple[float, float]) -> bool:
        return p[0] <= q[0] and p[1] <= q[1] and p != q

    return [not any(dominates(other, own) for other in points) for own in points]


few_numbers = st.integers(0, 4).map(float)


@given(st.lists(st.tuples(few_numbers, few_numbers), min_size=1, max_size=12))
def test_the_frontier_is_that_of_the_definition_ties_and_all(points: list[tuple[float, float]]) -> None:
    quality, latency = np.array(points).T
    assert pareto.on_frontier(quality, latency).tolist() == by_definition(points)


@given(st.lists(st.tuples(few_numbers, few_numbers), min_size=1, max_size=8), st.floats(0.1, 5))
def test_a_change_of_unit_and_an_exchange_of_the_axes_leave_the_frontier_as_it_is(
    points: list[tuple[float, float]], factor: float
) -> None:
    quality, latency = np.array(points).T
    expected = pareto.on_frontier(quality, latency)
    assert (pareto.on_frontier(factor * latency, quality) == expected).all()


def test_every_row_is_a_set_of_points_of_its_own() -> None:
    rng = np.random.default_rng(0)
    quality, latency = rng.integers(0, 5, (2, 50, 7)).astype(float)
    rows = [pareto.on_frontier(q, t) for q, t in zip(quality, latency, strict=True)]
    assert (pareto.on_frontier(quality, latency) == np.stack(rows)).all()


def test_equal_points_are_on_the_frontier_together() -> None:
    quality, latency = np.array([1.0, 1.0, 2.0]), np.array([3.0, 3.0, 3.0])
    assert pareto.on_frontier(quality, latency).tolist() == [True, True, False]


def test_one_cost_alone_has_its_least_values_on_the_frontier() -> None:
    assert pareto.on_frontier(np.array([2.0, 1.0, 1.0])).tolist() == [False, True, True]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_cost_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ShapeError, match="costs must be finite"):
        pareto.on_frontier(np.array([1.0, bad]), np.array([1.0, 2.0]))
    with pytest.raises(ShapeError, match="quality must be finite"):
        pareto.quality_replicates([1.0, bad], [{"a": 0.0}, {"a": 0.0}], 20, 0)
    with pytest.raises(ShapeError, match="durations must be finite"):
        pareto.latency_replicates([np.array([1.0, bad])], 20, 0, "x")


def test_costs_of_other_points_are_refused() -> None:
    with pytest.raises(ShapeError, match="same points"):
        pareto.on_frontier(np.zeros(3), np.zeros(2))
    with pytest.raises(ShapeError, match="same points"):
        pareto.on_frontier()


def clips(n: int, seed: int) -> list[dict[str, float]]:
    """Values of two points on the same clips: a large part that they share, and a small one of their own."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal(n)
    return [{f"c{i:03d}": x for i, x in enumerate(shared + 0.3 * rng.standard_normal(n))} for _ in range(2)]


def share_of_the_slower(points: list[dict[str, float]], gain: float) -> float:
    """Share of the second point, which is slower for sure and better by ``gain`` (lower values are better)."""
    values = [float(np.mean(list(own.values()))) for own in points]
    values[1] = values[0] - gain
    quality = pareto.quality_replicates(values, [pareto.mean_influence(own) for own in points], B, 0)
    latency = np.tile([1.0, 2.0], (B, 1))
    shares = pareto.membership(quality, latency)
    assert shares[0] == 1.0
    return float(shares[1])


@pytest.mark.parametrize("z", [-1.0, 0.0, 0.7, 2.0])
def test_a_slower_point_is_on_the_frontier_as_often_as_a_normal_difference_is_positive(z: float) -> None:
    points = clips(200, seed=1)
    differences = np.array([points[1][key] - points[0][key] for key in points[0]])
    error = differences.std() / np.sqrt(len(differences))  # of paired clips: what the points share has cancelled
    assert share_of_the_slower(points, z * error) == pytest.approx(norm.cdf(z), abs=0.025)


def test_resamples_of_other_clips_would_blur_the_frontier() -> None:
    points = clips(200, seed=1)
    other = {f"other-{key}": value for key, value in points[1].items()}
    assert share_of_the_slower(points, 0.1) > 0.99
    assert share_of_the_slower([points[0], other], 0.1) < 0.9


def test_a_point_that_is_dominated_by_far_is_never_on_the_frontier_and_its_better_always() -> None:
    points = clips(100, seed=2)
    influences = [pareto.mean_influence(own) for own in points]
    quality = pareto.quality_replicates([0.0, 5.0], influences, B, 0)
    rounds = np.random.default_rng(0).normal(1, 0.01, (2, 3, 20))
    latency = np.stack([pareto.latency_replicates(list((1 + i) * rounds[i]), B, 0, f"{i}") for i in range(2)], axis=1)
    assert pareto.membership(quality, latency).tolist() == [1.0, 0.0]


def test_points_with_the_same_clips_and_durations_share_the_frontier() -> None:
    own = clips(50, seed=3)[0]
    quality = pareto.quality_replicates([1.0, 1.0], [pareto.mean_influence(own)] * 2, B, 0)
    latency = np.repeat(pareto.latency_replicates([np.arange(1.0, 9.0)], B, 0, "x")[:, None], 2, axis=1)
    assert pareto.membership(quality, latency).tolist() == [1.0, 1.0]


def test_replicates_of_a_mean_are_means_of_the_resampled_clips() -> None:
    own = clips(30, seed=4)[0]
    keys, values = sorted(own), np.array([own[key] for key in sorted(own)])
    expected = resample_counts(keys, 100, 7, "bootstrap-queries") @ values / len(values)
    found = pareto.quality_replicates([float(values.mean())], [pareto.mean_influence(own)], 100, 7)
    assert np.allclose(found[:, 0], expected)


def test_the_spread_of_a_set_statistic_is_that_of_both_its_sets() -> None:
    rng = np.random.default_rng(5)
    own, other = ({f"{i}": x for i, x in enumerate(v - v.mean())} for v in rng.standard_normal((2, 40)))
    expected = np.sqrt(sum(x * x for x in own.values()) + sum(x * x for x in other.values()))
    found = pareto.quality_replicates([3.0], [own], 20_000, 0, reference=[other])
    assert found.mean() == pytest.approx(3.0, abs=0.2)
    assert found.std() == pytest.approx(expected, rel=0.02)


def test_the_reference_moves_all_points_alike() -> None:
    reference = [{f"{i}": float(i % 2) - 0.5 for i in range(10)}] * 2
    found = pareto.quality_replicates([1.0, 3.0], [{"a": 0.0}, {"a": 0.0}], 200, 0, reference=reference)
    assert np.allclose(found[:, 1] - found[:, 0], 2.0)
    assert found[:, 0].std() > 0


def test_points_without_clips_and_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="cannot be resampled"):
        pareto.quality_replicates([1.0], [{}], 20, 0)
    with pytest.raises(ShapeError, match="as many sets"):
        pareto.quality_replicates([1.0, 2.0], [{"a": 0.0}], 20, 0)
    with pytest.raises(ShapeError, match="at least one round"):
        pareto.latency_replicates([np.array([])], 20, 0, "x")


def brute_force_medians(processes: list[Float64], n_boot: int) -> Float64:
    rng = np.random.default_rng(99)
    result = np.empty(n_boot)
    for b in range(n_boot):
        chosen = [processes[i] for i in rng.integers(0, len(processes), len(processes))]
        result[b] = np.median(np.concatenate([rng.choice(rounds, len(rounds)) for rounds in chosen]))
    return result


def test_medians_are_distributed_as_those_of_a_bootstrap_of_two_levels() -> None:
    rng = np.random.default_rng(6)
    processes = [rng.gamma(3, size=n) + shift for n, shift in ((15, 0.0), (20, 0.6), (9, 1.5), (16, 0.2))]
    found = pareto.latency_replicates(processes, 4000, 0, "x")
    expected = brute_force_medians(processes, 4000)
    marks = [0.05, 0.25, 0.5, 0.75, 0.95]
    assert np.allclose(np.quantile(found, marks), np.quantile(expected, marks), atol=0.15)


def test_processes_that_differ_widen_the_spread_that_rounds_alone_hide() -> None:
    rounds = [np.full(20, 1.0) + 0.01 * np.arange(20), np.full(20, 2.0) + 0.01 * np.arange(20), np.full(20, 3.0)]
    between = pareto.latency_replicates(rounds, B, 0, "x").std()
    within = pareto.latency_replicates([np.concatenate(rounds)], B, 0, "x").std()
    assert between > 1.5 * within


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_every_median_lies_between_two_durations(rounds: list[int]) -> None:
    values = np.array(rounds, np.float64)
    found = pareto.latency_replicates([values], 20, 0, "x")
    halves = {(a + b) / 2 for a in values for b in values}
    assert set(found) <= halves
