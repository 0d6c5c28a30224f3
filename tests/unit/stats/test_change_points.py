from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats import change_points
from clipsonic_eval.stats.bootstrap import wilson_interval
from clipsonic_eval.stats.change_points import StepFit, find_change_points


def places(fit: StepFit) -> list[int]:
    return [step.index for step in fit.steps]


def stepped(n: int, start: int, size: float, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(n)
    values[start:] += size
    return values


def least_squares(values: np.ndarray, weights: np.ndarray, steps: int, shortest: int) -> float:
    """Try every way to cut the series."""
    n = len(values)
    found = np.inf
    for cuts in itertools.combinations(range(1, n), steps):
        bounds = [0, *cuts, n]
        lengths = np.diff(bounds)
        if min(lengths) < shortest or (lengths[-1] < 3 <= n and steps):
            continue
        squares = 0.0
        for a, b in itertools.pairwise(bounds):
            mean = np.average(values[a:b], weights=weights[a:b])
            squares += float((weights[a:b] * (values[a:b] - mean) ** 2).sum())
        found = min(found, squares)
    return found


@pytest.mark.parametrize(("n", "shortest"), [(5, 2), (9, 2), (10, 3), (15, 3)])
def test_a_fit_is_the_best_of_all_ways_to_cut_a_series(n: int, shortest: int) -> None:
    rng = np.random.default_rng(n)
    values, weights = rng.standard_normal(n) + 5, rng.integers(1, 4, n).astype(float)
    _, found = change_points.fits(change_points.costs(values[None], weights[None]))
    assert found.shape == (1, n // 5 + 1)
    wanted = [least_squares(values, weights, steps, shortest) for steps in range(n // 5 + 1)]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-9)


def test_steps_are_found_where_they_are_with_the_means_between_them_as_levels() -> None:
    values = np.concatenate([stepped(30, 12, 8.0), stepped(10, 0, -6.0, seed=1)])
    fit = find_change_points(values)
    assert places(fit) == [12, 30]
    assert [step.before for step in fit.steps] == pytest.approx([values[:12].mean(), values[12:30].mean()])
    assert [step.after for step in fit.steps] == pytest.approx([values[12:30].mean(), values[30:].mean()])
    assert fit.noise == pytest.approx(1.0, abs=0.3)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(5, 30),
    st.integers(0, 1000),
    st.floats(1e-3, 1e3),
    st.floats(-100, 100),
    st.booleans(),
)
def test_unit_and_direction_of_a_metric_move_no_change_point(
    n: int, seed: int, scale: float, shift: float, turned: bool
) -> None:
    values = stepped(n, n // 2, 6.0, seed)
    other = find_change_points((-scale if turned else scale) * (values + shift))
    fit = find_change_points(values)
    assert places(other) == places(fit)
    assert [abs(s.size) for s in other.steps] == pytest.approx([scale * abs(s.size) for s in fit.steps], rel=1e-6)


@pytest.mark.parametrize("n", [5, 9, 10, 40])
def test_the_newest_two_points_are_too_new_to_tell(n: int) -> None:
    for after in (1, 2):
        assert all(place <= n - 3 for place in places(find_change_points(stepped(n, n - after, 50.0))))
    assert places(find_change_points(stepped(n, n - 3, 50.0))) == [n - 3]


def test_fewer_than_five_points_tell_nothing() -> None:
    assert find_change_points([1.0, 1.0, 9.0, 9.0]) == StepFit((), None, 4)
    assert find_change_points([1.0]) == StepFit((), None, 1)


def test_an_outlier_is_no_step_and_hides_none() -> None:
    found = []
    for seed in range(100):
        values = stepped(30, 18, 5.0, seed)
        values[7] = 100.0
        found.append([abs(place - 18) <= 1 for place in places(find_change_points(values))])
    assert all(any(near) for near in found)
    further = sum(len(near) > 1 for near in found) / 100
    assert wilson_interval(further, 100)[0] <= 0.05


def test_a_constant_series_has_no_step_whatever_its_last_digits_say() -> None:
    for level in (0.0, 23.4, -1e-9, 1e9):
        values = level * (1 + 1e-8 * np.random.default_rng(0).standard_normal(40))
        values[20:] *= 1 + 1e-7
        assert places(find_change_points(values)) == []
    assert places(find_change_points(np.r_[np.full(10, 2.0), np.full(4, 2.001)])) == [10]


def test_the_same_weights_have_no_noise() -> None:
    values = [3.0, 3.0, 3.0, 3.0 + 1e-8, 3.01, 3.01]
    assert places(find_change_points(values)) == []  # too new
    fit = find_change_points(values, same=["a"] * 6)
    assert [(step.index, step.exact, round(step.size, 6)) for step in fit.steps] == [(4, True, 0.01)]
    assert fit.n == 1


def test_points_of_the_same_weights_count_once() -> None:
    values = np.repeat(stepped(6, 6, 0.0), 10)  # six trainings, each evaluated at ten commits
    assert places(find_change_points(values)) != []  # as independent points they would be steps
    labels = [str(i // 10) for i in range(60)]
    fit = find_change_points(values, same=labels)
    assert fit.n == 6
    assert places(fit) == []
    moved = np.repeat([0.1, -0.1, 0.0, 5.0, 5.1, 4.9], 10)
    moved[25:] += 0.5  # numerics changed within the third training
    assert [(s.index, s.exact) for s in find_change_points(moved, same=labels).steps] == [(25, True), (30, False)]


def test_known_noise_silences_steps_and_weights_carry_seeds() -> None:
    values = stepped(12, 6, 6.0, seed=3)
    assert places(find_change_points(values)) == [6]
    assert places(find_change_points(values, least_noise=6.0)) == []
    heavy = find_change_points(values, weights=np.full(12, 9.0))
    assert places(heavy) == [6]
    assert heavy.noise == pytest.approx(3 * (find_change_points(values).noise or 0))  # of a point of weight 1


def test_of_a_long_series_the_newest_points_are_looked_at() -> None:
    values = stepped(900, 500, 20.0)
    values[800:] += 10
    assert places(find_change_points(values)) == [800]


@pytest.mark.parametrize("n", [5, 8, 10, 17, 35])
@pytest.mark.parametrize("noise", ["normal", "cauchy", "rounded"])
def test_without_a_change_at_most_five_percent_of_series_have_a_step(n: int, noise: str) -> None:
    rng = np.random.default_rng(n)
    drawn = {"normal": rng.standard_normal, "cauchy": rng.standard_cauchy}.get(noise)
    values = np.round(rng.standard_normal((1000, n))) if drawn is None else drawn((1000, n))
    share = float(change_points.have_steps(values).mean())
    assert wilson_interval(share, 1000)[0] <= 0.05


def test_the_rule_for_many_series_is_that_for_one() -> None:
    for n in (5, 9, 10, 25):
        values = np.stack([stepped(n, n - 4, 2.0, seed) for seed in range(60)])
        alone = [bool(find_change_points(row).steps) for row in values]
        assert change_points.have_steps(values).tolist() == alone
        assert 0 < sum(alone) < 60


def test_normal_scores_are_those_of_the_ranks_and_ties_are_broken() -> None:
    values = np.random.default_rng(0).standard_cauchy((3, 12))
    wanted = stats.norm.ppf((stats.rankdata(values, axis=1) - 0.5) / 12)
    np.testing.assert_allclose(change_points.normal_scores(values), wanted, atol=1e-12)
    tied = change_points.normal_scores(np.zeros((1, 12)))[0]
    assert sorted(tied) == pytest.approx(sorted(wanted[0]))


def test_penalties_grow_with_the_series_and_join_smoothly() -> None:
    longer = np.array([change_points.penalties(n) for n in range(12, 600)])
    assert (np.diff(longer, axis=0) > 0).all()
    assert np.diff(longer, axis=0).max() < 0.1
    assert change_points.penalties(9)[1] == 0  # ranks take no part


@pytest.mark.parametrize(
    ("values", "weights", "same"),
    [
        ([1.0, np.nan], None, ""),
        ([], None, ""),
        ([[1.0]], None, ""),
        ([1.0, 2.0], [1.0], ""),
        ([1.0], [0.0], ""),
        ([1.0], None, "ab"),
    ],
)
def test_a_series_that_is_none_is_refused(values: list[float], weights: list[float] | None, same: str) -> None:
    with pytest.raises(ShapeError, match=r"of one length|must be finite"):
        find_change_points(values, weights=weights, same=list(same))


@pytest.mark.parametrize("unit", [1e-252, 1e-3, 1e250])
def test_steps_do_not_depend_on_the_unit(unit: float) -> None:
    values = np.array([5.1, 5.0, 4.9, 5.0, 5.1, 5.0, 7.1, 7.0, 6.9, 7.0])
    scaled, plain = find_change_points(values * unit), find_change_points(values)
    assert [step.index for step in scaled.steps] == [step.index for step in plain.steps] == [6]
    assert scaled.noise == pytest.approx(plain.noise * unit)


def test_equal_values_of_any_size_have_no_steps() -> None:
    assert find_change_points([8.93e-252] * 6).steps == ()
