"""``clipsonic-eval evaluate``: folders of wavs in, a table with intervals and a record out."""

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


@click.command("evaluate")
@click.option(
    "--system",
    "systems",
    multiple=True,
    metavar="NAME=FOLDER",
    help="Folder of a system's outputs, <key>.wav; repeatable.",
)
@click.option(
    "--reference",
    type=PATH,
    help="Real audio to compare with: media files, prepared clips, or stored statistics (.npz).",
)
@click.option(
    "--prompts",
    type=PATH,
    show_default="the systems' own samples.csv",
    help="Table with columns key, prompt and optionally label; or a folder of prepared clips.",
)
@click.option("--real", type=PATH, help="Real audio of the queries, by key; scored as system 'real'.")
@click.option("--training", type=PATH, help="Training audio of the systems; outputs that copy it are reported.")
@click.option(
    "--encoder",
    "encoders",
    multiple=True,
    metavar="ROLE=NAME",
    show_default="audio=toy-audio, audio_text=toy-clap, classifier=toy-audio-classes",
    help="Encoder for the metrics of a role, or none to leave them out; repeatable (ls encoders).",
)
@click.option(
    "--weights",
    multiple=True,
    metavar="ROLE=FILE",
    show_default="default place of each encoder",
    help="Weight file of a role, or of a convention such as fad/fadtk; repeatable.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    show_default="every default metric that can be computed",
    help="Only this metric or convention; repeatable (ls metrics).",
)
@click.option(
    "--control", "controls", multiple=True, metavar="NAME", help="Add a control: shuffled, noise or halves; repeatable."
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="NAME",
    show_default="all pairs",
    help="Compare every system with this one only; repeatable.",
)
@click.option("--pair", "pairs", multiple=True, metavar="A:B", help="Compare only these two systems; repeatable.")
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag of the record, e.g. split=test; repeatable."
)
@click.option("--seed", type=int, show_default="0", help="Seed of the bootstrap, the permutations and the controls.")
@cache_option
@config_option
@set_option("n_bootstrap=5000")
@out_option("Run folder: record.json, clips.parquet, csv files, examples.npz.")
@overwrite_option
@json_option("the record and the worst classes")
@click.pass_context
def command(ctx: click.Context, /, out: Path, file: Path | None, sets: tuple[str, ...], **options: Any) -> None:
    r"""Score systems on the same queries: value [95 % interval], n, paired tests, signatures.

    Any folder of wavs can be a system. Can be stopped at any point; run again to continue. Exit code 3: done, but some
    clips were skipped (listed in skipped.csv).

    \b
    clipsonic-eval evaluate --reference real/ --prompts test.csv \
        --system PD=wavs/PD --system ZS=wavs/ZS --out run/
    clipsonic-eval report run/ --out report/ --page
    """
    from clipsonic_eval.checks.evaluation import NOT_COMPUTED
    from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
    from clipsonic_eval.progress import Bars

    as_json, overwrite = options.pop("as_json"), options.pop("overwrite")
    below = read_yaml(file) if file else {}
    tree = merged(below, _tree(options))
    tree["encoders"] = {**(below.get("encoders") or {}), **_encoders(options["encoders"])}
    config = resolve(EvaluateConfig, apply_sets({"systems": {}, **tree}, sets), where="evaluate")
    record = evaluate(config, out, progress=Bars(), overwrite=overwrite)
    show(record, as_json=as_json)
    if not as_json:
        click.echo(f"\n{out / 'record.json'}")
    if record.skipped or any(f.check == NOT_COMPUTED for found in record.findings.values() for f in found):
        ctx.exit(EXIT_SKIPPED)


def _tree(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as a configuration; those not given are None or empty."""
    pairs = {name: named(options[name], f"--{name.removesuffix('s')}") for name in ("systems", "tags")}
    return {**options, **pairs, "weights": named(options["weights"], "--weights"), "encoders": {}}


def _encoders(options: tuple[str, ...]) -> dict[str, str | None]:
    """Return the encoder of each role that was named; ``none`` declines the metrics of a role."""
    return {role: None if name == "none" else name for role, name in named(options, "--encoder").items()}
