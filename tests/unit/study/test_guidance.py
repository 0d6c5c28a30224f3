"""The one-standard-error rule over guidance scales, against simulation and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.study.guidance import choose
from clipsonic_eval.types import Score


def score(value: float, influence: Float64) -> Score:
    keys = [f"k{i}" for i in range(len(influence))]
    by_key = dict(zip(keys, influence.tolist(), strict=True))
    return Score("fad", "S", value, None, "", len(keys), len(keys), "", False, "fad", influence=by_key)


def fads(means: Mapping[float, float], influence: Mapping[float, Float64]) -> dict[float, dict[str, Score]]:
    return {scale: {"IQ": score(mean, influence[scale])} for scale, mean in means.items()}


def errors(choice: dict[str, Any]) -> dict[float, float]:
    return {scale: of["se_of_difference"] for scale, of in choice["scales"].items()}


def test_the_smallest_scale_within_one_standard_error_of_the_lowest_mean_is_chosen() -> None:
    zero, spread = np.zeros(4), np.array([0.5, -0.5, 0.5, -0.5])  # the difference has √(4 · 0.25) = 1
    means = {2.0: 6.5, 4.0: 5.9, 8.0: 5.0, 16.0: 5.5}
    found = choose(fads(means, {2.0: spread, 4.0: spread, 8.0: zero, 16.0: spread}))
    assert (found["scale"], found["lowest"], found["n"]) == (4.0, 8.0, 4)
    assert {scale: of["mean_fad"] for scale, of in found["scales"].items()} == means
    assert errors(found) == pytest.approx({2.0: 1.0, 4.0: 1.0, 8.0: 0.0, 16.0: 1.0})


def test_scales_that_err_alike_are_compared_as_pairs() -> None:
    # every clip weighs on both scales alike, so that a small difference is a sure one
    noise = np.array([5.0, -5.0, 3.0, -3.0])
    assert choose(fads({2.0: 10.1, 4.0: 10.0}, {2.0: noise, 4.0: noise}))["scale"] == 4.0
    assert choose(fads({2.0: 10.1, 4.0: 10.0}, {2.0: noise, 4.0: -noise}))["scale"] == 2.0


def test_the_mean_is_over_the_systems_of_the_network_and_its_error_shrinks_where_they_disagree() -> None:
    up = np.array([2.0, -2.0, 1.0, -1.0])
    zero = np.zeros(4)
    two = {
        2.0: {"IQ": score(4.0, up), "ZS": score(9.0, -up)},  # their sum does not move with any clip
        4.0: {"IQ": score(5.0, zero), "ZS": score(7.0, zero)},
    }
    found = choose(two)
    assert {scale: of["mean_fad"] for scale, of in found["scales"].items()} == {2.0: 6.5, 4.0: 6.0}
    assert errors(found)[2.0] == 0
    assert found["scale"] == 4.0
    alone = choose({scale: {"IQ": scores["IQ"]} for scale, scores in two.items()})
    assert alone["scale"] == 2.0


def test_of_equal_means_the_smaller_scale_is_the_lowest() -> None:
    zero = np.zeros(3)
    found = choose(fads({8.0: 1.0, 4.0: 1.0}, {8.0: zero, 4.0: zero}))
    assert (found["scale"], found["lowest"]) == (4.0, 4.0)


def test_the_standard_error_is_the_spread_of_the_difference_over_samples_of_clips() -> None:
    """Two scales whose statistic is a mean: its influences are (x - mean) / n, its spread is known from simulation."""
    rng = np.random.default_rng(0)
    n = 480

    def draw() -> tuple[Float64, Float64]:
        common = rng.standard_normal(n)
        return common + 0.5 * rng.standard_normal(n), common + 0.8 * rng.standard_normal(n)

    differences, spreads = [], []
    for _ in range(300):
        x, y = draw()
        differences.append(x.mean() - y.mean())
        means = {1.0: 5 + float(x.mean()), 2.0: 5 + float(y.mean())}
        found = choose(fads(means, {1.0: (x - x.mean()) / n, 2.0: (y - y.mean()) / n}))
        spreads.append(sum(errors(found).values()))  # one of the two is the lowest, with error 0
    assert np.mean(spreads) == pytest.approx(np.std(differences), rel=0.1)
    assert np.std(differences) == pytest.approx(np.sqrt((0.25 + 0.64) / n), rel=0.1)  # the closed form


def test_missing_influences_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least 2"):
        choose(fads({1.0: 2.0, 2.0: 1.0}, {1.0: np.zeros(0), 2.0: np.zeros(0)}))
