"""Every metric against a number that runs were made with: steps of the sampler, candidates, the length of a shift."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import MARKERS, Catalogue
from clipsonic_eval.analysis.results import SettingLine
from clipsonic_eval.analysis.tags import in_order, number
from clipsonic_eval.formats import percent
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import heading
from clipsonic_eval.reporting.tables import first_of_metric, scores_csv, span

_LOGARITHMIC = 4.0  # from this ratio of the largest to the smallest value on
_AXIS = 0.65  # share of a panel that its axis takes


def is_drawn(lines: Sequence[SettingLine], catalogue: Catalogue) -> bool:
    """Return whether a setting is a number, and some system was scored at several of its values."""
    return bool(_shown(lines, catalogue)) and all(math.isfinite(number(value)) for value in _values(lines))


def _shown(lines: Sequence[SettingLine], catalogue: Catalogue) -> list[SettingLine]:
    """Return the lines in the order of the systems, controls excluded."""
    systems = [entry.name for entry in catalogue.systems]
    shown = [line for line in lines if not catalogue.is_control(line.system)]
    return sorted(shown, key=lambda line: systems.index(line.system))


def _values(lines: Sequence[SettingLine]) -> list[str]:
    return in_order({value for line in lines for value in line.scores})


def draw(setting: str, lines: Sequence[SettingLine], catalogue: Catalogue, split: str = "") -> tuple[Figure, str]:
    """Return the figure, a panel per metric and a line per system, and its caption.

    Args:
        setting: name of the tag.
        lines: scores by the value of the tag, a number each.
        catalogue: order and looks of the systems; controls are left out.
        split: on which the setting was varied, "" where that is not known.
    """
    shown = _shown(lines, catalogue)
    scores = [score for line in shown for found in line.scores.values() for score in found]
    firsts = first_of_metric(scores)
    figure = style.figure(2 if len(firsts) > 1 else 1, 2.2)
    axes = figure.subplots(1, len(firsts), squeeze=False, sharex=True)[0]
    looks = _looks(shown, catalogue)
    for axis, (metric, first) in zip(axes, firsts.items(), strict=True):
        for line, look in sorted(zip(shown, looks, strict=True), key=lambda one: not one[0].level):
            _line(axis, line, metric, look)
        _scale(axis, [number(value) for value in _values(shown)], figure.get_figwidth() / len(firsts))
        axis.set_title(heading(first))
        axis.set_xlabel(style.wrapped(catalogue.setting(setting), figure.get_figwidth() / len(firsts)))
    style.legend(figure, axes)
    seeds = max(len(s.by_seed) for s in scores)
    means = f", means over {seeds} training seeds" if seeds > 1 else ""
    where = {"val": "validation split, ", "test": "test split, ", "": ""}.get(split, f"split '{split}', ")
    level = " Marked at the ends alone: systems that it does not change." if any(s.level for s in shown) else ""
    return figure, (
        f"Metrics against {catalogue.setting(setting)} ({where}n = {span(s.n for s in scores)}{means}). Bars: "
        f"{percent(scores[0].ci_level)} interval over clips.{level}"
    )


def _looks(lines: Sequence[SettingLine], catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return the look of each line: its system's, and for further lines of a system other markers and dashes."""
    own = [catalogue.style(line.system) for line in lines]
    free = [marker for marker in MARKERS if marker not in {entry.marker for entry in own}]
    made: list[dict[str, Any]] = []
    for i, entry in enumerate(own):
        before = sum(other.name == entry.name for other in own[:i])
        marker = free.pop(0) if before and free else entry.marker
        made.append({"color": entry.colour, "marker": marker, "linestyle": style.dash(entry.marker, before)})
    return made


def _line(axis: Any, line: SettingLine, metric: str, look: Mapping[str, Any]) -> None:
    found = {number(value): s for value, scores in line.scores.items() for s in scores if s.metric == metric}
    marked = {"markevery": [0, -1]} if line.level else {}
    axis.plot(list(found), [s.value for s in found.values()], markersize=3.5, label=line.title, **look, **marked)
    ends = {place: score.ci for place, score in found.items() if score.ci is not None}
    if line.level and ends:
        axis.fill_between(list(ends), *zip(*ends.values(), strict=True), color=look["color"], alpha=0.12, linewidth=0)
        return
    for place, end in ends.items():
        axis.plot((place, place), end, color=look["color"], linewidth=0.8, alpha=0.7)


def _scale(axis: Any, values: list[float], width: float) -> None:
    """Set scale and ticks of an axis in a panel of this width, inches."""
    logarithmic = min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC
    if logarithmic:
        axis.set_xscale("log")
    places = [math.log(value) if logarithmic else value for value in values]
    axis.set_xticks(values, style.labels_with_room([f"{value:g}" for value in values], places, _AXIS * width))
    axis.minorticks_off()
    axis.grid(axis="y")


def to_csv(setting: str, lines: Sequence[SettingLine]) -> str:
    """Return the scores as CSV, one row per value, metric and system."""
    return scores_csv(
        setting, {value: [s for line in lines for s in line.scores.get(value, ())] for value in _values(lines)}
    )
