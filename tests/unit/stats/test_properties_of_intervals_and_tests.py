"""Properties of confidence intervals, the bootstrap and paired tests, on random values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.stats.arrays import seeds

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats import bootstrap, chunking, paired
from clipsonic_eval.stats.bootstrap import Interval, damped_weights, resample_counts
from clipsonic_eval.stats.influence import jackknife_influence, linear_deviations
from clipsonic_eval.stats.interval_coverage import GaussianSets, expectation, measure_coverage

probabilities = st.floats(0, 1)
shares = st.floats(0, 1)
levels = st.floats(0.5, 0.99)


def values(seed: int, n: int) -> Float64:
    return np.random.default_rng(seed).gamma(2.0, size=n)


def counts_of(n: int, n_boot: int = 300) -> bootstrap.Counts:
    return resample_counts([f"k{i:02d}" for i in range(n)], n_boot, seed=0)


INTERVALS: dict[str, Callable[[Float64, float], Interval]] = {
    "student": bootstrap.student_interval,
    "bca": lambda x, level: bootstrap.bca_interval(x, counts_of(len(x)), level),
    "centred": lambda x, level: bootstrap.centred_interval(
        float(x.mean()), damped_weights(counts_of(len(x))) @ x / len(x), level
    ),
    "jackknife": lambda x, level: bootstrap.jackknife_interval(float(x.mean()), (x.sum() - x) / (len(x) - 1), level),
}


@pytest.mark.parametrize("name", INTERVALS)
@settings(deadline=None, max_examples=20)
@given(seed=seeds, n=st.integers(8, 20), shift=st.floats(-100, 100), scale=st.floats(0.01, 100))
def test_intervals_follow_shift_and_scale(name: str, seed: int, n: int, shift: float, scale: float) -> None:
    x = values(seed, n)
    low, high = INTERVALS[name](x, 0.95)
    moved = INTERVALS[name](scale * x + shift, 0.95)
    assert low < high
    # BCa counts replicates below the value, and rounding decides where one equals it
    slack = 0.03 if name == "bca" else 1e-6
    tolerance = slack * scale * (high - low) + 1e-6 * (abs(shift) + scale * (abs(low) + abs(high)))
    assert moved == pytest.approx((scale * low + shift, scale * high + shift), abs=tolerance)


@pytest.mark.parametrize("name", INTERVALS)
@settings(deadline=None, max_examples=20)
@given(seed=seeds, n=st.integers(8, 20), level=levels)
def test_more_confidence_makes_a_wider_interval(name: str, seed: int, n: int, level: float) -> None:
    x = values(seed, n)
    inner, outer = INTERVALS[name](x, level), INTERVALS[name](x, (1 + level) / 2)
    assert outer[0] <= inner[0] + 1e-12
    assert inner[1] <= outer[1] + 1e-12


@pytest.mark.parametrize("name", INTERVALS)
@settings(deadline=None, max_examples=20)
@given(seed=seeds, n=st.integers(8, 20))
def test_the_interval_of_the_mirrored_values_is_mirrored(name: str, seed: int, n: int) -> None:
    x = values(seed, n)
    low, high = INTERVALS[name](x, 0.9)
    assert INTERVALS[name](-x, 0.9) == pytest.approx((-high, -low), abs=0.02 * (high - low) + 1e-9)


@settings(deadline=None, max_examples=100)
@given(p=shares, n=st.integers(1, 10_000), level=levels)
def test_wilsons_interval_contains_the_share_and_mirrors(p: float, n: int, level: float) -> None:
    low, high = bootstrap.wilson_interval(p, n, level)
    assert 0 <= low <= p + 1e-12
    assert p - 1e-12 <= high <= 1
    assert bootstrap.wilson_interval(1 - p, n, level) == pytest.approx((1 - high, 1 - low), abs=1e-9)
    wider = bootstrap.wilson_interval(p, max(1, n // 2), level)
    assert high - low <= wider[1] - wider[0] + 1e-12


@settings(deadline=None, max_examples=50)
@given(hits=st.integers(0, 40), n=st.integers(1, 40))
def test_wilsons_interval_is_scipys(hits: int, n: int) -> None:
    hits = min(hits, n)
    expected = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert bootstrap.wilson_interval(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=st.integers(1, 30), n_boot=st.integers(1, 50))
def test_resamples_are_counts_of_n_clips_and_damping_keeps_the_sum(seed: int, n: int, n_boot: int) -> None:
    counts = resample_counts([str(i) for i in range(n)], n_boot, seed % 1000)
    assert counts.shape == (n_boot, n)
    assert counts.dtype == np.uint16
    assert (counts.sum(axis=1) == n).all()
    weights = damped_weights(counts)
    np.testing.assert_allclose(weights.sum(axis=1), n)
    assert (weights >= 1 - bootstrap.DAMPING).all()


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=st.integers(1, 30), values_per_chunk=st.integers(1, 100))
def test_sums_in_chunks_are_products(seed: int, n: int, values_per_chunk: int) -> None:
    counts, x = counts_of(n, 40), values(seed, n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "CHUNK_VALUES", values_per_chunk)
        found = bootstrap.weighted_sums(counts, x)
    np.testing.assert_allclose(found, counts @ x, rtol=1e-12)


@settings(deadline=None, max_examples=100)
@given(n=st.integers(0, 5000), width=st.integers(0, 10_000_000))
def test_chunks_cover_every_row_once_and_stay_small(n: int, width: int) -> None:
    parts = list(chunking.chunks(n, width))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(n))
    assert all(
        (part.stop - part.start) * width <= chunking.CHUNK_VALUES or part.stop - part.start == 1 for part in parts
    )


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=st.integers(2, 30))
def test_the_jackknife_influence_of_a_mean_has_its_standard_error(seed: int, n: int) -> None:
    x = values(seed, n)
    influence = jackknife_influence((x.sum() - x) / (n - 1))
    assert influence.sum() == pytest.approx(0, abs=1e-9)
    # Var Σ (cᵢ − 1) gᵢ = Σ gᵢ² for multinomial counts; the jackknife error of a mean is s / √n
    assert np.sqrt((influence**2).sum()) == pytest.approx(x.std(ddof=1) / np.sqrt(n), rel=1e-9)
    once = np.ones((1, n), dtype=np.uint16)
    assert linear_deviations(influence, once) == pytest.approx(0, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=st.integers(2, 12), scale=st.floats(0.01, 100))
def test_sign_flips_see_neither_scale_nor_direction(seed: int, n: int, scale: float) -> None:
    d = np.random.default_rng(seed).standard_normal(n)
    p, name = paired.sign_flip_test(d, 5000, seed=1)
    assert 0 < p <= 1
    assert name.startswith("paired-sign-flip-hall")
    assert paired.sign_flip_test(scale * d, 5000, seed=1)[0] == pytest.approx(p)
    if name == f"paired-sign-flip-hall-exact-{2**n}":
        assert p * 2**n == pytest.approx(round(p * 2**n))
        assert paired.sign_flip_test(-d, 5000, seed=1)[0] == pytest.approx(p)
        assert paired.sign_flip_test(d[::-1].copy(), 5000, seed=1)[0] == pytest.approx(p)


@settings(deadline=None, max_examples=100)
@given(p=st.lists(probabilities, min_size=1, max_size=12))
def test_holms_values_are_larger_in_the_same_order_and_no_more_than_bonferronis(p: list[float]) -> None:
    adjusted = paired.holm(p)
    assert all(a >= raw for a, raw in zip(adjusted, p, strict=True))
    assert all(a <= min(1.0, len(p) * raw) + 1e-12 for a, raw in zip(adjusted, p, strict=True))
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert paired.holm(p[::-1]) == pytest.approx(adjusted[::-1])
    assert paired.holm(p[:1]) == p[:1]


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(2, 30), scale=st.floats(0.01, 100))
def test_cohens_dz_has_no_unit_and_turns_with_the_sign(seed: int, n: int, scale: float) -> None:
    d = np.random.default_rng(seed).standard_normal(n) + 0.3
    expected = d.mean() / d.std(ddof=1)
    assert paired.cohen_dz(d) == pytest.approx(expected)
    assert paired.cohen_dz(scale * d) == pytest.approx(expected)
    assert paired.cohen_dz(-d) == pytest.approx(-expected)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, difference=st.floats(-3, 3), n_boot=st.integers(20, 200))
def test_the_bootstrap_test_rejects_where_the_interval_excludes_zero(seed: int, difference: float, n_boot: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(n_boot)
    replicates = difference + np.concatenate([noise, -noise])
    p, (low, high) = paired.paired_bootstrap_test(difference, replicates)
    assert 1 / (1 + 2 * n_boot) <= p <= 1
    assert low <= difference <= high
    if abs(p - 0.05) > 0.03:  # close to the level the two quantile rules differ
        assert (p < 0.05) == (low > 0 or high < 0)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(3, 10), own=st.floats(0.0, 50.0))
def test_swaps_give_a_wider_interval_where_the_systems_scatter_more(seed: int, n: int, own: float) -> None:
    g = np.random.default_rng(seed).standard_normal(n)
    exchangeable = float(g @ g)
    p, (low, high), name = paired.swap_test(1.0, g, exchangeable + own, [exchangeable], 4000, seed=0)
    narrow = paired.swap_test(1.0, g, exchangeable, [exchangeable], 4000, seed=0)
    assert name == f"paired-swap-exact-{2**n}"
    assert p >= narrow[0] - 1e-12
    assert high - low >= narrow[1][1] - narrow[1][0] - 1e-9
    assert low <= 1.0 <= high


@pytest.mark.parametrize("bad", [[-0.1], [1.1], [0.5, float("nan")]])
def test_p_values_outside_the_unit_interval_are_refused(bad: list[float]) -> None:
    with pytest.raises(ShapeError, match="between 0 and 1"):
        paired.holm(bad)


def test_coverage_counts_both_sides_and_the_width() -> None:
    found = measure_coverage(lambda rng: rng.random(), lambda x, _: (x - 0.25, x + 0.25), truth=0.5, repeats=2000)
    assert found.share == pytest.approx(0.5, abs=0.05)
    assert found.below == pytest.approx(0.25, abs=0.05)
    assert found.above == pytest.approx(0.25, abs=0.05)
    assert found.width == pytest.approx(0.5)
    assert found.ci[0] < found.share < found.ci[1]
    assert found.share + found.below + found.above == pytest.approx(1)


@pytest.mark.parametrize("ends", [(1.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_a_broken_interval_is_refused(ends: Interval) -> None:
    with pytest.raises(ShapeError, match="broken"):
        measure_coverage(lambda rng: rng.random(), lambda x, _: ends, truth=0.5, repeats=3)
    with pytest.raises(ShapeError, match="at least one repeat"):
        measure_coverage(lambda rng: rng.random(), lambda x, _: (0.0, 1.0), truth=0.5, repeats=0)


def test_gaussian_sets_have_the_distance_that_large_samples_show() -> None:
    sets = GaussianSets(n=4000, d=3, spread=1.5, shift=0.5)
    from clipsonic_eval.stats.frechet import squared_frechet

    assert expectation(sets.draw, lambda pair: squared_frechet(*pair), repeats=3) == pytest.approx(
        sets.distance, rel=0.05
    )
