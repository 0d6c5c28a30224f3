"""``clipsonic-eval history add``: records into the history."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._options import history_option, json_option


@click.command("add")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@history_option
@json_option("what was added")
@click.pass_context
def command(ctx: click.Context, runs: tuple[str, ...], folder: Path, as_json: bool) -> None:
    r"""Add run records; what is there already is left as it is, so adding twice changes nothing.

    RUN: a run folder, a record.json, a folder that holds several runs, or a quoted glob pattern. Commit the folder: two
    branches that each add records merge without conflict.

    \b
    clipsonic-eval history add runs/eval
    clipsonic-eval history add "runs/step-*/eval"
    """
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.history.store import SHORT, History
    from clipsonic_eval.progress import Bars

    added = History(folder, progress=Bars()).add(runs)
    if as_json:
        skipped = [{"path": skip.key, "reason": skip.reason} for skip in added.skipped]
        click.echo(json.dumps({"hashes": added.hashes, "new": added.new, "skipped": skipped}))
    else:
        for key in added.hashes:
            click.echo(f"{key[:SHORT]}  {'added' if key in added.new else 'was there already'}")
    finish(ctx, added.skipped)
