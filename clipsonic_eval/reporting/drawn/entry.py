"""One figure of a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True, slots=True)
class ReportFigure:
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
