"""Sums over pairs, medians and squared MMD against loops, closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance

from clipsonic_eval.stats import bootstrap, chunking, influence
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.mmd import cubic_kernel, gaussian_kernel, mmd_squared
from clipsonic_eval.stats.pairwise import Rows, mean_between, mean_within, median_distance

RNG = np.random.default_rng


def rows(rng: np.random.Generator, clips: int, d: int = 3, most: int = 3) -> Rows:
    """Clips of one to ``most`` rows."""
    clip = np.repeat(np.arange(clips), rng.integers(1, most + 1, clips))
    return Rows(rng.standard_normal((len(clip), d)), clip)


def without(group: Rows, clip: int) -> Rows:
    keep = group.clip_of_row != clip
    return Rows(group.vectors[keep], np.unique(group.clip_of_row[keep], return_inverse=True)[1])


def looped(a: Rows, b: Rows | None, kernel: object) -> float:
    """Mean over pairs, one pair at a time."""
    other = b or a
    values = [
        float(kernel(x[None], y[None])[0, 0])  # type: ignore[operator]
        for i, x in enumerate(a.vectors)
        for j, y in enumerate(other.vectors)
        if b is not None or a.clip_of_row[i] != a.clip_of_row[j]
    ]
    return float(np.mean(values))


@pytest.mark.parametrize("block", [5, 60, 4_000_000])
@pytest.mark.parametrize("kernel", [cubic_kernel, gaussian_kernel(1.3)], ids=["cubic", "gaussian"])
def test_means_over_pairs_are_those_of_a_loop_with_and_without_each_clip(
    monkeypatch: pytest.MonkeyPatch, block: int, kernel: object
) -> None:
    monkeypatch.setattr(chunking, "CHUNK_VALUES", block)
    rng = RNG(0)
    a, b = rows(rng, 7), rows(rng, 5)
    own, between = mean_within(a, kernel), mean_between(a, b, kernel)  # type: ignore[arg-type]
    assert own.value == pytest.approx(looped(a, None, kernel), rel=1e-12)
    assert between.value == pytest.approx(looped(a, b, kernel), rel=1e-12)
    for clip in range(7):
        assert own.without_first[clip] == pytest.approx(looped(without(a, clip), None, kernel), rel=1e-11)
        assert between.without_first[clip] == pytest.approx(looped(without(a, clip), b, kernel), rel=1e-11)
    for clip in range(5):
        assert between.without_second[clip] == pytest.approx(looped(a, without(b, clip), kernel), rel=1e-11)


@pytest.mark.parametrize("n", [2, 3, 40, 41])
@pytest.mark.parametrize("block", [100, 4_000_000])
def test_the_median_distance_is_exact_however_little_is_held(
    monkeypatch: pytest.MonkeyPatch, n: int, block: int
) -> None:
    monkeypatch.setattr(chunking, "CHUNK_VALUES", block)
    x = RNG(n).standard_normal((n, 4)) + 9
    found = np.sort(distance.pdist(x))
    assert median_distance(x, lower=True) == pytest.approx(found[(len(found) - 1) // 2], rel=1e-12)
    assert median_distance(x) == pytest.approx(np.median(found), rel=1e-12)


def test_the_median_distance_of_equal_rows_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "CHUNK_VALUES", 10)
    assert median_distance(np.ones((9, 2))) == 0.0


def test_the_discrepancy_of_two_gaussians_is_unbiased_at_small_n() -> None:
    """E k of two normal vectors under a Gaussian kernel is a Gaussian integral."""
    rng, d, wide, repeats = RNG(1), 3, 1.5, 3000
    shift = np.array([0.6, 0.0, 0.0])
    share = (wide**2 / (wide**2 + 2)) ** (d / 2)
    truth = 2 * share * (1 - np.exp(-0.36 / (2 * (wide**2 + 2))))
    own = np.arange(6)
    found = []
    for _ in range(repeats):
        x, y = rng.standard_normal((6, d)), rng.standard_normal((6, d)) + shift
        found.append(mmd_squared(Rows(x, own), Rows(y, own), gaussian_kernel(wide)).value)
    assert np.mean(found) == pytest.approx(truth, abs=3 * np.std(found) / np.sqrt(repeats))


def test_resamples_hold_no_copies_and_so_no_bias() -> None:
    """A plain bootstrap puts clips beside their copies: its mean lies far above the estimate; ours is the estimate."""
    rng, n, kernel = RNG(2), 60, gaussian_kernel(2.0)
    own, keys = np.arange(n), [str(i) for i in range(n)]
    x, y = Rows(rng.standard_normal((n, 4)), own), Rows(rng.standard_normal((n, 4)), own)
    estimate = mmd_squared(x, y, kernel)
    plain = [mmd_squared(Rows(x.vectors[rng.integers(0, n, n)], own), y, kernel).value for _ in range(200)]
    g = influence.jackknife_influence(estimate.without_first)
    ours = estimate.value + influence.linear_deviations(g, resample_counts(keys, 2000, 0))
    error = np.sqrt((g**2).sum())
    assert np.mean(plain) - estimate.value > 5 * np.std(plain) / np.sqrt(200)
    assert np.mean(plain) - estimate.value > 0.5 * error
    assert abs(ours.mean() - estimate.value) < 4 * 0.5 * error / np.sqrt(2000)


def test_intervals_from_influences_are_those_of_the_jackknife() -> None:
    rng, n = RNG(3), 400
    x = rng.exponential(size=n)
    g = influence.jackknife_influence((x.sum() - x) / (n - 1))
    assert np.sqrt((g**2).sum()) == pytest.approx(x.std(ddof=1) / np.sqrt(n), rel=1e-12)
    drawn = float(x.mean()) + influence.linear_deviations(g, resample_counts([str(i) for i in range(n)], 8000, 0))
    low, high = bootstrap.centred_interval(float(x.mean()), drawn)
    expected = bootstrap.jackknife_interval(float(x.mean()), (x.sum() - x) / (n - 1))
    assert high - low == pytest.approx(expected[1] - expected[0], rel=0.05)
