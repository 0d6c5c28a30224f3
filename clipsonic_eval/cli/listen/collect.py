"""``clipsonic-eval listen collect``: the answers of all listeners as one table."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH, json_option


@click.command("collect")
@click.argument("folder", type=PATH)
@click.argument("files", nargs=-1, type=PATH, metavar="[FILE…]")
@click.option("--out", type=PATH, show_default="FOLDER/answers.csv", help="Table to write.")
@click.option(
    "--payment", type=PATH, metavar="FILE", help="Also write codes and ids of crowd workers, without answers."
)
@click.option("--webmushra", type=PATH, metavar="FOLDER", help="Also write mushra.csv and lss.csv as webMUSHRA does.")
@json_option("what was collected")
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path,
    files: tuple[Path, ...],
    out: Path | None,
    payment: Path | None,
    webmushra: Path | None,
    as_json: bool,
) -> None:
    r"""Write the answers of the test in FOLDER: those in its database, and those in FILEs that listeners saved.

    FILE is a file that the page without a server saved, or a folder of them. Second answers to a question, answers of
    other tests and damaged files are listed, and the exit code is 3. The server may run meanwhile.

    \b
    clipsonic-eval listen collect test --out answers.csv
    clipsonic-eval listen collect test received/ --out answers.csv
    """
    from clipsonic_eval import filenames
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.listening import answers
    from clipsonic_eval.listening import webmushra as tables
    from clipsonic_eval.listening.collect import collect, write_payment
    from clipsonic_eval.listening.folder import open_folder

    test, path = open_folder(folder), out or folder / filenames.ANSWERS
    found, skipped = collect(test, files)
    answers.write(path, found)
    paid = None if payment is None else write_payment(test, payment)
    written = [] if webmushra is None else tables.write(test.plan, found, webmushra)
    listeners = len({one.listener for one in found})
    if as_json:
        tree = {"file": str(path), "answers": len(found), "listeners": listeners, "payments": paid}
        tree["webmushra"] = [str(table) for table in written]
        skips = [{"key": skip.key, "reason": skip.reason} for skip in skipped]
        click.echo(json.dumps({**tree, "skipped": skips}, ensure_ascii=False))
    else:
        click.echo(f"{path}: {len(found)} answers of {listeners} listeners")
        if payment is not None:
            click.echo(f"{payment}: {paid} workers")
        for table in written:
            click.echo(f"{table}: the rated answers in webMUSHRA's columns")
        click.echo(f"next: clipsonic-eval listen analyse {path} --plan {folder} --out runs/listening", err=True)
    finish(ctx, skipped)
