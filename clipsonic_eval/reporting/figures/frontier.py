"""Quality against latency, a panel per metric, with the frontier and the settings of the points on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.tags import number
from clipsonic_eval.formats import percent
from clipsonic_eval.frontier.result import Frontier, FrontierPoint
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.frontier_rows import PlacedPoint, placed, settings, system
from clipsonic_eval.reporting.headings import heading

_MARKERS = "osD^vPX*"
_DOMINATED = "#bdbdbd"
_MARGIN = 1.06  # of the latency axis, a factor
_SELDOM = 0.05  # below this share of resamples a point counts as dominated
_SIDES = ((-6, 5), (6, 5), (-6, 12), (6, 12), (0, 14), (-14, 5), (14, 5), (-6, -10), (6, -10), (-14, 18), (14, 18))


class _Look:
    """Colours by system, markers by the first setting that is no number, labels from all other settings."""

    def __init__(self, points: Sequence[FrontierPoint], catalogue: Catalogue) -> None:
        names = list(dict.fromkeys(map(system, points)))
        self.colours = {name: catalogue.style(name).colour for name in names}
        varied = list(dict.fromkeys(key for point in points for key in settings(point)))
        values = {key: list(dict.fromkeys(point.tags.get(key, "") for point in points)) for key in varied}
        words = [k for k in varied if np.isinf([*map(number, values[k])]).any() and len(values[k]) <= len(_MARKERS)]
        self.marked = next(iter(words), "")
        self.markers = dict(zip(values.get(self.marked, ()), _MARKERS, strict=False))
        self.labelled = [key for key in varied if key != self.marked and len(values[key]) > 1]

    def colour(self, point: FrontierPoint) -> str:
        return self.colours[system(point)]

    def marker(self, point: FrontierPoint) -> str:
        return self.markers.get(point.tags.get(self.marked, ""), "o")

    def label(self, point: FrontierPoint) -> str:
        return " / ".join(point.tags.get(key, "–") for key in self.labelled)

    def handles(self) -> list[Any]:
        plain: dict[str, Any] = {"linestyle": "none", "markersize": 4.5}
        systems = [Line2D([], [], marker="o", color=c, label=name, **plain) for name, c in self.colours.items()]
        kinds = [
            Line2D([], [], marker=mark, color="#404040", markerfacecolor="none", label=value, **plain)
            for value, mark in self.markers.items()
        ]
        line = Line2D([], [], color="#404040", linewidth=0.8, label="frontier")
        grey = Line2D([], [], marker="o", color=_DOMINATED, markerfacecolor="white", label="dominated", **plain)
        return [*(systems if len(systems) > 1 else []), *kinds, line, grey]


def draw(frontiers: Sequence[Frontier], catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel per metric, and its caption.

    Args:
        frontiers: one per metric, of the same points.
        catalogue: colours of the systems, which it lists.
    """
    look = _Look([point for frontier in frontiers for point in frontier.points], catalogue)
    figure = style.figure(2 if len(frontiers) > 1 else 1, 3.3)
    axes = figure.subplots(1, len(frontiers), squeeze=False, sharex=True)[0]
    for axis, frontier in zip(axes, frontiers, strict=True):
        _panel(axis, placed(frontier), look)
    for axis, frontier in zip(axes, frontiers, strict=True):  # now that the panels agree on the axis
        _line(axis, placed(frontier))
    figure.legend(
        handles=look.handles(),
        loc="outside lower center",
        ncols=max(1, int(1.1 * figure.get_figwidth())),
        columnspacing=1.2,
        handletextpad=0.4,
    )
    figure.draw_without_rendering()  # places the axes, which labels must know
    for axis, frontier in zip(axes, frontiers, strict=True):
        _label(axis, placed(frontier), look)
    return figure, _caption(frontiers, look)


