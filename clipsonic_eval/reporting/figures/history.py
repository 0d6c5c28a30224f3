"""Metrics over time: a panel per system and metric, with intervals, change points, pins and a baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import PALETTE
from clipsonic_eval.formats import arrow, decimals_of, number
from clipsonic_eval.history.axes import COMMIT, DATE
from clipsonic_eval.history.series import Series, SeriesLine
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.figures.venues import DEFAULT
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.history_view import HistoryView

CAPTION: Final = (
    "Metrics over {over}. Bars or bands: interval over the test clips, which all points share; it says nothing about "
    "the change from point to point. Steps of the thin line: levels between change points; vertical lines: change "
    "points with their size. Hollow: the newest {newest} points, too new to tell. Diamonds: pins; dotted: the "
    "baseline. Colours and marks: lines whose values do not compare."
)
_COLUMNS, _ROWS = 3, 6  # panels of a figure
_MANY = 40  # points of a line from which on intervals are a band and markers small
_MARKS = "osv^P*X"  # of the lines in turn; diamonds are pins
_LONGEST = 26  # characters of a title


def write(view: HistoryView, folder: Path, venue: str = DEFAULT) -> list[str]:
    """Write the figures as PDF, SVG and PNG in place of earlier ones; return their stems, in order.

    Args:
        view: what is shown.
        folder: exists.
        venue: whose columns the figures fill.

    Raises:
        UserError: there is no such venue.
    """
    stems = []
    with style.look(venue=venue):
        for earlier in (path for suffix in ("pdf", "svg", "png") for path in folder.glob(f"history*.{suffix}")):
            earlier.unlink()
        for i, (metrics, systems) in enumerate(_pages(view)):
            stem = "history" if i == 0 else f"history-{i + 1}"
            style.save(draw(view, metrics, systems), folder / stem)
            stems.append(stem)
    return stems


def _pages(view: HistoryView) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the metrics and systems of each figure."""
    series = view.trends.series
    present = {(one.metric, one.system) for one in series}
    metrics = list(dict.fromkeys(one.metric for one in series))
    for i in range(0, len(metrics), _COLUMNS):
        shown = metrics[i : i + _COLUMNS]
        systems = list(dict.fromkeys(one.system for one in series if one.metric in shown))
        for k in range(0, len(systems), _ROWS):
            some = systems[k : k + _ROWS]
            yield [m for m in shown if any((m, s) in present for s in some)], some


def draw(view: HistoryView, metrics: Sequence[str], systems: Sequence[str]) -> Figure:
    """Return one figure: a row of panels per system, a column per metric."""
    by_name = {(one.metric, one.system): one for one in view.trends.series}
    figure = style.figure(2 if len(metrics) > 1 else 1, 0.5 + 1.25 * len(systems))
    axes = figure.subplots(len(systems), len(metrics), squeeze=False, sharex=True)
    for row, system in zip(axes, systems, strict=True):
        for axis, metric in zip(row, metrics, strict=True):
            series = by_name.get((metric, system))
            if series is None:
                axis.set_axis_off()
            else:
                _panel(axis, view, series)
    for axis, metric in zip(axes[0], metrics, strict=True):
        direction = next((arrow(one.higher_is_better) for one in view.trends.series if one.metric == metric), "")
        axis.set_title(f"{_short(title(metric))} {direction}", y=1.12)
    for row, system in zip(axes, systems, strict=True):
        row[0].set_ylabel(_short(system, 16))
    _label(figure, axes, view)
    return figure


