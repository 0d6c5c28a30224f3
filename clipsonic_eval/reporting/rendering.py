"""Write the results of an analysis as tables, figures, a page, and the records that they can be remade from."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval import files
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.reporting import export_records, markup, page
from clipsonic_eval.reporting.drawing import draw_all
from clipsonic_eval.reporting.figures.venues import DEFAULT
from clipsonic_eval.reporting.latex.floats import latex
from clipsonic_eval.reporting.options import ReportOptions
from clipsonic_eval.reporting.report_tables import asked_for, for_latex, render_tables

PAGE = "README.md"


def render(
    results: Results, folder: Path, options: ReportOptions, kept: Path, progress: Progress = SILENT
) -> tuple[list[str], list[str]]:
    """Write everything that the results allow.

    Args:
        results: from :func:`clipsonic_eval.analysis.results.analyse`.
        folder: empty.
        options: of the report.
        kept: folder of the sounds that are encoded for the page for listening, of an earlier call too.
        progress: shows the queries of the page for listening.

    Returns:
        Tables and figures that are missing, with the reason; and what the page for listening lacks.

    Raises:
        UserError: numbers of one column were not computed in the same way.
    """
    shown, csv = render_tables(results)
    for name, table, as_csv in asked_for(results, options.paper):
        shown[name], csv[name] = table, as_csv
    figures, not_drawn = draw_all(results, folder, options.venue or DEFAULT, pgf=options.pgf)
    left_out = [*results.notes, *not_drawn]
    if options.keep_records:
        export_records.write(results, folder / "records")
    for name, table in shown.items():
        files.write_text(folder / f"{name}.md", markup.markdown(table))
        files.write_text(folder / f"{name}.csv", csv[name])
    for name, table in for_latex(results, shown, options.paper).items():
        files.write_text(folder / f"{name}.tex", latex(table, options.latex))
    text = page.readme(results, shown, figures, title=options.title, command=options.command, left_out=left_out)
    files.write_text(folder / PAGE, text)
    if options.page is None:
        return left_out, []
    from clipsonic_eval.reporting.html.page import write  # its sounds need what reads and encodes audio

    return left_out, write(results, shown, figures, folder, options, left_out, kept, progress)
