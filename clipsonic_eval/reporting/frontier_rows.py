"""A frontier as rows: a point with its place in each metric, the table for people, and the CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from clipsonic_eval.formats import decimals_of, interval, number, percent
from clipsonic_eval.frontier.grid import SYSTEM_TAG
from clipsonic_eval.frontier.result import Frontier, FrontierPoint
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import decimals, heading, title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.tables import NONE
from clipsonic_eval.types import Score

_OFTEN = 0.5  # a point on the frontier in more resamples than not is named on the page


@dataclass(frozen=True, slots=True)
class PlacedPoint:
    """A point in the frontier of one metric: a row of the CSV file.

    Attributes:
        point: its settings.
        score: its quality.
        on: whether it is on the frontier as measured.
        share: of the resamples in which it is.
        latency_ci: interval of its latency, seconds.
    """

    point: FrontierPoint
    score: Score
    on: bool
    share: float
    latency_ci: tuple[float, float]


def placed(frontier: Frontier) -> list[PlacedPoint]:
    """Return the points of a frontier, the quickest first."""
    found = [
        PlacedPoint(point, point.scores[frontier.metric], on, share, ci)
        for point, on, share, ci in zip(frontier.points, frontier.on, frontier.share, frontier.latency_ci, strict=True)
    ]
    return sorted(found, key=lambda p: (p.point.latency.value, p.point.label))


def settings(point: FrontierPoint) -> dict[str, str]:
    """Return the settings that a point differs in, by name, the system's name aside."""
    return {name: value for name, value in point.tags.items() if name != SYSTEM_TAG}


def system(point: FrontierPoint) -> str:
    """Return the name of a point's system."""
    return point.tags.get(SYSTEM_TAG, point.label)


def summary(frontiers: Sequence[Frontier]) -> list[str]:
    """Return a sentence per metric with the points on its frontier, and how sure each is."""
    lines = []
    for frontier in frontiers:
        rows = [row for row in placed(frontier) if row.on or row.share > _OFTEN]
        lines += [f"**{heading(rows[0].score)}**, of {len(frontier.points)} points:", ""]
        lines += [
            f"- {name(row.point)}: {seconds(row)} s, {quality(row)}, "
            f"on the frontier in {percent(row.share)} of resamples"
            for row in rows
        ]
        lines.append("")
    return lines


def approximate(frontiers: Sequence[Frontier]) -> list[str]:
    """Return where shares come from influences that do not quite describe the metric."""
    return [
        f"{title(frontier.metric)}: at {len(frontier.approximate)} of {len(frontier.points)} points the influences of "
        "the clips predict a spread more than 10 % off that of the resamples, so shares are approximate there"
        for frontier in frontiers
        if frontier.approximate
    ]


def name(point: FrontierPoint) -> str:
    """Return a point as part of a sentence."""
    return " ".join([system(point), *(f"{key} {value}" for key, value in settings(point).items())])


def seconds(row: PlacedPoint) -> str:
    """Return a latency in seconds, as precisely as its interval allows."""
    return number(row.point.latency.value, _places(row))


def quality(row: PlacedPoint) -> str:
    """Return the value of a score and its interval."""
    places = decimals(row.score.metric)
    return f"{number(row.score.value, places)} {interval(row.score.ci, places)}".rstrip()


def _places(row: PlacedPoint) -> int:
    return decimals_of(row.point.latency.value, row.latency_ci)


_Rows = Mapping[str, PlacedPoint]  # a point by metric: a row of the table for people


def table(frontiers: Sequence[Frontier], *, label: str = "tab:frontier") -> TextTable:
    """Return the table: a section per system, a row per point, the quickest first."""
    rows = _by_point(frontiers)
    sections: dict[str, list[_Rows]] = {}
    for row in sorted(rows.values(), key=lambda row: _any(row).point.latency.value):
        sections.setdefault(system(_any(row).point), []).append(row)
    first = frontiers[0]
    caption = (
        "Quality against the latency of one request; 95 % intervals in brackets (latency: over processes and rounds). "
        f"Bold: on the frontier as measured. Beside it: in how many of {first.n_boot} resamples of clips and durations "
        "the point is on the frontier."
    )
    return TextTable(caption, markup.cells(columns(frontiers), sections), tuple(_notes(frontiers)), label)


