"""What listeners said against what metrics say, system by system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.formats import interval, number, percent
from clipsonic_eval.listening.relation import Relation
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.headings import heading
from clipsonic_eval.types import Score

ACROSS = 4  # metrics in the figure; the CSV has all


def draw(
    heard: RunRecord, measured: RunRecord, relations: Sequence[Relation], catalogue: Catalogue
) -> tuple[Figure, str]:
    """Return the figure, a row per protocol, a panel per metric and a mark per system, and its caption.

    Args:
        heard: scores of a listening test.
        measured: scores of evaluations.
        relations: of the two.
        catalogue: order and looks of the systems.
    """
    opinions = list(dict.fromkeys(r.opinion for r in relations))
    metrics = list(dict.fromkeys(r.metric for r in relations))[:ACROSS]
    figure = style.figure(2 if len(metrics) > 1 else 1, 0.55 + 1.45 * len(opinions))
    axes = figure.subplots(len(opinions), len(metrics), squeeze=False, sharex="col", sharey="row")
    for row, opinion in zip(axes, opinions, strict=True):
        for axis, metric in zip(row, metrics, strict=True):
            first = _panel(axis, heard, measured, (opinion, metric), catalogue)
            axis.set_title(_title(relations, opinion, metric), fontsize=style.SMALL)
            if first is not None:
                row[0].set_ylabel(heading(first[0]))
                axes[-1][metrics.index(metric)].set_xlabel(heading(first[1]))
    style.legend(figure, axes.ravel())
    return figure, _caption(heard, relations)


def _panel(
    axis: Any, heard: RunRecord, measured: RunRecord, names: tuple[str, str], catalogue: Catalogue
) -> tuple[Score, Score] | None:
    """Draw the systems of a protocol and a metric; return the scores of the first one."""
    first = None
    for entry in catalogue.ordered(heard.system_names):
        said, says = heard.score(names[0], entry.name), measured.score(names[1], entry.name)
        if said is None or says is None or catalogue.is_control(entry.name):
            continue
        first = first or (said, says)
        if says.ci is not None:
            axis.plot(says.ci, (said.value,) * 2, color=entry.colour, linewidth=0.9)
        if said.ci is not None:
            axis.plot((says.value,) * 2, said.ci, color=entry.colour, linewidth=0.9)
        axis.plot([says.value], [said.value], entry.marker, color=entry.colour, markersize=4.5, label=entry.name)
    axis.grid(visible=True)
    return first


def _title(relations: Sequence[Relation], opinion: str, metric: str) -> str:
    own = [r for r in relations if (r.opinion, r.metric) == (opinion, metric)]
    return "\n".join(f"r, {r.over}: {number(r.r, 2)} {interval((r.low, r.high), 2)}" for r in own)


def _caption(heard: RunRecord, relations: Sequence[Relation]) -> str:
    return (
        "What listeners said against what metrics say, a mark per system, controls left out. Bars: "
        f"{percent(heard.scores[0].ci_level)} intervals. r: correlation with its 95 % interval, positive where both "
        "call the same better; over systems, and over the clips within systems, which the noise of few answers a clip "
        f"pulls towards zero (n = {_sizes(relations)})."
    )


def _sizes(relations: Sequence[Relation]) -> str:
    found: dict[str, set[int]] = {}
    for r in relations:
        found.setdefault(r.over, set()).add(r.n)
    return ", ".join(f"{'–'.join(map(str, sorted({min(ns), max(ns)})))} {over}" for over, ns in found.items())


def to_csv(relations: Sequence[Relation]) -> str:
    """Return the correlations as CSV, one row per protocol, metric, and systems or clips."""
    return markup.plain_csv(Relation._fields, relations)
