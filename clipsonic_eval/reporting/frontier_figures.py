"""Figures of a frontier: quality against latency, and against each setting that is a number, such as steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from clipsonic_eval import files
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.runs import number
from clipsonic_eval.frontier.result import Frontier, FrontierPoint
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.frontier_rows import settings, system
from clipsonic_eval.types import Score


def against_latency(frontiers: Sequence[Frontier], folder: Path) -> str:
    """Draw ``frontier.pdf``, ``.svg`` and ``.png``, and return the caption.

    Args:
        frontiers: one per metric, of the same points.
        folder: exists.
    """
    from clipsonic_eval.reporting.figures import frontier as figure
    from clipsonic_eval.reporting.figures import style

    with style.look():
        canvas, caption = figure.draw(frontiers)
        style.save(canvas, folder / "frontier")
    return caption


def against_settings(frontiers: Sequence[Frontier], folder: Path) -> list[str]:
    """Draw a figure per setting, and return the lines of the page about them.

    Args:
        frontiers: one per metric, of the same points.
        folder: exists.
    """
    from clipsonic_eval.reporting.figures import settings as figure
    from clipsonic_eval.reporting.figures import style

    lines = []
    for key, by_value in by_setting(frontiers).items():
        catalogue = Catalogue().completed(name for record in by_value.values() for name in record.system_names)
        if not figure.is_drawn(by_value, catalogue):
            continue
        stem = f"against-{key}"
        with style.look():
            canvas, caption = figure.draw(key, by_value, catalogue)
            style.save(canvas, folder / stem)
        files.write_text(folder / f"{stem}.csv", figure.to_csv(key, by_value))
        lines += [
            f"![Metrics against {key}]({stem}.png)",
            "",
            f"*{caption}* ([PDF]({stem}.pdf), [CSV]({stem}.csv))",
            "",
        ]
    return lines


def by_setting(frontiers: Sequence[Frontier]) -> dict[str, dict[str, RunRecord]]:
    """Return by setting the scores at each of its values, in order; what else varies tells systems apart."""
    points = list({point.label: point for frontier in frontiers for point in frontier.points}.values())
    keys = dict.fromkeys(key for point in points for key in settings(point))
    values = {key: {point.tags.get(key, "") for point in points} for key in keys}
    varied = [key for key, found in values.items() if len(found) > 1]
    return {
        key: {
            value: RunRecord("evaluate", tuple(_scores(points, key, value, varied)))
            for value in sorted(values[key], key=number)
        }
        for key in varied
        if all(math.isfinite(number(value)) for value in values[key])
    }


def _scores(points: Sequence[FrontierPoint], key: str, value: str, varied: Sequence[str]) -> Iterator[Score]:
    """Yield the scores of the points of one value of a setting, under names that leave the setting out."""
    for point in points:
        if point.tags.get(key, "") == value:
            others = [f"{other} {point.tags[other]}" for other in varied if other != key and other in point.tags]
            for score in point.scores.values():
                yield replace(score, system=", ".join([system(point), *others]))
