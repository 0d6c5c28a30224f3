"""``clipsonic-eval calibrate draw``: the figures of simulations, from their tables."""

from __future__ import annotations

from pathlib import Path

import click

from clipsonic_eval.cli._look import venue_option
from clipsonic_eval.cli._options import PATH


@click.command("draw")
@click.argument("folder", type=PATH)
@venue_option
def command(folder: Path, venue: str) -> None:
    r"""Draw the figures of FOLDER anew from the tables that `calibrate intervals` or `calibrate gate` wrote into it.

    \b
    clipsonic-eval calibrate draw reports/gate --venue ieee
    """
    from clipsonic_eval.reporting.figures.venues import DEFAULT
    from clipsonic_eval.reporting.simulations import redraw

    click.echo("\n".join(map(str, redraw(folder, venue or DEFAULT))))
