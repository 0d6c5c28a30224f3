"""Paired tests: exact small cases, uniform p-values under the null, textbook corrections."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats import bootstrap, paired, sign_flips


def test_few_clips_are_tested_over_all_sign_patterns() -> None:
    p, test = paired.sign_flip_test(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 1000, seed=0)
    assert p == 2 / 32
    assert test == "paired-sign-flip-hall-exact-32"


def halls_t(d: np.ndarray) -> float:
    t, g = d.mean() / d.std(), scipy.stats.skew(d)
    return abs(float(t + g * t**2 / 3 + g**2 * t**3 / 27 + g / (6 * len(d))))


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_p_value_agrees_with_scipy(seed: int) -> None:
    d = np.random.default_rng(seed).exponential(size=9) - 0.4
    reference = scipy.stats.permutation_test(
        (d,), halls_t, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    assert paired.sign_flip_test(d, 1000, seed=0)[0] == pytest.approx(reference.pvalue, abs=1e-12)


def rejected(draw: Callable[[np.random.Generator], np.ndarray], repeats: int = 1000) -> tuple[float, float]:
    """Return Wilson's interval of the share of tests at 5 % that reject."""
    p = [paired.sign_flip_test(draw(np.random.default_rng([4, i])), 199, i)[0] for i in range(repeats)]
    return bootstrap.wilson_interval(float(np.mean(np.array(p) <= 0.05)), repeats)


def test_skewed_differences_of_mean_zero_are_told_from_zero_about_as_often_as_the_level_says() -> None:
    low, high = rejected(lambda rng: rng.lognormal(size=30) - np.exp(0.5))
    assert low < 0.08  # flips of the mean: 0.10 to 0.14
    assert high > 0.03


def test_a_shift_of_normal_differences_is_found_as_often_as_by_the_t_test() -> None:
    expected = 1 - scipy.stats.nct.cdf(scipy.stats.t.ppf(0.975, 29), 29, 0.5 * np.sqrt(30))
    low, high = rejected(lambda rng: rng.standard_normal(30) + 0.5)
    assert low - 0.02 < expected < high + 0.02


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_get_no_p_value(bad: float) -> None:
    values = np.append(np.random.default_rng(5).standard_normal(30), bad)
    for refused in (
        lambda: paired.sign_flip_test(values, 100, 0),
        lambda: paired.paired_bootstrap_test(1.0, values),
        lambda: paired.paired_bootstrap_test(bad, values[:-1]),
        lambda: paired.cohen_dz(values),
    ):
        with pytest.raises(ShapeError, match=r"must be finite, but 1 of \d+ are NaN or infinite"):
            refused()
    with pytest.raises(ShapeError, match="p-values lie between 0 and 1"):
        paired.holm([0.1, bad])


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1e9])
def test_the_unit_of_the_values_changes_nothing(scale: float) -> None:
    d = np.random.default_rng(6).exponential(size=40) - 0.6
    assert paired.sign_flip_test(d * scale, 500, 0)[0] == paired.sign_flip_test(d, 500, 0)[0]
    assert paired.cohen_dz(d * scale) == pytest.approx(paired.cohen_dz(d), rel=1e-9)


def test_differences_that_are_all_one_number_are_as_extreme_as_can_be() -> None:
    assert paired.sign_flip_test(np.full(6, 0.3), 100, 0)[0] == 2 / 64


def test_random_patterns_approach_the_t_test_and_never_give_zero() -> None:
    d = np.random.default_rng(1).standard_normal(400) + 0.1
    expected = scipy.stats.ttest_1samp(d, 0).pvalue
    assert paired.sign_flip_test(d, 20000, seed=0)[0] == pytest.approx(expected, abs=0.01)
    p, test = paired.sign_flip_test(d + 5, 999, seed=0)
    assert p == 1 / 1000
    assert test == "paired-sign-flip-hall-999"


def test_equal_systems_give_p_of_one() -> None:
    assert paired.sign_flip_test(np.zeros(50), 500, seed=0)[0] == 1.0


def test_p_values_are_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(2)
    p = [
        paired.sign_flip_test(rng.standard_exponential(30) * rng.choice([-1, 1], 30), 300, seed)[0]
        for seed in range(400)
    ]
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.08


