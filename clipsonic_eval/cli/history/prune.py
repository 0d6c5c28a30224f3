"""``clipsonic-eval history prune``: values per clip of old records are removed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from clipsonic_eval.cli._options import history_option, json_option


@click.command("prune")
@click.option("--keep", type=click.IntRange(min=0), default=20, help="Newest records that keep their values.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@history_option
@json_option("what was removed")
@click.pass_context
def command(ctx: click.Context, keep: int, dry_run: bool, folder: Path, as_json: bool) -> None:
    r"""Remove values per clip, except of pinned and of the newest records; scores stay for ever.

    Without its values per clip a record is still shown, but paired tests cannot be made from it.

    \b
    clipsonic-eval history prune --keep 20 --dry-run
    """
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.history.store import History
    from clipsonic_eval.progress import Bars

    history = History(folder, progress=Bars())
    done = history.prune(keep, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps({**asdict(done), "dry_run": dry_run}))
    else:
        verb = "would remove" if dry_run else "removed"
        click.echo(
            f"{verb} values per clip of {len(done.records)} records ({done.files} files, {done.bytes / 1e6:.1f} MB); "
            f"{done.kept} records keep theirs"
        )
    finish(ctx, history.entries().skipped)
