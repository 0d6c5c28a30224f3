"""Figures of listening tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.listening.protocols import PROTOCOLS
from clipsonic_eval.listening.relation import Relation, relations
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.drawn.entry import ReportFigure


def apart(record: RunRecord) -> tuple[RunRecord, RunRecord]:
    """Return what listeners said and what metrics say, as records of their own."""
    said, says = ([s for s in record.scores if (s.metric in PROTOCOLS) == of] for of in (True, False))
    return replace(record, scores=tuple(said)), replace(record, scores=tuple(says))


def figures(results: Results) -> list[ReportFigure]:
    """Return the figures of what listeners said in the table of a report."""
    heard, measured = apart(results.table)
    controls = [name for name in heard.system_names if results.catalogue.is_control(name)]
    return of_opinions(heard, measured, relations(heard, [measured], controls=controls), results.catalogue)


def of_opinions(
    heard: RunRecord, measured: RunRecord, found: Sequence[Relation], catalogue: Catalogue
) -> list[ReportFigure]:
    """Return the figure of opinions, and the one of their relation to metrics.

    Args:
        heard: scores of a listening test; where there are none, nothing is drawn.
        measured: scores of evaluations.
        found: relations of the two.
        catalogue: completed for the systems of both.
    """
    from clipsonic_eval.reporting.figures import opinions, relation

    if not heard.scores:
        return []
    return [
        ReportFigure(
            "opinions",
            "What listeners said of each system",
            "",
            partial(opinions.draw, heard, catalogue),
            partial(opinions.to_csv, heard),
        ),
        ReportFigure(
            "relation",
            "What listeners said against what metrics say",
            "",
            partial(relation.draw, heard, measured, found, catalogue) if found else None,
            partial(relation.to_csv, found),
        ),
    ]
