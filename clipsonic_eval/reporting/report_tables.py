"""The tables of a report: those that the results allow, and those of a paper that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clipsonic_eval.analysis.ablation import ablation
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting import bench, gap, pairs, pairs_at_values, paper, probes, published, sweep, tables
from clipsonic_eval.reporting.markup import TextTable
from clipsonic_eval.reporting.options import ABLATION, PUBLISHED, PaperTable


def render_tables(results: Results) -> tuple[dict[str, TextTable], dict[str, str]]:
    """Return the tables that the results allow by name, for people and as CSV.

    Raises:
        UserError: numbers of one column were not computed in the same way.
    """
    catalogue, swept = results.catalogue, results.catalogue.sweep
    shown: dict[str, TextTable] = {}
    csv: dict[str, str] = {}
    if results.table.scores:
        shown["table"] = tables.results(results.table, catalogue)
        csv["table"] = tables.results_csv(results.table, catalogue)
    if results.table.comparisons:
        shown["comparisons"] = tables.comparisons(results.table.comparisons)
        csv["comparisons"] = tables.comparisons_csv(results.table.comparisons)
    if len({c.metric for c in results.table.comparisons}) > 1:
        shown["pairs"] = pairs.table(results.table.comparisons)
        csv["pairs"] = pairs.to_csv(results.table.comparisons)
    if results.gap is not None:
        shown["gap"], csv["gap"] = gap.table(results.gap, catalogue), gap.to_csv(results.gap, catalogue)
    for setting in (pairs_at_values.GUIDANCE, *results.pairs_by_setting):
        if pairs_at_values.pairs(results, setting):
            name = pairs_at_values.stem(setting)
            shown[name] = pairs_at_values.table(results, setting)
            csv[name] = pairs_at_values.to_csv(results, setting)
    if results.limits is not None:
        shown["extrapolation"] = tables.results(results.limits, catalogue, label="tab:extrapolation")
        csv["extrapolation"] = tables.results_csv(results.limits, catalogue)
    if probes.readings(results.gap):
        shown["probes"], csv["probes"] = probes.table(results), probes.to_csv(results)
    if results.sweep:
        shown["clip_variants"] = sweep.table(results.sweep, swept)
        csv["clip_variants"] = sweep.to_csv(results.sweep, swept)
    costs, as_csv = bench.tables(results.runs.bench)
    return {**shown, **costs}, {**csv, **as_csv}


def asked_for(results: Results, asked: PaperTable) -> Iterator[tuple[str, TextTable, str]]:
    """Yield name, table and CSV of what was asked for beside the tables that the results allow.

    Raises:
        UserError: a setting was never varied, or the file of published numbers cannot be read.
    """
    for setting in asked.ablations:
        varied = ablation(results.runs, setting)
        as_csv = tables.sections_csv({title: one.table for title, one in varied.items()})
        yield f"{ABLATION}{setting}", paper.ablation(varied, asked, setting), as_csv
    if asked.published is not None:
        elsewhere = published.read(asked.published)
        yield PUBLISHED, published.table(elsewhere), published.to_csv(elsewhere)


def for_latex(results: Results, shown: Mapping[str, TextTable], asked: PaperTable) -> dict[str, TextTable]:
    """Return the tables as LaTeX shows them: in place of the main table, that of the paper.

    Raises:
        UserError: the results lack a metric, a system or the spread that is asked for.
    """
    return {name: paper.table(results, asked) if name == "table" else table for name, table in shown.items()}
