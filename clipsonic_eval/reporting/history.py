"""The series of a history for people and machines: a table in the terminal, JSON, CSV, a Markdown page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.files import write_csv, write_text
from clipsonic_eval.formats import aligned, arrow, decimals_of, markdown_table, number, with_interval
from clipsonic_eval.history.series import Series, SeriesLine, SeriesPoint
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures.venues import DEFAULT
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.history_view import HistoryView
from clipsonic_eval.stats.change_points import TOO_NEW, ChangePoint

FEW: Final = 4  # series that are shown point by point in the terminal
PAGE: Final = "README.md"
_CSV = (
    "metric", "system", "line", "x", "value", "ci_low", "ci_high", "n", "runs", "spread", "change", "exact",
    "too_new", "pins", "unit", "direction", "signature", "records",
)  # fmt: skip


def text(view: HistoryView, newest: int) -> str:
    """Return the terminal's table: point by point for few series, else a row per series; then notes.

    Args:
        view: what is shown.
        newest: points shown of each series.
    """
    series = view.trends.series
    parts = [_points(view, one, newest) for one in series] if len(series) <= FEW else [aligned(overview(view))]
    return "\n\n".join([*parts, *(["\n".join(view.trends.notes)] if view.trends.notes else [])])


def _points(view: HistoryView, series: Series, newest: int) -> str:
    rows: list[tuple[str, str, str]] = []
    for line in reversed(series.lines):
        wanted = range(max(0, len(line.points) - newest + len(rows)), len(line.points))
        rows[:0] = [_point(view, series, line, i) for i in wanted]
    count = sum(len(line.points) for line in series.lines)
    head = f"{title(series.metric)} {arrow(series.higher_is_better)} of {series.system} ({series.unit})"
    head += f" over {view.trends.over}"
    head += f", {count} points" if count > 1 else ", 1 point"
    head += f", the last {len(rows)} of them" if count > len(rows) else ""
    return head + "\n" + aligned([["  " + x, value, marks] for x, value, marks in rows])


def _point(view: HistoryView, series: Series, line: SeriesLine, i: int) -> tuple[str, str, str]:
    point, step = line.points[i], changes_of(line).get(i)
    marks = [change_text(step, series, point)] if step else []
    marks += ["too new to tell"] if point.too_new and not step else []
    marks += [f"{len(point.records)} runs ± {_digits(point.spread, point)}"] if point.spread is not None else []
    marks += [f"◆ {name}" for name in view.pins_of(point)]
    marks += [f"not comparable with the line before ({line.begins})"] if i == 0 and line.begins else []
    return point.x, with_interval(point.value, point.ci), "; ".join(marks)


def _digits(value: float, point: SeriesPoint) -> str:
    return number(value, decimals_of(point.value, point.ci))


def changes_of(line: SeriesLine) -> dict[int, ChangePoint]:
    """Return the change points of a line by the index of the point at which the new level begins."""
    return {step.index: step for step in line.fit.steps} if line.fit else {}


def change_text(step: ChangePoint, series: Series, point: SeriesPoint) -> str:
    """Return a change point as ``change point: 5.00 → 7.02 (+2.02, worse)``, with the digits of a point."""
    places = decimals_of(point.value, point.ci)
    if abs(step.size) < 10.0**-places:
        places = decimals_of(step.size, None)
    better = (step.size > 0) == series.higher_is_better
    what = "same weights, other number" if step.exact else "change point"
    levels = f"{number(step.before, places)} → {number(step.after, places)}"
    return f"{what}: {levels} ({number(step.size, places, sign=True)}, {'better' if better else 'worse'})"


def overview(view: HistoryView) -> list[list[str]]:
    """Return a row per series, the header first: newest value, points, last change, difference from the baseline."""
    heads = ["metric", "system", "newest", "at", "points", "last change"]
    rows = [[*heads, *([f"against {view.baseline}"] if view.baseline else [])]]
    for series in view.trends.series:
        newest = series.newest
        line = next(line for line in series.lines if line.points[-1] == newest)
        changes = changes_of(line)
        last = max(changes, default=None)
        said = "–"
        if last is not None:
            said = f"{change_text(changes[last], series, line.points[last])} at {line.points[last].x}"
        level = view.level(line, series)
        against = (
            "–" if level is None else number(newest.value - level, decimals_of(newest.value, newest.ci), sign=True)
        )
        count = str(sum(len(line.points) for line in series.lines))
        count += f" in {len(series.lines)} lines" if len(series.lines) > 1 else ""
        name = f"{title(series.metric)} {arrow(series.higher_is_better)}"
        shown = [name, series.system, with_interval(newest.value, newest.ci), newest.x, count, said]
        rows.append([*shown, *([against] if view.baseline else [])])
    return rows


def tree(view: HistoryView, newest: int | None = None) -> dict[str, Any]:
    """Return series, their lines, points and change points as a JSON tree.

    Args:
        view: what is shown.
        newest: points of each line; None: all.
    """
    found = []
    for series in view.trends.series:
        lines = [
            {
                "signature": line.signature,
                "begins": line.begins,
                **{name: value for name, value in line.about if value},
                "noise": line.fit.noise if line.fit else None,
                "baseline": view.level(line, series),
                "points": [_row(view, line, i) for i in range(len(line.points))[-newest if newest else 0 :]],
            }
            for line in series.lines
        ]
        about = {"metric": series.metric, "system": series.system, "unit": series.unit}
        found.append({**about, "direction": _direction(series), "lines": lines})
    return {
        "over": view.trends.over,
        "baseline": view.baseline or None,
        "series": found,
        "notes": list(view.trends.notes),
    }


def _direction(series: Series) -> str:
    return "higher" if series.higher_is_better else "lower"


def _row(view: HistoryView, line: SeriesLine, i: int) -> dict[str, Any]:
    point, step = line.points[i], changes_of(line).get(i)
    low, high = point.ci or (None, None)
    return {
        "x": point.x,
        "value": point.value,
        "ci_low": low,
        "ci_high": high,
        "n": point.n,
        "runs": len(point.records),
        "spread": point.spread,
        "change": step.size if step else None,
        "exact": step.exact if step else None,
        "too_new": point.too_new,
        "pins": list(view.pins_of(point)),
        "records": list(point.records),
    }


def write(view: HistoryView, folder: Path, command: str, *, venue: str = DEFAULT) -> Path:
    """Write ``history.csv``, the figures and the page.

    Args:
        view: what is shown.
        folder: there already.
        command: that makes the page.
        venue: whose columns the figures fill.

    Returns:
        The page.

    Raises:
        UserError: there is no such venue.
    """
    from clipsonic_eval.reporting.figures import history as figures

    drawn = figures.write(view, folder, venue)  # first: refuses a venue before anything is written
    write_csv(folder / "history.csv", _CSV, _csv_rows(view))
    heads, *rows = overview(view)
    parts = [
        "# History",
        f"`{command}`",
        *(f"![{name}]({name}.png)" for name in drawn),
        figures.CAPTION.format(over=view.trends.over, newest=TOO_NEW) if drawn else "",
        markdown_table(heads, [[markup.markdown_escape(cell) for cell in row] for row in rows]),
        "\n".join(f"- {_line_note(series, line)}" for series in view.trends.series for line in series.lines),
        "\n".join(f"- {note}" for note in view.trends.notes),
    ]
    page = folder / PAGE
    write_text(page, "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n")
    return page


def _line_note(series: Series, line: SeriesLine) -> str:
    begins = f"; from {line.points[0].x} on, another line: {line.begins}" if line.begins else ""
    return f"{title(series.metric)} of {series.system}: {markup.code(line.signature)}{begins}"


def _csv_rows(view: HistoryView) -> Iterator[dict[str, Any]]:
    for series in view.trends.series:
        for k, line in enumerate(series.lines):
            for i in range(len(line.points)):
                row = _row(view, line, i)
                joined = {name: " ".join(row[name]) for name in ("pins", "records")}
                about = {"metric": series.metric, "system": series.system, "unit": series.unit}
                yield {
                    **about,
                    "direction": _direction(series),
                    "line": k,
                    "signature": line.signature,
                    **row,
                    **joined,
                }
