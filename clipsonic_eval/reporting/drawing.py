"""The figures of a report, as far as the results allow them; matplotlib is imported here and not before."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clipsonic_eval import filenames, files
from clipsonic_eval.analysis import figure_data
from clipsonic_eval.analysis.recovery import recoveries
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting import gap as gap_table
from clipsonic_eval.reporting import sweep, tables
from clipsonic_eval.reporting.figures.venues import DEFAULT

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure of the report, in ``figures/<name>`` as PDF, SVG and PNG, with its numbers as CSV.

    Attributes:
        name: stem of the files.
        title: alternative text of the image.
        missing: sentence for the page where the figure cannot be drawn.
        draw: returns the figure and its caption; None where the results do not allow it.
        data: returns what is drawn as CSV.
        families: font families for its texts; empty: the base font alone.
        png_bytes: most that the PNG may have; None: as usual.
    """

    name: str
    title: str
    missing: str
    draw: Callable[[], tuple[Canvas, str]] | None
    data: Callable[[], str] = str
    families: Sequence[str] = ()
    png_bytes: int | None = None


def draw_all(results: Results, folder: Path, venue: str = DEFAULT) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Draw every figure into ``folder/figures``.

    Args:
        results: to be drawn.
        folder: exists.
        venue: whose columns the figures fill.

    Returns:
        Title and caption by name, and a sentence for each figure that is missing.
    """
    from clipsonic_eval.reporting.figures import style

    made: dict[str, tuple[str, str]] = {}
    left_out: list[str] = []
    for figure in _figures(results):
        if figure.draw is None:
            left_out += [figure.missing] if figure.missing else []
            continue
        (folder / "figures").mkdir(exist_ok=True)
        with style.look(figure.families, venue):
            canvas, caption = figure.draw()
            style.save(canvas, folder / "figures" / figure.name, figure.png_bytes)
        files.write_text(folder / "figures" / f"{figure.name}.csv", figure.data())
        made[figure.name] = (figure.title, caption)
    return made, [*left_out, *_undrawable_captions(results)]


def _undrawable_captions(results: Results) -> list[str]:
    from clipsonic_eval.reporting.figures import fonts, spectrograms

    shown = figure_data.examples(results.runs.table)
    sentence = fonts.sentence(spectrograms.captions(shown).lacking) if shown else ""
    return [sentence] if sentence else []


def _figures(results: Results) -> list[_Figure]:
    from clipsonic_eval.reporting.figures import classes, clip_variants, gap, guidance, systems

    catalogue, table = results.catalogue, results.table
    points = next((p for run in results.gap_runs if (p := figure_data.projection(run)) is not None), None)
    return [
        _Figure(
            "metrics",
            "Metrics by system",
            "no evaluation: table and figure of the metrics left out",
            partial(systems.draw, table, catalogue) if table.scores else None,
            partial(tables.results_csv, table, catalogue),
        ),
        _Figure(
            "classes",
            "Right answers class by class",
            "",
            partial(classes.draw, table, catalogue) if classes.by_metric(table, catalogue) else None,
            partial(classes.to_csv, table, catalogue),
        ),
        _Figure(
            "gap",
            "The modality gap before and after the prior",
            "no gap record: modality-gap table and figure left out",
            partial(gap.draw, results.gap, catalogue, points) if results.gap is not None else None,
            partial(gap_table.to_csv, results.gap, catalogue) if results.gap is not None else str,
        ),
        _Figure(
            "clip_variants",
            "Gain and width of the modality gap",
            "fewer than two CLIP variants with evaluations and a gap record: sweep over CLIP variants left out"
            if catalogue.sweep
            else "",
            partial(clip_variants.draw, results) if results.sweep else None,
            partial(sweep.to_csv, results.sweep, catalogue.sweep),
        ),
        *_of_conditions(results),
        *_pictures(results),
        _Figure(
            "guidance",
            "Metrics against the guidance scale",
            "no system at two guidance scales or more on one split: figure over guidance scales left out",
            partial(guidance.draw, results) if guidance.at_several_scales(results) else None,
            partial(guidance.to_csv, results),
        ),
        *_of_settings(results),
        *_of_training(results),
    ]


def _of_conditions(results: Results) -> list[_Figure]:
    """Return the figures that set the gap of conditions beside their clips and their sounds."""
    from clipsonic_eval.reporting.figures import cosines, extrapolation, recovery

    gap, catalogue, runs = results.gap, results.catalogue, results.runs.table
    shown = recoveries(results)
    return [
        _Figure(
            "cosines",
            "Cosines to the true image embedding, clip by clip",
            "",
            partial(cosines.draw, gap, catalogue) if gap is not None and cosines.histograms(gap, catalogue) else None,
            partial(cosines.to_csv, gap, catalogue) if gap is not None else str,
        ),
        _Figure(
            "recovery",
            "Gap closed against metric recovered",
            "",
            partial(recovery.draw, shown, catalogue) if shown else None,
            partial(recovery.to_csv, shown),
        ),
        _Figure(
            "extrapolation",
            "FAD against the number of clips, and its limit",
            "",
            partial(extrapolation.draw, runs, catalogue) if extrapolation.scores(runs) else None,
            partial(extrapolation.to_csv, runs),
        ),
    ]


def _of_settings(results: Results) -> list[_Figure]:
    """Return a figure for every tag whose values are numbers."""
    from clipsonic_eval.reporting.figures import settings

    return [
        _Figure(
            f"against-{re.sub('[^A-Za-z0-9]+', '-', key)}",
            f"Metrics against {key.replace('_', ' ')}",
            "",
            partial(settings.draw, key, by_value, results.catalogue),
            partial(settings.to_csv, key, by_value),
        )
        for key, by_value in results.by_setting.items()
        if settings.is_drawn(by_value, results.catalogue)
    ]


def _of_training(results: Results) -> list[_Figure]:
    """Return the training curves."""
    from clipsonic_eval.reporting.figures import training

    logs = results.training
    draw = partial(training.draw, logs) if logs else None
    return [_Figure("training", "Training: losses over the steps", "", draw, partial(training.to_csv, logs))]


def _pictures(results: Results) -> list[_Figure]:
    """Return the figures of spectrograms."""
    from clipsonic_eval.reporting.figures import contact_sheet, spectrograms, style

    shown = figure_data.examples(results.runs.table)
    missing = f"no {filenames.EXAMPLES} next to the records: spectrograms left out"
    if shown is None:
        return [_Figure("spectrograms", "", missing, None)]
    of_every_class = figure_data.in_contact_sheet(shown, results.catalogue)
    return [
        _Figure(
            "contact_sheet",
            "Contact sheet: real and generated audio of every class",
            "",
            partial(contact_sheet.draw, shown, results.catalogue) if of_every_class else None,
            partial(contact_sheet.to_csv, shown, results.catalogue),
            png_bytes=contact_sheet.PNG_BYTES,
        ),
        _Figure(
            "spectrograms",
            "Spectrograms of the same queries",
            missing,
            partial(spectrograms.draw, shown, results.catalogue),
            partial(spectrograms.to_csv, shown, results.catalogue),
            spectrograms.captions(shown).families,
            png_bytes=2 * style.MAX_PNG_BYTES,
        ),
    ]
