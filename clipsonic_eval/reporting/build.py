"""Make a report: one folder with a page, tables, figures and the records that it can be remade from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from clipsonic_eval import atomic, filenames, outputs, threads
from clipsonic_eval.analysis import training_logs
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.parts import Runs, gather
from clipsonic_eval.analysis.results import analyse
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.options import PageConfig, PaperTable, ReportOptions, page_config
from clipsonic_eval.reporting.rendering import PAGE, render

__all__ = ["PAGE", "PageConfig", "PaperTable", "ReportOptions", "ReportResult", "build", "page_config"]

StrPath = str | os.PathLike[str]
_DEFAULT: Final = ReportOptions()
_KEPT: Final = ".sounds"  # of the page, until the report is finished; hidden, so that it is no part of one


@dataclass(frozen=True, slots=True)
class ReportResult:
    """A finished report.

    Attributes:
        out: the folder.
        files: below it, sorted.
        headline: of the study in one sentence, "" where it has none or the systems that it is about are missing.
        left_out: tables and figures that are missing, with the reason.
        skipped: number of clips that were left out, by run.
        missing: systems, sounds and pictures that the page for listening lacks, with the reason.
    """

    out: Path
    files: tuple[str, ...]
    headline: str
    left_out: tuple[str, ...]
    skipped: Mapping[str, int]
    missing: tuple[str, ...] = ()


def build(
    runs: Iterable[StrPath | RunRecord],
    out: StrPath,
    *,
    catalogue: Catalogue | None = None,
    options: ReportOptions = _DEFAULT,
    select: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> ReportResult:
    """Write the report of runs: page, tables, figures, records.

    Args:
        runs: run folders, records, folders that hold run folders, or records in memory.
        out: the report's folder; a report of the same runs is replaced as a whole.
        catalogue: names, colours and questions of a study; None: the default, which suits any systems.
        options: title, command and whatever else shapes the report.
        select: tags of the runs of the main table, where the runs leave a choice.
        overwrite: replace a report of other runs or settings in ``out``.
        progress: shows the queries of the page for listening.

    Raises:
        UserError: no usable runs, no training log where one is asked for, an open choice, numbers that may not stand in
            one column, no such venue, no catalogue where one is given, or ``out`` holds something else.
    """
    if catalogue is not None and not isinstance(catalogue, Catalogue):
        kind = type(catalogue).__name__
        raise UserError(f"catalogue: give a Catalogue, e.g. clipsonic_eval.study.catalogue.CLIPSONIC, got {kind}")
    identity = options.identity()
    out, catalogue = Path(out), catalogue or Catalogue()
    found = gather(runs, select, catalogue.main_variants)
    training = training_logs.read(options.training)
    identity = {
        **identity,
        "select": dict(select or {}),
        "training": list(training),
        "catalogue": catalogue.name,
        "runs": _systems(found),
    }
    with outputs.claim(out, "report", identity, overwrite=overwrite, keep=True), threads.limited():
        results = replace(analyse(found, catalogue), training=training)
        with atomic.replacing_folder(out) as folder:
            shutil.copyfile(out / filenames.RUN, folder / filenames.RUN)
            left_out, missing = render(results, folder, options, out / _KEPT, progress)
    made = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    skipped = {r.name: n for r in found.all_runs if (n := sum(map(len, r.record.skipped.values())))}
    return ReportResult(out, tuple(made), results.catalogue.headline(results), tuple(left_out), skipped, tuple(missing))


def _systems(found: Runs) -> dict[str, Any]:
    """Return the systems of each run by name: a report of the same runs follows their numbers and their place."""
    return {run.name: ", ".join(run.record.system_names) for run in found.all_runs}
