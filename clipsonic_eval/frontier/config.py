"""Settings of a frontier."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree, coerce
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.frontier import grid as grids


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierConfig:
    """A grid of settings, and how each of its points is sampled, scored and timed.

    Attributes:
        systems: by name in tables: settings of the system, and under ``system`` which one it is
            (``clipsonic.systems:ZeroShot``).
        grid: values by setting, e.g. ``{"sampler": ["ddim"], "steps": [5, 10, 20]}``.
        queries: table with key, prompt and perhaps label and image.
        reference: real audio to compare with, as of ``evaluate``.
        metrics: axes of quality.
        encoders: name of the encoder by role, where the default of the metrics is not meant.
        weights: weight file by role or convention.
        n_bootstrap: resamples of the intervals and of the frontier.
        seed: of samples and resamples.
        batch_size: queries that are sampled at once; latency is that of one request.
        processes: in which each point is timed; their spread is part of the interval.
        rounds: timed requests of each process.
        cache: folder of the embedding cache; None: the user's.
    """

    systems: dict[str, dict[str, Any]]
    queries: Path
    reference: Path | None = None
    grid: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ("fad", "clap_score")
    encoders: dict[str, str | None] = field(default_factory=dict)
    weights: dict[str, Path] = field(default_factory=dict)
    n_bootstrap: int = 2000
    seed: int = 0
    batch_size: int = 32
    processes: int = 3
    rounds: int = 20
    cache: Path | None = None

    def __post_init__(self) -> None:
        coerce(self)
        grids.points(self.systems, self.grid)
        if not self.metrics or len(set(self.metrics)) != len(self.metrics):
            raise ConfigError("metrics: name at least one, none twice")
        if self.processes < 1 or self.rounds < 1:
            raise ConfigError("processes and rounds must be at least 1")

    def points(self) -> list[grids.Point]:
        """Return the points of the grid."""
        return grids.points(self.systems, self.grid)

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for points to stand in one figure; systems and values may be added later."""
        elsewhere = ("systems", "grid", "queries", "reference", "weights", "batch_size", "cache")
        settings = {name: value for name, value in as_tree(self).items() if name not in elsewhere}
        files = {"queries": self.queries, "reference": self.reference, **self.weights}
        return {**settings, "inputs": {n: outputs.state_of(p) for n, p in files.items() if p is not None}}
