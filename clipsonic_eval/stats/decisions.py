"""Decisions about changes for the worse: worse, not worse, or cannot tell; and what more data would tell.

*Worse* controls the family-wise error over all decisions of a call. *Not worse* is non-inferiority, one-sided: passing
a call takes all of them (an intersection–union test), so none needs a correction.

Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979; R. L. Berger, Multiparameter hypothesis
testing and acceptance sampling, 1982 (intersection–union); ICH E9, Statistical principles for clinical trials, 1998
(non-inferiority).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from scipy import special

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.evidence import LEVEL, Evidence
from clipsonic_eval.stats.paired import holm

Outcome = Literal["worse", "not worse", "cannot tell"]

_MOST_UNITS = 10**9


def decide(evidence: Sequence[Evidence], margins: Sequence[float], level: float = LEVEL) -> list[tuple[Outcome, float]]:
    """Return the outcome and Holm's p-value of every piece of evidence of one call.

    Worse: the harm is significantly positive, and its estimate lies beyond the margin. Not worse: the whole one-sided
    95 % interval lies within the margin. Otherwise nobody can tell.

    Args:
        evidence: of each limit of the call.
        margins: largest harm that each limit allows, in the metric's unit.
        level: of worse, family-wise.

    Raises:
        ShapeError: as many margins are needed as there is evidence, each a finite number that is not negative.

    Example:
        >>> clear = Evidence(1.0, 0.1, 0.8, 1.2, 0.0001, 200, "clips", "a test")
        >>> decide([clear, clear], [0.5, 2.0])
        [('worse', 0.0002), ('not worse', 0.0002)]
    """
    if len(margins) != len(evidence) or not all(math.isfinite(margin) and margin >= 0 for margin in margins):
        raise ShapeError(
            f"{len(evidence)} decisions need as many margins, finite and not negative; got {list(margins)}"
        )
    corrected = holm([one.p_worse for one in evidence])
    return [(_outcome(*one, level), one[1]) for one in zip(evidence, corrected, margins, strict=True)]


def _outcome(evidence: Evidence, p: float, margin: float, level: float) -> Outcome:
    if p < level and evidence.harm > margin:
        return "worse"
    return "not worse" if evidence.upper < margin else "cannot tell"


def detectable(evidence: Evidence, level: float = LEVEL, power: float = 0.8, *, margin: float = 0.0) -> float:
    """Return the smallest true harm that this much data calls worse with the given power.

    Args:
        evidence: its standard error and degrees of freedom count, not its estimate.
        level: of the test; divide it by the number of decisions for a family.
        power: probability of finding it.
        margin: that the estimate has to exceed too.

    Source: J. Cohen, Statistical power analysis for the behavioral sciences, 1988 (chapter 2; noncentral t).

    Example:
        >>> found = Evidence(0.0, 1.0, -1.6, 1.6, 0.5, 1000, "clips", "a test", df=1e6)
        >>> round(detectable(found), 3)  # z of 0.95 + z of 0.8
        2.486
    """
    if evidence.se == 0:
        return margin
    return evidence.se * _noncentrality(evidence.df, level, power, margin / evidence.se)


def needed(evidence: Evidence, margin: float, power: float = 0.8, *, level: float = LEVEL) -> int | None:
    """Return how many units would settle whether the harm stays within a margin.

    With so many, a system without any harm is called not worse with the given power; and a harm of the margin's size
    is told from none with the same power. If there are as many already, the true harm lies close to the margin: then
    the number that would tell the estimated harm from the margin.

    Args:
        evidence: so far. Its standard error shrinks with the root of the number of units.
        margin: largest harm allowed.
        power: probability of settling it.
        level: of the one-sided tests.

    Returns:
        The number of units, on each side where there are two groups; None if no number would do.

    Example:
        >>> found = Evidence(0.0, 1.0, -1.6, 1.6, 0.5, 1000, "clips", "a test", df=999)
        >>> needed(found, margin=1.0)  # 1000 · 2.486², and a little for Student's t
        6184
    """
    planned = _units(evidence, margin, power, level)
    if planned is None or planned > evidence.n:
        return planned
    return _units(evidence, abs(margin - evidence.harm), power, level)


def _units(evidence: Evidence, gap: float, power: float, level: float) -> int | None:
    """Return the smallest number of units at which a difference of this size is found, at least those there are."""
    if evidence.se == 0:
        return evidence.n
    if not gap > 0:
        return None
    small, large = 2, 2
    while not _found(evidence, large, gap, power, level):
        small, large = large, 2 * large
        if large > _MOST_UNITS:
            return None
    while small < large:
        middle = (small + large) // 2
        small, large = (small, middle) if _found(evidence, middle, gap, power, level) else (middle + 1, large)
    return large


def _found(evidence: Evidence, units: int, gap: float, power: float, level: float) -> bool:
    se = evidence.se * math.sqrt(evidence.n / units)
    df = None if evidence.df is None else max(1.0, evidence.df * (units - 1) / (evidence.n - 1))  # scipy hangs near 0
    return se * _noncentrality(df, level, power, 0.0) <= gap


def _noncentrality(df: float | None, level: float, power: float, least: float) -> float:
    """Return the true harm, in standard errors, found significant and estimated above ``least`` with this power."""
    above = least + float(special.ndtri(power))
    if df is None:
        return max(float(special.ndtri(1 - level)) + float(special.ndtri(power)), above)
    # P(t_df(λ) > t_{1−level}) = power
    return max(float(special.nctdtrinc(df, 1 - power, special.stdtrit(df, 1 - level))), above)
