"""The options of the page that `report` makes of single queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from clipsonic_eval.cli._options import PATH, F, named
from clipsonic_eval.errors import ConfigError

if TYPE_CHECKING:
    from clipsonic_eval.reporting.html.settings import PageConfig

_OPTIONS: Final = (
    click.option("--wavs", multiple=True, metavar="NAME=FOLDER", help="Wavs that are not where the record says."),
    click.option("--queries", type=PATH, help="Table with key, prompt and perhaps image, for prompts and pictures."),
    click.option("--show", type=int, help="Queries on the page: worst, median, best, random.  [default: 20; 0: all]"),
    click.option("--rank", metavar="METRIC[:SYSTEM]", help="What says which queries are the worst and the best."),
    click.option("--audio", type=click.Choice(["aac", "opus"]), help="Codec of the sounds.  [default: aac]"),
    click.option("--equal-loudness", is_flag=True, default=None, help="Offer to hear them equally loud (BS.1770)."),
    click.option("--inline-mb", type=float, help="Beyond this the sounds lie beside the page.  [default: 15]"),
    click.option("--workers", type=click.IntRange(min=1), help="Processes that encode.  [default: one per core]"),
)

_NAMES: Final = ("wavs", "queries", "show", "rank", "audio", "inline_mb", "equal_loudness", "workers")


def page_options(command: F) -> F:
    """Add ``--page`` and what it takes to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    flag: Callable[[F], F] = click.option(
        "--page", is_flag=True, help="Make page.html too: tables that sort, figures, and every system's sounds."
    )
    return flag(command)


def page_config(given: Mapping[str, Any]) -> PageConfig | None:
    """Return the settings of the page, None where none is asked for.

    Raises:
        ConfigError: an option of the page without ``--page``, or a value that is not accepted.
    """
    own = {name: given[name] for name in _NAMES if given[name] not in (None, ())}
    if not given["page"]:
        if own:
            raise ConfigError(f"--{next(iter(own)).replace('_', '-')} belongs to the page; add --page")
        return None
    from clipsonic_eval import threads
    from clipsonic_eval.reporting.html.settings import PageConfig

    return PageConfig(**{"workers": threads.cores(), **own, "wavs": named(given["wavs"], "--wavs")})


def page_words(given: Mapping[str, Any]) -> list[str]:
    """Return the options of the page as a person would type them, without what does not change it."""
    words = ["--page"] if given["page"] else []
    for name in _NAMES[:-1]:
        values = given[name] if isinstance(given[name], tuple) else [given[name]]
        option = f"--{name.replace('_', '-')}"
        words += [w for v in values if v is not None for w in ([option] if v is True else [option, str(v)])]
    return words
