"""The table of the modality gap before and after a diffusion prior, from the records that `gap` wrote.

A gap record compares several sets of embeddings with the true image embeddings of the same clips: the text embeddings
as they are (zero-shot text queries), shifted by the difference of the centroids (mean-shift), and the output of each
diffusion prior. *Centred* means that each side's own centroid is subtracted first: no shift of the whole set can change
what remains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.results import DISTANCE, TEXT
from clipsonic_eval.formats import interval, number, percent
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import decimals, heading, title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.tables import NONE, check_columns, first_of_metric, score_text, seed_list
from clipsonic_eval.types import Score

RAW = "matched_cosine"
CENTRED = "matched_cosine_centred"
CLOSED = {DISTANCE: "gap_closed_centroid", RAW: "gap_closed", CENTRED: "gap_closed_centred"}
SHIFTED = "mean-shift"
_WITHIN = "within_cosine"

# rows of the table; a new statistic is one entry
_ROWS = (
    DISTANCE, CLOSED[DISTANCE], RAW, CLOSED[RAW], CENTRED, CLOSED[CENTRED], "unmatched_cosine", _WITHIN, "separability",
    "recall_at_1_to_image",
)  # fmt: skip
_NO_DIRECTION = ("unmatched_cosine", _WITHIN)


def conditions(gap: RunRecord, catalogue: Catalogue) -> list[str]:
    """Return the conditions in place of the image embedding: text, mean-shift, then the priors."""
    found = {s.system for s in gap.scores if s.metric in (DISTANCE, RAW, CENTRED)}
    leading = [c for c in (TEXT, SHIFTED) if c in found]
    return leading + from_simple_to_variants(found - set(leading), catalogue)


def from_simple_to_variants(present: Iterable[str], catalogue: Catalogue) -> list[str]:
    """Return listed systems from the last to the first (PD before its variants), then the others in their order."""
    names = [s.name for s in catalogue.ordered(present)]
    listed = [name for name in reversed(names) if catalogue.is_listed(name)]
    return listed + [name for name in names if not catalogue.is_listed(name)]


def priors(gap: RunRecord, catalogue: Catalogue) -> list[str]:
    """Return the conditions that are neither the text itself nor its mean-shift."""
    return [c for c in conditions(gap, catalogue) if c not in (TEXT, SHIFTED)]


def closed(gap: RunRecord, metric: str, condition: str) -> Score | None:
    """Return the share of a statistic's gap that a condition closes (1: all of it; below 0: it widens)."""
    return gap.score(CLOSED[metric], condition)


def columns(gap: RunRecord, catalogue: Catalogue) -> list[Column]:
    """Return the columns: a row of the table is a statistic, a row of the CSV file a statistic of one condition."""
    shown = conditions(gap, catalogue)
    return [
        Column("Against the image embedding", text=partial(_row_title, gap)),
        *(Column(catalogue.text_label if c == TEXT else c, text=partial(_cell, gap, c)) for c in shown),
        Column(csv_name="metric", value=lambda s: s.metric),
        Column(csv_name="condition", value=lambda s: s.system),
        Column(csv_name="value", value=lambda s: s.value),
        Column(csv_name="ci_low", value=lambda s: s.ci and s.ci[0]),
        Column(csv_name="ci_high", value=lambda s: s.ci and s.ci[1]),
        Column(csv_name="ci_method", value=lambda s: s.ci_method),
        Column(csv_name="n", value=lambda s: s.n),
        Column(csv_name="seed_std", value=lambda s: s.seed_std),
        Column(csv_name="seed_values", value=lambda s: seed_list(s.by_seed)),
        Column(csv_name="signature", value=lambda s: s.signature),
    ]


def table(gap: RunRecord, catalogue: Catalogue, *, label: str = "tab:gap") -> TextTable:
    """Return the table of the gap: statistics in rows, conditions in columns.

    Raises:
        UserError: the signatures of a row are not comparable.
    """
    check_columns(gap.scores)
    shown = conditions(gap, catalogue)
    rows = [metric for metric in _ROWS if any(_found(gap, condition, metric) for condition in shown)]
    first = next(s for s in gap.scores if s.system in shown)
    seeds = max(len(s.by_seed) for s in gap.scores)
    return TextTable(
        caption=(
            f"The modality gap against the true image embeddings of the same {first.n} clips; "
            f"{percent(first.ci_level)} interval in brackets"
            + (f", ± standard deviation over {seeds} training seeds. " if seeds > 1 else ". ")
            + "Share closed: of the centroid distance, and of what the cosine falls short of 1. Centred: each side's "
            "own centroid subtracted first, so that no shift of the whole set can change it."
        ),
        cells=markup.cells(columns(gap, catalogue), {"": rows}),
        notes=(*_signatures(gap.scores), *_image(gap)),
        label=label,
    )


def to_csv(gap: RunRecord, catalogue: Catalogue) -> str:
    """Return the gap as CSV, one row per statistic and condition."""
    return markup.csv(columns(gap, catalogue), gap.scores)


def _found(gap: RunRecord, condition: str, metric: str) -> Score | None:
    """Return a score; the cosine within the text embeddings has a name of its own."""
    own = gap.score(f"{condition}_{condition}_cosine", condition) if metric == _WITHIN else None
    return gap.score(metric, condition) or own


def _row_title(gap: RunRecord, metric: str) -> Text:
    if metric in CLOSED.values():
        return Text("– share of the gap closed")
    first = next((s for s in gap.scores if s.metric == metric), None)
    return Text(title(metric) if first is None or metric in _NO_DIRECTION else heading(first))


def _cell(gap: RunRecord, condition: str, metric: str) -> Text:
    score = _found(gap, condition, metric)
    if score is None:
        return NONE
    if metric not in CLOSED.values():
        return score_text(score, decimals(metric))
    ends = (100 * score.ci[0], 100 * score.ci[1]) if score.ci else None
    return Text(percent(score.value), small=interval(ends, 0))


def _signatures(scores: Sequence[Score]) -> Iterable[str]:
    for metric, first in first_of_metric(scores).items():
        if metric in (DISTANCE, RAW, CENTRED):
            yield f"{title(metric)}: {markup.code(first.signature)}"


def _image(gap: RunRecord) -> list[str]:
    """Return a note with the cosine among the true image embeddings."""
    score = gap.score("image_image_cosine", "image")
    if score is None:
        return []
    return [f"Cosine among the image embeddings: {number(score.value, 3)} {interval(score.ci, 3)}".strip()]
