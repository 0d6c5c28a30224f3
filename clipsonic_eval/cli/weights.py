"""``clipsonic-eval weights``: the published weights that encoders, vocoders and priors read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._options import json_option
from clipsonic_eval.errors import WeightsError

if TYPE_CHECKING:
    from clipsonic_eval.weight_files import PublishedWeights


@click.command("weights")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--fetch", "wanted", is_flag=True, help="Download what is missing, and check its hash.")
@click.option("--verify", "checked", is_flag=True, help="Check the hashes of what is there.")
@json_option()
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], wanted: bool, checked: bool, as_json: bool) -> None:
    r"""List published weights: who reads them, their licence, and whether they are on this machine.

    NAME is that of an encoder, a file or a repository. Mind the licences: none of these weights belongs to this
    project, and some are for non-commercial use.

    \b
    clipsonic-eval weights
    clipsonic-eval weights vggish clap-laion-audio --fetch
    clipsonic-eval weights --verify

    An interrupted download continues where it stopped.
    """
    from clipsonic_eval.weight_downloads import chosen, page

    listed, failed = [], []
    for one in chosen(names):
        try:
            place, digest = _done(one, wanted=wanted, checked=checked)
        except WeightsError as error:
            failed.append(str(error))
            continue
        listed.append({**one._asdict(), "url": page(one), "path": place, "found_sha256": digest})
    if as_json:
        click.echo(json.dumps({"weights": listed, "failed": failed}))
    for row in () if as_json else listed:
        file = f" {row['files'][0]}" if row["files"] else ""
        found = f" (SHA-256 {row['found_sha256']})" if row["found_sha256"] else ""
        click.echo(f"{row['name']}{file}\n  for {row['used_by']}; licence {row['licence']}; {row['url']}")
        click.echo(f"  {row['path'] or 'not here'}{found}")
    for reason in failed:
        click.echo(reason, err=True)
    if failed:
        ctx.exit(EXIT_SKIPPED)


def _done(weights: PublishedWeights, *, wanted: bool, checked: bool) -> tuple[str, str]:
    """Return the path of weights ("" where they are missing) and, where it was read, their hash."""
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.weight_downloads import fetch, kept, verify

    if wanted:
        path, digest = fetch(weights, Bars())
        return str(path), digest
    kept_path = kept(weights)
    if kept_path is None:
        return "", ""
    return str(kept_path), verify(weights, kept_path) if checked else ""
