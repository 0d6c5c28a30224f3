"""Resamples and intervals against what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.stats.bootstrap import damped_weights, resample_counts
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance
from clipsonic_eval.stats.frechet_bootstrap import ResampledSet, frechet_replicates, frechet_replicates_to


def keys(n: int) -> list[str]:
    return [f"k{i}" for i in range(n)]


def weighted_frechet(a: np.ndarray, wa: np.ndarray, b: np.ndarray, wb: np.ndarray) -> float:
    moments = []
    for x, w in ((a, wa), (b, wb)):
        mean = w @ x / w.sum()
        moments.append((mean, (x - mean).T @ np.diag(w) @ (x - mean) / (w.sum() - 1)))
    (ma, ca), (mb, cb) = moments
    root = scipy.linalg.sqrtm(ca)
    return float(((ma - mb) ** 2).sum() + np.trace(ca + cb - 2 * scipy.linalg.sqrtm(root @ cb @ root).real))


def test_each_resample_has_n_clips_and_each_clip_is_drawn_once_on_average() -> None:
    counts = resample_counts(keys(50), 4000, seed=1)
    assert (counts.sum(axis=1) == 50).all()
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 / np.sqrt(4000)
    assert counts.var() == pytest.approx(49 / 50, rel=0.02)


def test_weights_belong_to_keys_not_to_positions() -> None:
    names = keys(30)
    order = np.random.default_rng(0).permutation(30)
    counts = resample_counts(names, 10, seed=1)
    assert np.array_equal(resample_counts([names[i] for i in order], 10, seed=1), counts[:, order])
    assert not np.array_equal(resample_counts(names, 10, seed=2), counts)
    assert not np.array_equal(resample_counts(names, 10, seed=1, purpose="other"), counts)


def test_the_bca_interval_of_many_normal_values_is_the_textbook_one() -> None:
    x = np.random.default_rng(3).standard_normal(2000) + 5
    low, high = bootstrap.bca_interval(x, resample_counts(keys(2000), 8000, seed=0))
    half = 1.96 * x.std(ddof=1) / np.sqrt(2000)
    assert low == pytest.approx(x.mean() - half, abs=0.08 * half)
    assert high == pytest.approx(x.mean() + half, abs=0.08 * half)


def test_the_bca_interval_leans_towards_the_long_tail() -> None:
    x = np.random.default_rng(4).exponential(size=40)
    low, high = bootstrap.bca_interval(x, resample_counts(keys(40), 4000, seed=0))
    # the expansion is the same as asking BCa for a higher level: Student's quantile, times the root of n / (n - 1)
    level = 2 * scipy.stats.norm.cdf(scipy.stats.t.ppf(0.975, 39) * np.sqrt(40 / 39)) - 1
    assert 0.955 < level < 0.965
    reference = scipy.stats.bootstrap(
        (x,), np.mean, method="BCa", confidence_level=level, n_resamples=4000, rng=np.random.default_rng(0)
    )
    assert high - x.mean() > x.mean() - low
    assert (low, high) == pytest.approx(tuple(reference.confidence_interval), rel=0.03)


def test_equal_values_give_an_interval_of_no_width() -> None:
    assert bootstrap.bca_interval(np.full(9, 0.25), resample_counts(keys(9), 100, seed=0)) == (0.25, 0.25)


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_few_values_get_student_s_interval(n: int) -> None:
    x = np.random.default_rng(n).standard_normal(n)
    expected = scipy.stats.t.interval(0.95, n - 1, loc=x.mean(), scale=scipy.stats.sem(x))
    found, method = bootstrap.mean_interval(x, resample_counts(keys(n), 100, seed=0))
    assert found == pytest.approx(expected, rel=1e-12)
    assert method == "student-t"


def test_from_eight_values_on_the_interval_is_bca() -> None:
    x, weights = np.random.default_rng(1).standard_normal(8), resample_counts(keys(8), 100, seed=0)
    assert bootstrap.mean_interval(x, weights) == (bootstrap.bca_interval(x, weights), "bootstrap-clip-bca-100")


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1e9])
@pytest.mark.parametrize("n", [5, 30])
def test_intervals_scale_with_the_values(n: int, scale: float) -> None:
    x, weights = np.random.default_rng(2).exponential(size=n), resample_counts(keys(n), 200, seed=0)
    low, high = bootstrap.mean_interval(x, weights)[0]
    assert bootstrap.mean_interval(x * scale, weights)[0] == pytest.approx((low * scale, high * scale), rel=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_get_no_interval(bad: float) -> None:
    x, weights = np.append(np.ones(9), bad), resample_counts(keys(10), 50, seed=0)
    for refused in (
        lambda: bootstrap.bca_interval(x, weights),
        lambda: bootstrap.student_interval(x),
        lambda: bootstrap.centred_interval(1.0, x),
        lambda: bootstrap.centred_interval(bad, x[:-1]),
        lambda: bootstrap.jackknife_interval(1.0, x),
    ):
        with pytest.raises(ShapeError, match=r"must be finite, but 1 of \d+ are NaN or infinite"):
            refused()
    with pytest.raises(ShapeError, match="a proportion lies between 0 and 1"):
        bootstrap.wilson_interval(bad, 10)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (3, 10), (480, 480)])
def test_wilson_agrees_with_scipy(hits: int, n: int) -> None:
    expected = scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert bootstrap.wilson_interval(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_jackknife_of_a_mean_is_the_t_interval() -> None:
    x = np.random.default_rng(5).standard_normal(12)
    without = (x.sum() - x) / 11
    expected = scipy.stats.t.interval(0.95, 11, loc=x.mean(), scale=scipy.stats.sem(x))
    assert bootstrap.jackknife_interval(float(x.mean()), without) == pytest.approx(expected, rel=1e-12)


def test_damped_weights_keep_every_clip_and_their_spread_is_scaled_back() -> None:
    x = np.random.default_rng(6).standard_normal(300)
    weights = damped_weights(resample_counts(keys(300), 8000, seed=0))
    assert weights.min() >= 0.5
    assert np.allclose(weights.sum(axis=1), 300)
    low, high = bootstrap.centred_interval(float(x.mean()), weights @ x / 300)
    half = 1.96 * x.std() / np.sqrt(300)
    assert (high - low) / 2 == pytest.approx(half, rel=0.04)


def test_the_bias_of_a_squared_mean_is_found() -> None:
    x = np.random.default_rng(7).standard_normal(60) + 1
    replicates = (damped_weights(resample_counts(keys(60), 20000, seed=0)) @ x / 60) ** 2
    assert bootstrap.bootstrap_bias(float(x.mean() ** 2), replicates) == pytest.approx(x.var() / 60, rel=0.15)


@pytest.mark.parametrize(("n", "d"), [(40, 5), (8, 6), (5, 20)])
def test_replicates_are_frechet_distances_of_the_weighted_sets(n: int, d: int) -> None:
    rng = np.random.default_rng(8)
    a, b = rng.standard_normal((n, d)) + 50, rng.standard_normal((n + 2, d)) * 1.3 + 50.2
    wa, wb = resample_counts(keys(n), 4, 0), resample_counts(keys(n + 2), 4, 1)
    found = frechet_replicates(ResampledSet(a, np.arange(n), wa), [ResampledSet(b, np.arange(n + 2), wb)])
    expected = [weighted_frechet(a, damped_weights(wa)[i], b, damped_weights(wb)[i]) for i in range(4)]
    assert found[0] == pytest.approx(expected, rel=1e-5)


def test_rows_of_a_clip_are_resampled_together() -> None:
    rng = np.random.default_rng(9)
    reference = ResampledSet(rng.standard_normal((30, 3)), np.arange(30), resample_counts(keys(30), 5, 0))
    rows, clip_of_row = rng.standard_normal((40, 3)), np.repeat(np.arange(20), 2)
    counts = resample_counts(keys(20), 5, 1)
    by_clip = frechet_replicates(reference, [ResampledSet(rows, clip_of_row, counts)])
    by_row = frechet_replicates(reference, [ResampledSet(rows, np.arange(40), counts[:, clip_of_row])])
    assert by_clip == pytest.approx(by_row, rel=1e-12)


def test_sets_with_other_numbers_of_resamples_are_refused() -> None:
    one = ResampledSet(np.eye(3), np.arange(3), resample_counts(keys(3), 5, 0))
    other = ResampledSet(np.eye(3), np.arange(3), resample_counts(keys(3), 6, 0))
    with pytest.raises(ShapeError, match="same number of resamples"):
        frechet_replicates(one, [other])


def test_replicates_to_a_fixed_reference_are_distances_of_repeated_rows() -> None:
    rng = np.random.default_rng(11)
    reference = Gaussian.fit(rng.standard_normal((40, 3)))
    rows = rng.exponential(size=(12, 3)) + 0.7  # far from the reference, so that the mean's move counts
    counts = np.array([[1, 3, 5] * 4, [5, 5, 1] * 4, [1] * 12], dtype=np.uint16)  # damped: one, two or three times
    found = frechet_replicates_to(reference, [ResampledSet(rows, np.arange(12), counts)])[0]
    repeated = [np.repeat(rows, (c.astype(int) + 1) // 2, axis=0) for c in counts]
    assert found == pytest.approx([frechet_distance(reference, Gaussian.fit(r)) for r in repeated], rel=1e-9)
