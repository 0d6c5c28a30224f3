"""Histograms of the cosines to the true image embedding, a line per condition: the gap clip by clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.results import TEXT
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.figures.gap import look_of
from clipsonic_eval.reporting.gap import CENTRED, RAW, conditions
from clipsonic_eval.reporting.tables import span

_BINS = 30  # over the range of all conditions
_TITLES = {RAW: "cosine to the true image", CENTRED: "the same, each side centred"}

Histograms = Mapping[str, Mapping[str, tuple[Float64, Float64]]]  # by metric and condition: (30,) shares, (31,) edges


def histograms(gap: RunRecord, catalogue: Catalogue) -> Histograms:
    """Return the share of clips in each bin; bins are the same for all conditions of a metric."""
    found: dict[str, dict[str, tuple[Float64, Float64]]] = {}
    for metric in _TITLES:
        scores = [score for c in conditions(gap, catalogue) if (score := gap.score(metric, c)) is not None]
        values = {score.system: np.array(list(score.per_clip.values())) for score in scores if len(score.per_clip) > 1}
        if values:
            every = np.concatenate(list(values.values()))
            edges = np.linspace(every.min(), max(every.max(), every.min() + 1e-6), _BINS + 1)
            found[metric] = {name: (np.histogram(x, edges)[0] / len(x), edges) for name, x in values.items()}
    return found


def draw(gap: RunRecord, catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel per kind of cosine, and its caption.

    Args:
        gap: statistics with values per clip.
        catalogue: names and colours.
    """
    shown = histograms(gap, catalogue)
    figure = style.figure(2 if len(shown) > 1 else 1, 2.0)
    axes = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for axis, (metric, by_condition) in zip(axes, shown.items(), strict=True):
        _panel(axis, by_condition, catalogue)
        axis.set_xlabel(_TITLES[metric])
    axes[0].set_ylabel("share of the clips")
    style.legend(figure, axes)
    seeds = max(len(s.by_seed) for s in gap.scores)
    means = f", means over {seeds} training seeds" if seeds > 1 else ""
    return figure, (
        f"Cosines between each condition and the true image embedding, clip by clip (n = "
        f"{span(s.n for s in gap.scores)}{means}). Marks: the mean over the clips."
    )


def _panel(axis: Any, by_condition: Mapping[str, tuple[Float64, Float64]], catalogue: Catalogue) -> None:
    for name, (shares, edges) in by_condition.items():
        entry = look_of(name, catalogue)
        label = catalogue.text_label if name == TEXT else name
        line = {"color": entry.colour, "linestyle": style.dash(entry.marker), "linewidth": 1.0}
        axis.stairs(shares, edges, **line)
        mean = float(shares @ (edges[:-1] + edges[1:]) / 2)  # of the binned values, for the place of the mark alone
        height = float(shares[min(int(np.searchsorted(edges, mean, side="right")) - 1, len(shares) - 1)])
        axis.plot([mean], [height], marker=entry.marker, markersize=4.5, label=label, **line)
    axis.set_ylim(bottom=0)


def to_csv(gap: RunRecord, catalogue: Catalogue) -> str:
    """Return the histograms as CSV, one row per metric, condition and bin."""
    rows = [
        (metric, name, low, high, share)
        for metric, by_condition in histograms(gap, catalogue).items()
        for name, (shares, edges) in by_condition.items()
        for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
    ]
    return markup.plain_csv(("metric", "condition", "low", "high", "share"), rows)
