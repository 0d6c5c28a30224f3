"""``clipsonic-eval explain``: why two numbers of one name differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._options import PATH, cache_option, json_option, named, out_option, overwrite_option, set_option
from clipsonic_eval.cli._scores import warn
from clipsonic_eval.config import apply_sets, as_tree, resolve
from clipsonic_eval.files import write_text


@click.command("explain")
@click.option(
    "--system",
    "systems",
    multiple=True,
    metavar="NAME=FOLDER",
    help="Folder of a system's outputs, <key>.wav; repeatable.",
)
@click.option("--reference", type=PATH, help="Real audio to compare with: media files or prepared clips.")
@click.option(
    "--prompts", type=PATH, show_default="the systems' own samples.csv", help="Table with columns key and prompt."
)
@click.option("--real", type=PATH, help="The queries' own audio by key.")
@click.option("--from", "start", metavar="NAME", required=True, help="Convention to start from (ls conventions).")
@click.option("--to", multiple=True, metavar="NAME", required=True, help="Target convention; repeatable.")
@click.option("--weights", multiple=True, metavar="ENCODER=FILE", help="Weight file of an encoder; repeatable.")
@cache_option
@set_option("n_bootstrap=2000")
@out_option("Run folder: record.json of all steps, explain.md.")
@overwrite_option
@json_option("the steps")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    systems: tuple[str, ...],
    weights: tuple[str, ...],
    sets: tuple[str, ...],
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    r"""Score the same clips under two conventions and at every step between: which step moved the number?

    \b
    clipsonic-eval explain --reference real/ --system PD=wavs/PD \
        --from fad/clipsonic-eval --to fad/frechet-audio-distance \
        --to fad/fadtk --out run/
    """
    from clipsonic_eval import records
    from clipsonic_eval.harness.explain import ExplainConfig, explain, table
    from clipsonic_eval.progress import Bars

    overwrite = options.pop("overwrite")
    given = {key: value for key, value in options.items() if value}
    tree = {**given, "systems": named(systems, "--system"), "weights": named(weights, "--weights")}
    config = resolve(ExplainConfig, apply_sets(tree, sets), where="explain")
    found = explain(config, out, progress=Bars(), overwrite=overwrite)
    text = table(found)
    write_text(out / "explain.md", text + "\n")
    click.echo(json.dumps([as_tree(step) for step in found], ensure_ascii=False) if as_json else text)
    record = records.read(out)
    warn(record)
    if record.skipped:
        ctx.exit(EXIT_SKIPPED)
