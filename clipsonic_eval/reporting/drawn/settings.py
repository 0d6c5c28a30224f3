"""Figures of what runs were made with: guidance, any other number, and the trainings."""

from __future__ import annotations

from functools import partial

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting.drawn.entry import ReportFigure
from clipsonic_eval.reporting.pairs_at_values import stem


def figures(results: Results) -> list[ReportFigure]:
    """Return the figures over guidance scales, over every tag whose values are numbers, and of training."""
    from clipsonic_eval.reporting.figures import guidance

    return [
        ReportFigure(
            "guidance",
            "Metrics against the guidance scale",
            "figure over guidance scales: no system at two of them or more on one split",
            partial(guidance.draw, results) if guidance.at_several_scales(results) else None,
            partial(guidance.to_csv, results),
        ),
        *_against(results),
        *_training(results),
    ]


def _against(results: Results) -> list[ReportFigure]:
    """Return a figure for every tag whose values are numbers."""
    from clipsonic_eval.reporting.figures import settings

    return [
        ReportFigure(
            stem(key),
            f"Metrics against {results.catalogue.setting(key)}",
            "",
            partial(settings.draw, key, lines, results.catalogue, results.split_of(key)),
            partial(settings.to_csv, key, lines),
        )
        for key, lines in results.by_setting.items()
        if settings.is_drawn(lines, results.catalogue)
    ]


def _training(results: Results) -> list[ReportFigure]:
    """Return the training curves."""
    from clipsonic_eval.reporting.figures import training

    logs = results.training
    draw = partial(training.draw, logs, results.catalogue) if logs else None
    return [ReportFigure("training", "Training: losses over the steps", "", draw, partial(training.to_csv, logs))]