def _panel(axis: Any, rows: Sequence[PlacedPoint], look: _Look) -> None:
    axis.set_xscale("log")
    for row in rows:
        _point(axis, row, look)
    edge = axis.get_xlim()
    edge = edge[0] / _MARGIN, edge[1] * _MARGIN
    axis.set_xlim(edge)
    axis.set_xlabel("latency of one request (s)")
    axis.set_title(heading(rows[0].score))
    style.round_ticks(axis.xaxis)
    axis.grid(visible=True)


def _line(axis: Any, rows: Sequence[PlacedPoint]) -> None:
    """Draw the frontier: the best quality that is to be had for so many seconds, up to the edge of the axis."""
    on = [row for row in rows if row.on]
    x = [*(row.point.latency.value for row in on), axis.get_xlim()[1]]
    y = [*(row.score.value for row in on), on[-1].score.value]
    axis.step(x, y, where="post", color="#404040", linewidth=0.8, zorder=1)


def _point(axis: Any, row: PlacedPoint, look: _Look) -> None:
    """Draw a point with both intervals: filled on the frontier, hollow where it may be on it, grey otherwise."""
    x, y = row.point.latency.value, row.score.value
    maybe = row.on or row.share >= _SELDOM
    colour = look.colour(row.point) if maybe else _DOMINATED
    order = 4 if row.on else 3 if maybe else 2
    line = {"color": colour, "linewidth": 0.8, "alpha": 0.9 if row.on else 0.55, "zorder": order}
    axis.plot(row.latency_ci, (y, y), **line)
    if row.score.ci is not None:
        axis.plot((x, x), row.score.ci, **line)
    fill = colour if row.on else "white"
    axis.plot([x], [y], look.marker(row.point), color=colour, markerfacecolor=fill, markersize=4.6, zorder=order + 0.5)


def _label(axis: Any, rows: Sequence[PlacedPoint], look: _Look) -> None:
    """Write the settings beside the points on the frontier, where they cover least; first on the side that is empty."""
    up = 1 if rows[0].score.higher_is_better else -1
    renderer = axis.figure.canvas.get_renderer()
    marks = axis.transData.transform([(row.point.latency.value, row.score.value) for row in rows])
    inside = axis.get_window_extent(renderer)
    taken: list[Any] = []
    for row in rows:
        if not row.on or not look.label(row.point):
            continue
        tried: list[tuple[int, int, tuple[float, float], Any]] = []
        for dx, dy in _SIDES:
            text = _text(axis, row, look, (dx, up * dy))
            box = text.get_window_extent(renderer)
            text.remove()
            covered = sum(box.padded(3).contains(*mark) for mark in marks) + 3 * sum(box.overlaps(t) for t in taken)
            beyond = not (inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1))
            tried.append((covered + 5 * beyond, len(tried), (dx, up * dy), box))
        _, _, place, box = min(tried, key=lambda t: t[:2])
        _text(axis, row, look, place)
        taken.append(box)


def _text(axis: Any, row: PlacedPoint, look: _Look, place: tuple[float, float]) -> Any:
    return axis.annotate(
        look.label(row.point), (row.point.latency.value, row.score.value), place, textcoords="offset points",
        fontsize=style.SMALL, color=look.colour(row.point), zorder=6,
        ha="left" if place[0] > 0 else "right" if place[0] < 0 else "center",
        va="bottom" if place[1] > 0 else "top",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4},
    )  # fmt: skip


def _caption(frontiers: Sequence[Frontier], look: _Look) -> str:
    first = frontiers[0]
    n = sorted({point.scores[f.metric].n for f in frontiers for point in f.points})
    text = f"Quality against the latency of one request, {len(first.points)} points. Bars: 95 % intervals over clips "
    text += f"(n = {'–'.join(map(str, n[:1] + n[1:][-1:]))}) and over processes and rounds. "
    text += "Filled: on the frontier as measured; hollow: not on it, but in at least "
    text += f"{percent(_SELDOM)} of {first.n_boot} resamples; grey: dominated."
    return text + (f" Labels: {' / '.join(look.labelled)}." if look.labelled else "")
