"""Score limits of paired shares: the constrained likelihood maximised numerically, symmetry, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from scipy import optimize

from clipsonic_eval.stats.paired_shares import tango_limits


def score(b: int, c: int, n: int, d: float) -> float:
    """Return the score statistic at a difference d, with the nuisance share found by a search."""

    def loss(q: float) -> float:
        p = q + d
        rest = 1 - p - q
        return -(
            b * math.log(max(p, 1e-300)) + c * math.log(max(q, 1e-300)) + (n - b - c) * math.log(max(rest, 1e-300))
        )

    low, high = max(0.0, -d), (1 - d) / 2
    q = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (b - c - n * d) / math.sqrt(n * (2 * q + d * (1 - d)))


@pytest.mark.parametrize(("b", "c", "n"), [(3, 1, 50), (9, 2, 100), (12, 30, 200), (5, 5, 40)])
def test_at_its_limits_the_score_statistic_is_the_normal_quantile(b: int, c: int, n: int) -> None:
    low, high = tango_limits(b, c, n)
    z = scipy.stats.norm.ppf(0.95)
    assert score(b, c, n, low) == pytest.approx(z, abs=1e-4)
    assert score(b, c, n, high) == pytest.approx(-z, abs=1e-4)


def test_without_a_differing_pair_the_limits_are_those_of_wilson_for_none_of_n() -> None:
    low, high = tango_limits(0, 0, 50)
    z = scipy.stats.norm.ppf(0.95)
    assert (low, high) == pytest.approx((-(z**2) / (50 + z**2), z**2 / (50 + z**2)))


def test_exchanging_the_systems_turns_the_limits() -> None:
    low, high = tango_limits(7, 2, 60)
    assert tango_limits(2, 7, 60) == pytest.approx((-high, -low))


def test_limits_at_the_ends_stay_within_one() -> None:
    assert tango_limits(50, 0, 50)[1] == 1.0
    assert tango_limits(0, 50, 50)[0] == -1.0


def test_more_pairs_give_narrower_limits() -> None:
    widths = [high - low for low, high in (tango_limits(2 * k, k, 50 * k) for k in (1, 2, 4, 8))]
    assert np.all(np.diff(widths) < 0)
