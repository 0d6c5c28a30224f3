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


def draw(setting: str, lines: Sequence[SettingLine], catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel per metric and a line per system, and its caption.

    Args:
        setting: name of the tag.
        lines: scores by the value of the tag, a number each.
        catalogue: order and looks of the systems; controls are left out.
    """
    shown = _shown(lines, catalogue)
    scores = [score for line in shown for found in line.scores.values() for score in found]
    firsts = first_of_metric(scores)
    figure = style.figure(2 if len(firsts) > 1 else 1, 2.2)
    axes = figure.subplots(1, len(firsts), squeeze=False, sharex=True)[0]
    looks = _looks(shown, catalogue)
    for axis, (metric, first) in zip(axes, firsts.items(), strict=True):
        for line, look in zip(shown, looks, strict=True):
            _line(axis, line, metric, look)
        _scale(axis, [number(value) for value in _values(shown)])
        axis.set_title(heading(first))
        axis.set_xlabel(setting.replace("_", " "))
    style.legend(figure, axes)
    seeds = max(len(s.by_seed) for s in scores)
    means = f", means over {seeds} training seeds" if seeds > 1 else ""
    return figure, (
        f"Metrics against {setting.replace('_', ' ')} (n = {span(s.n for s in scores)}{means}). Bars: "
        f"{percent(scores[0].ci_level)} interval over clips."
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
    axis.plot(list(found), [s.value for s in found.values()], markersize=3.5, label=line.title, **look)
    for place, score in found.items():
        if score.ci is not None:
            axis.plot((place, place), score.ci, color=look["color"], linewidth=0.8, alpha=0.7)


def _scale(axis: Any, values: list[float]) -> None:
    if min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC:
        axis.set_xscale("log")
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()
    axis.grid(axis="y")


def to_csv(setting: str, lines: Sequence[SettingLine]) -> str:
    """Return the scores as CSV, one row per value, metric and system."""
    return scores_csv(
        setting, {value: [s for line in lines for s in line.scores.get(value, ())] for value in _values(lines)}
    )
