"""Paired tests: exact small cases, uniform p-values under the null, textbook corrections."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from clipsonic_eval.stats import paired


def test_few_clips_are_tested_over_all_sign_patterns() -> None:
    p, test = paired.sign_flip(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 1000, seed=0)
    assert p == 2 / 32
    assert test == "paired-sign-flip-exact-32"


def test_the_exact_p_value_agrees_with_scipy() -> None:
    d = np.random.default_rng(0).standard_normal(9) + 0.4
    reference = scipy.stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert paired.sign_flip(d, 1000, seed=0)[0] == pytest.approx(reference.pvalue, abs=1e-12)


def test_random_patterns_approach_the_t_test_and_never_give_zero() -> None:
    d = np.random.default_rng(1).standard_normal(400) + 0.1
    expected = scipy.stats.ttest_1samp(d, 0).pvalue
    assert paired.sign_flip(d, 20000, seed=0)[0] == pytest.approx(expected, abs=0.01)
    p, test = paired.sign_flip(d + 5, 999, seed=0)
    assert p == 1 / 1000
    assert test == "paired-sign-flip-999"


def test_equal_systems_give_p_of_one() -> None:
    assert paired.sign_flip(np.zeros(50), 500, seed=0)[0] == 1.0


def test_p_values_are_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(2)
    p = [paired.sign_flip(rng.standard_exponential(30) * rng.choice([-1, 1], 30), 300, seed)[0] for seed in range(400)]
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.08


def test_ties_by_rounding_count_as_equal() -> None:
    d = np.array([0.1, 0.2, 0.3, -0.1, -0.2] * 20)
    first = paired.sign_flip(d, 2000, seed=0)[0]
    assert paired.sign_flip(d * 3.3, 2000, seed=0)[0] == first


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
    p, (low, high) = paired.replicate_test(5.0, replicates)
    assert p == 1 / 1000
    assert low < 5 < high
    assert paired.replicate_test(0.0, replicates)[0] == 1.0
