"""A sweep over CLIP variants: gains over a baseline, against the width of the modality gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import Pair, SystemStyle
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.sweep import Sweep, metrics, variant
from clipsonic_eval.reporting.tables import span


def draw(results: Results) -> tuple[Figure, str]:
    """Return the figure, a panel per metric and a line per system, and its caption."""
    sweep, main = results.sweep, results.runs.clip_variant
    comparisons = [c for _, record in sweep for c in record.comparisons]
    baseline = results.catalogue.sweep[0][1]
    gains = [(a, b) for a, b in results.catalogue.sweep if b == baseline]
    looks = {a: results.catalogue.style(a) for a, _ in gains}
    shown = metrics(sweep)
    figure = style.figure(2 if len(shown) > 1 else 1, 2.5)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for axis, metric in zip(axes, shown, strict=True):
        _panel(axis, sweep, metric, gains, looks)
        _mark_main(axis, sweep, main)
        higher = next(c.higher_is_better for c in comparisons if c.metric == metric)
        axis.set_title(f"{title(metric)}\n{f'system − {baseline}' if higher else f'{baseline} − system'}")
        axis.set_xlabel("centroid distance")
    axes[0].set_ylabel(f"gain over {baseline}")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure, _caption(results, comparisons, baseline)


def _panel(axis: Any, sweep: Sweep, metric: str, gains: Sequence[Pair], looks: Mapping[str, SystemStyle]) -> None:
    axis.axhline(0, color="black", linewidth=0.7)
    axis.grid(axis="y")
    width = (sweep[-1][0].value - sweep[0][0].value) or 1.0
    for i, (a, b) in enumerate(gains):
        found = [(distance.value, record.comparison(metric, a, b)) for distance, record in sweep]
        shift = (i - (len(gains) - 1) / 2) * 0.008 * width  # so that the bars do not cover each other
        shown = [(distance + shift, c) for distance, c in found if c is not None]
        if shown:
            places, values = [place for place, _ in shown], [c.gain for _, c in shown]
            look = {"color": looks[a].colour, "marker": looks[a].marker, "linestyle": style.dash(looks[a].marker)}
            axis.plot(places, values, markersize=4, label=a, **look)
        for place, c in shown:
            _spread(axis, place, c, looks[a].colour)


def _spread(axis: Any, place: float, c: Comparison, colour: str) -> None:
    """Draw the interval of a gain, and a dot per training seed."""
    if c.gain_ci is not None:
        axis.plot((place, place), c.gain_ci, color=colour, linewidth=1.0)
    if len(c.by_seed) > 1:
        by_seed = [d if c.higher_is_better else -d for d in c.by_seed.values()]
        axis.plot([place] * len(by_seed), by_seed, ".", color=colour, markersize=2.5, alpha=0.6)


def _mark_main(axis: Any, sweep: Sweep, main: str) -> None:
    for distance, record in sweep:
        if variant(record) == main:
            axis.axvline(distance.value, color=style.GREY, linewidth=0.7, linestyle=":", zorder=0)


def _caption(results: Results, comparisons: Sequence[Comparison], baseline: str) -> str:
    sweep, main = results.sweep, results.runs.clip_variant
    meaning = results.catalogue.style(baseline).meaning
    seeds = max(len(c.by_seed) for c in comparisons)
    marked = any(variant(record) == main for _, record in sweep)
    over = f"{baseline} ({meaning})" if meaning else baseline
    return (
        f"Gain over {over}, above zero is better, against the modality gap of the CLIP variant (distance of the "
        f"centroids of image and text); one point per variant ({len(sweep)}). "
        f"Bars: 95 % interval over test queries (n = {span(c.n for c in comparisons)})"
        + (f"; small dots: {seeds} training seeds" if seeds > 1 else "")
        + (f". Dotted: CLIP variant of the table, '{main}'." if marked else ".")
    )
