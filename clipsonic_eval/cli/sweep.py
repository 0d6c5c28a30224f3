"""``clipsonic-eval sweep``: the study over CLIP variants with narrower and wider gaps."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from clipsonic_eval.cli._options import json_option, out_option, overwrite_option, set_option


@click.command("sweep")
@out_option("Output folder.", default="runs/sweep")
@click.option(
    "--only", metavar="NAMES", show_default="all", help="Only these CLIP variants, e.g. narrow,calibrated,widest."
)
@set_option("study.audio_steps=800")
@overwrite_option
@json_option()
def command(out: Path, only: str | None, sets: tuple[str, ...], overwrite: bool, as_json: bool) -> None:
    """Repeat the study on toy CLIPs with narrower and wider modality gaps: when does the prior help?

    Everything after the CLIPs runs side by side, one process per core. Can be stopped at any point;
    run again to continue.
    """
    from clipsonic_eval.config import apply_sets, as_tree, resolve
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.study.sweep import run_sweep
    from clipsonic_eval.study.sweep_plan import SweepConfig

    values = as_tree(SweepConfig())
    if only:
        values["clip_variants"] = [name.strip() for name in only.split(",")]
    words = ["clipsonic-eval sweep", *([f"--only {shlex.quote(only)}"] if only else [])]
    words += [f"--set {shlex.quote(item)}" for item in sets]
    config = resolve(SweepConfig, apply_sets(values, sets))
    report = run_sweep(config, out, Bars(), command=" ".join(words), overwrite=overwrite)
    if as_json:
        click.echo(json.dumps({"report": str(report.out), "headline": report.headline, "left_out": report.left_out}))
        return
    click.echo(
        f"{report.headline}\nreport   {report.out / 'README.md'}" if report.headline else f"report   {report.out}"
    )
