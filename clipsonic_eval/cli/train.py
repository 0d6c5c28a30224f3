"""``clipsonic-eval train``: train any model that a configuration names."""

from __future__ import annotations

import inspect
import json
import os
import time
from pathlib import Path
from typing import Any, Final

import click

from clipsonic_eval import filenames
from clipsonic_eval.cli._options import PATH, json_option, overwrite_option, set_option
from clipsonic_eval.config import apply_sets
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_csv
from clipsonic_eval.locate import locate
from clipsonic_eval.presets import read_training
from clipsonic_eval.progress import SILENT, Bars

_EXAMPLE: Final = "clipsonic.training.audio:train"


@click.command("train")
@click.argument("config", type=PATH)
@set_option("train.steps=2000")
@click.option("--out", type=PATH, show_default="`out` in CONFIG", help="Output folder.")
@overwrite_option
@json_option()
def command(config: Path, sets: tuple[str, ...], out: Path | None, overwrite: bool, as_json: bool) -> None:
    r"""Train the model described by CONFIG (YAML or a preset); run again to continue where it stopped.

    \b
    CONFIG:
      trainer: clipsonic.training.audio:train     MODULE:NAME or FILE.py:NAME
      out: models/video                           output folder
      extends: vggsound                           begin from this preset or file
      ...                                         settings of the trainer

    \b
    clipsonic-eval train vggsound --set clips=clips/train --out models/video
    clipsonic-eval train mine.yaml --set train.steps=2000 --out models/mine

    To fine-tune a finished model: --set init_from=FOLDER and another --out. To train it longer: a larger train.steps,
    if the learning rate was constant (train.final_lr_ratio=1).
    """
    tree = apply_sets(read_training(config), sets)
    trainer = tree.pop("trainer", None)
    configured = tree.pop("out", None)
    if not isinstance(trainer, str):
        raise ConfigError(f"{config}: key 'trainer' is required, e.g. trainer: {_EXAMPLE}")
    if out is None and not isinstance(configured, str):
        raise ConfigError(f"{config}: where should the model go? Give --out or the key 'out'")
    folder = out if out is not None else Path(str(configured))
    started = time.monotonic()
    train = locate(trainer, "trainer", _trains, _EXAMPLE)
    if not _trains(train):
        raise ConfigError(f"{trainer}: is no trainer; name a function train(config, out, progress)")
    if overwrite and "overwrite" not in inspect.signature(train).parameters:
        raise ConfigError(f"{trainer}: takes no --overwrite; name another --out")
    speaks = os.environ.get("RANK", "0") == "0"  # one of torchrun's processes for all
    progress = Bars() if speaks else SILENT
    written = Path(train(tree, folder, progress=progress, **({"overwrite": True} if overwrite else {})))
    if not speaks:
        return
    result = {"folder": str(written), **_last_line(written), "seconds": round(time.monotonic() - started, 1)}
    if as_json:
        click.echo(json.dumps(result))
        return
    loss = "" if result["loss"] is None else f", loss {result['loss']:.4f}"
    val = "" if result["val_loss"] is None else f" (held out {result['val_loss']:.4f})"
    click.echo(f"{result['folder']}: {result['steps']} steps{loss}{val}, {result['seconds']} s")


def _trains(thing: Any) -> bool:
    return inspect.isfunction(thing) and {"config", "out", "progress"} <= set(inspect.signature(thing).parameters)


def _last_line(folder: Path) -> dict[str, Any]:
    """Return steps and losses from the last line of the training log; None where a trainer keeps no such log."""
    found: dict[str, Any] = {"steps": None, "loss": None, "val_loss": None}
    path = folder / filenames.TRAIN_LOG
    if path.is_file():
        rows = read_csv(path)
        if rows:
            found["steps"] = int(rows[-1]["step"])
            for key in ("loss", "val_loss"):
                found[key] = float(rows[-1][key]) if rows[-1].get(key) else None
    return found
