"""Where each record of a history stands on an axis: by date, by commit, or by a tag such as the training step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from clipsonic_eval.arraytypes import IntArray
from clipsonic_eval.errors import UserError, unknown_name

DATE: Final = "date"
COMMIT: Final = "commit"
TRAIN_SEED: Final = "train_seed"  # tag of the training seeds of one recipe
_SHORT = 8  # digits of a commit that are shown
_SETTINGS = ("step", "guidance")  # tags along which a metric is a curve, without a constant level

About = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a history.

    Attributes:
        over: ``date``, ``commit`` or the name of a tag.
        labels: of its places, in their order.
        positions: of the places: seconds since 1970 for dates, the numbers of tags that are numbers, else 0, 1, ….
        place: (records,) int64, of each record; -1 where a record has none.
        in_time: a metric that nothing changes stays at its level along it, so that change points are looked for.
        left_out: number of records without a place.
    """

    over: str
    labels: tuple[str, ...]
    positions: tuple[float, ...]
    place: IntArray
    in_time: bool
    left_out: int


def axis(records: About, over: str) -> Axis:
    """Return the axis of some records.

    Commits and tags that are no numbers stand in the order of their first record. Training seeds of one commit and day
    share a date.

    Args:
        records: what the history says about each, in order of time.
        over: ``date``, ``commit`` or the name of a tag.

    Raises:
        UserError: no record has this tag, or a commit, or a date.
    """
    keys = [_key(about, over) for about in records]
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        if key is not None:
            first.setdefault(key, row)
    if not first:
        raise UserError(_nothing(records, over))
    if over == DATE:
        made = [str(records[row]["created"]) for row in first.values()]
        labels, positions = tuple(text[:16].replace("T", " ") for text in made), tuple(map(_seconds, made))
        return _axis(keys, list(first), labels, positions, over)
    numbers = [] if over == COMMIT else [_number(key) for key in first]
    if numbers and all(math.isfinite(x) for x in numbers):
        ordered = [key for _, key in sorted(zip(numbers, first, strict=True))]
        return _axis(keys, ordered, tuple(ordered), tuple(sorted(numbers)), over)
    shown = tuple(key[:_SHORT] if over == COMMIT else key for key in first)
    return _axis(keys, list(first), shown, tuple(map(float, range(len(first)))), over)


def _axis(
    keys: Sequence[str | None], ordered: Sequence[str], labels: tuple[str, ...], positions: tuple[float, ...], over: str
) -> Axis:
    index: dict[str | None, int] = {key: i for i, key in enumerate(ordered)}
    place = np.array([index.get(key, -1) for key in keys], np.int64)
    return Axis(over, labels, positions, place, over not in _SETTINGS, int((place < 0).sum()))


def _key(about: Mapping[str, Any], over: str) -> str | None:
    """Return what records at the same place share; None for a record without a place."""
    if over == COMMIT:
        return about["commit"] or None
    if over != DATE:
        value = about["tags"].get(over)
        return None if value is None else str(value)
    created = str(about["created"])
    if math.isnan(_seconds(created)):
        return None
    return f"{created[:10]} {about['commit']}" if TRAIN_SEED in about["tags"] else created


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return math.nan


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _nothing(records: About, over: str) -> str:
    tags = sorted({name for about in records for name in about["tags"]})
    if over in (DATE, COMMIT):
        return f"none of these {len(records)} records says its {over}; name a tag with --over"
    if tags:
        return f"--over: {unknown_name('tag', over, (DATE, COMMIT, *tags))}"
    return f"--over {over}: no record has this tag, nor any other; use {DATE} or {COMMIT}"