def to_csv(frontiers: Sequence[Frontier]) -> str:
    """Return the points as CSV, one row per point and metric."""
    return markup.csv(columns(frontiers), [row for frontier in frontiers for row in placed(frontier)])


def columns(frontiers: Sequence[Frontier]) -> list[Column]:
    """Return the columns: a row of the table is a point with all its metrics, a row of the CSV file has one metric."""
    varied = list(dict.fromkeys(key for f in frontiers for point in f.points for key in settings(point)))
    scores = {f.metric: f.points[0].scores[f.metric] for f in frontiers}
    by_metric = [
        column
        for metric, score in scores.items()
        for column in (
            Column(heading(score), text=partial(_quality_cell, metric)),
            Column(f"frontier of {heading(score)[:-2]}", text=partial(_share_cell, metric)),
        )
    ]
    return [
        Column("" if varied else "System", "system", lambda r: system(r.point), lambda r: Text(system(_any(r).point))),
        *(Column(key.capitalize(), key, partial(_setting, key), partial(_setting_cell, key)) for key in varied),
        Column("Latency (s) ↓", "latency", value=lambda r: r.point.latency.value, text=_latency_cell),
        Column(csv_name="latency_low", value=lambda r: r.latency_ci[0]),
        Column(csv_name="latency_high", value=lambda r: r.latency_ci[1]),
        Column(csv_name="requests", value=lambda r: r.point.latency.n),
        *by_metric,
        Column(csv_name="metric", value=lambda r: r.score.metric),
        Column(csv_name="value", value=lambda r: r.score.value),
        Column(csv_name="ci_low", value=lambda r: r.score.ci and r.score.ci[0]),
        Column(csv_name="ci_high", value=lambda r: r.score.ci and r.score.ci[1]),
        Column(csv_name="n", value=lambda r: r.score.n),
        Column(csv_name="on_frontier", value=lambda r: int(r.on)),
        Column(csv_name="share_on_frontier", value=lambda r: r.share),
        Column(csv_name="signature", value=lambda r: r.score.signature),
        Column(csv_name="latency_signature", value=lambda r: r.point.latency.signature),
    ]


def as_tree(row: PlacedPoint) -> dict[str, Any]:
    """Return a row of the CSV file as a JSON-serialisable mapping."""
    return {
        "label": row.point.label,
        "settings": dict(row.point.tags),
        "latency_s": row.point.latency.value,
        "latency_ci": row.latency_ci,
        "metric": row.score.metric,
        "value": row.score.value,
        "ci": row.score.ci,
        "n": row.score.n,
        "on_frontier": row.on,
        "share_on_frontier": row.share,
    }


def _by_point(frontiers: Sequence[Frontier]) -> dict[str, dict[str, PlacedPoint]]:
    rows: dict[str, dict[str, PlacedPoint]] = {}
    for frontier in frontiers:
        for row in placed(frontier):
            rows.setdefault(row.point.label, {})[frontier.metric] = row
    return rows


def _any(row: _Rows) -> PlacedPoint:
    return next(iter(row.values()))


def _setting(key: str, row: PlacedPoint) -> str:
    return row.point.tags.get(key, "")


def _setting_cell(key: str, row: _Rows) -> Text:
    return Text(_any(row).point.tags.get(key, "–"))


def _latency_cell(row: _Rows) -> Text:
    one = _any(row)
    return Text(seconds(one), small=interval(one.latency_ci, _places(one)))


def _quality_cell(metric: str, row: _Rows) -> Text:
    one = row.get(metric)
    if one is None:
        return NONE
    places = decimals(metric)
    return Text(number(one.score.value, places), one.on, interval(one.score.ci, places))


def _share_cell(metric: str, row: _Rows) -> Text:
    one = row.get(metric)
    return NONE if one is None else Text(percent(one.share), one.on)


def _notes(frontiers: Sequence[Frontier]) -> Iterable[str]:
    for frontier in frontiers:
        score = frontier.points[0].scores[frontier.metric]
        yield f"{heading(score)}: {markup.code(score.signature)}, interval: {score.ci_method}, n = {score.n} clips"
    latency = frontiers[0].points[0].latency
    yield f"latency: {markup.code(latency.signature)}, median, n = {latency.n} requests of each point"
