"""``clipsonic-eval history ls``: the records of a history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from clipsonic_eval.cli._options import history_option, json_option

if TYPE_CHECKING:
    from clipsonic_eval.history.store import Entry

_HEADS: Final = ("record", "created", "kind", "commit", "scores", "clips", "pins", "tags")


@click.command("ls")
@click.option("--newest", type=click.IntRange(min=1), metavar="N", show_default="all", help="Only the newest N.")
@history_option
@json_option("the records")
@click.pass_context
def command(ctx: click.Context, newest: int | None, folder: Path, as_json: bool) -> None:
    r"""List the records of a history, the oldest first, with their pins and tags.

    The column `clips` says whether values per clip are kept: they are what paired tests need.

    \b
    clipsonic-eval history ls --newest 10
    """
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.formats import aligned
    from clipsonic_eval.history.pins import read_all
    from clipsonic_eval.history.store import History
    from clipsonic_eval.progress import Bars

    history = History(folder, progress=Bars())
    entries = history.entries()
    kept, pinned = history.kept_clips(), history.pinned()
    rows = [_row(entry, kept, pinned) for entry in entries[-newest if newest else 0 :]]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
    else:
        click.echo(aligned([_HEADS, *map(_cells, rows)]))
    finish(ctx, (*entries.skipped, *read_all(folder)[1]))


def _row(entry: Entry, kept: set[str], pinned: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    return {
        "hash": entry.hash,
        "created": entry.created,
        "kind": entry.kind,
        "commit": entry.commit,
        "scores": entry.n_scores,
        "clips": entry.clips in kept,
        "pins": pinned.get(entry.hash, ()),
        "tags": entry.tags,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    created = row["created"][:16].replace("T", " ")
    tags = " ".join(f"{name}={value}" for name, value in row["tags"].items())
    clips = "kept" if row["clips"] else "–"
    commit = (row["commit"] or "–")[:8]
    return row["hash"][:12], created, row["kind"], commit, str(row["scores"]), clips, ", ".join(row["pins"]), tags
