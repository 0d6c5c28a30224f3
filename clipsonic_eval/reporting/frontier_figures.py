"""Figures of a frontier: quality against latency, and against each setting that is a number, such as steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clipsonic_eval import files
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.results import SettingLine, setting_lines
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.analysis.varied import varied
from clipsonic_eval.frontier.result import Frontier
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.figures import frontier, style
from clipsonic_eval.reporting.figures import settings as setting_figure
from clipsonic_eval.reporting.figures.venues import DEFAULT
from clipsonic_eval.reporting.frontier_rows import settings, system


def draw_all(
    frontiers: Sequence[Frontier], found: Sequence[RunRecord], folder: Path, catalogue: Catalogue, venue: str
) -> tuple[str, list[str]]:
    """Draw ``frontier.pdf``, ``.svg`` and ``.png``, and the same files against every setting that is a number.

    Args:
        frontiers: one per metric, of the same points.
        found: the records that they come from.
        folder: exists.
        catalogue: order and colours of the systems; completed here.
        venue: whose columns the figures fill; "": those of ICASSP.

    Returns:
        Caption of the figure of the frontier, and the lines of the page about the settings.

    Raises:
        UserError: there is no such venue.
    """
    catalogue = catalogue.completed(system(point) for frontier in frontiers for point in frontier.points)
    with style.look(venue=venue or DEFAULT):
        canvas, caption = frontier.draw(frontiers, catalogue)
        style.save(canvas, folder / "frontier")
        return caption, _against_settings(by_setting(frontiers, found), folder, catalogue)


def _against_settings(lines: Mapping[str, Sequence[SettingLine]], folder: Path, catalogue: Catalogue) -> list[str]:
    """Draw a figure per setting in the current look, and return the lines of the page about them."""
    told = []
    for key, shown in lines.items():
        if not setting_figure.is_drawn(shown, catalogue):
            continue
        stem = f"against-{key}"
        canvas, caption = setting_figure.draw(key, shown, catalogue)
        style.save(canvas, folder / stem)
        files.write_text(folder / f"{stem}.csv", setting_figure.to_csv(key, shown))
        told += [f"![Metrics against {key}]({stem}.png)", ""]
        told += [f"*{caption}* ([PDF]({stem}.pdf), [SVG]({stem}.svg), [CSV]({stem}.csv))", ""]
    return told


def by_setting(frontiers: Sequence[Frontier], found: Sequence[RunRecord]) -> dict[str, list[SettingLine]]:
    """Return by setting the systems at two of its values or more, everything else alike.

    Args:
        frontiers: whose points and metrics are shown.
        found: the records that they come from.
    """
    points = {point.label: point for frontier in frontiers for point in frontier.points}
    metrics = {frontier.metric for frontier in frontiers}
    runs = []
    for record in found:
        scores = tuple(s for s in record.scores if s.metric in metrics and s.system in points)
        if record.kind == "evaluate" and scores:
            runs.append(Run(scores[0].system, None, replace(record, scores=scores)))
    keys = dict.fromkeys(key for point in points.values() for key in settings(point))
    return {key: lines for key in keys if (lines := setting_lines(varied(runs, key)))}
