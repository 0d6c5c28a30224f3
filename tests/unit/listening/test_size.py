"""The predicted precision is what simulated tests of that size have."""

from __future__ import annotations

import numpy as np
import pytest
from listening_plans import RATINGS, plan, simulated

from clipsonic_eval.errors import UserError
from clipsonic_eval.listening import opinions, size
from clipsonic_eval.listening.trials import SessionPart
from clipsonic_eval.stats.crossed import VarianceComponents


def test_the_predicted_half_width_is_that_of_simulated_tests() -> None:
    made = plan(
        3,
        45,
        SessionPart(("mos-fidelity",), 15),
        checks=dict.fromkeys(("headphones", "side", "practice", "trap", "gold", "repeat"), 0),
    )
    predicted = size.precision(3, 45, 15, 12, VarianceComponents(0.25, 0.16, 0.81)).half_width
    widths = []
    for seed in range(12):
        found = opinions.ratings(made, simulated(made, 12, seed), "mos-fidelity")
        assert found is not None
        widths += [(s.ci[1] - s.ci[0]) / 2 for s in opinions.scores(found, "x|y:1", n_boot=200, seed=0) if s.ci]
    assert np.mean(widths) == pytest.approx(predicted, rel=0.2)


def test_more_listeners_clips_and_less_variance_tell_more() -> None:
    base = size.precision(4, 100, 20, 20)
    assert size.precision(4, 100, 20, 40).half_width < base.half_width
    assert size.precision(4, 100, 40, 20).difference < base.difference
    calm = size.precision(4, 100, 20, 20, VarianceComponents(0.05, 0.05, 0.2))
    assert calm.half_width < base.half_width


def test_the_smallest_test_is_just_large_enough() -> None:
    found = size.smallest(4, 100, 20, half_width=0.3)
    assert found.half_width <= 0.3 < size.precision(4, 100, 20, found.listeners - 1).half_width
    both = size.smallest(4, 100, 20, half_width=0.3, difference=0.3)
    assert both.difference is not None
    assert both.difference <= 0.3
    assert both.listeners >= found.listeners


def test_what_no_number_of_listeners_reaches_is_a_sentence() -> None:
    with pytest.raises(UserError, match="500 listeners with 5 of 6 clips reach"):
        size.smallest(2, 6, 5, half_width=0.01)
    with pytest.raises(UserError, match="say what is wanted"):
        size.smallest(2, 6, 5)
    with pytest.raises(UserError, match="too few for 5 systems"):
        size.precision(5, 20, 2, 3)


def test_one_system_has_no_difference() -> None:
    assert size.precision(1, 20, 10, 10).difference is None


def test_minutes_grow_with_the_sounds_and_the_list() -> None:
    made = plan(3, 24, RATINGS)
    assert size.minutes(made, 10.0) > size.minutes(made, 4.0) > 1
    assert size.minutes(plan(3, 24, RATINGS, SessionPart(("preference",), 12)), 4.0) > size.minutes(made, 4.0)


def test_a_pilot_gives_the_variances() -> None:
    made = plan(3, 60, SessionPart(("mos-fidelity",), 30))
    found = opinions.pilot_components(made, simulated(made, 24, seed=1, sd=(0.8, 0.3, 0.6)))
    assert found.listener == pytest.approx(0.64, rel=0.6)
    assert found.listener > found.item
    with pytest.raises(UserError, match="no ratings"):
        opinions.pilot_components(made, [])
