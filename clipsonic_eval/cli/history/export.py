"""``clipsonic-eval history export``: every score of a history as one table."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH, history_option, json_option


@click.command("export")
@click.option("--csv", "csv_file", type=PATH, metavar="FILE", help="Write csv.")
@click.option("--parquet", "parquet_file", type=PATH, metavar="FILE", help="Write Parquet.")
@history_option
@json_option("what was written")
@click.pass_context
def command(ctx: click.Context, csv_file: Path | None, parquet_file: Path | None, folder: Path, as_json: bool) -> None:
    r"""Write every score of every record as one table: a row per score, a column per tag.

    \b
    clipsonic-eval history export --csv scores.csv
    """
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.errors import UserError
    from clipsonic_eval.history.export import to_csv, to_parquet
    from clipsonic_eval.history.store import History
    from clipsonic_eval.progress import Bars

    if csv_file is None and parquet_file is None:
        raise UserError("nothing to write; name a file with --csv or --parquet")
    entries = History(folder, progress=Bars()).entries()
    wanted = [(csv_file, to_csv), (parquet_file, to_parquet)]
    rows = {str(path): write(entries, path) for path, write in wanted if path is not None}
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
    else:
        for path, n in rows.items():
            click.echo(f"{path}: {n} scores of {len(entries)} records")
    finish(ctx, entries.skipped)
