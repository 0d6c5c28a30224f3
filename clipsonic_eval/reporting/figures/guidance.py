"""Every metric against the classifier-free guidance scale, with the scale that was chosen for the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import SystemStyle
from clipsonic_eval.analysis.results import Results, networks
from clipsonic_eval.formats import percent
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import heading
from clipsonic_eval.reporting.tables import first_of_metric, scores_csv, span
from clipsonic_eval.types import Score

_MOST_BANDS = 4  # more bands than these cover each other: bars instead


def draw(results: Results) -> tuple[Figure, str]:
    """Return the figure and its caption: a panel per metric, a line per system, a row per network of several systems.

    Systems that share no network share the last row.
    """
    rows = _rows(results)
    systems = [entry for row in rows for entry in row]
    firsts = first_of_metric(s for s in _scores(results) if any(s.system == entry.name for entry in systems))
    figure = style.figure(2 if len(firsts) > 1 else 1, 0.7 + 1.6 * len(rows))
    axes = figure.subplots(len(rows), len(firsts), squeeze=False, sharex=True, sharey="col")
    for r, row in enumerate(rows):
        for axis, (metric, first) in zip(axes[r], firsts.items(), strict=True):
            _panel(axis, results, metric, row)
            _label(axis, sorted(results.by_scale), heading(first), top=r == 0, bottom=r == len(rows) - 1)
        if len(rows) > 1:
            axes[r][0].set_ylabel("one network" if _share(results, row) else "a network each")
    found = {
        label: handle for axis in axes[:, 0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=min(len(found), 8), columnspacing=1.2)
    return figure, _caption(results, rows)


def to_csv(results: Results) -> str:
    """Return the lines as CSV, one row per guidance scale, metric and system."""
    names = [entry.name for entry in at_several_scales(results)]
    by_scale = {scale: record.scores for scale, record in sorted(results.by_scale.items())}
    return scores_csv("guidance", {scale: [s for s in by_scale[scale] if s.system in names] for scale in by_scale})


def _rows(results: Results) -> list[list[SystemStyle]]:
    """Return the systems of each row: those that share a network, and in the last row all others."""
    systems = at_several_scales(results)
    shared = [[s for s in systems if s.name in names] for names in networks(results.runs.all_runs)]
    rows = [row for row in shared if len(row) > 1]
    others = [s for s in systems if not any(s in row for row in rows)]
    return [*rows, others] if others else rows


def _share(results: Results, row: Sequence[SystemStyle]) -> bool:
    return len(row) > 1 and any({s.name for s in row} <= set(names) for names in networks(results.runs.all_runs))


def _scores(results: Results) -> list[Score]:
    return [score for record in results.by_scale.values() for score in record.scores]


def _panel(axis: Any, results: Results, metric: str, row: Sequence[SystemStyle]) -> None:
    crowded = len(row) > _MOST_BANDS
    for i, entry in enumerate(row):
        shift = 1.018 ** (i - (len(row) - 1) / 2) if crowded else None
        shown = at_scales(results, metric, entry.name)
        if shown:
            _line(axis, shown, entry, shift, results.chosen.get(entry.name))
    chosen = {results.chosen.get(entry.name) for entry in row}
    if len(chosen) == 1 and (scale := chosen.pop()) is not None and _share(results, row):
        axis.axvline(scale, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)


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
    axis: Any, shown: Mapping[float, Score], entry: SystemStyle, shift: float | None, chosen: float | None
) -> None:
    """Draw one system; ``shift`` moves its points sideways (a factor) and gives it bars instead of a band."""
    places = {scale: scale * (shift or 1.0) for scale in shown}
    values = [score.value for score in shown.values()]
    look = {"color": entry.colour, "marker": entry.marker, "linestyle": style.dash(entry.marker)}
    axis.plot(list(places.values()), values, markersize=3.5, label=entry.name, **look)
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


def _label(axis: Any, scales: Sequence[float], title: str, *, top: bool, bottom: bool) -> None:
    axis.set_xscale("log", base=2)
    axis.set_xticks(scales, [f"{scale:g}" for scale in scales])
    axis.minorticks_off()
    axis.grid(axis="y")
    if top:
        axis.set_title(title)
    if bottom:
        axis.set_xlabel("guidance scale")


def _caption(results: Results, rows: Sequence[Sequence[SystemStyle]]) -> str:
    scores = _scores(results)
    seeds = max(len(s.by_seed) for s in scores)
    split = results.guidance_split
    where = {"val": "validation split", "test": "test split"}.get(split, f"split '{split}'" if split else "one split")
    text = f"Metrics against the classifier-free guidance scale ({where}, n = {span(s.n for s in scores)}"
    text += f", mean over {seeds} training seeds)." if seeds > 1 else ")."
    drawn = dict.fromkeys("Bars" if len(row) > _MOST_BANDS else "Bands" for row in rows)
    text += f" {' and '.join(drawn).capitalize()}: {percent(scores[0].ci_level)} interval over clips."
    if any(_share(results, row) and len({results.chosen.get(s.name) for s in row}) == 1 for row in rows):
        text += " Dotted: the scale of a network that several systems share."
    return text + (" Rings: the scale chosen for the table." if results.chosen else "")
