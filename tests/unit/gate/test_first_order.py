"""Influences are taken for a test only where they show the spread that the resamples showed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clipsonic_eval.gate.first_order import first_order_fails
from clipsonic_eval.metrics import clap_score, fad, kad
from clipsonic_eval.types import Score


def sets(n: int, d: int, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, d)), rng.standard_normal((n, d)) + shift


@pytest.fixture(scope="module")
def good() -> Score:
    return fad(*sets(300, 4), n_boot=1000)


def test_many_clips_in_few_dimensions_are_described_to_first_order(good: Score) -> None:
    assert first_order_fails(good) == ""
    assert first_order_fails(kad(*sets(60, 4), n_boot=500)) == ""


def test_fewer_clips_than_dimensions_are_refused() -> None:
    found = fad(*sets(20, 24), n_boot=50)
    assert first_order_fails(found).startswith("fad of 'system': 20 clips for 24 dimensions are too few")
    assert "dimensions" not in kad(*sets(20, 24), n_boot=50).details  # fits no covariance


@pytest.mark.parametrize(("factor", "refused"), [(0.85, True), (0.97, False), (1.03, False), (1.15, True)])
def test_a_spread_more_than_a_tenth_apart_is_refused(good: Score, factor: float, refused: bool) -> None:
    low, high = good.details["debiased_low"], good.details["debiased_high"]
    spread = np.sqrt(sum(v**2 for v in (*good.influence.values(), *good.reference_influence.values())))
    scale = factor * (high - low) / (2 * 1.959964 * spread)
    moved = {
        name: {key: value * scale for key, value in getattr(good, name).items()}
        for name in ("influence", "reference_influence")
    }
    found = first_order_fails(dataclasses.replace(good, **moved))
    assert bool(found) == refused
    if refused:
        assert "more than 10% apart" in found


def test_a_curved_statistic_is_refused() -> None:
    """Equal sets: the distance is at its minimum, where first-order terms vanish and the curvature is all there is."""
    x = np.random.default_rng(1).standard_normal((200, 3))
    assert "predict an interval of width" in first_order_fails(fad(x, x + 1e-3, n_boot=200))


def test_the_cut_at_zero_does_not_count_as_a_narrow_interval() -> None:
    found = fad(*sets(60, 2, shift=0.15), n_boot=1000)
    assert found.ci is not None
    assert found.ci[0] == 0.0
    assert "predict an interval of width" in first_order_fails(found)
    assert first_order_fails(dataclasses.replace(found, details={})) == ""  # by what the cut left of it


def test_what_there_is_nothing_to_hold_against_is_refused(good: Score) -> None:
    x, prompts = sets(20, 4)
    means = clap_score(x, prompts=prompts, n_boot=50)
    assert "has no influences of its clips" in first_order_fails(means)
    bare = dataclasses.replace(good, ci=None, details={})
    assert "has no interval to hold its influences against" in first_order_fails(bare)
