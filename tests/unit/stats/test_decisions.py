"""Worse, not worse or cannot tell: rules, monotony, Holm, and power against simulation and the noncentral t."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.decisions import decide, detectable, needed
from clipsonic_eval.stats.evidence import Evidence, evidence_from_groups

ORDER = {"worse": 0, "cannot tell": 1, "not worse": 2}


def normal(harm: float, se: float = 1.0, n: int = 400) -> Evidence:
    """Evidence of a normal estimate with a known standard error."""
    reach = 1.645 * se
    p = float(scipy.stats.norm.sf(harm / se))
    return Evidence(harm, se, harm - reach, harm + reach, p, n, "clips", "z", df=n - 1)


@pytest.mark.parametrize(
    ("harm", "margin", "outcome"),
    [
        (3.0, 1.0, "worse"),
        (3.0, 3.5, "cannot tell"),  # a harm there is, but its estimate is within the margin
        (1.0, 0.5, "cannot tell"),  # beyond the margin, but not significant
        (0.0, 1.0, "cannot tell"),
        (0.0, 2.0, "not worse"),
        (-3.0, 0.1, "not worse"),
        (2.0, 5.0, "not worse"),  # significant, and surely smaller than what is allowed
    ],
)
def test_the_three_outcomes(harm: float, margin: float, outcome: str) -> None:
    assert decide([normal(harm)], [margin])[0][0] == outcome


def test_equal_numbers_are_not_worse_at_any_margin() -> None:
    equal = Evidence(0.0, 0.0, 0.0, 0.0, 1.0, 50, "clips", "t", df=49)
    assert decide([equal], [1e-12]) == [("not worse", 1.0)]
    assert detectable(equal) == 0.0


def test_worse_is_corrected_over_the_call_and_not_worse_is_not() -> None:
    one = normal(2.0)  # p 0.023
    assert decide([one], [1.0])[0][0] == "worse"
    many = decide([one] * 3 + [normal(0.0)] * 3, [1.0] * 3 + [2.0] * 3)
    assert [outcome for outcome, _ in many] == ["cannot tell"] * 3 + ["not worse"] * 3
    assert many[0][1] == pytest.approx(6 * one.p_worse)


evidences = st.builds(normal, st.floats(-5, 5), st.floats(0.01, 3))


@given(evidences, st.floats(0, 5), st.floats(0, 5))
def test_a_larger_margin_is_never_a_harsher_judge(one: Evidence, margin: float, more: float) -> None:
    strict, lenient = decide([one], [margin])[0][0], decide([one], [margin + more])[0][0]
    assert ORDER[lenient] >= ORDER[strict]


@given(evidences, st.floats(0.01, 5), st.sampled_from([1e-9, 0.5, 1e6]))
def test_the_unit_decides_nothing(one: Evidence, margin: float, scale: float) -> None:
    scaled = {name: getattr(one, name) * scale for name in ("harm", "se", "lower", "upper")}
    other = dataclasses.replace(one, **scaled)
    if abs(one.upper - margin) > 1e-9 and abs(one.harm - margin) > 1e-9:
        assert decide([other], [margin * scale]) == decide([one], [margin])
    assert detectable(other) == pytest.approx(detectable(one) * scale, rel=1e-9)


@given(st.lists(evidences, min_size=1, max_size=6), st.floats(0, 3), evidences)
def test_more_limits_in_a_call_make_nothing_worse(several: list[Evidence], margin: float, extra: Evidence) -> None:
    alone = decide(several, [margin] * len(several))
    within = decide([*several, extra], [margin] * (len(several) + 1))
    for (before, p), (after, p_after) in zip(alone, within, strict=False):
        assert p_after >= p
        assert after == before or (before, after) == ("worse", "cannot tell")


@pytest.mark.parametrize("margins", [[1.0], [1.0, -1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_margins_that_are_none_are_refused(margins: list[float]) -> None:
    with pytest.raises(ShapeError, match="2 decisions need as many margins, finite and not negative"):
        decide([normal(0.0)] * 2, margins)


@pytest.mark.parametrize("seeds", [3, 5, 12])
def test_the_detectable_harm_is_found_with_the_power_that_it_says(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    harm = detectable(Evidence(0.0, np.sqrt(2 / seeds), 0.0, 0.0, 0.5, seeds, "training seeds", "t", 2 * seeds - 2))
    a, b = rng.standard_normal((2, 4000, seeds))
    test = scipy.stats.ttest_ind(b + harm, a, axis=1, alternative="greater")
    assert np.mean(test.pvalue < 0.05) == pytest.approx(0.8, abs=0.02)


def test_a_margin_beyond_significance_is_what_has_to_be_found() -> None:
    one = normal(0.0, n=100_000)
    assert detectable(one, margin=10.0) == pytest.approx(10.842, abs=1e-3)  # margin + z of 0.8
    assert detectable(one, margin=0.5) == detectable(one)


def test_as_many_as_needed_settle_it_with_the_power_that_is_asked_for() -> None:
    pilot = evidence_from_groups([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], "training seeds")  # spread 1 on both sides
    seeds = needed(pilot, margin=1.5)
    assert seeds is not None
    rng = np.random.default_rng(0)
    outcomes = dict.fromkeys((seeds - 1, seeds), 0)
    for size in outcomes:
        for a, b in rng.standard_normal((1500, 2, size)):
            outcomes[size] += decide([evidence_from_groups(a, b, "training seeds")], [1.5])[0][0] == "not worse"
    assert outcomes[seeds] / 1500 == pytest.approx(0.8, abs=0.04)
    assert outcomes[seeds - 1] < outcomes[seeds]


def test_needed_falls_with_the_margin_and_rises_with_the_power() -> None:
    one = normal(0.0)
    few, more, most = needed(one, 2.0), needed(one, 1.0), needed(one, 1.0, power=0.95)
    assert few
    assert more
    assert most
    assert few < more < most
    assert more == pytest.approx(4 * few, rel=0.02)


def test_where_there_are_enough_already_the_estimated_harm_says_how_many_more() -> None:
    near = normal(0.9 * 3.0)  # 400 clips would find a margin of 3, but the harm seems to lie just below it
    assert decide([near], [3.0])[0][0] == "cannot tell"
    more = needed(near, 3.0)
    assert more
    assert more > 400
    assert needed(normal(3.0), 3.0) is None  # on the margin itself no number would do
    assert needed(normal(0.0), 0.0) is None
