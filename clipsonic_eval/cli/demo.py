"""``clipsonic-eval demo``: the whole study in miniature, from nothing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from clipsonic_eval.cli._options import json_option, out_option, overwrite_option, set_option


@click.command("demo")
@out_option("Output folder.", default="runs/demo")
@click.option("--fast", is_flag=True, help="Every stage at its smallest size (the numbers mean nothing).")
@click.option("--seeds", type=click.IntRange(min=1), default=1, help="Training seeds 0 to N-1.")
@set_option("audio_steps=4000")
@overwrite_option
@json_option()
def command(out: Path, fast: bool, seeds: int, sets: tuple[str, ...], overwrite: bool, as_json: bool) -> None:
    """Run the whole study in miniature: write toy videos, train every system, score them, write the report.

    Needs no GPU and no download. Can be stopped at any point; run again to continue.
    """
    from clipsonic_eval.config import apply_sets, resolve
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.study.config import FAST, StudyConfig
    from clipsonic_eval.study.run import run_study, screen

    values = apply_sets({**(FAST if fast else {}), "train_seeds": list(range(seeds))}, sets)
    said = " ".join(
        ["clipsonic-eval demo", *(["--fast"] if fast else []), *([f"--seeds {seeds}"] if seeds > 1 else [])]
    )
    said += "".join(f" --set {shlex.quote(s)}" for s in sets)
    folder = _fast(out) if fast else out
    result = run_study(resolve(StudyConfig, values), folder, Bars(), command=said, overwrite=overwrite)
    click.echo(json.dumps(result.as_json()) if as_json else screen(result))


def _fast(out: Path) -> Path:
    """Keep the fast study out of the real one's default folder."""
    return Path("runs/demo-fast") if out == Path("runs/demo") else out
