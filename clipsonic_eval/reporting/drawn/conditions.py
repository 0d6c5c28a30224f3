"""Figures of the gap clip by clip, beside the sounds, and of FAD beside the number of clips."""

from __future__ import annotations

from functools import partial

from clipsonic_eval.analysis.recovery import recoveries
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting.drawn.entry import ReportFigure


def figures(results: Results) -> list[ReportFigure]:
    """Return the figures that set the gap of conditions beside their clips and their sounds."""
    from clipsonic_eval.reporting.figures import cosines, extrapolation, recovery

    gap, catalogue, runs = results.gap, results.catalogue, (*results.runs.table, *results.runs.limits)
    shown = recoveries(results)
    return [
        ReportFigure(
            "cosines",
            "Cosines to the true image embedding, clip by clip",
            "",
            partial(cosines.draw, gap, catalogue) if gap is not None and cosines.histograms(gap, catalogue) else None,
            partial(cosines.to_csv, gap, catalogue) if gap is not None else str,
        ),
        ReportFigure(
            "recovery",
            "Gap closed against metric recovered",
            "",
            partial(recovery.draw, shown, catalogue) if shown else None,
            partial(recovery.to_csv, shown),
        ),
        ReportFigure(
            "extrapolation",
            "FAD against the number of clips, and its limit",
            "",
            partial(extrapolation.draw, runs, catalogue) if extrapolation.scores(runs) else None,
            partial(extrapolation.to_csv, runs),
        ),
    ]
