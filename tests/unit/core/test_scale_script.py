"""Slopes of the scale report against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks import scale
from scipy.stats import linregress
from scipy.stats import t as student


def test_a_line_is_found_exactly_and_its_interval_is_of_width_zero() -> None:
    slope = scale.fit([100, 1000, 10000], [2 + 0.03 * n for n in (100, 1000, 10000)])
    assert slope.per_clip == pytest.approx(0.03)
    assert slope.fixed == pytest.approx(2)
    assert slope.half == pytest.approx(0, abs=1e-9)
    assert slope.at(10**6) == pytest.approx(30002)


def test_the_interval_is_that_of_a_regression_of_y_over_n_on_one_over_n() -> None:
    """y / n = b + a / n with equal errors: the intercept of an ordinary regression is the slope."""
    rng = np.random.default_rng(0)
    n = np.array([100, 100, 1000, 1000, 10000])
    y = (5 + 0.1 * n) * (1 + 0.05 * rng.standard_normal(5))
    ordinary = linregress(1 / n, y / n)
    slope = scale.fit(n, y)
    assert slope.per_clip == pytest.approx(ordinary.intercept)
    assert slope.fixed == pytest.approx(ordinary.slope)
    assert slope.half == pytest.approx(ordinary.intercept_stderr * student.ppf(0.975, 3))


def test_two_points_have_no_interval() -> None:
    assert math.isnan(scale.fit([1, 2], [3, 5]).half)


def test_the_page_names_the_stages_that_bound_time_and_memory() -> None:
    costs = []
    for n in (100, 1000, 2000):
        for stage in scale.STAGES:
            dear, big = stage == "prepare", stage == "open"
            costs.append(
                scale.Cost(stage, n, 1.0, 0.036 * n if dear else 0.001 * n, 200 + n * (1 if big else 0.1), 0, 0)
            )
    page = scale.text(costs, "command")
    assert "bottleneck in time is *prepare*: 100.0 processor hours at 10,000,000 clips" in page
    assert "bottleneck in memory is *open*" in page
    assert "| 36 ± " in page  # CPU ms per clip
