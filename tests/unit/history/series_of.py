"""Entries of a history in memory, from values alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from unit.history import make_records

from clipsonic_eval.history import entries
from clipsonic_eval.history.entries import Entries
from clipsonic_eval.types import Score

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def row(i: int, scores: Sequence[Score], **about: Any) -> tuple[dict[str, Any], Sequence[Score]]:
    """Return record i, made i hours after the start by a commit of its own."""
    made = {
        "hash": f"{i:032x}",
        "kind": "evaluate",
        "created": (START + timedelta(hours=i)).isoformat(),
        "commit": f"{i:08x}".ljust(40, "f"),
        "tags": {},
        "clips": None,
        "cards": {},
        "stamp": [0, 0],
    }
    return {**made, **about}, scores


def score(value: float, metric: str = "fad", system: str = "PD", **more: Any) -> Score:
    return dataclasses.replace(make_records.score(system, value, metric), **more)


def resigned(made: Score, old: str, new: str) -> Score:
    return dataclasses.replace(made, signature=made.signature.replace(old, new))


def of_values(values: Sequence[float], abouts: Sequence[Mapping[str, Any]] = ()) -> Entries:
    """Return one record per value of FAD of PD."""
    given = abouts or [{}] * len(values)
    return of_rows(
        [row(i, [score(value)], **about) for i, (value, about) in enumerate(zip(values, given, strict=True))]
    )


def of_rows(rows: Sequence[tuple[dict[str, Any], Sequence[Score]]]) -> Entries:
    return Entries(entries.of_records(rows))
