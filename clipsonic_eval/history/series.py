"""Series of a history: every metric of every system along an axis, in lines of comparable values, with change points.

A line connects values of one kind of record whose signatures compare (n counts where a metric is biased in it) and
whose study tags (split, guidance scale, CLIP variant) are equal. Several records at one place, such as training seeds,
are one point: their mean, with their spread. Their intervals are over the test clips, which all points share, so they
say nothing about the change from one point to the next; the noise of change points is the spread between points.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, overload

import numpy as np

from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.history.axes import DATE, Axis, axis
from clipsonic_eval.history.entries import HEAD, Columns, Entries
from clipsonic_eval.metric_cards import biased_in_n
from clipsonic_eval.signature import explain_difference, identity
from clipsonic_eval.stats.change_points import LEAST, LONGEST, TOO_NEW, StepFit, find_change_points

_SEVERAL = 10  # lines from which on a false change point among them is to be expected
_ENOUGH = 4  # degrees of freedom of a spread over seeds that counts
BENCH: Final = "bench"  # kind of the records of durations
STUDY_TAGS: Final = ("split", "guidance", "clip_variant")  # tags that tell apart the runs of a study
_METRIC, _SYSTEM, _N, _UNIT, _HIGHER, _SIGNATURE = map(
    HEAD.index, ("metric", "system", "n", "unit", "higher_is_better", "signature")
)


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """A place on the axis and the value there.

    Attributes:
        x: label of the place.
        position: of the place, see :class:`clipsonic_eval.history.axes.Axis`.
        value: mean over the records.
        ci: interval over the test clips, the mean of the records' intervals; None where one has none.
        n: clips of each record, the least.
        records: hashes.
        spread: standard deviation over the records; None for a single one.
        too_new: whether it is one of the newest points of its line, of which no change can be told yet.
    """

    x: str
    position: float
    value: float
    ci: tuple[float, float] | None
    n: int
    records: tuple[str, ...]
    spread: float | None = None
    too_new: bool = False


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """Values that compare, in order.

    Attributes:
        signature: of the newest value.
        about: kind of the records and study tags, (name, value).
        points: in the order of the axis.
        fit: levels and change points; None along an axis on which they are not looked for.
        begins: why a line of its own begins here: what differs from the line before; "" for the first.
    """

    signature: str
    about: tuple[tuple[str, str], ...]
    points: Sequence[SeriesPoint]
    fit: StepFit | None
    begins: str = ""

    @property
    def compared(self) -> Hashable:
        """What another value must share to compare with this line."""
        return identity(self.signature)


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one system.

    Attributes:
        metric: registry name.
        system: name.
        unit: of the values.
        higher_is_better: direction.
        lines: in the order of their first points.
    """

    metric: str
    system: str
    unit: str
    higher_is_better: bool
    lines: tuple[SeriesLine, ...]

    @property
    def newest(self) -> SeriesPoint:
        """The point furthest along the axis."""
        return max((line.points[-1] for line in self.lines), key=lambda point: point.position)


@dataclass(frozen=True, slots=True)
class Trends:
    """Every series that was asked for.

    Attributes:
        over: the axis: ``date``, ``commit`` or a tag.
        series: by metric and system, in the order of their first values.
        notes: sentences on what was left out or not looked for.
    """

    over: str
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()


def trends(entries: Entries, over: str = DATE, *, metrics: Sequence[str] = (), systems: Sequence[str] = ()) -> Trends:
    """Return the series of a history.

    Args:
        entries: of the history.
        over: ``date``, ``commit``, or a tag such as ``step``.
        metrics: names; empty: all.
        systems: names; empty: all.

    Raises:
        UserError: no such metric, system or tag.
    """
    columns = entries.columns
    _check("metric", metrics, {str(head[_METRIC]) for head in columns.heads})
    _check("system", systems, {str(head[_SYSTEM]) for head in columns.heads})
    along = axis(columns.about, over)
    rows = np.repeat(np.arange(len(columns.about)), np.diff(columns.ends, prepend=0))
    scores = _Scores(columns, along, rows, along.place[rows])
    group = _group_of_heads(columns, metrics, systems)[columns.head]
    kinds = _ids([(about["kind"], *_study(about, over)) for about in columns.about])
    line = _ids(list(map(_line_of_head, columns.heads)))[columns.head] * (1 + kinds.max(initial=0)) + kinds[rows]
    picked = np.flatnonzero((group >= 0) & (scores.place >= 0) & np.isfinite(columns.numbers[:, 0]))
    picked = picked[np.lexsort((rows[picked], scores.place[picked], line[picked], group[picked]))]
    found = tuple(
        _series([_line(scores, part) for part in _runs(several, line)], columns.heads[columns.head[several[0]]])
        for several in _runs(picked, group)
    )
    if not found:
        raise UserError("no record has a value of this metric for this system; `history show` without them lists all")
    return Trends(over, found, tuple(_notes(along, found, columns)))


