"""Every metric against the classifier-free guidance scale, with the scale that was chosen for the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import SystemStyle
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.formats import percent
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import heading
from clipsonic_eval.reporting.tables import first_of_metric, span
from clipsonic_eval.types import Score

_MARKERS = "osD^vPX*"
_MOST_BANDS = 4  # more bands than these cover each other: bars instead


def draw(results: Results) -> tuple[Figure, str]:
    """Return the figure, a panel per metric and a line per system, and its caption."""
    systems = at_several_scales(results)
    scales = sorted(results.by_scale)
    scores = [s for record in results.by_scale.values() for s in record.scores]
    firsts = first_of_metric(s for s in scores if any(s.system == entry.name for entry in systems))
    crowded = len(systems) > _MOST_BANDS
    figure = style.figure(style.PAGE if len(firsts) > 1 else style.COLUMN, 2.3)
    axes = figure.subplots(1, len(firsts), squeeze=False)[0]
    for axis, (metric, first) in zip(axes, firsts.items(), strict=True):
        for i, entry in enumerate(systems):
            shift = 1.018 ** (i - (len(systems) - 1) / 2) if crowded else None
            shown = at_scales(results, metric, entry.name)
            if shown:
                _line(axis, shown, (entry, _MARKERS[i % len(_MARKERS)]), shift, results.chosen.get(entry.name))
        _label(axis, scales, heading(first))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 8), columnspacing=1.2)
    return figure, _caption(results, scores, "Bars" if crowded else "Bands")


def at_several_scales(results: Results) -> list[SystemStyle]:
    """Return the systems that were sampled at two scales or more, controls excluded."""
    records = results.by_scale.values()
    present = results.catalogue.ordered(name for record in records for name in record.system_names)
    several = [s for s in present if sum(s.name in record.system_names for record in records) > 1]
    return [s for s in several if not results.catalogue.is_control(s.name)]


def at_scales(results: Results, metric: str, system: str) -> dict[float, Score]:
    """Return the scores of one system on one metric by guidance scale."""
    found = {scale: results.by_scale[scale].score(metric, system) for scale in sorted(results.by_scale)}
    return {scale: score for scale, score in found.items() if score is not None}


def _line(
    axis: Any, shown: Mapping[float, Score], look: tuple[SystemStyle, str], shift: float | None, chosen: float | None
) -> None:
    """Draw one system; ``shift`` moves its points sideways (a factor) and gives it bars instead of a band."""
    entry, marker = look
    places = {scale: scale * (shift or 1.0) for scale in shown}
    values = [score.value for score in shown.values()]
    axis.plot(list(places.values()), values, color=entry.colour, marker=marker, markersize=3.5, label=entry.name)
    ends = {places[scale]: score.ci for scale, score in shown.items() if score.ci is not None}
    if shift is not None:
        for place, end in ends.items():
            axis.plot((place, place), end, color=entry.colour, linewidth=0.8, alpha=0.7)
    elif len(ends) > 1:
        low, high = zip(*ends.values(), strict=True)
        axis.fill_between(list(ends), low, high, color=entry.colour, alpha=0.15, linewidth=0)
    if chosen is not None and chosen in shown:
        ring = {"markersize": 8.5, "markerfacecolor": "none", "markeredgewidth": 0.9}
        axis.plot([places[chosen]], [shown[chosen].value], "o", color=entry.colour, **ring)


def _label(axis: Any, scales: Sequence[float], title: str) -> None:
    axis.set_xscale("log", base=2)
    axis.set_xticks(scales, [f"{scale:g}" for scale in scales])
    axis.minorticks_off()
    axis.set_xlabel("guidance scale")
    axis.set_title(title)
    axis.grid(axis="y")


def _caption(results: Results, scores: Sequence[Score], drawn: str) -> str:
    seeds = max(len(s.by_seed) for s in scores)
    split = results.guidance_split
    where = {"val": "validation split", "test": "test split"}.get(split, f"split '{split}'" if split else "one split")
    text = f"Metrics against the classifier-free guidance scale ({where}, n = {span(s.n for s in scores)}"
    text += f", mean over {seeds} training seeds)." if seeds > 1 else ")."
    text += f" {drawn}: {percent(scores[0].ci_level)} interval over clips."
    return text + (" Rings: the scale chosen for the table." if results.chosen else "")
