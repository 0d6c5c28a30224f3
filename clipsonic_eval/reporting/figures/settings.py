"""Every metric against a number that runs were made with: steps of the sampler, candidates, the length of a shift."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import Catalogue, SystemStyle
from clipsonic_eval.analysis.runs import number
from clipsonic_eval.formats import percent
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import heading
from clipsonic_eval.reporting.tables import first_of_metric, scores_csv, span

_LOGARITHMIC = 4.0  # from this ratio of the largest to the smallest value on

ByValue = Mapping[str, RunRecord]


def is_drawn(by_value: ByValue, catalogue: Catalogue) -> bool:
    """Return whether a setting is a number at which some system was scored twice or more."""
    return all(math.isfinite(number(value)) for value in by_value) and bool(_several(by_value, catalogue))


def _several(by_value: ByValue, catalogue: Catalogue) -> list[SystemStyle]:
    """Return the systems that were scored at two values or more, controls excluded."""
    names = [name for record in by_value.values() for name in record.system_names]
    several = catalogue.ordered(name for name in names if names.count(name) > 1)
    return [entry for entry in several if not catalogue.is_control(entry.name)]


def draw(setting: str, by_value: ByValue, catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel per metric and a line per system, and its caption.

    Args:
        setting: name of the tag.
        by_value: scores by the value of the tag, a number each.
        catalogue: order and looks of the systems; controls are left out.
    """
    shown = _several(by_value, catalogue)
    scores = [s for record in by_value.values() for s in record.scores if s.system in [e.name for e in shown]]
    firsts = first_of_metric(scores)
    figure = style.figure(2 if len(firsts) > 1 else 1, 2.2)
    axes = figure.subplots(1, len(firsts), squeeze=False, sharex=True)[0]
    for axis, (metric, first) in zip(axes, firsts.items(), strict=True):
        for entry in shown:
            _line(axis, by_value, metric, entry)
        _scale(axis, [number(value) for value in by_value])
        axis.set_title(heading(first))
        axis.set_xlabel(setting.replace("_", " "))
    style.legend(figure, axes)
    seeds = max(len(s.by_seed) for s in scores)
    means = f", means over {seeds} training seeds" if seeds > 1 else ""
    return figure, (
        f"Metrics against {setting.replace('_', ' ')} (n = {span(s.n for s in scores)}{means}). Bars: "
        f"{percent(scores[0].ci_level)} interval over clips."
    )


def _line(axis: Any, by_value: ByValue, metric: str, entry: SystemStyle) -> None:
    found = {number(v): s for v, record in by_value.items() if (s := record.score(metric, entry.name)) is not None}
    look = {"color": entry.colour, "marker": entry.marker, "linestyle": style.dash(entry.marker)}
    axis.plot(list(found), [s.value for s in found.values()], markersize=3.5, label=entry.name, **look)
    for place, score in found.items():
        if score.ci is not None:
            axis.plot((place, place), score.ci, color=entry.colour, linewidth=0.8, alpha=0.7)


def _scale(axis: Any, values: list[float]) -> None:
    if min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC:
        axis.set_xscale("log")
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()
    axis.grid(axis="y")


def to_csv(setting: str, by_value: ByValue) -> str:
    """Return the scores as CSV, one row per value, metric and system."""
    return scores_csv(setting, {value: record.scores for value, record in by_value.items()})