def levels(entries: Entries, hashes: Sequence[str]) -> dict[tuple[str, str, Hashable], float]:
    """Return the values of some records, the mean over them, by metric, system and what comparable values share."""
    found: dict[tuple[str, str, Hashable], list[float]] = {}
    for entry in entries:
        for score in entry.scores if entry.hash in hashes else ():
            found.setdefault((score.metric, score.system, identity(score.signature)), []).append(score.value)
    return {key: float(np.mean(values)) for key, values in found.items()}


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores and where they stand: the record (scores,) int64 and the place on the axis (scores,) int64 of each."""

    columns: Columns
    along: Axis
    rows: IntArray
    place: IntArray


def _check(what: str, asked: Sequence[str], known: set[str]) -> None:
    for name in asked:
        if name not in known:
            raise unknown_name(what, name, known)


def _study(about: Mapping[str, Any], over: str) -> tuple[str | None, ...]:
    return tuple(about["tags"].get(name) if name != over else None for name in STUDY_TAGS)


def _group_of_heads(columns: Columns, metrics: Sequence[str], systems: Sequence[str]) -> IntArray:
    """Return the number of the series of each head, -1 for those not asked for; series by metric, then by system."""
    names = [(head[_METRIC], head[_SYSTEM]) for head in columns.heads]
    order = {metric: i for i, metric in enumerate(dict.fromkeys(metric for metric, _ in names))}
    series = sorted(dict.fromkeys(names), key=lambda name: order[name[0]])
    number = {name: i for i, name in enumerate(series)}
    wanted = [(not metrics or m in metrics) and (not systems or s in systems) for m, s in names]
    return np.array([number[name] if want else -1 for name, want in zip(names, wanted, strict=True)], np.int64)


def _line_of_head(head: tuple[Any, ...]) -> Hashable:
    """Return what values must share to stand on one line."""
    return identity(head[_SIGNATURE]), head[_N] if biased_in_n(head[_METRIC]) else None


def _ids(keys: Sequence[Hashable]) -> IntArray:
    """Number equal keys alike, in the order of their first appearance, (n,) int64."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)


def _runs(scores: IntArray, key: IntArray) -> list[IntArray]:
    """Split positions of scores, (n,) int64, where their key changes."""
    return np.split(scores, 1 + np.flatnonzero(np.diff(key[scores]))) if len(scores) else []


def _series(lines: Sequence[SeriesLine], head: tuple[Any, ...]) -> Series:
    ordered = sorted(lines, key=lambda line: (line.points[0].position, line.points[-1].position))
    named = [ordered[0], *(replace(b, begins=_difference(a, b)) for a, b in pairwise(ordered))]
    return Series(head[_METRIC], head[_SYSTEM], head[_UNIT], bool(head[_HIGHER]), tuple(named))


def _difference(before: SeriesLine, after: SeriesLine) -> str:
    said = explain_difference(before.signature, after.signature, compared_only=True)
    n = before.points[-1].n, after.points[0].n
    if not said and n[0] != n[1]:
        said = f"number of clips: {n[0]} against {n[1]}"
    tags = [f"{name}: {a} against {b}" for (name, a), (_, b) in zip(before.about, after.about, strict=True) if a != b]
    return "; ".join([*tags, *([said] if said else [])])


