"""Figures of spectrograms."""

from __future__ import annotations

from functools import partial

from clipsonic_eval import filenames
from clipsonic_eval.analysis import figure_data
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting.drawn.entry import ReportFigure


def figures(results: Results) -> list[ReportFigure]:
    """Return the figures of spectrograms."""
    from clipsonic_eval.reporting.figures import contact_sheet, spectrograms, style

    shown = figure_data.examples(results.runs.table)
    missing = f"spectrograms: no {filenames.EXAMPLES} next to the records"
    if shown is None:
        return [ReportFigure("spectrograms", "", missing, None)]
    of_every_class = figure_data.in_contact_sheet(shown, results.catalogue)
    return [
        ReportFigure(
            "contact_sheet",
            "Contact sheet: real and generated audio of every class",
            "",
            partial(contact_sheet.draw, shown, results.catalogue) if of_every_class else None,
            partial(contact_sheet.to_csv, shown, results.catalogue),
            png_bytes=contact_sheet.PNG_BYTES,
        ),
        ReportFigure(
            "spectrograms",
            "Spectrograms of the same queries",
            missing,
            partial(spectrograms.draw, shown, results.catalogue),
            partial(spectrograms.to_csv, shown, results.catalogue),
            spectrograms.captions(shown).families,
            png_bytes=2 * style.MAX_PNG_BYTES,
        ),
    ]


def undrawable_captions(results: Results) -> list[str]:
    """Return a sentence about captions whose letters no font draws, nothing where there are none."""
    from clipsonic_eval.reporting.figures import fonts, spectrograms

    shown = figure_data.examples(results.runs.table)
    sentence = fonts.sentence(spectrograms.captions(shown).lacking) if shown else ""
    return [sentence] if sentence else []
