"""The report of a frontier: page, table, figure, and the records that it can be drawn again from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from clipsonic_eval import files, records
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.formats import decimals_of, interval, number, percent
from clipsonic_eval.frontier.grid import SYSTEM_TAG
from clipsonic_eval.frontier.result import BENCH, Frontier, FrontierPoint
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.export_records import without_paths
from clipsonic_eval.reporting.headings import decimals, heading, title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.page import provenance
from clipsonic_eval.reporting.tables import NONE
from clipsonic_eval.types import Score, Skip

PAGE = "README.md"
_NUMBER = re.compile(r"\d+(\.\d+)?")
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


def write(
    frontiers: Sequence[Frontier],
    found: Sequence[RunRecord],
    folder: Path,
    *,
    failed: Sequence[Skip] = (),
    headline: str = "Quality against latency",
    command: str = "",
) -> Path:
    """Write ``frontier.csv``, ``.md``, ``.tex``, ``.pdf``, ``.png``, the records, and the page.

    Args:
        frontiers: one per metric, of the same points.
        found: the records that they come from.
        folder: exists.
        failed: points that could not be measured.
        headline: of the page.
        command: that made it; "" prints none.

    Returns:
        The page.
    """
    from clipsonic_eval.reporting.figures import frontier as figure
    from clipsonic_eval.reporting.figures import style

    shown = table(frontiers)
    files.write_text(folder / "frontier.md", markup.markdown(shown))
    files.write_text(folder / "frontier.tex", markup.latex(shown))
    files.write_text(folder / "frontier.csv", to_csv(frontiers))
    with style.look():
        canvas, caption = figure.draw(frontiers)
        style.save(canvas, folder / "frontier")
    for record in found:
        _keep(record, folder / "records")
    lines = [f"# {headline}", "", *summary(frontiers), f"![{headline}](frontier.png)", ""]
    lines += [f"*{caption}* ([PDF](frontier.pdf))", "", markup.markdown(shown)]
    lines += ["As files: [csv](frontier.csv), [tex](frontier.tex), [md](frontier.md)", ""]
    left_out = [*failed, *(skip for frontier in frontiers for skip in frontier.left_out)]
    if left_out:
        lines += ["## Left out", "", *(f"- {markup.code(skip.key)}: {skip.reason}" for skip in left_out), ""]
    if remarks := [*_approximate(frontiers), *_remarks(found)]:
        lines += ["## What limits this?", "", *(f"- {line}" for line in remarks), ""]
    lines += ["## Where the numbers come from", ""]
    lines += ["By", "", "```", command, "```", ""] if command else []
    runs = [Run(record.kind, None, record) for record in found]
    lines += [line for line in provenance(runs)[1:] if line]
    page = folder / PAGE
    files.write_text(page, "\n".join([f"{line}" for line in lines]) + "\n")
    return page


def _approximate(frontiers: Sequence[Frontier]) -> list[str]:
    """Return where shares come from influences that do not quite describe the metric."""
    return [
        f"{title(frontier.metric)}: at {len(frontier.approximate)} of {len(frontier.points)} points the influences of "
        "the clips predict a spread more than 10 % off that of the resamples, so shares are approximate there"
        for frontier in frontiers
        if frontier.approximate
    ]


def _remarks(found: Iterable[RunRecord]) -> list[str]:
    """Return what the bench found wrong, once for all points that differ in the numbers only."""
    costs = [record for record in found if record.kind == BENCH]
    points = sum(len(record.system_names) for record in costs)
    alike: dict[str, list[tuple[str, str]]] = {}
    for record in costs:
        for label, findings in record.findings.items():
            for finding in findings:
                alike.setdefault(_NUMBER.sub("", finding.sentence), []).append((label, finding.sentence))
    return [
        f"{sentence} ({markup.code(label)}; so or alike {len(group)} of {points} points)"
        for group in alike.values()
        for label, sentence in group[:1]
    ]


def _keep(record: RunRecord, folder: Path) -> None:
    """Write a record without paths, under the label of its point, or the kind where it holds several."""
    kept = replace(record, systems=without_paths(record.systems), config=without_paths(record.config))
    names = record.system_names
    records.write(kept, folder / (names[0] if record.kind == "evaluate" and len(names) == 1 else record.kind))


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
