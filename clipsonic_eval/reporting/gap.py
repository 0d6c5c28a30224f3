"""The modality gap before and after the prior, from the records that `gap` wrote.

A gap record scores several sets of embeddings against the true image embeddings of the same clips: the text embeddings
as they are (what ZS uses), moved by the difference of the centroids (mean-shift), and the output of each prior.
*Centred* means that each side's own centroid is taken out first: what is left cannot be had by moving the cloud.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipsonic_eval import formats
from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.pooling import Scores, pool_scores
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.formats import percent
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.markup import Table, Text
from clipsonic_eval.reporting.tables import check_columns, seed_list
from clipsonic_eval.types import Score

DISTANCE = "centroid_distance"
RAW = "matched_cosine"
CENTRED = "matched_cosine_centred"
CLOSED = {DISTANCE: "gap_closed_centroid", RAW: "gap_closed", CENTRED: "gap_closed_centred"}
WITHIN = "within_cosine"
BEFORE = "text"
SHIFTED = "mean-shift"
_LEADING = (BEFORE, SHIFTED)  # nothing done, the cheapest thing done; priors after them

# rows of the table: metric, title, whether it is a share
_ROWS = (
    (DISTANCE, "Centroid distance ↓", False),
    (CLOSED[DISTANCE], "– share of the gap closed", True),
    (RAW, "Matched cosine ↑", False),
    (CLOSED[RAW], "– share of the gap closed", True),
    (CENTRED, "Matched cosine, centred ↑", False),
    (CLOSED[CENTRED], "– share of the gap closed", True),
    ("unmatched_cosine", "Unmatched cosine", False),
    (WITHIN, "Cosine within the set", False),
    ("separability", "Linear separability ↓", False),
    ("recall_at_1_to_image", "Recall@1 of the image ↑", False),
)


@dataclass(frozen=True, slots=True)
class Gap:
    """The gap of one CLIP variant.

    Attributes:
        cells: by (metric, condition).
        runs: where they come from.
    """

    cells: Scores
    runs: tuple[Run, ...]

    @property
    def conditions(self) -> list[str]:
        """What was put in place of the image embedding: text, mean-shift, priors."""
        found = {s for m, s in self.cells if m in (DISTANCE, RAW, CENTRED)}
        first = [c for c in _LEADING if c in found]
        return first + [s.name for s in reversed(names.ordered(found - set(first)))]

    def value(self, metric: str, condition: str) -> float | None:
        """Return one number, None where the records have none."""
        cell = self.cells.get((metric, condition))
        return None if cell is None else cell.value

    def closed(self, metric: str, condition: str) -> Score | None:
        """Return the share of a measure's gap that a condition closes (1: all of it; below 0: it widens)."""
        return self.cells.get((CLOSED[metric], condition))


def collect(runs: Sequence[Run]) -> Gap | None:
    """Put the gap runs of one CLIP variant together; None where they score no condition.

    Raises:
        UserError: runs contradict each other.
    """
    found = Gap(pool_scores(runs), tuple(runs)) if runs else None
    return found if found is not None and found.conditions else None


def distances(gaps: Mapping[str, Gap]) -> dict[str, Score]:
    """Return the centroid distance between text and image embeddings by CLIP variant."""
    return {name: gap.cells[DISTANCE, BEFORE] for name, gap in gaps.items() if (DISTANCE, BEFORE) in gap.cells}


def table(gap: Gap, *, label: str = "tab:gap") -> Table:
    """Return the table of the gap: statistics in rows, what stands in the image's place in columns.

    Raises:
        UserError: the signatures of a row are not comparable.
    """
    check_columns(gap.cells)
    shown = gap.conditions
    rows_ = []
    for metric, title, share in _ROWS:
        cells = [gap.cells.get((metric, c)) or (_within(gap, c) if metric == WITHIN else None) for c in shown]
        if any(cells):
            rows_.append((Text(title), *(_cell(c, share) for c in cells)))
    first = gap.cells[next(k for k in gap.cells if k[1] in shown)]
    seeds = max(len(c.by_seed) for c in gap.cells.values())
    return Table(
        caption=(
            f"The modality gap against the true image embeddings of the same {first.n} clips; "
            f"{percent(first.ci_level)} interval in brackets"
            + (f", ± standard deviation over {seeds} training seeds. " if seeds > 1 else ". ")
            + "Share closed: of the centroid distance, and of what the cosine lacks to 1. Centred: each side's own "
            "centroid taken out first, which is what no shift of the cloud can give."
        ),
        heads=("Against the image embedding", *("text (ZS)" if c == BEFORE else c for c in shown)),
        sections=(("", tuple(rows_)),),
        notes=(*_signatures(gap), *_image(gap)),
        label=label,
    )


def _within(gap: Gap, condition: str) -> Score | None:
    """Return the cosine within the text embeddings, which goes by a name of its own."""
    return gap.cells.get((f"{condition}_{condition}_cosine", condition))


def _cell(cell: Score | None, share: bool) -> Text:
    if cell is None:
        return Text("–")
    if share:
        ends = f"[{formats.number(100 * cell.ci[0], 0)}, {formats.number(100 * cell.ci[1], 0)}]" if cell.ci else ""
        return Text(percent(cell.value), small=ends)
    text = formats.number(cell.value, 3)
    if cell.seed_std is not None:
        text += f" ± {formats.number(cell.seed_std, 3)}"
    return Text(text, small=formats.interval(cell.ci, 3))


def _signatures(gap: Gap) -> list[str]:
    first: dict[str, Score] = {}
    for (metric, _), cell in gap.cells.items():
        if metric in (DISTANCE, RAW, CENTRED):
            first.setdefault(metric, cell)
    return [f"{names.metric(m).title}: {markup.code(c.signature)}" for m, c in first.items()]


def _image(gap: Gap) -> list[str]:
    """Return a note with the cosine among the true image embeddings."""
    cell = gap.cells.get(("image_image_cosine", "image"))
    if cell is None:
        return []
    return [
        f"Cosine among the image embeddings: {formats.number(cell.value, 3)} {formats.interval(cell.ci, 3)}".strip()
    ]


HEADS = (
    "metric", "condition", "value", "ci_low", "ci_high", "ci_method", "n", "seed_std", "seed_values", "signature",
)  # fmt: skip


def rows(gap: Gap) -> list[dict[str, object]]:
    """Return the gap for CSV, one row a statistic and condition."""
    return [
        {
            "metric": c.metric,
            "condition": c.system,
            "value": c.value,
            "ci_low": c.ci[0] if c.ci else None,
            "ci_high": c.ci[1] if c.ci else None,
            "ci_method": c.ci_method,
            "n": c.n,
            "seed_std": c.seed_std,
            "seed_values": seed_list(dict(c.by_seed)),
            "signature": c.signature,
        }
        for c in gap.cells.values()
    ]
