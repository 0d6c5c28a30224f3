"""Scores of an evaluation: those of :mod:`clipsonic_eval.metrics.scoring`, and a list of what got none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clipsonic_eval.metrics import ClipMetric, Inputs, SetMetric
from clipsonic_eval.metrics.scoring import Scored, score_systems
from clipsonic_eval.types import Score


@dataclass(frozen=True, slots=True)
class Scoring:
    """What all scores of a record share.

    Attributes:
        seed: of the bootstrap.
        n_boot: number of resamples.
        identity: by metric, signature fields that say what was scored against.
        unscored: by system, why a metric gave no score; filled while scoring.
    """

    seed: int
    n_boot: int
    identity: Mapping[str, Sequence[tuple[str, str]]]
    unscored: dict[str, list[str]] = field(default_factory=dict)

    def note_unscored(self, metric: str, system: str, why: str) -> None:
        """Note why a metric gave a system no score."""
        self.unscored.setdefault(system, []).append(f"{metric} not computed: {why}")


def score_clips(metric: ClipMetric, inputs: Mapping[str, Inputs], scoring: Scoring) -> dict[str, Score]:
    """Score systems by a mean over clips; one with too few clips gets no score."""
    return dict(_scored(metric, inputs, scoring).scores)


def score_sets(metric: SetMetric, inputs: Mapping[str, Inputs], scoring: Scoring) -> Scored:
    """Score systems by a statistic of their sets; one with too few clips gets no score."""
    return _scored(metric, inputs, scoring)


def _scored(metric: ClipMetric | SetMetric, inputs: Mapping[str, Inputs], scoring: Scoring) -> Scored:
    name = metric.card.name
    found = score_systems(metric, inputs, n_boot=scoring.n_boot, seed=scoring.seed, identity=scoring.identity[name])
    for system, why in found.unscored.items():
        scoring.note_unscored(name, system, why)
    return found
