"""A paired test knows its direction and can be read from either side."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.records import Comparison

numbers = st.floats(-100, 100, allow_nan=False)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    ends = sorted((draw(numbers), draw(numbers)))
    p = draw(st.floats(0, 1))
    return Comparison(
        metric="fad",
        a="PD",
        b="ZS",
        difference=draw(numbers),
        ci=draw(st.sampled_from([None, (ends[0], ends[1])])),
        p_value=p,
        p_holm=p,
        n=draw(st.integers(2, 500)),
        test="paired",
        higher_is_better=draw(st.booleans()),
        effect_size=draw(st.none() | numbers),
        by_seed=draw(st.dictionaries(st.sampled_from("012"), numbers)),
    )


@given(comparisons())
def test_reversing_twice_gives_the_comparison_back(c: Comparison) -> None:
    assert c.reversed().reversed() == c


@given(comparisons())
def test_the_other_side_loses_what_this_one_gains(c: Comparison) -> None:
    other = c.reversed()
    assert (other.a, other.b) == (c.b, c.a)
    assert other.gain == -c.gain
    assert other.seeds_agree == c.seeds_agree
    assert other.significant == c.significant
    assert not (c.a_better and other.a_better)


@given(comparisons())
def test_the_ends_of_an_interval_stay_in_order(c: Comparison) -> None:
    for ci in (c.gain_ci, c.reversed().ci, c.reversed().gain_ci):
        assert ci is None or ci[0] <= ci[1]


def of_fad(difference: float, **more: object) -> Comparison:
    ci = (difference - 1, difference + 1)
    return Comparison("fad", "PD", "ZS", difference, ci, 0.01, 0.04, 480, "paired", higher_is_better=False, **more)  # type: ignore[arg-type]


def test_a_lower_distance_is_a_gain() -> None:
    c = of_fad(-3.0)
    assert (c.gain, c.gain_ci, c.a_better) == (3.0, (2.0, 4.0), True)


def test_two_systems_are_separated_below_the_level_after_correction() -> None:
    assert of_fad(-3.0).significant
    assert not replace(of_fad(-3.0), p_holm=0.05).significant


def test_seeds_agree_where_their_difference_has_the_sign_of_the_mean() -> None:
    assert of_fad(-3.0, by_seed={"0": -4.0, "1": -2.0, "2": 1.0, "3": 0.0}).seeds_agree == 2
