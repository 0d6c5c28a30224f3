"""The logs that `train` writes, found in folders of models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from clipsonic_eval import filenames, files
from clipsonic_eval.errors import UserError


class LogRow(NamedTuple):
    """A row of a training log.

    Attributes:
        step: optimiser steps so far.
        loss: mean over the steps since the last row; None where the row has none.
        val_loss: on held-out clips; None where the row has none.
    """

    step: int
    loss: float | None
    val_loss: float | None


def read(folders: Iterable[Path]) -> dict[str, list[LogRow]]:
    """Return the rows of every log in or below the folders by the name of its model's folder.

    Raises:
        UserError: a folder holds no log, or a log is no table of steps and losses.
    """
    found: dict[Path, list[LogRow]] = {}
    for folder in folders:
        logs = sorted(folder.rglob(filenames.TRAIN_LOG)) if folder.is_dir() else []
        if not logs:
            raise UserError(f"{folder}: no {filenames.TRAIN_LOG} here or below; give folders that `train` wrote")
        found.update({path: _rows(path) for path in logs})
    return {_name(path, found): rows for path, rows in found.items()}


def _name(path: Path, every: Iterable[Path]) -> str:
    """Return the name of a log's folder, with that of the folder above where several logs share it."""
    same = [other for other in every if other.parent.name == path.parent.name]
    return path.parent.name if len(same) == 1 else f"{path.parent.parent.name}/{path.parent.name}"


def _rows(path: Path) -> list[LogRow]:
    rows = files.read_csv(path, fix="train again to write it anew")
    if not rows or not {"step", "loss"} <= rows[0].keys():
        raise UserError(f"{path}: needs columns 'step' and 'loss' and a row; train again to write it anew")
    try:
        return [LogRow(int(r["step"]), _loss(r["loss"]), _loss(r.get("val_loss", ""))) for r in rows]
    except ValueError as error:
        raise UserError(f"{path}: {error}; train again to write it anew") from None


def _loss(text: str) -> float | None:
    return float(text) if text else None
