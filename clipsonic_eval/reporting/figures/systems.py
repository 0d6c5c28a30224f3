"""Every metric by system, with intervals over test clips and a dot per training seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.names import SystemName
from clipsonic_eval.analysis.pooling import Scores
from clipsonic_eval.formats import number, percent
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.tables import heading
from clipsonic_eval.types import Score


def draw(cells: Scores, stem: Path) -> str:
    """Draw the figure and return its caption.

    Args:
        cells: of the main table.
        stem: path without suffix.
    """
    metrics = names.ordered_metrics(m for m, _ in cells)
    systems = names.ordered(s for _, s in cells)
    places = _places(systems)
    with style.look():
        height = 0.55 + 0.19 * (places[systems[-1].name] + 1)
        figure = style.figure(style.PAGE if len(metrics) > 1 else style.COLUMN, max(height, 1.2))
        axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axis, metric in zip(axes, metrics, strict=True):
            shown = {s: cells[metric.name, s.name] for s in systems if (metric.name, s.name) in cells}
            _panel(axis, shown, places)
            axis.set_xlabel(heading(cells, metric.name))
        axes[0].set_yticks(list(places.values()), [s.name for s in systems])
        axes[0].set_ylim(places[systems[-1].name] + 0.6, -0.6)
        style.save(figure, stem)
    return _caption(cells)


def _places(systems: list[SystemName]) -> dict[str, float]:
    """Return the height of each row; half a row of air between groups."""
    places: dict[str, float] = {}
    place = 0.0
    for i, entry in enumerate(systems):
        if i:
            place += 1.0 if entry.group == systems[i - 1].group else 1.5
        places[entry.name] = place
    return places


def _panel(axis: Any, shown: dict[SystemName, Score], places: dict[str, float]) -> None:
    low, high = _range(shown)
    axis.set_xlim(low, high)
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.hlines([places[s.name] for s in shown], low, high, color=style.RULE, linewidth=0.4, zorder=0)
    for entry, cell in shown.items():
        y = places[entry.name]
        if not low <= cell.value <= high:
            _beyond(axis, cell, y, high if cell.value > high else low)
            continue
        if cell.ci is not None:
            axis.plot(cell.ci, (y, y), color=entry.colour, linewidth=1.6, solid_capstyle="butt")
        if len(cell.by_seed) > 1:
            below = [y + 0.3] * len(cell.by_seed)
            axis.plot(list(cell.by_seed.values()), below, "|", color=entry.colour, markersize=3.5, markeredgewidth=0.9)
        marker = "D" if entry.group == names.CONTROL else "o"
        axis.plot([cell.value], [y], marker, color=entry.colour, markersize=3.6 if marker == "D" else 4.6)


def _range(shown: dict[SystemName, Score]) -> tuple[float, float]:
    """Return limits that hold all but a control so far off that it would squeeze the rest (noise, in FAD)."""

    def ends(cell: Score) -> tuple[float, ...]:
        return (cell.value, *(cell.ci or ()), *cell.by_seed.values())

    core = [v for entry, cell in shown.items() if entry.group != names.CONTROL for v in ends(cell)]
    core = core or [v for cell in shown.values() for v in ends(cell)]
    reach = max(core) - min(core) or abs(max(core)) or 1.0
    near = [v for c in shown.values() for v in ends(c) if min(core) - reach <= c.value <= max(core) + reach]
    return style.limits(min(near + core), max(near + core))


def _beyond(axis: Any, cell: Score, y: float, edge: float) -> None:
    """Mark a value outside the axis by an arrow and its number."""
    right = edge == axis.get_xlim()[1]
    size = abs(cell.value)
    value = number(cell.value, 0 if size >= 100 else 1 if size >= 10 else 2)
    text = f"{value} →" if right else f"← {value}"
    axis.text(
        edge, y, text, ha="right" if right else "left", va="center", color="#555555", fontsize=6.5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip


def _caption(cells: Scores) -> str:
    counts = sorted({c.n for c in cells.values()})
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    level = next(iter(cells.values())).ci_level
    seeds = max(len(c.by_seed) for c in cells.values())
    text = f"Metrics by system. Bars: {percent(level)} interval over test clips (n = {n})."
    if seeds > 1:
        text += f" Points: mean over {seeds} training seeds; ticks below: the seeds."
    if any(names.is_control(s) for _, s in cells):
        text += " Diamonds: controls; an arrow with a number lies outside the axis."
    return text
