"""Write the results of an analysis as tables, figures, a page, and the records that they can be remade from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clipsonic_eval import files
from clipsonic_eval.analysis.ablation import ablation
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting import (
    bench,
    export_records,
    gap,
    guidance,
    markup,
    page,
    paper,
    probes,
    published,
    sweep,
    tables,
)
from clipsonic_eval.reporting.drawing import draw_all
from clipsonic_eval.reporting.figures.venues import DEFAULT
from clipsonic_eval.reporting.latex.floats import latex
from clipsonic_eval.reporting.markup import TextTable
from clipsonic_eval.reporting.options import PaperTable, ReportOptions

PAGE = "README.md"


def render(results: Results, folder: Path, options: ReportOptions) -> list[str]:
    """Write everything that the results allow.

    Args:
        results: from :func:`clipsonic_eval.analysis.results.analyse`.
        folder: empty.
        options: of the report.

    Returns:
        Tables and figures that are missing, with the reason.

    Raises:
        UserError: numbers of one column were not computed in the same way.
    """
    shown, csv = render_tables(results)
    for name, table, as_csv in _of_paper(results, options.paper):
        shown[name], csv[name] = table, as_csv
    figures, not_drawn = draw_all(results, folder, options.venue or DEFAULT)
    left_out = [*results.notes, *not_drawn]
    if options.keep_records:
        export_records.write(results, folder / "records")
    for name, table in shown.items():
        files.write_text(folder / f"{name}.md", markup.markdown(table))
        of_paper = paper.table(results, options.paper) if name == "table" else table
        files.write_text(folder / f"{name}.tex", latex(of_paper, options.latex))
        files.write_text(folder / f"{name}.csv", csv[name])
    text = page.readme(results, shown, figures, title=options.title, command=options.command, left_out=left_out)
    files.write_text(folder / PAGE, text)
    if options.page is None:
        return left_out
    from clipsonic_eval.reporting.html.page import write  # its sounds need the encoders of audio

    return [*left_out, *write(results, shown, figures, folder, options, left_out)]


def _of_paper(results: Results, asked: PaperTable) -> Iterator[tuple[str, TextTable, str]]:
    """Yield name, table and CSV of what was asked for beside the tables that the results allow."""
    for setting in asked.ablations:
        varied = ablation(results.runs, setting)
        as_csv = tables.results_csv(varied.table, varied.catalogue)
        yield f"{page.ABLATION}{setting}", paper.ablation(varied, asked, setting), as_csv
    if asked.published is not None:
        elsewhere = published.read(asked.published)
        yield page.PUBLISHED, published.table(elsewhere), published.to_csv(elsewhere)


def render_tables(results: Results) -> tuple[dict[str, TextTable], dict[str, str]]:
    """Return the tables that the results allow by name, for people and as CSV.

    Raises:
        UserError: numbers of one column were not computed in the same way.
    """
    catalogue, pairs = results.catalogue, results.catalogue.sweep
    shown: dict[str, TextTable] = {}
    csv: dict[str, str] = {}
    if results.table.scores:
        shown["table"] = tables.results(results.table, catalogue)
        csv["table"] = tables.results_csv(results.table, catalogue)
    if results.table.comparisons:
        shown["comparisons"] = tables.comparisons(results.table.comparisons)
        csv["comparisons"] = tables.comparisons_csv(results.table.comparisons)
    if results.gap is not None:
        shown["gap"], csv["gap"] = gap.table(results.gap, catalogue), gap.to_csv(results.gap, catalogue)
    if guidance.pairs(results):
        shown["guidance"], csv["guidance"] = guidance.table(results), guidance.to_csv(results)
    if probes.readings(results.gap):
        shown["probes"], csv["probes"] = probes.table(results), probes.to_csv(results)
    if results.sweep:
        shown["clip_variants"] = sweep.table(results.sweep, pairs)
        csv["clip_variants"] = sweep.to_csv(results.sweep, pairs)
    costs, as_csv = bench.tables(results.runs.bench)
    return {**shown, **costs}, {**csv, **as_csv}
