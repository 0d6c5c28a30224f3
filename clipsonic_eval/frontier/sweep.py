"""Sample, evaluate and time every point of a grid; what is finished is kept.

``<out>/points/<label>/`` holds ``wavs/`` and ``quality/``, a run folder whose record is tagged with the point's
settings; ``<out>/cost/`` is the run folder of a bench with a case per point, of the same label. Timing comes last, in
one go, so that a quiet machine is needed for that part only, and points take turns on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from clipsonic_eval import outputs
from clipsonic_eval.bench.cases import BenchConfig
from clipsonic_eval.bench.run import bench
from clipsonic_eval.errors import UserError
from clipsonic_eval.frontier.config import FrontierConfig
from clipsonic_eval.frontier.grid import points
from clipsonic_eval.frontier.quality import measured
from clipsonic_eval.harness.queries import QuerySet, read_queries
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Skip

POINTS = "points"
COST = "cost"

Cost = Callable[[BenchConfig, Path], RunRecord]  # times cases into a folder


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep over a grid gave.

    Attributes:
        records: of quality and of cost, in the order of the grid.
        failed: points without one of them, by label, with the reason.
        skipped: queries that a point left unanswered, by label.
    """

    records: tuple[RunRecord, ...]
    failed: tuple[Skip, ...] = ()
    skipped: dict[str, int] = field(default_factory=dict)


def sweep(
    config: FrontierConfig,
    out: Path,
    *,
    cost: Cost | None = None,
    progress: Progress = SILENT,
    overwrite: bool = False,
) -> Sweep:
    """Measure every point of a grid; a point that fails costs itself alone.

    Args:
        config: the grid and how it is measured.
        out: folder; continued where it holds points of the same queries and settings, to which systems and values of
            the grid may be added.
        cost: times the points; None: :func:`clipsonic_eval.bench.run.bench`.
        progress: shows the points.
        overwrite: replace points of other queries or settings in ``out``.

    Raises:
        UserError: the queries cannot be read, ``out`` holds something else, or every point failed.
    """
    queries = read_queries(config.queries)
    queries.show_notes(progress)
    queries.single(config.queries, "give every caption a key of its own")
    time = cost or partial(bench, overwrite=True, progress=progress)
    with outputs.claim(out, "frontier", config.identity(), overwrite=overwrite, keep=True):
        quality, failed = _qualities(config, queries, out / POINTS, progress)
        if not quality:
            raise UserError(f"{out}: no point could be measured; the first, {failed[0].key}: {failed[0].reason}")
        timed = time(config.bench([p for p in points(config.targets) if p.label in quality]), out / COST)
    failed += [Skip(label, skip.reason) for label, skips in timed.skipped.items() for skip in skips]
    skipped = {label: n for label, record in quality.items() if (n := sum(map(len, record.skipped.values())))}
    return Sweep((*quality.values(), timed), tuple(failed), skipped)


def _qualities(
    config: FrontierConfig, queries: QuerySet, folder: Path, progress: Progress
) -> tuple[dict[str, RunRecord], list[Skip]]:
    """Return the records of the points by label, and the points that failed with the reason."""
    done: dict[str, RunRecord] = {}
    failed: list[Skip] = []
    for point in progress.track(points(config.targets), label="quality"):
        try:
            done[point.label] = measured(config, queries, folder / point.label, point)
        except UserError as error:
            failed.append(Skip(point.label, str(error)))
        except (RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError) as error:  # of the system's own code
            failed.append(Skip(point.label, f"{type(error).__name__}: {error}"))
    return done, failed
