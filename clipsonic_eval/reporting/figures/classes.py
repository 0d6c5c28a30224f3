"""The share of right answers class by class: a row per system, a column per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval import class_shares
from clipsonic_eval.analysis.catalogue import NOISE, SHUFFLED, Catalogue
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import in_text, title
from clipsonic_eval.reporting.tables import span

_HIDDEN = (SHUFFLED, NOISE)  # at chance
_UPRIGHT = 3  # letters of a name that stands beside others without being turned
_MOST = 40  # columns in which a number is still to be read

Shares = Mapping[str, Mapping[str, tuple[float, int]]]  # by system: share and n by class


def by_metric(record: RunRecord, catalogue: Catalogue) -> dict[str, Shares]:
    """Return the shares of every metric that has them for at least two classes, and for few enough to be shown."""
    found: dict[str, dict[str, Mapping[str, tuple[float, int]]]] = {}
    for style_ in catalogue.ordered(record.system_names):
        for score in record.scores:
            shares = class_shares.shares(score)
            if score.system == style_.name not in _HIDDEN and 1 < len(shares) <= _MOST:
                found.setdefault(score.metric, {})[score.system] = shares
    return {metric: found[metric] for metric in record.metric_names if metric in found}


def draw(record: RunRecord, catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel per metric, and its caption.

    Args:
        record: whose scores have shares by class, as :func:`by_metric` finds them.
        catalogue: order of the rows.
    """
    shown = by_metric(record, catalogue)
    systems = list(dict.fromkeys(name for shares in shown.values() for name in shares))
    classes = {metric: sorted({c for one in shares.values() for c in one}) for metric, shares in shown.items()}
    widths = [len(names) for names in classes.values()]
    figure = style.figure(2 if sum(widths) > 8 else 1, 0.75 + 0.2 * len(systems))
    axes = figure.subplots(1, len(shown), squeeze=False, sharey=True, width_ratios=widths)[0]
    for axis, (metric, shares) in zip(axes, shown.items(), strict=True):
        _panel(axis, shares, systems, classes[metric])
        axis.set_title(title(metric))
    axes[0].set_yticks(range(len(systems)), systems)
    return figure, _caption(record, shown)


def to_csv(record: RunRecord, catalogue: Catalogue) -> str:
    """Return the shares as CSV, one row per metric, system and class."""
    rows = [
        (metric, system, label, share, n)
        for metric, by_system in by_metric(record, catalogue).items()
        for system, shares in by_system.items()
        for label, (share, n) in sorted(shares.items())
    ]
    return markup.plain_csv(("metric", "system", "class", "share", "n"), rows)


def _panel(axis: Any, shares: Shares, systems: Sequence[str], classes: Sequence[str]) -> None:
    values = np.array([[shares.get(s, {}).get(c, (np.nan, 0))[0] for c in classes] for s in systems])
    image = axis.imshow(values, cmap="cividis", vmin=0.0, vmax=1.0, aspect="auto")
    for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
        share = values[row, column]
        axis.text(
            column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=style.SMALL,
            color=style.on(image.cmap(share)),
            fontweight="bold" if share == np.nanmin(values[row]) < np.nanmax(values[row]) else "normal",
        )  # fmt: skip
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, classes)) > _UPRIGHT else {}
    axis.set_xticks(range(len(classes)), classes, **turned)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _caption(record: RunRecord, shown: Mapping[str, Shares]) -> str:
    counts = [n for shares in shown.values() for one in shares.values() for _, n in one.values()]
    seeds = max(len(score.by_seed) for score in record.scores)
    metrics = " and ".join(in_text(metric) for metric in shown)
    return (
        f"{metrics[0].upper()}{metrics[1:]} class by class, in percent of the clips of a class (n = {span(counts)} each"
        + (f"; means over {seeds} training seeds" if seeds > 1 else "")
        + "). Bold: the lowest of a row, which lies below its own expectation because it is the lowest."
    )
