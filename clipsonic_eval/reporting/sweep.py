"""The sweep over CLIP variants: when does the prior help, and when is the plain text embedding enough?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipsonic_eval import formats
from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.comparisons import pool_comparisons
from clipsonic_eval.analysis.pooling import pool_scores
from clipsonic_eval.analysis.runs import Runs
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting.markup import Table, Text
from clipsonic_eval.reporting.tables import seed_list
from clipsonic_eval.types import Score

# gain of the first over the second; ZS is the control of the sweep: it costs nothing
GAINS = (("IQ", "ZS"), ("PD-best4", "ZS"), ("PD", "ZS"), ("mean-shift", "ZS"))
QUESTIONS = (*GAINS, ("PD", "mean-shift"))


@dataclass(frozen=True, slots=True)
class Point:
    """One CLIP variant of the sweep.

    Attributes:
        clip_variant: its name.
        gap: centroid distance between text and image embeddings.
        gap_ci: its interval, where the gap run gave one.
        pairs: paired differences on this CLIP variant; Holm's correction is over one CLIP variant.
    """

    clip_variant: str
    gap: float
    gap_ci: tuple[float, float] | None
    pairs: tuple[Comparison, ...]

    def pair(self, metric: str, a: str, b: str) -> Comparison | None:
        """Return one difference, None where it was not made."""
        return next((p for p in self.pairs if (p.metric, p.a, p.b) == (metric, a, b)), None)


def points(found: Runs, gaps: Mapping[str, Score]) -> tuple[list[Point], list[str]]:
    """Return one point per CLIP variant, by the width of its gap, and what had to be left out.

    Args:
        found: the runs.
        gaps: centroid distance by CLIP variant.

    Returns:
        The points (none if fewer than two CLIP variants can be placed) and notes.
    """
    made_points, notes = [], []
    for name, runs in found.clip_variants.items():
        if name not in gaps:
            notes.append(f"CLIP variant '{name}' is left out of the sweep: no gap record with a centroid distance")
            continue
        pooled = found.pooled.get((name, ""))
        made = pool_comparisons(runs, pool_scores(runs, pooled), pooled, QUESTIONS)
        if made:
            made_points.append(Point(name, gaps[name].value, gaps[name].ci, tuple(made)))
        else:
            notes.append(f"CLIP variant '{name}' is left out of the sweep: none of its systems was compared with ZS")
    made_points.sort(key=lambda p: p.gap)
    return (made_points if len(made_points) > 1 else []), notes


def table(points_: Sequence[Point], *, label: str = "tab:clip-variants") -> Table:
    """Return the gains on each CLIP variant: a row per CLIP variant, a section per metric."""
    asked = {(p.a, p.b) for point in points_ for p in point.pairs}
    questions = [q for q in names.with_own_k(QUESTIONS, (a for a, _ in asked)) if q in asked]
    sections = []
    for metric in names.ordered_metrics(p.metric for point in points_ for p in point.pairs):
        rows_ = tuple(
            (
                Text(point.clip_variant),
                Text(formats.number(point.gap, 3), small=formats.interval(point.gap_ci, 3)),
                *(_gain(point.pair(metric.name, a, b), metric.decimals) for a, b in questions),
            )
            for point in points_
        )
        sections.append((metric.title, rows_))
    return Table(
        caption=(
            "Gain of the first system over the second (positive: the first is better, whatever the metric's direction; "
            "95 % interval over test queries in brackets) by CLIP variant, ordered by the centroid distance of text "
            "and image. Bold: separated at 0.05 after Holm's correction within the CLIP variant."
        ),
        heads=("CLIP variant", "Centroid distance", *(f"{a} over {b}" for a, b in questions)),
        sections=tuple(sections),
        label=label,
    )


def _gain(pair: Comparison | None, decimals: int) -> Text:
    if pair is None:
        return Text("–")
    text = formats.number(pair.gain, decimals, sign=True)
    return Text(text, pair.separated, formats.interval(pair.gain_ci, decimals))


HEADS = (
    "clip_variant", "centroid_distance", "centroid_distance_low", "centroid_distance_high", "metric", "a", "b", "gain",
    "gain_low", "gain_high", "p", "p_holm", "n", "seed_differences",
)  # fmt: skip


def rows(points_: Sequence[Point]) -> list[dict[str, object]]:
    """Return the sweep for CSV, one row per CLIP variant, metric and question."""
    return [
        {
            "clip_variant": point.clip_variant,
            "centroid_distance": point.gap,
            "centroid_distance_low": point.gap_ci[0] if point.gap_ci else None,
            "centroid_distance_high": point.gap_ci[1] if point.gap_ci else None,
            "metric": p.metric,
            "a": p.a,
            "b": p.b,
            "gain": p.gain,
            "gain_low": p.gain_ci[0] if p.gain_ci else None,
            "gain_high": p.gain_ci[1] if p.gain_ci else None,
            "p": p.p_value,
            "p_holm": p.p_holm,
            "n": p.n,
            "seed_differences": seed_list(dict(p.by_seed)),
        }
        for point in points_
        for p in point.pairs
    ]