def test_ties_by_rounding_count_as_equal() -> None:
    d = np.array([0.1, 0.2, 0.3, -0.1, -0.2] * 20)
    first = paired.sign_flip_test(d, 2000, seed=0)[0]
    assert paired.sign_flip_test(d * 3.3, 2000, seed=0)[0] == first


def test_holm_is_the_textbook_example() -> None:
    assert paired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert paired.holm([0.6, 0.7]) == [1.0, 1.0]
    assert paired.holm([]) == []


def test_the_effect_size_is_the_mean_in_standard_deviations_of_the_differences() -> None:
    assert paired.cohen_dz(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)
    assert paired.cohen_dz(np.zeros(4)) == 0.0
    assert paired.cohen_dz(np.full(4, 0.5)) is None
    assert paired.cohen_dz(np.array([1.0])) is None


def test_a_difference_of_set_statistics_far_from_zero_has_the_smallest_p_value() -> None:
    replicates = np.random.default_rng(3).standard_normal(999) * 0.5 + 4  # shifted by their own bias
    p, (low, high) = paired.paired_bootstrap_test(5.0, replicates)
    assert p == 1 / 1000
    assert low < 5 < high
    assert paired.paired_bootstrap_test(0.0, replicates)[0] == 1.0


def test_halls_t_is_its_formula() -> None:
    d = np.random.default_rng(5).exponential(size=7) - 0.3
    assert abs(sign_flips.hall_t(np.ones((1, 7)), d)[0]) == pytest.approx(halls_t(d), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_no_p_value_of_all_swaps_is_below_that_of_the_observed_one_and_its_mirror(n: int) -> None:
    by_clip = np.arange(1.0, n + 1)  # the difference lies beyond every sum of first order
    p, _, test = paired.swap_test(3 * by_clip.sum(), by_clip, 1.0, [1.0], n_permutations=5000, seed=0)
    assert test == f"paired-swap-exact-{2**n}"
    assert p == 2 / 2**n


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_swap_test_is_the_share_of_swaps_that_reach_the_difference_in_any_unit(scale: float) -> None:
    by_clip = np.array([0.5, -0.1, 0.7, 0.2, -0.4, 0.9, 0.3])
    sums = [abs(float(np.dot(signs, by_clip))) for signs in itertools.product((-1, 1), repeat=7)]
    p, interval, test = paired.swap_test(2.0 * scale, by_clip * scale, 0.5 * scale**2, [0.4 * scale**2], 1000, seed=0)
    # the variance beyond that of exchangeable systems widens all sums by one factor
    wider = np.sqrt(1 + 0.1 / float(by_clip @ by_clip))
    assert p == np.mean([wider * s >= 2.0 * (1 - 1e-9) for s in sums])
    assert test == "paired-swap-exact-128"
    half = scipy.stats.t.ppf(0.975, 6) * scale * min(wider * np.sqrt(float(by_clip @ by_clip)), np.sqrt(0.5))
    assert interval == pytest.approx((2.0 * scale - half, 2.0 * scale + half), rel=1e-9)


def test_equal_systems_get_students_interval_of_their_own_variance() -> None:
    p, interval, _ = paired.swap_test(0.0, np.zeros(6), 0.04, [0.04], 1000, seed=0)
    half = 0.2 * scipy.stats.t.ppf(0.975, 5)
    assert p == 1.0
    assert interval == pytest.approx((-half, half), rel=1e-9)


def test_the_interval_of_many_clips_reaches_as_far_as_random_swaps() -> None:
    by_clip = np.random.default_rng(6).normal(size=60) * 0.1
    spread = float(by_clip @ by_clip)  # of sums with random signs, which are nearly normal
    p, (low, high), test = paired.swap_test(1.0, by_clip, spread, [spread], 9999, seed=0)
    assert test == "paired-swap-9999"
    assert high - 1.0 == pytest.approx(1.96 * np.sqrt(spread), rel=0.05)
    assert 1.0 - low == pytest.approx(high - 1.0, rel=1e-9)
    assert p == pytest.approx(2 * scipy.stats.norm.sf(1.0 / np.sqrt(spread)), abs=0.02)
