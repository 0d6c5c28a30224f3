"""Options of ``report`` for the tables of a paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from clipsonic_eval.cli._options import PATH, F

if TYPE_CHECKING:
    from clipsonic_eval.reporting.options import PaperTable


def paper_options(command: F) -> F:
    """Add the options of the paper's tables to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--latex",
        type=click.Choice(["plain", "siunitx"]),
        default="plain",
        help="Numbers in LaTeX tables: aligned without a package, or in siunitx's S columns.",
    ),
    click.option(
        "--spread",
        metavar="KIND",
        default="",
        show_default="seeds where there are several, else interval",
        help="What stands behind each value in table.tex: interval (over clips) or seeds (standard deviation).",
    ),
    click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Columns of table.tex in order."),
    click.option("--system", "systems", multiple=True, metavar="NAME", help="Rows of table.tex."),
    click.option(
        "--ablation", "ablations", multiple=True, metavar="SETTING", help="A table over guidance, steps, candidates, …"
    ),
    click.option("--published", type=PATH, help="YAML file of numbers from elsewhere: a table of their own."),
)


def paper_table(given: Mapping[str, Any]) -> PaperTable:
    """Return what the options ask for."""
    from clipsonic_eval.reporting.options import PaperTable

    names = ("spread", "metrics", "systems", "ablations", "published")
    return PaperTable(given["latex"] == "siunitx", **{name: given[name] for name in names})


def paper_words(given: Mapping[str, Any]) -> list[str]:
    """Return the options as a person would type them, without defaults."""
    words = ["--latex", given["latex"]] if given["latex"] != "plain" else []
    for name in ("spread", "published"):
        words += [f"--{name}", str(given[name])] if given[name] else []
    for option, several in (("metric", "metrics"), ("system", "systems"), ("ablation", "ablations")):
        words += [word for item in given[several] for word in (f"--{option}", item)]
    return words
