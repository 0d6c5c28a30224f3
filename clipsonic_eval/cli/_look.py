"""Options of commands that draw: whose names and colours, and whose columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.reporting.figures.venues import VENUES

if TYPE_CHECKING:
    from clipsonic_eval.analysis.catalogue import Catalogue

_CATALOGUES: Final = {"clipsonic": "clipsonic_eval.study.catalogue:CLIPSONIC"}
_EXAMPLE: Final = "study.py:STUDY"

catalogue_option = click.option(
    "--catalogue",
    metavar="NAME",
    default="",
    show_default="none",
    help="Names, colours, planned tests and questions of a study: clipsonic, MODULE:NAME or FILE.py:NAME.",
)
venue_option = click.option(
    "--venue",
    metavar="NAME",
    default="",
    show_default="figures as for icassp, tables that fit everywhere",
    help=f"Whose columns figures and LaTeX tables fill: {', '.join(VENUES)}.",
)


def catalogue_of(name: str) -> Catalogue | None:
    """Return the catalogue of a name, None for none.

    Raises:
        UserError: there is none of that name.
    """
    from clipsonic_eval.analysis.catalogue import Catalogue
    from clipsonic_eval.locate import locate

    if not name:
        return None
    if ":" not in name and name not in _CATALOGUES:
        unknown = unknown_name("catalogue", name, _CATALOGUES)
        raise UserError(f"{unknown} One of your own is FILE.py:NAME or MODULE:NAME, e.g. {_EXAMPLE}.")
    found = locate(_CATALOGUES.get(name, name), "catalogue", lambda value: isinstance(value, Catalogue), _EXAMPLE)
    if not isinstance(found, Catalogue):
        raise UserError(f"--catalogue {name}: is no Catalogue; give clipsonic, MODULE:NAME or FILE.py:NAME of one")
    return found
