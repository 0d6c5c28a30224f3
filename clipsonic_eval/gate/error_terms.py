"""The error term of each question: how a change of a metric becomes evidence.

- *same queries*, a mean over clips: paired differences by key, sign flips.
- *same queries*, a statistic of sets: differences of the clips' influences, of the system's and the reference's clips.
- *recipe*: values per training seed on the common queries, Welch's test. Both sides answer the same queries, so which
  were drawn cancels and the scatter is that of training.
- *cost*: values per process, Welch's test; where both systems ran in turn, pairs of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clipsonic_eval.bench.quantities import PERCENTILES, by_process
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.gate.change import RATES, Change
from clipsonic_eval.gate.first_order import first_order_fails
from clipsonic_eval.gate.verdicts import Question
from clipsonic_eval.stats.evidence import (
    MIN_GROUPS,
    Evidence,
    evidence_from_groups,
    evidence_from_influences,
    evidence_from_pairs,
)
from clipsonic_eval.types import Score


def evidence_of(change: Change, question: Question, least_common: float) -> Evidence:
    """Return the evidence for the harm of a change.

    Args:
        change: that compares (:meth:`Change.require_comparable`).
        question: any but *same weights*, which has no error term.
        least_common: least share of common queries.

    Raises:
        UserError: the records hold too little for this question.
    """
    change.require_equal_n()
    try:
        return _TERMS[question](change, least_common)
    except ShapeError as error:
        raise UserError(f"{change.name}: {error}") from None


def _same_queries(change: Change, least_common: float) -> Evidence:
    """Return the evidence of clips, paired by key."""
    if any(score.per_clip for score in (*change.old, *change.new)):
        old, new = change.values(least_common)
        return evidence_from_pairs(change.towards_worse * (new.mean(axis=0) - old.mean(axis=0)))
    system, reference = change.influences(least_common)
    for score in (*change.old, *change.new):
        if why := first_order_fails(score):
            raise UserError(why)
    return evidence_from_influences(change.towards_worse * (change.candidate - change.baseline), system, reference)


def _recipe(change: Change, least_common: float) -> Evidence:
    """Return the evidence of training seeds, one value each."""
    if any(score.per_clip for score in (*change.old, *change.new)):
        old, new = (side.mean(axis=1) for side in change.values(least_common))
    else:
        change.influences(least_common)  # refuses other queries
        old, new = (np.array([score.value for score in side], np.float64) for side in (change.old, change.new))
    higher = change.old[0].higher_is_better
    return evidence_from_groups(list(old), list(new), "training seeds", higher_is_better=higher)


def _cost(change: Change, _: float) -> Evidence:
    """Return the evidence of processes, in pairs where both systems ran in turn."""
    raw = change.old_raw, change.new_raw
    old, new = (_by_process(change.metric, values, scores) for values, scores in zip(raw, change.sides, strict=True))
    if change.interleaved and old.keys() == new.keys():
        differences = [change.towards_worse * (new[process] - old[process]) for process in sorted(old)]
        # Welch's t against a constant is the paired t
        return evidence_from_groups([0.0] * len(differences), differences, "pairs of processes")
    if min(len(old), len(new)) < MIN_GROUPS:
        few = f"{len(old)} processes against {len(new)}" if old and new else "no values of single processes"
        raise UserError(
            f"{change.name}: {few}, and it takes {MIN_GROUPS} a side, since processes differ by more than the requests "
            "inside one; measure with more processes, or limit the latency"
        )
    higher = change.old[0].higher_is_better
    return evidence_from_groups(list(old.values()), list(new.values()), "processes", higher_is_better=higher)


def _by_process(quantity: str, raw: Sequence[Score], scores: Sequence[Score]) -> dict[str, float]:
    """Return the value of a quantity in each process of some records, by record and process."""
    found: dict[str, float] = {}
    for i, (held, score) in enumerate(zip(raw, scores, strict=True)):
        q = PERCENTILES.get(quantity, 50)
        values = {f"{i}/{p}": float(np.percentile(requests, q)) for p, requests in by_process(held.per_clip).items()}
        if quantity in RATES:  # the median latency in another unit
            middle = held.value
            values = {
                k: score.value * (middle / v if quantity == "clips_per_s" else v / middle) for k, v in values.items()
            }
        found |= values
    return found


_TERMS: dict[Question, Callable[[Change, float], Evidence]] = {
    "same queries": _same_queries,
    "recipe": _recipe,
    "cost": _cost,
}