def _panel(axis: Any, view: HistoryView, series: Series) -> None:
    axis.grid(axis="y")
    for k, line in enumerate(series.lines):
        _line(axis, view, line, (PALETTE[k % len(PALETTE)], _MARKS[k % len(_MARKS)]))
        level = view.level(line, series)
        if level is not None:
            axis.axhline(level, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
    ends = [end for line in series.lines for p in line.points for end in (p.value, *(p.ci or ()))]
    axis.set_ylim(*style.limits(min(ends), max(ends), margin=0.12))
    axis.set_xlim(*_reach([p.position for one in view.trends.series for line in one.lines for p in line.points]))
    axis.locator_params(axis="y", nbins=4)


def _line(axis: Any, view: HistoryView, line: SeriesLine, look: tuple[str, str]) -> None:
    """Draw intervals, values, levels between change points, and pins, in a colour and with a marker."""
    colour, marker = look
    x = [point.position for point in line.points]
    y = [point.value for point in line.points]
    many = len(x) > _MANY
    known = [(p.position, *p.ci) for p in line.points if p.ci is not None]
    if known and many:
        axis.fill_between(*zip(*known, strict=True), color=colour, alpha=0.15, linewidth=0)
    elif known:
        axis.vlines(*zip(*known, strict=True), color=colour, linewidth=0.7, alpha=0.55)
    axis.plot(x, y, color=colour, linewidth=0.5, alpha=0.45)
    size = 2.0 if many else 3.2
    for hollow in (False, True):
        some = [(p.position, p.value) for p in line.points if p.too_new == hollow]
        if some:
            face = "white" if hollow else colour
            axis.plot(*zip(*some, strict=True), marker, color=colour, markersize=size, mfc=face, mew=0.7)
    pinned = [(p.position, p.value, view.pins_of(p)) for p in line.points if view.pins_of(p)]
    for place, value, names in pinned:
        axis.plot([place], [value], "D", color="black", markersize=4.2, mfc="none", mew=0.8, zorder=4)
        axis.annotate(
            _short(", ".join(names)), (place, value), (0, 5), textcoords="offset points", fontsize=style.SMALL,
            ha="center", va="bottom", zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4},
        )  # fmt: skip
    _levels(axis, line, colour)


def _levels(axis: Any, line: SeriesLine, colour: str) -> None:
    steps = line.fit.steps if line.fit else ()
    for i, step in enumerate(steps):
        at = line.points[step.index].position
        axis.axvline(at, color=colour, linewidth=0.7, linestyle="--" if step.exact else "-", alpha=0.8, zorder=0)
        places = decimals_of(step.size, None) if step.size else 3
        text = number(step.size, max(0, places - 1), sign=True)
        axis.annotate(text, (at, 1.0), (0, 1 + 6 * (i % 2)), xycoords=("data", "axes fraction"), color=colour,
                      textcoords="offset points", fontsize=style.SMALL, ha="center", va="bottom")  # fmt: skip
        start = line.points[steps[i - 1].index if i else 0].position
        axis.hlines(step.before, start, line.points[step.index - 1].position, color=colour, linewidth=1.3, alpha=0.6)
    if steps:
        ends = line.points[steps[-1].index].position, line.points[-1].position
        axis.hlines(steps[-1].after, *ends, color=colour, linewidth=1.3, alpha=0.6)


def _label(figure: Figure, axes: Any, view: HistoryView) -> None:
    """Name the places on the axis: dates, commits and texts by themselves, numbers as they are."""
    over = view.trends.over
    places = {p.position: p.x for one in view.trends.series for line in one.lines for p in line.points}
    ordered = sorted(places)
    several = axes.shape[1] > 1
    if over == DATE:
        shown = _spread(ordered, 3 if several else 5)
        labels = [datetime.fromtimestamp(place, timezone.utc).strftime("%Y-%m-%d") for place in shown]
    elif over == COMMIT or any(not _is_number(places[place]) for place in ordered):
        shown = [ordered[i] for i in _indices(len(ordered), 3 if several else 6)]
        labels = [places[place] for place in shown]
    else:
        shown, labels = [], []
    for axis in axes[-1]:
        if shown:
            axis.set_xticks(shown, [_short(label) for label in labels])
    figure.supxlabel(over, fontsize=7.5)


def _reach(positions: Sequence[float]) -> tuple[float, float]:
    return style.limits(min(positions), max(positions)) if min(positions) < max(positions) else (
        positions[0] - 1, positions[0] + 1)  # fmt: skip


def _spread(ordered: Sequence[float], most: int) -> list[float]:
    """Return evenly spread places between the first and the last."""
    low, high = ordered[0], ordered[-1]
    return [low + (high - low) * i / (most - 1) for i in range(most)] if high - low > 86_400 * most else [low]


def _indices(n: int, most: int) -> list[int]:
    return sorted({round(i * (n - 1) / max(1, most - 1)) for i in range(min(n, most))}) if n > 1 else [0]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
