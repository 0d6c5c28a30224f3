"""The figures of a report, as far as the results allow them; matplotlib is imported here and not before."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clipsonic_eval import files
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting.drawn import conditions, numbers, opinions, settings, sounds
from clipsonic_eval.reporting.drawn.entry import ReportFigure
from clipsonic_eval.reporting.figures.venues import DEFAULT


def draw_all(
    results: Results, folder: Path, venue: str = DEFAULT, *, pgf: bool = False
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Draw every figure into ``folder/figures``.

    Args:
        results: to be drawn.
        folder: exists.
        venue: whose columns the figures fill.
        pgf: write PGF files too.

    Returns:
        Title and caption by name, and a sentence for each figure that is missing.

    Raises:
        UserError: there is no such venue, or no pdfLaTeX for PGF.
    """
    every = figures(results)
    left_out = [figure.missing for figure in every if figure.draw is None and figure.missing]
    made = draw_each(every, folder / "figures", venue, pgf=pgf)
    return made, [*left_out, *sounds.undrawable_captions(results)]


def draw_each(
    figures: Iterable[ReportFigure], folder: Path, venue: str = DEFAULT, *, pgf: bool = False
) -> dict[str, tuple[str, str]]:
    """Draw those of the figures that can be drawn, and write their numbers beside them.

    Args:
        figures: one after the other.
        folder: of the files.
        venue: whose columns the figures fill.
        pgf: write PGF files too.

    Returns:
        Title and caption by name.

    Raises:
        UserError: there is no such venue, or no pdfLaTeX for PGF.
    """
    from clipsonic_eval.reporting.figures import pgf as pgf_files
    from clipsonic_eval.reporting.figures import style

    if pgf:
        pgf_files.check()

    made: dict[str, tuple[str, str]] = {}
    for figure in figures:
        if figure.draw is None:
            continue
        folder.mkdir(exist_ok=True)
        with style.look(figure.families, venue):
            canvas, caption = figure.draw()
            style.save(canvas, folder / figure.name, figure.png_bytes)
            if pgf:
                pgf_files.save(canvas, folder / f"{figure.name}.pgf")
        files.write_text(folder / f"{figure.name}.csv", figure.data())
        made[figure.name] = (figure.title, caption)
    return made


def figures(results: Results) -> list[ReportFigure]:
    """Return the figures of a report in their order, those among them that the results do not allow."""
    return [one for part in (numbers, opinions, conditions, sounds, settings) for one in part.figures(results)]
