"""The sentence of a verdict: what changed, by how much, with what certainty, and what would settle it."""

from __future__ import annotations

from dataclasses import replace

from clipsonic_eval.formats import decimals_of, number, p_value
from clipsonic_eval.gate.question import MIN_SEEDS
from clipsonic_eval.gate.verdicts import Verdict

_MOST_DECIMALS = 8


def sentence(name: str, verdict: Verdict) -> str:
    """Return one sentence for the reader of a verdict that has evidence.

    Args:
        name: metric and system, as part of a sentence.
        verdict: everything but the sentence; numbers are shown with two digits of the interval and of the margin.
    """
    found = verdict.evidence
    assert found is not None
    width = max(found.upper - found.lower, verdict.margin / 10)  # a margin of 0.02 needs no more than 0.0200
    places = decimals_of(found.harm, (0.0, width), _MOST_DECIMALS)

    def shown(value: float) -> str:
        return number(value, places)

    if found.harm == found.se == 0:
        return f"{name} is unchanged on all {found.n} {found.unit}"
    units = f"{found.n} {found.unit}"
    moved = (
        f"{name} is {shown(abs(found.harm))} {'worse' if found.harm > 0 else 'better'}"
        if found.harm
        else f"{name} is unchanged"
    )
    if verdict.outcome == "worse":
        p = p_value(verdict.p_holm if verdict.p_holm is not None else 1.0)
        return f"{moved}, more than the {shown(verdict.margin)} accepted (p = {p} after Holm, {units})".replace(
            "= <", "<"
        )
    reach = f"at most {shown(found.upper)} worse" if found.upper > 0 else f"at least {shown(-found.upper)} better"
    if verdict.outcome == "not worse":
        return f"{moved}, and with 95 % confidence {reach}, less than the {shown(verdict.margin)} accepted ({units})"
    power = (
        ""
        if verdict.detectable is None
        else f"; {units} find a harm of {shown(verdict.detectable)} with a power of 80 %"
    )
    settled = "" if verdict.needed is None else f", and {verdict.needed} would settle it"
    return f"{moved}, with 95 % confidence {reach}, where {shown(verdict.margin)} is accepted{power}{settled}"


def about_weights_only(verdict: Verdict, seeds: tuple[int, int]) -> Verdict:
    """Return the verdict on a recipe of which there are too few training seeds: nobody can tell.

    Args:
        verdict: on these weights, clips being the units.
        seeds: their numbers in the baseline and in the candidate.
    """
    said = (
        f"{seeds[0]} training seeds against {seeds[1]} tell nothing about the recipe, it takes {MIN_SEEDS} a side; "
        f"about these weights: {verdict.sentence}"
    )
    return replace(
        verdict, question="recipe", outcome="cannot tell", sentence=said, evidence=None, p_holm=None, detectable=None,
        needed=MIN_SEEDS,
    )  # fmt: skip
