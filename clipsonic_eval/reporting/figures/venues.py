"""Widths of a column and of a page by venue, as the venues' LaTeX classes set them, and the height of a page."""

from __future__ import annotations

from typing import Final, NamedTuple

_MM: Final = 1 / 25.4  # inches
_PT: Final = 1 / 72.27  # inches in a point of TeX
_PICA: Final = 12 * _PT


class Venue(NamedTuple):
    """Widths in inches at which a figure is printed without scaling.

    Attributes:
        column: of one column.
        page: of the whole text; the same where there is one column.
        height: most that a figure may have beside its caption, or on a slide below its title.
    """

    column: float
    page: float
    height: float = 8.8  # of the 9 or so that the text of a page has


VENUES: Final = {
    "ieee": Venue(21 * _PICA, 43 * _PICA),  # IEEEtran: text 43 pc, columns 1 pc apart
    "icassp": Venue(86 * _MM, 178 * _MM),  # spconf: 178 mm, 6 mm apart
    "waspaa": Venue(86 * _MM, 178 * _MM),  # the same
    "interspeech": Venue(80 * _MM, 170 * _MM),  # Interspeech.cls: 170 mm, 10 mm apart
    "ismir": Venue(82 * _MM, 172 * _MM),  # ismir.sty: 172 mm, 8 mm apart
    "acm": Venue(241.147 * _PT, 506.295 * _PT),  # acmart sigconf: 54 pt margins on letter paper, 2 pc apart
    "neurips": Venue(5.5, 5.5),  # neurips.sty: 5.5 in
    "slides": Venue(140 * _MM, 140 * _MM, 70 * _MM),  # beamer, aspectratio=169: 160 mm by 90 mm, 10 mm on each side
}
DEFAULT: Final = "icassp"
