"""The common style of all figures, and their files: equal records give equal bytes."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clipsonic_eval import atomic
from clipsonic_eval.analysis.catalogue import MARKERS
from clipsonic_eval.errors import unknown_name
from clipsonic_eval.reporting.figures import fonts
from clipsonic_eval.reporting.figures.venues import DEFAULT, VENUES, Venue

SMALL = 7.0  # points: the smallest letters, which venues require at the printed size
MAX_PNG_BYTES = 150_000
GREY = "#7f7f7f"
RULE = "#d9d9d9"
_ENTRY, _LETTER = 0.4, 0.06  # inches in a legend: an entry without its text, and a letter
_LETTER_OF_AXIS = 0.066  # inches
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
_venue: ContextVar[Venue] = ContextVar("venue", default=VENUES[DEFAULT])

_RC: dict[str, Any] = {
    "font.family": fonts.BASE,  # comes with matplotlib: the same on every machine
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # TrueType: submission systems reject Type 3
    "svg.fonttype": "path",  # the same letters on every machine
    "svg.hashsalt": "clipsonic-eval",  # names of clip paths and markers; drawn at random otherwise
    "axes.unicode_minus": True,
    "text.hinting": "no_hinting",  # letters as wide at every resolution, and as in the PDF file
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}


@contextmanager
def look(families: Sequence[str] = (), venue: str = DEFAULT) -> Iterator[None]:
    """Apply the common style inside a ``with`` block and restore the user's settings afterwards.

    Args:
        families: font families in the order in which a character is looked up; empty: the base font alone.
        venue: whose columns the figures fill, one of :data:`~clipsonic_eval.reporting.figures.venues.VENUES`.

    Raises:
        UserError: there is no such venue.
    """
    if venue not in VENUES:
        raise unknown_name("venue", venue, VENUES)
    token = _venue.set(VENUES[venue])
    try:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_RC)
            if families:
                matplotlib.rcParams["font.family"] = list(families)
            yield
    finally:
        _venue.reset(token)


def width(columns: int) -> float:
    """Return the width of one column or of the page (2) in the venue of :func:`look`, inches."""
    return _venue.get().column if columns == 1 else _venue.get().page


def height(wanted: float) -> float:
    """Return a height in inches, or that of the page in the venue of :func:`look` where this is less."""
    return min(wanted, _venue.get().height)


def figure(columns: int, wanted: float) -> Figure:
    """Return an empty figure on an Agg canvas; no window, no state shared between figures.

    Args:
        columns: 1 fills a column of the venue, 2 the page.
        wanted: height in inches; that of the page where it has less.
    """
    made = Figure(figsize=(width(columns), height(wanted)))
    FigureCanvasAgg(made)
    return made


def dash(marker: str, further: int = 0) -> Any:
    """Return the line style that goes with a marker of the catalogue: lines differ without colour too.

    Args:
        marker: of a system.
        further: lines of this system that were drawn before.
    """
    return _DASHES[(MARKERS.find(marker) + further) % len(_DASHES)]


def wrapped(text: str, inches: float) -> str:
    """Break the name of an axis into lines where a panel of this width has no room for it in one."""
    return textwrap.fill(text, max(8, int(inches / _LETTER_OF_AXIS)), break_long_words=False)


def labels_with_room(labels: Sequence[str], places: Sequence[float], inches: float) -> list[str]:
    """Return the labels of ticks on an axis of this length, "" for those that would touch the one before.

    Args:
        labels: of the ticks.
        places: of the ticks on the axis, ascending.
        inches: from the first tick to the last.

    Example:
        >>> labels_with_room(["0", "0.25", "0.5", "0.75", "1"], [0, 0.25, 0.5, 0.75, 1], 0.8)
        ['0', '', '0.5', '', '1']
    """
    per_inch = inches / ((places[-1] - places[0]) or 1.0)
    shown, end = [], -math.inf
    for label, place in zip(labels, places, strict=True):
        half = _LETTER * (len(label) + 1) / 2
        fits = (place - places[0]) * per_inch - half >= end
        shown.append(label if fits else "")
        end = (place - places[0]) * per_inch + half if fits else end
    return shown


def legend(figure: Figure, axes: Iterable[Any]) -> None:
    """Put one legend for all axes below the figure, in as many rows as its width takes."""
    every = [pair for axis in axes for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    found = {label: handle for handle, label in reversed(every)}
    labels = list(dict.fromkeys(label for _, label in every))
    widths = [_ENTRY + _LETTER * len(label) for label in labels]
    across = len(labels) if sum(widths) <= figure.get_figwidth() else int(figure.get_figwidth() // max(widths))
    place = {"loc": "outside lower center", "ncols": max(1, across), "columnspacing": 1.2}
    figure.legend([found[label] for label in labels], labels, handletextpad=0.4, **place)


def save(made: Figure, stem: Path, png_bytes: int | None = None) -> tuple[Path, Path, Path]:
    """Write ``stem.pdf``, ``stem.svg`` and ``stem.png`` without dates or versions in them.

    Args:
        made: the figure.
        stem: of the files' names.
        png_bytes: most that the PNG may have; None: 150 kB.
    """
    pdf, svg, png = (stem.with_name(f"{stem.name}{suffix}") for suffix in (".pdf", ".svg", ".png"))
    made.draw_without_rendering()  # lays out once, not again for every file and resolution
    made.set_layout_engine("none")
    with atomic.replacing(pdf) as temporary:
        made.savefig(temporary, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    with atomic.replacing(svg) as temporary:
        made.savefig(temporary, metadata={"Date": None, "Creator": None})
    with atomic.replacing(png) as temporary:
        temporary.write_bytes(_small_png(made, png_bytes or MAX_PNG_BYTES))
    return pdf, svg, png


def _small_png(made: Figure, most: int) -> bytes:
    """Return a PNG with a palette; the larger it would be, the lower its resolution and the fewer its colours."""
    from PIL import Image

    size = 0
    for dpi, colours in ((220, 256), (180, 128), (150, 64), (125, 32), (110, 20), (95, 14), (80, 12)):
        if size * (dpi / 220) ** 2 > 1.5 * most:
            continue  # far too large: saves drawing it
        made.set_dpi(dpi)
        canvas = FigureCanvasAgg(made)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())
        image = Image.fromarray(pixels[..., :3]).quantize(colours, dither=Image.Dither.NONE)
        small = io.BytesIO()
        image.save(small, format="PNG", optimize=True)
        size = size or small.tell()
        if small.tell() <= most:
            break
    return small.getvalue()


def limits(low: float, high: float, margin: float = 0.06) -> tuple[float, float]:
    """Return axis limits with a margin, of some width even where all values are equal."""
    span = high - low
    if not np.isfinite(span) or span <= 0:
        span = abs(high) or 1.0
    return low - margin * span, high + margin * span


def round_ticks(side: Any) -> None:
    """Put round numbers on a logarithmic axis: a decade alone would show one or two, and powers have small digits."""
    low, high = sorted(side.get_view_interval())
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [m * 10.0**k for k in decades for m in (1, 2, 5) if low <= m * 10.0**k <= high]
    side.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    side.set_ticks([], minor=True)


def on(background: Sequence[float]) -> str:
    """Return black or white, whichever stands out more on a colour, (3 or more,) sRGB from 0 to 1.

    Source: contrast ratio of the Web Content Accessibility Guidelines 2.2.
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in background[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # (L + 0.05) / 0.05 > 1.05 / (L + 0.05)
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"
