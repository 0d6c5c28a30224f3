"""The share of the gap that a condition closes against the share of each metric that its sounds recover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.recovery import Recovery
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.tables import seed_list, span


def draw(shown: Sequence[Recovery], catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel per metric and a mark per system, and its caption.

    Args:
        shown: from :func:`clipsonic_eval.analysis.recovery.recoveries`.
        catalogue: colours, and the systems of either end.
    """
    metrics = list(dict.fromkeys(one.metric for one in shown))
    figure = style.figure(2 if len(metrics) > 1 else 1, 1.95)
    axes = figure.subplots(1, len(metrics), squeeze=False, sharey=True, sharex=True)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        _panel(axis, [one for one in shown if one.metric == metric], catalogue)
        axis.set_title(title(metric))
        axis.set_xlabel("gap closed")
    axes[0].set_ylabel("metric recovered")
    style.legend(figure, axes)
    return figure, _caption(shown, catalogue)


def _panel(axis: Any, shown: Sequence[Recovery], catalogue: Catalogue) -> None:
    axis.plot((0, 1), (0, 1), color=style.GREY, linewidth=0.7, linestyle=":", zorder=0)
    for side, place in (("text", 0.0), ("image", 1.0)):
        entry = catalogue.style(dict(catalogue.sides)[side])
        axis.plot([place], [place], entry.marker, color=entry.colour, markersize=4.5, label=entry.name)
    for one in shown:
        entry = catalogue.style(one.system)
        if one.closed_ci is not None:
            axis.plot(one.closed_ci, (one.recovered,) * 2, color=entry.colour, linewidth=0.9)
        if one.recovered_ci is not None:
            axis.plot((one.closed,) * 2, one.recovered_ci, color=entry.colour, linewidth=0.9)
        if len(one.by_seed) > 1:
            places = [one.closed] * len(one.by_seed)
            axis.plot(places, list(one.by_seed.values()), "_", color=entry.colour, markersize=5, markeredgewidth=0.9)
        axis.plot([one.closed], [one.recovered], entry.marker, color=entry.colour, markersize=4.5, label=entry.name)
    axis.grid(visible=True)


def _caption(shown: Sequence[Recovery], catalogue: Catalogue) -> str:
    sides = dict(catalogue.sides)
    seeds = max(len(one.by_seed) for one in shown)
    return (
        "The share of the modality gap that a condition closes (of what the cosine falls short of 1) against the share "
        f"of each metric that its sounds recover: 0 is {sides['text']}, 1 is {sides['image']}, whichever direction is "
        "better "
        f"(n = {span(one.n for one in shown)}). Bars: 95 % interval of the system's own score, both ends held fixed"
        + (f"; ticks: {seeds} training seeds" if seeds > 1 else "")
        + ". Dotted: as much recovered as closed."
    )


def to_csv(shown: Sequence[Recovery]) -> str:
    """Return the shares as CSV, one row per metric and system."""
    heads = ("metric", "system", "closed", "closed_low", "closed_high", "recovered", "recovered_low", "recovered_high")
    none = (None, None)
    rows = [
        (r.metric, r.system, r.closed, *(r.closed_ci or none), r.recovered, *(r.recovered_ci or none), r.n,
         seed_list(r.by_seed))
        for r in shown
    ]  # fmt: skip
    return markup.plain_csv((*heads, "n", "recovered_by_seed"), rows)
