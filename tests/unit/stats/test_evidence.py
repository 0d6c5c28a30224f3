"""One-sided evidence: limits and p-values against closed forms and SciPy, units, direction, degenerate data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import wilson_interval
from clipsonic_eval.stats.evidence import (
    Evidence,
    evidence_from_groups,
    evidence_from_influences,
    evidence_from_pairs,
    evidence_from_replicates,
)
from clipsonic_eval.stats.paired import sign_flip_test

numbers = st.floats(-100, 100).map(lambda x: round(x, 3))
samples = arrays.arrays(np.float64, st.integers(5, 40), elements=numbers)


def skewed(n: int, seed: int, shift: float = 0.7) -> np.ndarray:
    return np.random.default_rng(seed).exponential(size=n) - shift


# --- pairs


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_one_sided_p_value_agrees_with_scipy(seed: int) -> None:
    d = skewed(9, seed)

    def hall(x: np.ndarray) -> float:
        t, g = x.mean() / x.std(), scipy.stats.skew(x)
        return float(t + g * t**2 / 3 + g**2 * t**3 / 27 + g / (6 * len(x)))

    expected = scipy.stats.permutation_test(
        (d,), hall, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    assert evidence_from_pairs(d).p_worse == pytest.approx(expected.pvalue, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_the_one_sided_p_value_is_half_the_two_sided_one_in_the_direction_of_the_estimate(seed: int) -> None:
    d = skewed(11, seed, 0.4)
    both, _ = sign_flip_test(d, 10000, 0)
    one = evidence_from_pairs(d if d.mean() > 0 else -d).p_worse
    assert one == pytest.approx(both / 2, abs=1e-12)


@given(samples)
@settings(max_examples=60, deadline=None)
def test_the_lower_limit_is_positive_where_the_test_rejects(d: np.ndarray) -> None:
    found = evidence_from_pairs(d, n_permutations=499)
    assert found.lower <= found.harm <= found.upper
    if found.lower > 0:
        assert found.p_worse <= 0.05
    elif len(np.unique(np.abs(d[d != 0]))) > 1:  # otherwise the score interval may be wider
        assert found.p_worse > 0.05


@given(samples, st.sampled_from([1e-12, 0.01, 3.0, 1e9]))
@settings(max_examples=40, deadline=None)
def test_the_unit_of_paired_values_changes_nothing(d: np.ndarray, scale: float) -> None:
    one, other = (evidence_from_pairs(x, n_permutations=499) for x in (d, d * scale))
    assert other.p_worse == one.p_worse
    tolerance = scale * (one.se + 1e-9) * 1e-6
    for name in ("harm", "se", "lower", "upper"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * scale, abs=tolerance)


@given(samples)
@settings(max_examples=40, deadline=None)
def test_with_the_sign_of_the_harms_the_limits_change_places(d: np.ndarray) -> None:
    one, other = (evidence_from_pairs(x, n_permutations=499) for x in (d, -d))
    assert (other.harm, other.se) == (-one.harm, one.se)
    assert other.lower == pytest.approx(-one.upper, abs=1e-6 * (one.se + 1e-9))
    assert other.upper == pytest.approx(-one.lower, abs=1e-6 * (one.se + 1e-9))


def test_limits_of_many_normal_differences_are_those_of_student() -> None:
    d = np.random.default_rng(1).standard_normal(400)
    found = evidence_from_pairs(d)
    reach = scipy.stats.t.ppf(0.95, 399) * scipy.stats.sem(d)
    assert found.upper == pytest.approx(d.mean() + reach, abs=0.06 * reach)
    assert found.lower == pytest.approx(d.mean() - reach, abs=0.06 * reach)


def test_one_sided_limits_of_skewed_differences_cover_their_mean_better_than_student() -> None:
    repeats, n = 500, 30
    hits = []
    for i in range(repeats):
        d = np.random.default_rng([9, i]).exponential(size=n) - 1
        found = evidence_from_pairs(d, n_permutations=199, seed=i)
        student = found.harm + scipy.stats.t.ppf(0.95, n - 1) * found.se
        hits.append((found.upper >= 0, found.lower <= 0, student >= 0))
    upper, lower, of_student = np.mean(hits, axis=0)
    assert wilson_interval(float(upper), repeats)[1] > 0.95
    assert wilson_interval(float(lower), repeats)[1] > 0.95
    assert of_student < upper - 0.015


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (-0.5, 1.0), (0.5, 1 / 10001)])
def test_differences_that_are_all_one_number_have_no_error(value: float, p: float) -> None:
    found = evidence_from_pairs(np.full(40, value))
    assert (found.harm, found.se, found.lower, found.upper) == (value, 0.0, value, value)
    assert found.p_worse == pytest.approx(p)


@pytest.mark.parametrize(("n", "differing", "harm"), [(50, 0.04, 0.02), (100, 0.1, 0.05)])
def test_few_differing_clips_do_not_hide_a_harm_of_the_margin(n: int, differing: float, harm: float) -> None:
    shares = [(differing + harm) / 2, (differing - harm) / 2, 1 - differing]
    rng, repeats = np.random.default_rng(n), 300
    passed = 0
    for _ in range(repeats):
        d = rng.choice([1.0, -1.0, 0.0], size=n, p=shares)
        passed += bool(d.any()) and evidence_from_pairs(d, n_permutations=99).upper < harm
    assert wilson_interval(passed / repeats, repeats)[0] < 0.05  # flips alone: 0.23 in the first case


def test_fewer_than_five_pairs_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"4 paired differences reach no p-value below 0.0625, so none at level 0.05"):
        evidence_from_pairs(np.array([1.0, 2.0, 3.0, 4.0]))
    assert evidence_from_pairs(np.array([1.0, 2.0, 3.0, 4.0, 5.0])).lower > 0


# --- influences and replicates


def test_influences_of_a_mean_give_its_t_test() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 50))
    d = b - a
    influence = (d - d.mean()) / len(d) * math.sqrt(len(d) / (len(d) - 1))
    found = evidence_from_influences(float(d.mean()), influence, np.array([]))
    expected = scipy.stats.ttest_1samp(d, 0, alternative="greater")
    assert found.p_worse == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.lower == pytest.approx(expected.confidence_interval(0.95).low, rel=1e-9)


def test_the_clips_of_the_reference_add_to_the_error() -> None:
    system = np.random.default_rng(3).standard_normal(40)
    alone = evidence_from_influences(1.0, system, np.array([]))
    both = evidence_from_influences(1.0, system, np.full(40, 2.0))
    assert both.se**2 == pytest.approx(alone.se**2 + 160)


def test_replicates_that_are_normal_give_normal_limits() -> None:
    normal = scipy.stats.norm.ppf((np.arange(9999) + 0.5) / 9999)
    found = evidence_from_replicates(2.0, 5.0 + 0.5 * normal, n=100)  # damped: half the deviations
    assert found.se == pytest.approx(1.0, abs=0.01)
    assert found.lower == pytest.approx(2 - 1.645, abs=0.01)
    assert found.upper == pytest.approx(2 + 1.645, abs=0.01)
    assert found.p_worse == pytest.approx(scipy.stats.norm.sf(2), abs=0.001)


def test_systems_that_are_the_same_have_no_harm_and_no_error() -> None:
    for found in (
        evidence_from_influences(0.0, np.zeros(30), np.zeros(30)),
        evidence_from_replicates(0.0, np.zeros(99), n=30),
        evidence_from_groups([0.7, 0.7, 0.7], [0.7, 0.7, 0.7], "training seeds"),
    ):
        assert (found.harm, found.se, found.lower, found.upper, found.p_worse) == (0.0, 0.0, 0.0, 0.0, 1.0)


# --- groups


@pytest.mark.filterwarnings("ignore:Precision loss")  # one group has no spread
@pytest.mark.parametrize(("a", "b"), [((1.0, 2.0, 4.0), (2.5, 3.0, 3.2, 9.0)), ((5.0, 5.0, 5.0), (6.0, 7.0, 8.0))])
def test_welch_agrees_with_scipy(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    found = evidence_from_groups(a, b, "training seeds")
    expected = scipy.stats.ttest_ind(b, a, equal_var=False, alternative="greater")
    assert found.p_worse == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.df == pytest.approx(expected.df, rel=1e-9)
    assert found.lower == pytest.approx(expected.confidence_interval(0.95).low, rel=1e-9)
    assert (found.n, found.unit) == (3, "training seeds")


def test_direction_of_the_values_turns_the_harm() -> None:
    one = evidence_from_groups([1.0, 2.0, 4.0], [2.5, 3.0, 3.2], "processes")
    other = evidence_from_groups([1.0, 2.0, 4.0], [2.5, 3.0, 3.2], "processes", higher_is_better=True)
    assert (other.harm, other.upper) == (-one.harm, -one.lower)
    assert other.p_worse == pytest.approx(1 - one.p_worse)


@given(st.sampled_from([1e-200, 1e-9, 1e9, 1e200]))
def test_the_unit_of_groups_changes_nothing(scale: float) -> None:
    a, b = np.array([1.0, 2.0, 4.0]), np.array([2.5, 3.0, 3.2])
    one, other = evidence_from_groups(a, b, "u"), evidence_from_groups(a * scale, b * scale, "u")
    assert other.p_worse == pytest.approx(one.p_worse, rel=1e-9)
    assert other.upper == pytest.approx(one.upper * scale, rel=1e-9)


@pytest.mark.parametrize("sides", [(2, 3), (3, 2), (0, 5)])
def test_fewer_than_three_groups_on_a_side_are_refused(sides: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match=f"{sides[0]} and {sides[1]} training seeds; .* at least 3 a side"):
        evidence_from_groups([1.0] * sides[0], [2.0] * sides[1], "training seeds")


def test_groups_without_spread_that_differ_are_worse_for_certain() -> None:
    found = evidence_from_groups([0.1, 0.1, 0.1], [0.3, 0.3, 0.3], "processes")
    assert (found.se, found.p_worse) == (0.0, 0.0)
    assert found.lower == pytest.approx(0.2)


def test_numbers_that_are_not_finite_are_refused() -> None:
    bad = np.array([1.0, np.nan, 2.0, 3.0, 4.0])
    makers: list[Callable[[], Evidence]] = [
        lambda: evidence_from_pairs(bad),
        lambda: evidence_from_influences(1.0, bad, np.array([])),
        lambda: evidence_from_influences(math.inf, bad[2:], np.array([])),
        lambda: evidence_from_replicates(1.0, np.append(np.zeros(50), np.inf), n=5),
        lambda: evidence_from_groups(bad.tolist(), [1.0, 2.0, 3.0], "processes"),
    ]
    for make in makers:
        with pytest.raises(ShapeError, match="must be finite"):
            make()


def test_evidence_is_all_numbers_that_json_knows() -> None:
    found = dataclasses.asdict(evidence_from_pairs(skewed(20, 5)))
    assert all(type(value) in (float, int, str) for value in found.values())
