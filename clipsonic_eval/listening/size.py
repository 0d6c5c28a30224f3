"""How many listeners and clips a listening test needs, and how many minutes it takes, before it is run.

The variance of a mean opinion follows from the design itself: who would hear what, in the lists of the plan, and how
much answers vary between listeners, between clips, and otherwise. A clip's variance is taken to be that of one sound,
so it does not cancel in the difference of two systems; that of a listener does as far as he hears both equally often.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.errors import UserError
from clipsonic_eval.listening import design
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import PROTOCOLS
from clipsonic_eval.listening.trials import HEADPHONES, SIDE
from clipsonic_eval.stats.crossed import VarianceComponents

# standard deviations on a scale from 1 to 5: of listeners, clips, and the rest
TYPICAL: Final = VarianceComponents(0.5**2, 0.4**2, 0.9**2)
MOST_LISTENERS: Final = 500
_HEARD_TWICE = 1.5  # times that a sound is heard before it is judged
_SECONDS_AN_ANSWER: Final = {"rating": 4.0, "pair": 6.0, "sliders": 8.0}  # a slider each
_SECONDS_A_TONE: Final = 6.0
_POWER, _LEVEL = 0.8, 0.05


class Precision(NamedTuple):
    """What a test of some size can tell.

    Attributes:
        listeners: that take part.
        clips: that each of them rates.
        half_width: of the 95 % interval of a system's mean opinion.
        difference: of two systems that is found with 80 % power at 5 %, after the strictest step of Holm's
            correction; None of one system.
        answers: per system.
    """

    listeners: int
    clips: int
    half_width: float
    difference: float | None
    answers: int


def precision(
    systems: int, queries: int, clips: int, listeners: int, components: VarianceComponents = TYPICAL
) -> Precision:
    """Predict the precision of ratings.

    Args:
        systems: number of systems.
        queries: number of queries.
        clips: that a listener rates at most.
        listeners: number of listeners, at least two.
        components: variances of listeners, clips and the rest.

    Raises:
        UserError: too few listeners or clips for an interval.

    Example:
        >>> found = precision(systems=4, queries=100, clips=25, listeners=20)
        >>> round(found.half_width, 2), round(found.difference, 2), found.answers
        (0.29, 0.45, 125)
    """
    blocks = design.n_blocks(queries, clips)
    rows = np.array(
        [(i, *heard) for i in range(listeners) for heard in design.block(i, systems, queries, blocks, 0)], np.intp
    )
    who, what, which = rows.T
    counts = np.bincount(which, minlength=systems)
    if listeners < 2 or counts.min() < 2:
        raise UserError(
            f"{listeners} listeners with {clips} clips each are too few for {systems} systems: every system needs two "
            "answers of two listeners"
        )
    means = [_variance(who, what, (which == s) / counts[s], components) for s in range(systems)]
    half = float(np.mean([special.stdtrit(df, 0.975) * np.sqrt(v) for v, df in means]))
    pairs = systems * (systems - 1) // 2
    found = []
    for a in range(systems - 1):
        contrast = (which == a) / counts[a] - (which == a + 1) / counts[a + 1]
        # a clip is one sound: another one for each system
        variance, df = _variance(who, what * systems + which, contrast, components)
        reach = special.stdtrit(df, 1 - _LEVEL / pairs / 2) + special.stdtrit(df, _POWER)
        found.append(reach * np.sqrt(variance))
    difference = float(np.mean(found)) if found else None
    return Precision(listeners, clips, half, difference, int(counts.min()))


def _variance(who: IntArray, what: IntArray, weights: Float64, parts: VarianceComponents) -> tuple[float, float]:
    """Return the variance of Σ wⱼ yⱼ and its degrees of freedom; all arguments are (n,)."""
    # σ²ₗ Σ (Σ w of a listener)² + σ²ᵢ Σ (Σ w of an item)² + σ² Σ w²
    terms = np.array(
        [
            parts.listener * (np.bincount(who, weights) ** 2).sum(),
            parts.item * (np.bincount(what, weights) ** 2).sum(),
            parts.rest * (weights**2).sum(),
        ]
    )
    used = weights != 0
    freedom = np.array([len(np.unique(who[used])), len(np.unique(what[used])), np.count_nonzero(used)]) - 1
    return float(terms.sum()), float(terms.sum() ** 2 / (terms**2 / np.maximum(freedom, 1)).sum())


def smallest(
    systems: int,
    queries: int,
    clips: int,
    *,
    half_width: float | None = None,
    difference: float | None = None,
    components: VarianceComponents = TYPICAL,
) -> Precision:
    """Return the smallest test that reaches what is wanted.

    Args:
        systems: number of systems.
        queries: number of queries.
        clips: that a listener rates at most.
        half_width: wanted of the interval of a mean opinion.
        difference: wanted to be found.
        components: variances of listeners, clips and the rest.

    Raises:
        UserError: nothing is wanted, or :data:`MOST_LISTENERS` do not reach it with so many queries.
    """
    if half_width is None and difference is None:
        raise UserError("say what is wanted: --half-width or --difference")

    def enough(found: Precision) -> bool:
        narrow = half_width is None or found.half_width <= half_width
        return narrow and (difference is None or (found.difference is not None and found.difference <= difference))

    low, high = max(2, -(-2 * systems // min(clips, queries))), MOST_LISTENERS
    best = precision(systems, queries, clips, high, components)
    if not enough(best):
        raise UserError(
            f"{MOST_LISTENERS} listeners with {clips} of {queries} clips reach ±{best.half_width:.2f} only, and find "
            f"a difference of {best.difference or float('nan'):.2f}; take more queries, or ask for less"
        )
    while low < high:
        middle = (low + high) // 2
        try:
            found = precision(systems, queries, clips, middle, components)
        except UserError:
            low = middle + 1
            continue
        if enough(found):
            best, high = found, middle
        else:
            low = middle + 1
    return best


def minutes(plan: ListeningPlan, seconds: float, number: int = 0) -> float:
    """Return how long a session takes, in minutes.

    A sound is heard one and a half times; an answer takes 4 s, 6 s on a pair, 8 s a slider.

    Args:
        plan: of the test.
        seconds: of a sound.
        number: of the listener.
    """
    return sum(_seconds(plan, seconds, number)) / 60


def _seconds(plan: ListeningPlan, seconds: float, number: int) -> Iterator[float]:
    for trial in plan.trials(number):
        if trial.kind in (HEADPHONES, SIDE):
            yield _SECONDS_A_TONE
            continue
        answers = sum(_answer_seconds(PROTOCOLS[name].layout, len(trial.systems)) for name in trial.protocols)
        yield _HEARD_TWICE * seconds * len(trial.systems) + answers


def _answer_seconds(layout: str, sounds: int) -> float:
    return _SECONDS_AN_ANSWER[layout] * (sounds if layout == "sliders" else 1)
