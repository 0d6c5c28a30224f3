"""``clipsonic-eval gap``: the modality gap of a space, and what a prior leaves of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._options import (
    PATH,
    cache_option,
    config_option,
    json_option,
    merged,
    named,
    out_option,
    overwrite_option,
    set_option,
)
from clipsonic_eval.cli._scores import show
from clipsonic_eval.config import apply_sets, read_yaml, resolve


@click.command("gap")
@click.argument("source", type=PATH)
@click.option(
    "--prompts", type=PATH, show_default="the prompts of the prepared clips", help="Table with key and prompt."
)
@click.option("--encoder", metavar="NAME", help="Encoder of the prompts; not needed for a file of features.")
@click.option(
    "--prior",
    multiple=True,
    metavar="NAME=FILE",
    help="Embeddings predicted by a prior, npz with keys and vectors; repeatable.",
)
@click.option("--space", metavar="NAME", help="Name of the embedding space of a file of features.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag of the record; repeatable.")
@click.option("--seed", type=int, show_default="0", help="Seed of the bootstrap.")
@cache_option
@config_option
@set_option("mean_shift=false")
@out_option("Run folder: record.json, csv files, projection.npz.")
@overwrite_option
@json_option("the record")
@click.pass_context
def command(ctx: click.Context, /, out: Path, file: Path | None, sets: tuple[str, ...], **options: Any) -> None:
    r"""Measure the modality gap between two sets of embeddings in one space.

    SOURCE is a folder of prepared clips (images against prompts), a file of features (npz with image and text,
    npy (2, n, d), Parquet), or a folder of <key>.wav (audio against prompts).

    \b
    clipsonic-eval gap clips/test --encoder toy-clip --prior PD=pd.npz --out gap/
    clipsonic-eval gap features.npz --space my-clip --out gap/
    """
    from clipsonic_eval.harness.gap import GapConfig, gap
    from clipsonic_eval.progress import Bars

    as_json, overwrite = options.pop("as_json"), options.pop("overwrite")
    given = {**options, "prior": named(options["prior"], "--prior"), "tags": named(options["tags"], "--tag")}
    tree = merged(read_yaml(file) if file else {}, given)
    config = resolve(GapConfig, apply_sets(tree, sets), where="gap")
    record = gap(config, out, progress=Bars(), overwrite=overwrite)
    show(record, as_json=as_json, transposed=True)
    if not as_json:
        click.echo(f"\n{out / 'record.json'}")
    if record.skipped:
        ctx.exit(EXIT_SKIPPED)
