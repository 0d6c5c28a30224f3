"""The end of a command that left something out: each named on stderr, and exit code 3."""

from __future__ import annotations

from collections.abc import Sequence

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.types import Skip


def finish(ctx: click.Context, skips: Sequence[Skip]) -> None:
    """Name what was skipped, and end with exit code 3 if anything was."""
    for skip in skips:
        click.echo(f"skipped {skip.reason}", err=True)
    if skips:
        ctx.exit(EXIT_SKIPPED)
