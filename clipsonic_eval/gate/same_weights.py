"""Equality of the numbers of one model under other code, and the stage that moved them."""

from __future__ import annotations

from clipsonic_eval.gate.change import Change
from clipsonic_eval.gate.verdicts import Verdict
from clipsonic_eval.records import RunRecord

TOLERANCE = 1e-6  # relative


def equality(change: Change, candidate: RunRecord, baseline: RunRecord) -> Verdict:
    """Return whether a number is the same to :data:`TOLERANCE`; where it is not, which stage moved it.

    Args:
        change: of one record a side.
        candidate: its record.
        baseline: its record.
    """
    old, new = change.baseline, change.candidate
    apart = abs(new - old) / max(abs(old), abs(new), 1e-300)
    moved = apart > TOLERANCE
    if moved:
        said = f"{change.name} moved by {apart:.2g} of its value ({old:.9g} to {new:.9g})"
    else:
        said = f"{change.name} is equal to {TOLERANCE:g} of its value"
    return Verdict(
        change.system, change.metric, str(change.limit), "same weights", "worse" if moved else "not worse", old, new,
        0.0, said,
    )  # fmt: skip
