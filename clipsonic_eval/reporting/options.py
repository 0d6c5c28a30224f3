"""What a report holds and how it looks, beside the runs that it is made from."""

from __future__ import annotations

from typing import NamedTuple

from clipsonic_eval.reporting.figures.venues import DEFAULT
from clipsonic_eval.reporting.html.settings import PageConfig


class ReportOptions(NamedTuple):
    """What a report holds and how it looks.

    Attributes:
        title: of the page.
        command: that makes the report, for the page; "" prints none.
        keep_records: put compact records and the values of clips into the report, so that it can be remade.
        venue: whose columns the figures fill, one of :data:`~clipsonic_eval.reporting.figures.venues.VENUES`.
        page: of the page for listening; None: there is none.
    """

    title: str = "Report"
    command: str = ""
    keep_records: bool = True
    venue: str = DEFAULT
    page: PageConfig | None = None
