"""Everything that the tables, the figures and the words are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clipsonic_eval.analysis.pooling import Scores
from clipsonic_eval.analysis.runs import Runs
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting.gap import Gap
from clipsonic_eval.reporting.sweep import Point


@dataclass(frozen=True, slots=True)
class Results:
    """The numbers of a report.

    Attributes:
        runs: those they come from.
        cells: of the main table, by (metric, system).
        aside: numbers of the reference itself, such as the distance of its halves.
        pairs: of the comparisons table.
        by_scale: cells of the guidance sweep by scale.
        chosen: the scale that the table shows, by system.
        guidance_split: where the sweep was made.
        points: of the sweep over CLIP variants.
        gap: the modality gap of the main CLIP variant, None where there is no gap run.
    """

    runs: Runs
    cells: Scores = field(default_factory=dict)
    aside: Scores = field(default_factory=dict)
    pairs: tuple[Comparison, ...] = ()
    by_scale: Mapping[float, Scores] = field(default_factory=dict)
    chosen: Mapping[str, float] = field(default_factory=dict)
    guidance_split: str = ""
    points: tuple[Point, ...] = ()
    gap: Gap | None = None

    def pair(self, metric: str, a: str, b: str) -> Comparison | None:
        """Return one paired difference of the main table, None where it was not made."""
        return next((p for p in self.pairs if (p.metric, p.a, p.b) == (metric, a, b)), None)

    def has(self, system: str) -> bool:
        """Say whether a system is in the main table."""
        return any(s == system for _, s in self.cells)
