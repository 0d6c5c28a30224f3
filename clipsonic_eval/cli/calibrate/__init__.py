"""``clipsonic-eval calibrate``: what the statistics promise, checked by simulation; a file per subcommand."""

from __future__ import annotations

import click

from clipsonic_eval.cli._group import LazyCommands


@click.group("calibrate", cls=LazyCommands, package=__name__)
def command() -> None:
    """Check by simulation what the statistics promise: coverage, false alarms, power."""
