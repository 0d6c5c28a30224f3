"""What a report holds and how it looks, beside the runs that it is made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.errors import unknown_name
from clipsonic_eval.reporting.figures.venues import VENUES
from clipsonic_eval.reporting.html.settings import PageConfig, page_config
from clipsonic_eval.reporting.latex.floats import LatexStyle

__all__ = ["ABLATION", "PUBLISHED", "PageConfig", "PaperTable", "ReportOptions", "page_config"]

ABLATION: Final = "ablation_"  # begins the names of tables over the values of a setting
PUBLISHED: Final = "published"  # name of the table of numbers from elsewhere
_POINTS: Final = 72.27  # of TeX in an inch


class PaperTable(NamedTuple):
    """What the tables of the paper show: ``table.tex``, and ``published.tex`` beside it.

    Attributes:
        siunitx: numbers of all LaTeX tables in siunitx's ``S`` columns.
        spread: ``interval`` (over test clips) or ``seeds`` (standard deviation over training seeds) behind each value;
            "": seeds where there are several.
        metrics: its columns in order; empty: all.
        systems: its rows; empty: all.
        ablations: settings (tags of runs, entries on cards of systems) with a table of their values each.
        published: YAML file of numbers from elsewhere, for a table of their own.
    """

    siunitx: bool = False
    spread: str = ""
    metrics: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    ablations: tuple[str, ...] = ()
    published: Path | None = None


class ReportOptions(NamedTuple):
    """What a report holds and how it looks.

    Attributes:
        title: of the page.
        command: that makes the report, for the page; "" prints none.
        keep_records: put compact records and the values of clips into the report, so that it can be remade.
        venue: whose columns figures and LaTeX tables fill, one of
            :data:`~clipsonic_eval.reporting.figures.venues.VENUES`; "": figures those of ICASSP, and tables fit all.
        page: of the page for listening; None: there is none.
        paper: the tables of the paper.
        training: folders of models whose training curves the report shows.
        pgf: figures as PGF too, whose letters LaTeX sets.
    """

    title: str = "Report"
    command: str = ""
    keep_records: bool = True
    venue: str = ""
    page: PageConfig | None = None
    paper: PaperTable = PaperTable()
    training: tuple[Path, ...] = ()
    pgf: bool = False

    @property
    def latex(self) -> LatexStyle:
        """How tables are set in LaTeX."""
        if not self.venue:
            return LatexStyle(self.paper.siunitx)
        widths = VENUES[self.venue]
        return LatexStyle(self.paper.siunitx, _POINTS * widths.column, _POINTS * widths.page)

    def identity(self) -> dict[str, Any]:
        """Return the settings that make two reports of the same runs different.

        Raises:
            UserError: there is no such venue.
        """
        if self.venue and self.venue not in VENUES:
            raise unknown_name("venue", self.venue, VENUES)
        return {
            "title": self.title,
            "records": self.keep_records,
            "venue": self.venue,
            "paper": {k: v.name if isinstance(v, Path) else v for k, v in self.paper._asdict().items() if v},
            **({"pgf": True} if self.pgf else {}),
            **({} if self.page is None else {"page": self.page.identity()}),
        }
