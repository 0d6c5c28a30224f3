"""Settings of a frontier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic_eval import outputs
from clipsonic_eval.bench.cases import BenchConfig, Target
from clipsonic_eval.config import as_tree, coerce
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.frontier.grid import Point, points


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierConfig:
    """A grid of settings, and how each of its points is sampled, scored and timed.

    Attributes:
        targets: the systems, with the settings that vary.
        queries: table with key, prompt and perhaps label and image.
        reference: real audio to compare with, as of ``evaluate``.
        metrics: axes of quality.
        encoders: name of the encoder by role, where the default of the metrics is not meant.
        weights: weight file by role or convention.
        n_bootstrap: resamples of the intervals and of the frontier.
        seed: of samples and resamples.
        batch_size: queries that are sampled at once; latency is that of one request.
        processes: in which each point is timed; their spread is part of the interval.
        calls: timed requests of each process, see :class:`clipsonic_eval.bench.cases.BenchConfig`.
        seconds: no more requests once the timed ones took that long together.
        cache: folder of the embedding cache; None: the user's.
    """

    targets: tuple[Target, ...]
    queries: Path
    reference: Path | None = None
    metrics: tuple[str, ...] = ("fad", "clap_score")
    encoders: dict[str, str | None] = field(default_factory=dict)
    weights: dict[str, Path] = field(default_factory=dict)
    n_bootstrap: int = 2000
    seed: int = 0
    batch_size: int = 32
    processes: int = 3
    calls: int = 20
    seconds: float = 20.0
    cache: Path | None = None

    def __post_init__(self) -> None:
        coerce(self)
        points(self.targets)
        if not self.metrics or len(set(self.metrics)) != len(self.metrics):
            raise ConfigError("metrics: name at least one, none twice")
        self.bench(())

    def bench(self, chosen: Sequence[Point]) -> BenchConfig:
        """Return how these points are timed: each under its label, as a target without a grid."""
        targets = tuple(Target(point.spec, point.label, point.settings) for point in chosen) or self.targets
        return BenchConfig(
            targets=targets,
            processes=self.processes,
            calls=self.calls,
            seconds=self.seconds,
            queries=self.queries,
            seed=self.seed,
        )

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for points to stand in one figure; systems and values may be added later."""
        elsewhere = ("targets", "queries", "reference", "weights", "batch_size", "cache")
        settings = {name: value for name, value in as_tree(self).items() if name not in elsewhere}
        files = {"queries": self.queries, "reference": self.reference, **self.weights}
        return {**settings, "inputs": {n: outputs.state_of(p) for n, p in files.items() if p is not None}}
