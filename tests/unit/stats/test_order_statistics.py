"""Percentiles and their intervals: exact binomial sums, tabulated ranks, coverage by simulation, small n."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats import order_statistics as order
from clipsonic_eval.stats.bootstrap import wilson_interval


def at_most(k: int, n: int, p: Fraction) -> Fraction:
    """Return P(B ≤ k) of a binomial in exact arithmetic."""
    return sum((math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1)), Fraction(0))


@pytest.mark.parametrize(("p", "n"), [("0.5", 6), ("0.9", 36), ("0.95", 72), ("0.99", 368)])
def test_an_interval_begins_to_exist_where_exact_arithmetic_says(p: str, n: int) -> None:
    tail = Fraction(25, 1000)
    assert Fraction(p) ** n <= tail < Fraction(p) ** (n - 1)
    values = np.random.default_rng(0).exponential(size=n)
    found = order.percentile(values, float(p))
    assert found is not None
    assert found.ci[1] == values.max()
    assert order.percentile(values[:-1], float(p)) is None


@pytest.mark.parametrize("p", ["0.05", "0.5", "0.9", "0.95"])
@pytest.mark.parametrize("extra", [0, 1, 2, 7, 30])
def test_ranks_are_the_narrowest_whose_tails_stay_within_the_level(p: str, extra: int) -> None:
    n = order.least(float(p)) + extra
    low, high = order.ranks(n, float(p))
    tail, exact = Fraction(25, 1000), Fraction(p)
    assert at_most(low - 1, n, exact) <= tail < at_most(low, n, exact)
    assert 1 - at_most(high - 1, n, exact) <= tail < 1 - at_most(high - 2, n, exact)


@pytest.mark.parametrize(
    ("n", "ranks"),  # published tables of intervals of the median at 95 %
    [
        (6, (1, 6)),
        (9, (2, 8)),
        (10, (2, 9)),
        (15, (4, 12)),
        (20, (6, 15)),
        (25, (8, 18)),
        (50, (18, 33)),
        (100, (40, 61)),
    ],
)
def test_ranks_of_the_median_agree_with_the_tables(n: int, ranks: tuple[int, int]) -> None:
    assert order.ranks(n, 0.5) == ranks


@pytest.mark.parametrize(("p", "n"), [(0.5, 50), (0.9, 36), (0.9, 100), (0.95, 100), (0.99, 400)])
@pytest.mark.parametrize("population", ["expon", "cauchy"])
def test_intervals_cover_the_truth_as_often_as_they_say_whatever_the_population(
    p: float, n: int, population: str
) -> None:
    law = getattr(scipy.stats, population)
    samples = law.rvs(size=(2000, n), random_state=np.random.default_rng(1))
    low, high = order.ranks(n, p)
    ordered = np.sort(samples, axis=1)
    covered = float(np.mean((ordered[:, low - 1] <= law.ppf(p)) & (law.ppf(p) <= ordered[:, high - 1])))
    found = order.percentile(samples[0], p)
    assert found is not None
    assert found.coverage >= 0.95
    least, most = wilson_interval(covered, 2000)
    assert least - 0.01 <= found.coverage <= most + 0.01


def test_tied_values_are_covered_at_least_as_often() -> None:
    samples = np.random.default_rng(2).poisson(3.0, size=(1000, 50)).astype(float)
    truth = scipy.stats.poisson.ppf(0.9, 3.0)
    intervals = [found.ci for sample in samples if (found := order.percentile(sample, 0.9)) is not None]
    assert np.mean([low <= truth <= high for low, high in intervals]) >= 0.95


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95])
def test_the_estimate_is_numpys_default_and_lies_in_the_interval(p: float) -> None:
    values = np.random.default_rng(3).lognormal(size=80)
    found = order.percentile(values, p)
    assert found is not None
    assert found.value == np.percentile(values, 100 * p)
    assert found.ci[0] <= found.value <= found.ci[1]
    assert found.n == 80


@given(
    values=st.lists(st.floats(1e-6, 1e6), min_size=36, max_size=120),
    p=st.sampled_from([0.5, 0.9]),
    scale=st.floats(1e-3, 1e3),
)
def test_order_and_unit_of_the_values_do_not_matter(values: list[float], p: float, scale: float) -> None:
    straight = order.percentile(np.array(values), p)
    turned = order.percentile(scale * np.array(values[::-1]), p)
    assert straight is not None
    assert turned is not None
    assert turned.value == pytest.approx(scale * straight.value, rel=1e-9)
    assert turned.ci == pytest.approx([scale * end for end in straight.ci], rel=1e-9)


def test_more_values_never_widen_the_tails_of_the_interval() -> None:
    shares = [[rank / n for rank in order.ranks(n, 0.9)] for n in (50, 200, 800, 3200)]
    widths = [high - low for low, high in shares]
    assert widths == sorted(widths, reverse=True)


def test_a_percentile_and_its_mirror_image_have_mirrored_ranks() -> None:
    low, high = order.ranks(200, 0.9)
    assert order.ranks(200, 0.1) == (201 - high, 201 - low)


def test_what_is_no_number_or_no_percentile_is_refused() -> None:
    with pytest.raises(ShapeError, match="must be finite"):
        order.percentile(np.array([1.0] * 50 + [math.nan]), 0.5)
    for p, level in [(0.0, 0.95), (1.0, 0.95), (90.0, 0.95), (0.9, 1.0)]:
        with pytest.raises(ShapeError, match="between 0 and 1"):
            order.percentile(np.arange(100.0), p, level)
    with pytest.raises(ShapeError, match="5 values are too few"):
        order.ranks(5, 0.5)
