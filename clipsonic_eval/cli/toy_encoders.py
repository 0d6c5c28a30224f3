"""``clipsonic-eval toy-encoders``: train the toy world's encoders, and show how near they come to real CLIP."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._group import Commands
from clipsonic_eval.cli._options import PATH, json_option, out_option, overwrite_option, set_option


@click.group("toy-encoders", cls=Commands)
def command() -> None:
    """Train the encoders of the toy world from scratch, or show the calibration of the frozen ones."""


@command.command("train")
@out_option("Output folder.")
@click.option(
    "--only",
    metavar="NAME",
    show_default="all",
    help="One encoder: toy-clip, toy-clap, toy-clap-condition or toy-audio.",
)
@set_option("clip.steps=500")
@overwrite_option
def train(out: Path, only: str | None, sets: tuple[str, ...], overwrite: bool) -> None:
    """Train the toy encoders; their weights and cards are written to OUT."""
    from clipsonic_eval.config import apply_sets, resolve
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.toyencoders.config import ToyEncodersConfig
    from clipsonic_eval.toyencoders.train import train as train_toy_encoders

    config = resolve(ToyEncodersConfig, apply_sets({}, sets))
    for path in train_toy_encoders(config, out, only=only, progress=Bars(), overwrite=overwrite):
        click.echo(path)


@command.command("show")
@click.option("--weights", type=PATH, show_default="the frozen toy encoders", help="Folder or file.")
@json_option()
def show(weights: Path | None, as_json: bool) -> None:
    """Print the geometry of the toy CLIP beside real CLIP's, and the quality of the audio encoders."""
    from clipsonic_eval.toyencoders.show import calibration, table

    values = calibration(weights)
    click.echo(json.dumps(values, indent=2) if as_json else table(values))
