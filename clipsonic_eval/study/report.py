"""The report of a study: its tables, figures, words and the page of its sounds."""

from __future__ import annotations

from typing import Final

from clipsonic_eval import filenames
from clipsonic_eval.reporting.build import PageConfig, ReportOptions, ReportResult, build
from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.study.layout import Layout

TITLE: Final = "The study in miniature: IQ, ZS, PD and supervised systems in a toy world"


def write(layout: Layout, command: str) -> ReportResult:
    """Write the report of everything that a study has scored.

    Args:
        layout: folders of the study.
        command: printed in the report as what makes it.
    """
    models = sorted(layout.root.glob(f"seed-*/models/*/{filenames.TRAIN_LOG}"))
    training = tuple(log.parent for log in models if log.parts[-4] == models[0].parts[-4])  # of the first seed
    options = ReportOptions(TITLE, command, page=PageConfig(queries=layout.queries("test")), training=training)
    return build([layout.root / "runs"], layout.report, catalogue=CLIPSONIC, options=options, overwrite=True)
