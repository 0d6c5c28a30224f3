"""``clipsonic-eval history pin``: a name for a baseline."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from clipsonic_eval.cli._options import history_option, json_option


@click.command("pin")
@click.argument("name")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@history_option
@json_option("the pin")
def command(name: str, runs: tuple[str, ...], folder: Path, as_json: bool) -> None:
    r"""Let NAME stand for a baseline, to compare with by `history check --baseline NAME`.

    RUN: the hash of a record (its first digits suffice), another pin, `latest`, or the path of a run, which is then
    added. Several runs are the training seeds of one recipe.

    \b
    clipsonic-eval history pin released latest
    clipsonic-eval history pin recipe runs/seed-0 runs/seed-1 runs/seed-2
    """
    from clipsonic_eval.history.store import SHORT, History

    pin = History(folder).pin(name, runs)
    if as_json:
        click.echo(json.dumps(asdict(pin)))
        return
    click.echo(f"{pin.name}: {', '.join(key[:SHORT] for key in pin.records)}")
    if pin.replaced:
        click.echo(f"replaces {', '.join(key[:SHORT] for key in pin.replaced)}")
