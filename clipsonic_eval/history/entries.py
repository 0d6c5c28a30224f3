"""Light rows of a history: every score of every record in columns, without values per clip.

Ten thousand records hold hundreds of thousands of scores, far too many to be objects at once. So numbers stand in
arrays; everything else of a score (metric, system, unit, signature, …) repeats from record to record and is kept once,
as a *head*. Objects are made for the rows that are asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, overload

import numpy as np

from clipsonic_eval import atomic
from clipsonic_eval.arraytypes import FloatArray, IntArray
from clipsonic_eval.types import Score, Skip

HEAD: Final = (
    "metric", "system", "ci_method", "n", "n_rows", "unit", "higher_is_better", "signature", "seed", "ci_level",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """What a history shows of one record.

    Attributes:
        hash: of the record's content, 32 hex digits; its name in the history.
        kind: ``evaluate``, ``gap``, ``pooled`` or ``bench``.
        created: time of the run in ISO 8601, UTC; "" where the record does not say.
        commit: of the code that made it, None where it was under no version control.
        tags: of the record.
        clips: hash of its values per clip, None if it never had any. They may have been pruned.
        cards: by system, the hash over its card (weights, settings, seeds); only of systems whose card has one.
        columns: that hold its scores.
        row: of the record in these.
    """

    hash: str
    kind: str
    created: str
    commit: str | None
    tags: Mapping[str, str]
    clips: str | None
    cards: Mapping[str, str]
    columns: Columns = field(repr=False, compare=False)
    row: int = field(repr=False, compare=False)

    @property
    def scores(self) -> tuple[Score, ...]:
        """Every score, without values per clip, details and values by seed."""
        end = int(self.columns.ends[self.row])
        return tuple(map(self.columns.score, range(end - self.n_scores, end)))

    @property
    def n_scores(self) -> int:
        """Number of scores."""
        ends = self.columns.ends
        return int(ends[self.row] - (ends[self.row - 1] if self.row else 0))


@dataclass(frozen=True, slots=True)
class Columns:
    """Scores of many records.

    Attributes:
        about: of each record: ``hash``, ``kind``, ``created``, ``commit``, ``tags``, ``clips``, ``cards``,
            and ``stamp`` (size and time of its file).
        heads: what scores have in common.
        ends: (records,) int64, number of scores up to and with each record.
        head: (scores,) int32, of each score, its position in ``heads``.
        numbers: (scores, 3) float64, value and ends of the interval; NaN where there is no interval.
    """

    about: tuple[dict[str, Any], ...]
    heads: tuple[tuple[Any, ...], ...]
    ends: IntArray
    head: IntArray
    numbers: FloatArray

    def score(self, i: int) -> Score:
        """Return one score of all."""
        value, low, high = self.numbers[i].tolist()
        named = dict(zip(HEAD, self.heads[self.head[i]], strict=True))
        return Score(value=value, ci=None if math.isnan(low) else (low, high), **named)

    def entry(self, row: int) -> Entry:
        """Return one record of all."""
        about = {key: value for key, value in self.about[row].items() if key != "stamp"}
        return Entry(**about, columns=self, row=row)

    def take(self, rows: list[int]) -> Columns:
        """Return some of the records, in the order given."""
        counts = np.diff(self.ends, prepend=0)[rows]
        ends = np.cumsum(counts)
        # scores of each record chosen: its first one, then counting up
        scores = np.repeat(self.ends[rows] - ends, counts) + np.arange(counts.sum())
        return Columns(tuple(self.about[r] for r in rows), self.heads, ends, self.head[scores], self.numbers[scores])

    def joined(self, other: Columns) -> Columns:
        """Return these records and then the other ones."""
        position = {head: i for i, head in enumerate(self.heads)}
        heads = np.array([position.setdefault(head, len(position)) for head in other.heads], np.int32)
        return Columns(
            self.about + other.about,
            tuple(position),
            np.concatenate([self.ends, other.ends + len(self.head)]),
            np.concatenate([self.head, heads[other.head]]),
            np.concatenate([self.numbers, other.numbers]),
        )


def of_records(rows: Iterable[tuple[dict[str, Any], Iterable[Score]]]) -> Columns:
    """Return the columns of records: what is said about each, and its scores."""
    about, ends, head = [], [], []
    numbers: list[tuple[float, float, float]] = []
    position: dict[tuple[Any, ...], int] = {}
    nan = float("nan")
    for one, scores in rows:
        about.append(one)
        for s in scores:
            head.append(position.setdefault(tuple(getattr(s, name) for name in HEAD), len(position)))
            numbers.append((s.value, *(s.ci or (nan, nan))))
        ends.append(len(head))
    return Columns(
        tuple(about),
        tuple(position),
        np.array(ends, np.int64),
        np.array(head, np.int32),
        np.array(numbers, np.float64).reshape(-1, 3),
    )


NONE: Final = of_records([])


class Entries(Sequence[Entry]):
    """Entries of a history, the oldest first.

    Attributes:
        columns: the same as columns, in the same order.
        skipped: records that could not be read, and why; the others are here.
    """

    def __init__(self, columns: Columns, skipped: Sequence[Skip] = ()) -> None:
        about = columns.about
        order = sorted(range(len(about)), key=lambda row: (about[row]["created"], about[row]["hash"]))
        self.columns = columns if order == list(range(len(about))) else columns.take(order)
        self.skipped = tuple(skipped)

    def __len__(self) -> int:
        return len(self.columns.about)

    @overload
    def __getitem__(self, i: int) -> Entry: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[Entry]: ...
    def __getitem__(self, i: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(i, slice):
            return [self.columns.entry(row) for row in range(len(self))[i]]
        return self.columns.entry(range(len(self))[i])

    def scores(self, metric: str | None = None, system: str | None = None) -> Iterator[tuple[Entry, Score]]:
        """Yield the scores of a metric and system (None: all) with their entries, the oldest first."""
        columns = self.columns
        wanted = [i for i, head in enumerate(columns.heads) if metric in (None, head[0]) and system in (None, head[1])]
        found = np.flatnonzero(np.isin(columns.head, wanted))
        rows = np.searchsorted(columns.ends, found, side="right")
        entry: Entry | None = None
        for row, i in zip(rows.tolist(), found.tolist(), strict=True):
            if entry is None or entry.row != row:
                entry = columns.entry(row)
            yield entry, columns.score(i)

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the metrics and the systems that have scores, each in the order of their first appearance."""
        used = [self.columns.heads[i] for i in dict.fromkeys(self.columns.head.tolist())]
        return tuple(dict.fromkeys(head[0] for head in used)), tuple(dict.fromkeys(head[1] for head in used))


def save(columns: Columns, path: Path) -> None:
    """Write columns as one file of arrays, atomically."""
    texts = json.dumps([columns.about, columns.heads]).encode("ascii")
    text = np.frombuffer(texts, np.uint8)
    with atomic.replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, texts=text, ends=columns.ends, head=columns.head, numbers=columns.numbers)


def load(path: Path) -> Columns:
    """Read what :func:`save` wrote.

    Raises:
        Exception: of any kind, where the file is damaged or of another release.
    """
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        about, heads = json.loads(file["texts"].tobytes())
        return Columns(tuple(about), tuple(map(tuple, heads)), file["ends"], file["head"], file["numbers"])
