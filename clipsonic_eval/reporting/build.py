"""Make a report: one folder with a page, tables, figures and the records that it can be remade from."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic_eval import atomic, filenames, outputs, threads
from clipsonic_eval.analysis import runs as runs_
from clipsonic_eval.analysis.comparisons import pool_comparisons
from clipsonic_eval.analysis.pooling import pool_scores
from clipsonic_eval.analysis.runs import Run, Runs
from clipsonic_eval.files import csv_text, write_text
from clipsonic_eval.reporting import export_records, markup, page, sweep, tables
from clipsonic_eval.reporting import gap as gap_
from clipsonic_eval.reporting.drawing import draw_all
from clipsonic_eval.reporting.markup import Table
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements import ordering
from clipsonic_eval.types import Score

log = logging.getLogger(__name__)

MARKER = "README.md"


@dataclass(frozen=True, slots=True)
class ReportConfig:
    """What to report on.

    Attributes:
        runs: run folders, records, or folders that hold run folders.
        out: the report's folder; a report of the same runs is replaced as a whole.
        title: of the page.
        command: printed on the page as what makes it; "" prints none.
        select: tags of the runs of the main table, where the runs leave a choice.
        keep_records: put slim records and the values of clips beside the report, so that it can be remade from it.
        overwrite: replace a report of other runs or settings in ``out``.
    """

    runs: tuple[Path, ...]
    out: Path
    title: str = "Report"
    command: str = ""
    select: Mapping[str, str] = field(default_factory=dict)
    keep_records: bool = True
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What was made.

    Attributes:
        out: the folder.
        files: below it, sorted.
        headline: the ordering in one sentence, "" where it was not tested.
        left_out: what was not made, and why.
        skipped: items that the runs had left out, by run.
    """

    out: Path
    files: tuple[str, ...]
    headline: str
    left_out: tuple[str, ...]
    skipped: Mapping[str, int]


def build(config: ReportConfig) -> ReportResult:
    """Read the runs and write the report.

    Raises:
        UserError: no usable runs, an open choice, numbers that may not stand in one column, or ``out`` holds something
            else.
    """
    sorted_runs = runs_.sort(runs_.find(config.runs), config.select)
    identity = _identity(config, sorted_runs)
    with outputs.claim(config.out, "report", identity, overwrite=config.overwrite, keep=True), threads.limited():
        return _build(config, sorted_runs)


def _identity(config: ReportConfig, found: Runs) -> dict[str, Any]:
    """Return what a report is of: its runs by name, not where they lie or what they came to, which it follows."""
    systems = {run.name: ", ".join(dict.fromkeys(s.system for s in run.record.scores)) for run in found.all_runs}
    return {"title": config.title, "select": dict(config.select), "records": config.keep_records, "runs": systems}


def _build(config: ReportConfig, sorted_runs: Runs) -> ReportResult:
    results, left_out = gather(sorted_runs)
    made = _tables(results)
    with atomic.replacing_folder(config.out) as folder:
        shutil.copyfile(config.out / filenames.RUN, folder / filenames.RUN)
        figures, not_drawn = draw_all(results, folder)
        left_out += not_drawn
        if config.keep_records:
            export_records.write(results, folder / "records")
        for name, table in made.items():
            write_text(folder / f"{name}.md", markup.markdown(table))
            write_text(folder / f"{name}.tex", markup.latex(table))
        for name, text in _csvs(results).items():
            write_text(folder / f"{name}.csv", text)
        text = page.readme(results, made, figures, title=config.title, command=config.command, left_out=left_out)
        write_text(folder / MARKER, text)
    files = sorted(p.relative_to(config.out).as_posix() for p in config.out.rglob("*") if p.is_file())
    skipped = {r.name: n for r in sorted_runs.all_runs if (n := sum(map(len, r.record.skipped.values())))}
    return ReportResult(config.out, tuple(files), ordering.headline(results), tuple(left_out), skipped)


def gather(found: Runs) -> tuple[Results, list[str]]:
    """Compute all numbers of the report, and say what there was no material for.

    Raises:
        UserError: runs contradict each other, or may not stand in one column.
    """
    pooled = found.pooled.get((found.clip_variant, ""))
    cells = pool_scores(found.table, pooled)
    tables.check_columns(cells)
    gaps = {name: g for name, runs in found.gaps.items() if (g := gap_.collect(runs)) is not None}
    points, notes = sweep.points(found, gap_.distances(gaps))
    by_scale = _by_scale(found)
    results = Results(
        runs=found,
        cells=cells,
        aside=pool_scores(found.table, of_reference=True),
        pairs=tuple(pool_comparisons(found.table, cells, pooled)),
        by_scale=by_scale,
        chosen=_chosen(found.table) if by_scale else {},
        guidance_split=found.guidance[0].tag("split") if found.guidance else "",
        points=tuple(points),
        gap=gaps.get(found.clip_variant) or (next(iter(gaps.values())) if len(gaps) == 1 else None),
    )
    return results, [*found.notes, *notes]


def _by_scale(found: Runs) -> dict[float, dict[tuple[str, str], Score]]:
    groups: dict[float, list[Run]] = {}
    for run in found.guidance:
        groups.setdefault(runs_.number(run.tag("guidance")), []).append(run)
    made = {}
    for scale, runs in sorted(groups.items()):
        made[scale] = pool_scores(runs, found.pooled.get((found.clip_variant, f"{scale:g}")))
    return made


def _chosen(runs: tuple[Run, ...]) -> dict[str, float]:
    """Return the guidance scale of each system of the table: from its card, else from the run's tag."""
    found: dict[str, float] = {}
    for run in runs:
        for score in run.record.scores:
            value = run.record.systems.get(score.system, {}).get("guidance", run.tag("guidance") or None)
            if isinstance(value, (int, float)) or (isinstance(value, str) and runs_.number(value) < float("inf")):
                found.setdefault(score.system, float(value))
    return found


def _tables(results: Results) -> dict[str, Table]:
    made = {}
    if results.cells:
        made["table"] = tables.results(results.cells)
    if results.pairs:
        made["comparisons"] = tables.comparisons(results.pairs)
    if results.gap is not None:
        made["gap"] = gap_.table(results.gap)
    if results.points:
        made["clip_variants"] = sweep.table(results.points)
    return made


def _csvs(results: Results) -> dict[str, str]:
    made = {}
    if results.cells:
        made["table"] = csv_text(tables.RESULT_HEADS, tables.results_rows(results.cells))
    if results.pairs:
        made["comparisons"] = csv_text(tables.COMPARISON_HEADS, tables.comparison_rows(results.pairs))
    if results.gap is not None:
        made["gap"] = csv_text(gap_.HEADS, gap_.rows(results.gap))
    if results.points:
        made["clip_variants"] = csv_text(sweep.HEADS, sweep.rows(results.points))
    return made
