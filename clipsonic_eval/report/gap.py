"""The modality gap before and after the prior, from the records that `gap` wrote.

A gap record scores several sets of embeddings against the true image embeddings of the same clips: the text embeddings
as they are (what ZS uses), moved by the difference of the centroids (mean-shift), and the output of each prior.
*Centred* means that each side's own centroid is taken out first: what is left cannot be had by moving the cloud.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipsonic_eval.report import formats, names
from clipsonic_eval.report.formats import Table, Text, percent
from clipsonic_eval.report.intake import cells as cells_
from clipsonic_eval.report.intake.cells import Cell, Cells
from clipsonic_eval.report.intake.material import Run
from clipsonic_eval.report.tables import check_columns, heading, seed_list

DISTANCE = "centroid_distance"
RAW = "matched_cosine"
CENTRED = "matched_cosine_centred"
BEFORE = "text"
SHIFTED = "mean-shift"
_LEADING = (BEFORE, SHIFTED)  # nothing done, the cheapest thing done; priors after them


@dataclass(frozen=True, slots=True)
class Gap:
    """The gap of one instrument.

    Attributes:
        cells: by (metric, condition).
        runs: where they come from.
    """

    cells: Cells
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

    def closed(self, condition: str) -> float | None:
        """Return the share of the centroid distance that a condition closes (1: all of it; negative: wider)."""
        before, after = self.value(DISTANCE, BEFORE), self.value(DISTANCE, condition)
        return None if before is None or after is None or before <= 0 else 1 - after / before


def collect(runs: Sequence[Run]) -> Gap | None:
    """Put the gap runs of one instrument together; None where they score no condition.

    Raises:
        UserError: runs contradict each other.
    """
    found = Gap(cells_.collect(runs), tuple(runs)) if runs else None
    return found if found is not None and found.conditions else None


def distances(gaps: Mapping[str, Gap]) -> dict[str, Cell]:
    """Return the centroid distance between text and image embeddings by instrument."""
    return {name: gap.cells[DISTANCE, BEFORE] for name, gap in gaps.items() if (DISTANCE, BEFORE) in gap.cells}


def table(gap: Gap, *, label: str = "tab:gap") -> Table:
    """Return the table of the gap: a row per condition, then the statistics within the modalities.

    Raises:
        UserError: the signatures of a column are not comparable.
    """
    check_columns(gap.cells)
    shown = gap.conditions
    counted = Counter(m for m, s in gap.cells if s in shown)
    metrics = names.ordered_metrics(m for m, n in counted.items() if n > 1 or len(shown) == 1)
    heads = ("In place of the image embedding", *[heading(gap.cells, m.name) for m in metrics], "Gap closed", "n")
    rows = tuple(_row(gap, condition, metrics) for condition in shown)
    first = next(c for c in gap.cells.values() if c.system in shown)
    notes = [f"{heading(gap.cells, m.name)}: {formats.code(_first(gap, m.name).signature)}" for m in metrics]
    return Table(
        caption=(
            f"The modality gap against the true image embeddings of the same clips; {percent(first.ci_level)} interval "
            "in brackets. Gap closed: share of the centroid distance between text and image that is gone. Centred: "
            "each side's own centroid taken out first."
        ),
        heads=heads,
        sections=(("", rows),),
        notes=(*notes, *_within(gap, [m.name for m in metrics])),
        label=label,
    )


def _first(gap: Gap, metric: str) -> Cell:
    return next(c for (m, _), c in gap.cells.items() if m == metric)


def _row(gap: Gap, condition: str, metrics: Sequence[names.MetricName]) -> tuple[Text, ...]:
    cells = [gap.cells.get((m.name, condition)) for m in metrics]
    texts = [
        Text(_value(c, m.decimals), small=formats.interval(c.ci, m.decimals)) if c is not None else Text("–")
        for c, m in zip(cells, metrics, strict=True)
    ]
    closed = gap.closed(condition)
    share = "–" if closed is None or condition == BEFORE else percent(closed)
    counts = sorted({c.n for c in cells if c is not None})
    label = "text embedding (ZS)" if condition == BEFORE else condition
    return (Text(label), *texts, Text(share), Text("–".join(map(str, counts))))


def _value(cell: Cell, decimals: int) -> str:
    text = formats.number(cell.value, decimals)
    return text if cell.seed_std is None else f"{text} ± {formats.number(cell.seed_std, decimals)}"


def _within(gap: Gap, shown: Sequence[str]) -> list[str]:
    """Return a note with the statistics that belong to no condition, such as the mean cosine among images."""
    rest = [c for c in gap.cells.values() if c.metric not in shown or c.system not in gap.conditions]
    parts = [
        f"{names.metric(c.metric).title} ({c.system}) {_value(c, names.metric(c.metric).decimals)} "
        f"{formats.interval(c.ci, names.metric(c.metric).decimals)}".strip()
        for c in rest
    ]
    return [f"Beside them: {'; '.join(parts)}"] if parts else []


HEADS = (
    "metric", "condition", "value", "ci_low", "ci_high", "ci_method", "n", "seed_std", "seed_values", "gap_closed",
    "signature",
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
            "gap_closed": gap.closed(c.system) if c.metric == DISTANCE and c.system != BEFORE else None,
            "signature": c.signature,
        }
        for c in gap.cells.values()
    ]
