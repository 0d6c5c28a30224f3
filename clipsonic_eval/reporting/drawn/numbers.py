"""Figures of the numbers of the tables."""

from __future__ import annotations

from functools import partial

from clipsonic_eval.analysis import figure_data
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting import gap as gap_table
from clipsonic_eval.reporting import sweep, tables
from clipsonic_eval.reporting.drawn.entry import ReportFigure
from clipsonic_eval.reporting.drawn.opinions import apart


def figures(results: Results) -> list[ReportFigure]:
    """Return the figures of metrics, classes, the gap, and the sweep over CLIP variants."""
    from clipsonic_eval.reporting.figures import classes, clip_variants, gap, systems

    catalogue, table = results.catalogue, apart(results.table)[1]  # opinions have a figure of their own
    points = next((p for run in results.gap_runs if (p := figure_data.projection(run)) is not None), None)
    return [
        ReportFigure(
            "metrics",
            "Metrics by system",
            "" if results.table.scores else "table and figure of the metrics: no run of `evaluate`",
            partial(systems.draw, table, catalogue) if table.scores else None,
            partial(tables.results_csv, table, catalogue),
        ),
        ReportFigure(
            "classes",
            "Right answers class by class",
            "",
            partial(classes.draw, table, catalogue) if classes.by_metric(table, catalogue) else None,
            partial(classes.to_csv, table, catalogue),
        ),
        ReportFigure(
            "gap",
            "The modality gap before and after the prior",
            "table and figure of the modality gap: no run of `gap`",
            partial(gap.draw, results.gap, catalogue, points) if results.gap is not None else None,
            partial(gap_table.to_csv, results.gap, catalogue) if results.gap is not None else str,
        ),
        ReportFigure(
            "clip_variants",
            "Gain and width of the modality gap",
            "sweep over CLIP variants: fewer than two of them have runs of both `evaluate` and `gap`"
            if catalogue.sweep
            else "",
            partial(clip_variants.draw, results) if results.sweep else None,
            partial(sweep.to_csv, results.sweep, catalogue.sweep),
        ),
    ]
