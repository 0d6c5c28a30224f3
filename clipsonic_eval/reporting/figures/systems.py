"""Every metric by system, with intervals over test clips and a tick per training seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import CONTROLS, Catalogue, SystemStyle
from clipsonic_eval.formats import number, percent
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import heading
from clipsonic_eval.reporting.tables import first_of_metric, span
from clipsonic_eval.types import Score

_Shown = Sequence[tuple[SystemStyle, Score]]


def draw(record: RunRecord, catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel per metric and a row per system, and its caption."""
    systems = catalogue.ordered(record.system_names)
    heights = heights_of(systems)
    firsts = first_of_metric(record.scores)
    last = heights[systems[-1].name]
    figure = style.figure(2 if len(firsts) > 1 else 1, max(0.55 + 0.19 * (last + 1), 1.2))
    axes = figure.subplots(1, len(firsts), sharey=True, squeeze=False)[0]
    panel = (figure.get_figwidth() - 0.065 * max(len(s.name) for s in systems)) / len(firsts)
    for axis, (metric, first) in zip(axes, firsts.items(), strict=True):
        _panel(axis, [(s, score) for s in systems if (score := record.score(metric, s.name)) is not None], heights)
        axis.set_xlabel(style.wrapped(heading(first), panel))
    axes[0].set_yticks(list(heights.values()), [s.name for s in systems])
    axes[0].set_ylim(last + 0.6, -0.6)
    return figure, _caption(record, catalogue)


def heights_of(systems: Sequence[SystemStyle]) -> dict[str, float]:
    """Return the vertical position of each row; half a row of space between groups."""
    heights: dict[str, float] = {}
    height = 0.0
    for i, entry in enumerate(systems):
        if i:
            height += 1.0 if entry.group == systems[i - 1].group else 1.5
        heights[entry.name] = height
    return heights


def _panel(axis: Any, shown: _Shown, heights: Mapping[str, float]) -> None:
    low, high = _range(shown)
    axis.set_xlim(low, high)
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.hlines([heights[s.name] for s, _ in shown], low, high, color=style.RULE, linewidth=0.4, zorder=0)
    for entry, score in shown:
        y = heights[entry.name]
        if low <= score.value <= high:
            _row(axis, entry, score, y)
        else:
            _beyond(axis, score.value, y, high if score.value > high else low)


def _row(axis: Any, entry: SystemStyle, score: Score, y: float) -> None:
    """Draw the interval, a tick per training seed below it, and the value."""
    if score.ci is not None:
        axis.plot(score.ci, (y, y), color=entry.colour, linewidth=1.6, solid_capstyle="butt")
    if len(score.by_seed) > 1:
        below = [y + 0.3] * len(score.by_seed)
        axis.plot(list(score.by_seed.values()), below, "|", color=entry.colour, markersize=3.5, markeredgewidth=0.9)
    marker, size = ("D", 3.0) if entry.group == CONTROLS else ("o", 3.8)
    axis.plot([score.value], [y], marker, color=entry.colour, markersize=size)


def _range(shown: _Shown) -> tuple[float, float]:
    """Return limits that hold all but a control so far off that it would squeeze the others (noise, in FAD)."""
    core = _ends(score for entry, score in shown if entry.group != CONTROLS) or _ends(score for _, score in shown)
    reach = max(core) - min(core) or abs(max(core)) or 1.0
    near = _ends(s for _, s in shown if min(core) - reach <= s.value <= max(core) + reach)
    return style.limits(min(near + core), max(near + core))


def _ends(scores: Iterable[Score]) -> list[float]:
    return [end for s in scores for end in (s.value, *(s.ci or ()), *s.by_seed.values())]


def _beyond(axis: Any, value: float, y: float, edge: float) -> None:
    """Mark a value outside the axis by an arrow and its number."""
    right = edge == axis.get_xlim()[1]
    size = abs(value)
    shown = number(value, 0 if size >= 100 else 1 if size >= 10 else 2)
    axis.text(
        edge, y, f"{shown} →" if right else f"← {shown}", ha="right" if right else "left", va="center",
        color="#555555", fontsize=style.SMALL, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip


def _caption(record: RunRecord, catalogue: Catalogue) -> str:
    n = span(s.n for s in record.scores)
    seeds = max(len(s.by_seed) for s in record.scores)
    text = f"Metrics by system. Bars: {percent(record.scores[0].ci_level)} interval over test clips (n = {n})."
    if seeds > 1:
        text += f" Points: mean over {seeds} training seeds; ticks below: the seeds."
    if any(catalogue.is_control(name) for name in record.system_names):
        text += f" Diamonds: {CONTROLS}; an arrow with a number lies outside the axis."
    return text
