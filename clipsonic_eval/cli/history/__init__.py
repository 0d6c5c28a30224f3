"""``clipsonic-eval history``: a project's records, its baselines, its metrics over time; a file per subcommand."""

from __future__ import annotations

import click

from clipsonic_eval.cli._group import LazyCommands


@click.group("history", cls=LazyCommands, package=__name__)
def command() -> None:
    r"""Keep run records in a folder, pin baselines, watch metrics over time.

    \b
    clipsonic-eval history add runs/eval
    clipsonic-eval history pin released latest
    clipsonic-eval history ls
    """
