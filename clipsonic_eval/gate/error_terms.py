"""The error term of each question: how a change of a metric becomes evidence.

- *same queries*, a mean over clips: paired differences by key, sign flips.
- *same queries*, a statistic of sets: differences of the clips' influences, of the system's and the reference's clips.
- *recipe*: values per training seed on the common queries, Welch's test. Both sides answer the same queries, so which
  were drawn cancels and the scatter is that of training.
- *cost*: values per process, or rounds of one record in which both systems ran in turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from clipsonic_eval.bench.quantities import PERCENTILES
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.gate.change import Change
from clipsonic_eval.gate.first_order import first_order_fails
from clipsonic_eval.gate.verdicts import Question
from clipsonic_eval.stats.evidence import (
    Evidence,
    evidence_from_groups,
    evidence_from_influences,
    evidence_from_pairs,
)
from clipsonic_eval.types import Score

MIN_PROCESSES = 3


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
    """Return the evidence of rounds in which both systems ran in turn, or of processes, one value each."""
    if change.interleaved and change.old_raw == change.old:  # differences of rounds say nothing about a percentile
        rounds = sorted(change.old_raw[0].per_clip.keys() & change.new_raw[0].per_clip.keys())
        if rounds:
            a, b = (np.array([raw[0].per_clip[key] for key in rounds]) for raw in (change.old_raw, change.new_raw))
            return evidence_from_pairs(change.towards_worse * (b - a), unit="rounds")
    old, new = (_per_process(change.metric, raw) for raw in (change.old_raw, change.new_raw))
    if min(len(old), len(new)) < MIN_PROCESSES:
        raise UserError(
            f"{change.name}: {len(old)} processes against {len(new)}, and it takes {MIN_PROCESSES} a side, since "
            "processes differ by more than the requests inside one; measure again with more processes"
        )
    return evidence_from_groups(old, new, "processes", higher_is_better=change.old[0].higher_is_better)


def _per_process(quantity: str, scores: Sequence[Score]) -> list[float]:
    """Return the value of a quantity in each process of some records; a record without raw values counts as one."""
    found: list[float] = []
    for score in scores:
        processes: dict[str, list[float]] = defaultdict(list)
        for key, value in score.per_clip.items():
            processes[key.partition("/")[0]].append(value)
        q = PERCENTILES.get(quantity, 50)
        found += [float(np.percentile(values, q)) for values in processes.values()] or [score.value]
    return found


_TERMS: dict[Question, Callable[[Change, float], Evidence]] = {
    "same queries": _same_queries,
    "recipe": _recipe,
    "cost": _cost,
}
