"""Sample, evaluate and time every point of a grid; what is finished is kept.

``<out>/points/<label>/`` holds ``wavs/`` and two run folders, ``quality/`` (kind ``evaluate``) and ``cost/`` (kind
``bench``), both tagged with the point's settings. All qualities come first and the timing last, one point after the
other, so that a quiet machine is needed for that part only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from clipsonic_eval import filenames, outputs, records
from clipsonic_eval.errors import UserError
from clipsonic_eval.frontier.config import FrontierConfig
from clipsonic_eval.frontier.grid import Point
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.queries import QuerySet, read_queries
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Skip

POINTS = "points"
QUALITY, COST = "quality", "cost"

Cost = Callable[[Point, Path], RunRecord]  # times a point and writes its bench record into a folder


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
    config: FrontierConfig, out: Path, cost: Cost, *, progress: Progress = SILENT, overwrite: bool = False
) -> Sweep:
    """Measure every point of a grid; a point that fails costs itself alone.

    Args:
        config: the grid and how it is measured.
        out: folder; continued where it holds points of the same queries and settings, to which systems and values of
            the grid may be added.
        cost: times a point.
        progress: shows the points.
        overwrite: replace points of other queries or settings in ``out``.

    Raises:
        UserError: the queries cannot be read, ``out`` holds something else, or every point failed.
    """
    queries = read_queries(config.queries)
    queries.show_notes(progress)
    queries.single(config.queries, "give every caption a key of its own")
    with outputs.claim(out, "frontier", config.identity(), overwrite=overwrite, keep=True):
        failed: list[Skip] = []
        points = {point.label: point for point in config.points()}
        folder = out / POINTS
        quality = partial(_quality, config, queries, folder)
        good = _each(points.values(), quality, "quality", failed, progress)
        timed = _each([points[label] for label in good], partial(_cost, cost, folder), "latency", failed, progress)
    if not timed:
        raise UserError(f"{out}: no point could be measured; the first, {failed[0].key}: {failed[0].reason}")
    skipped = {label: n for label, record in good.items() if (n := sum(map(len, record.skipped.values())))}
    return Sweep((*good.values(), *timed.values()), tuple(failed), skipped)


def _each(
    points: Iterable[Point],
    measure: Callable[[Point], RunRecord],
    label: str,
    failed: list[Skip],
    progress: Progress,
) -> dict[str, RunRecord]:
    """Return the records of the points by label; those that fail are listed."""
    done: dict[str, RunRecord] = {}
    for point in progress.track(list(points), label=label):
        try:
            done[point.label] = measure(point)
        except UserError as error:
            failed.append(Skip(point.label, str(error)))
        except (RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError) as error:  # of the system's code
            failed.append(Skip(point.label, f"{type(error).__name__}: {error}"))
    return done


def _quality(config: FrontierConfig, queries: QuerySet, folder: Path, point: Point) -> RunRecord:
    """Sample and evaluate a point, or read the record that it has."""
    place = folder / point.label
    wavs, run = place / "wavs", place / QUALITY
    system = resolve(point.spec, point.settings)
    done = sample(
        system, queries, wavs, seed=config.seed, batch_size=config.batch_size, name=point.label, overwrite=True
    )
    if not done.n:
        raise UserError(f"no query could be answered; the first reason: {done.skipped[0].reason}")
    wanted = EvaluateConfig(
        systems={point.label: wavs},
        reference=config.reference,
        prompts=config.queries,
        encoders=config.encoders,
        weights=config.weights,
        metrics=config.metrics,
        n_bootstrap=config.n_bootstrap,
        seed=config.seed,
        compare=False,
        tags=point.tags,
        examples=0,
        cache=config.cache,
    )
    if (run / filenames.RECORD).exists() and not outputs.changes(run, "evaluate", wanted.identity()):
        return records.read(run)
    return evaluate(wanted, run, overwrite=True)


def _cost(cost: Cost, folder: Path, point: Point) -> RunRecord:
    """Time a point, or read the record that it has."""
    return cost(point, folder / point.label / COST)