@dataclass(frozen=True, slots=True)
class _Points(Sequence[SeriesPoint]):
    """Points of a line, each made when it is asked for: a long history has more of them than are ever shown.

    Attributes:
        scores: all scores.
        part: (n,) int64, positions of those of the line, by place.
        starts: (points,) int64, the first of each point in ``part``.
        counts: (points,) int64, how many.
        means: (points, 3) float64, value and ends of the interval.
        squares: (points,) float64, sums of squares about the mean.
        newest: the first point that is too new to tell.
    """

    scores: _Scores
    part: IntArray
    starts: IntArray
    counts: IntArray
    means: Float64
    squares: Float64
    newest: int

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, i: int) -> SeriesPoint: ...
    @overload
    def __getitem__(self, i: slice) -> list[SeriesPoint]: ...
    def __getitem__(self, i: int | slice) -> SeriesPoint | list[SeriesPoint]:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        k = range(len(self))[i]
        columns, along = self.scores.columns, self.scores.along
        count = int(self.counts[k])
        own = self.part[self.starts[k] : self.starts[k] + count]
        place = self.scores.place[own[0]]
        value, low, high = self.means[k].tolist()
        return SeriesPoint(
            along.labels[place],
            along.positions[place],
            value,
            None if math.isnan(low + high) else (low, high),
            min(columns.heads[h][_N] for h in columns.head[own]),
            tuple(columns.about[row]["hash"] for row in self.scores.rows[own]),
            math.sqrt(self.squares[k] / (count - 1)) if count > 1 else None,
            k >= self.newest,
        )

    def cards(self, k: int, system: str) -> str:
        """Return what made a point: the hashes of the system's cards, "" where one is not known.

        Durations of the same weights differ from run to run, so those of ``bench`` records have none.
        """
        own = self.part[self.starts[k] : self.starts[k] + self.counts[k]]
        records = [self.scores.columns.about[row] for row in self.scores.rows[own]]
        found = ["" if about["kind"] == BENCH else about["cards"].get(system, "") for about in records]
        return "+".join(found) if all(found) else ""


def _line(scores: _Scores, part: IntArray) -> SeriesLine:
    """Return one line from its scores, (n,) int64 positions sorted by place."""
    columns, along = scores.columns, scores.along
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(scores.place[part]))])
    counts = np.diff(starts, append=len(part))
    means: Float64 = np.add.reduceat(columns.numbers[part], starts) / counts[:, None]  # (points, 3)
    squares = np.add.reduceat((columns.numbers[part, 0] - np.repeat(means[:, 0], counts)) ** 2, starts)
    newest = len(starts) - TOO_NEW if along.in_time else len(starts)
    points = _Points(scores, part, starts, counts, means, squares, newest)
    head = columns.heads[columns.head[part[-1]]]
    fit = None
    if along.in_time:
        looked_at = range(max(0, len(starts) - LONGEST), len(starts))
        same = [*[""] * looked_at.start, *(points.cards(k, head[_SYSTEM]) for k in looked_at)]
        least = _least_noise(means[:, 0], squares, counts, head[_N])
        fit = find_change_points(means[:, 0], weights=counts, same=same, least_noise=least)
    newest_record = columns.about[scores.rows[part[-1]]]
    about = (("kind", newest_record["kind"]), *zip(STUDY_TAGS, _study(newest_record, along.over), strict=True))
    return SeriesLine(head[_SIGNATURE], tuple((name, str(value or "")) for name, value in about), points, fit)


def _least_noise(values: Float64, squares: Float64, counts: IntArray, n: int) -> float:
    """Return the least that noise can be: the spread over seeds, and that of rounding where values are counts over n.

    Args:
        values: (points,).
        squares: (points,) sums about the mean of each point.
        counts: (points,) records behind each.
        n: clips of a record.
    """
    freedom = int((counts - 1).sum())
    seeds = math.sqrt(float(squares.sum()) / freedom) if freedom >= _ENOUGH else 0.0
    hits = values[counts == 1] * n
    is_share = len(hits) > 0 and bool(np.all(np.abs(hits - np.round(hits)) < 1e-6) and np.any(hits != hits[0]))
    return max(seeds, 1 / (n * math.sqrt(12)) if is_share else 0.0)


def _notes(along: Axis, found: Sequence[Series], columns: Columns) -> list[str]:
    notes = []
    if along.left_out:
        notes.append(f"{along.left_out} of {len(columns.about)} records have no {along.over} and are left out")
    if not along.in_time:
        notes.append(f"no change points are looked for over {along.over}: values along it are a curve, not a level")
        return notes
    lines = [line for series in found for line in series.lines]
    short = sum(line.fit is not None and line.fit.n < LEAST for line in lines)
    long = len(lines) - short
    if long > _SEVERAL:
        notes.append(
            f"change points are looked for in {long} lines, and without any change 5 % of them would have one: about "
            f"{round(0.05 * long) or 1}"
        )
    if short:
        notes.append(
            f"{short} of {len(lines)} lines are too short for change points: fewer than {LEAST} points (those of the "
            "same weights count once)"
        )
    return notes
