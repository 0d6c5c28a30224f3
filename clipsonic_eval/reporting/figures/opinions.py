"""What listeners said of each system: mean opinions and preferences, with and without the excluded listeners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import CONTROLS, Catalogue
from clipsonic_eval.formats import percent
from clipsonic_eval.listening.analysis import EVERYONE
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures import style, systems
from clipsonic_eval.reporting.headings import heading
from clipsonic_eval.reporting.tables import first_of_metric, span
from clipsonic_eval.types import Score

_APART = 0.17  # of the marks with and without exclusion, in rows
_DETAILS = (
    "two_way_low", "two_way_high", "naive_low", "naive_high",
    EVERYONE, f"{EVERYONE}_low", f"{EVERYONE}_high", "listeners",
)  # fmt: skip


def draw(heard: RunRecord, catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a panel per protocol and a row per system, and its caption.

    Args:
        heard: scores of listening tests.
        catalogue: order and looks of the systems.
    """
    shown = catalogue.ordered(heard.system_names)
    heights = systems.heights_of(shown)
    firsts = first_of_metric(heard.scores)
    last = max(heights.values())
    figure = style.figure(2 if len(firsts) > 1 else 1, max(0.55 + 0.24 * (last + 1), 1.2))
    axes = figure.subplots(1, len(firsts), sharey=True, squeeze=False)[0]
    for axis, (metric, first) in zip(axes, firsts.items(), strict=True):
        _panel(axis, [s for s in heard.scores if s.metric == metric], catalogue, heights)
        axis.set_xlabel(heading(first))
    axes[0].set_yticks(list(heights.values()), [entry.name for entry in shown])
    axes[0].set_ylim(last + 0.6, -0.6)
    return figure, _caption(heard, catalogue)


def _panel(axis: Any, scores: Sequence[Score], catalogue: Catalogue, heights: Mapping[str, float]) -> None:
    for score in scores:
        entry, y = catalogue.style(score.system), heights[score.system]
        marker, size = ("D", 3.0) if entry.group == CONTROLS else ("o", 3.8)
        look = {"color": entry.colour, "markersize": size}
        if score.ci is not None:
            axis.plot(score.ci, (y - _APART,) * 2, color=entry.colour, linewidth=1.6, solid_capstyle="butt")
        axis.plot([score.value], [y - _APART], marker, **look)
        if EVERYONE in score.details:
            ends = [score.details[f"{EVERYONE}_{end}"] for end in ("low", "high")]
            axis.plot(ends, (y + _APART,) * 2, color=entry.colour, linewidth=0.8)
            axis.plot([score.details[EVERYONE]], [y + _APART], marker, markerfacecolor="white", **look)
    axis.set_xlim(*style.limits(*axis.dataLim.intervalx))
    if scores[0].unit.startswith("log-odds"):
        axis.axvline(0.0, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _caption(heard: RunRecord, catalogue: Catalogue) -> str:
    listeners = [int(s.details["listeners"]) for s in heard.scores if "listeners" in s.details]
    n = [*([f"{span(listeners)} listeners"] if listeners else []), f"{span(s.n for s in heard.scores)} queries"]
    text = (
        f"What listeners said of each system (n = {', '.join(n)}). Bars: {percent(heard.scores[0].ci_level)} interval "
        "over listeners and queries."
    )
    if any(EVERYONE in s.details for s in heard.scores):
        text += " Filled: of the listeners who broke no rule of the plan; hollow: of all listeners."
    if any(s.unit.startswith("log-odds") for s in heard.scores):
        text += " Preferences are log odds around their mean (dotted)."
    if any(catalogue.is_control(name) for name in heard.system_names):
        text += f" Diamonds: {CONTROLS}."
    return text


def to_csv(heard: RunRecord) -> str:
    """Return the scores as CSV, one row per protocol and system, with all of their intervals."""
    heads = ("metric", "system", "value", "ci_low", "ci_high", *_DETAILS, "answers", "queries", "unit", "signature")
    rows = [
        (
            s.metric, s.system, s.value, *(s.ci or (None, None)), *(s.details.get(name) for name in _DETAILS),
            s.n_rows, s.n, s.unit, s.signature,
        )
        for s in heard.scores
    ]  # fmt: skip
    return markup.plain_csv(heads, rows)
