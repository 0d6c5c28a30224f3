"""The whole table, cell by cell; each is kept as it is found, and not computed again by the same code and settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import clipsonic_eval
from clipsonic_eval import __version__, outputs, threads
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.harness.calibration.cells import CalibrateConfig, Cell, Rate, names, run_cell
from clipsonic_eval.hashing import config_hash, folder_sha256, seal, unsealed
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.progress import SILENT, Progress

CELLS = "cells"


def run(config: CalibrateConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False) -> list[Cell]:
    """Simulate all cells of a table; those that ``out`` holds already are read.

    Raises:
        UserError: a metric of a name asked for does not exist, or ``out`` holds something else.
    """
    wanted = names(config)
    with outputs.claim(out, "calibrate", as_tree(config), overwrite=overwrite, keep=True):
        return _cells(wanted, config, out, progress)


def _cells(wanted: Sequence[tuple[str, int]], config: CalibrateConfig, out: Path, progress: Progress) -> list[Cell]:
    code = _code()
    found = []
    for name, n in progress.track(wanted, label="calibrate", total=len(wanted)):
        path = out / CELLS / f"{name}-{n}.json"
        identity = _identity(name, n, config, code)
        cell = _kept(path, identity)
        if cell is None:
            with threads.limited():  # small worlds, and tables that are made beside other work
                cell = run_cell(name, n, config)
            write_json(path, seal({"identity": identity, "cell": as_tree(cell)}))
        found.append(cell)
    return found


def _code() -> str:
    """Return a hash of the sources that a cell hangs on: an interval that was changed is simulated again."""
    package = Path(clipsonic_eval.__file__).parent
    return config_hash([folder_sha256(package / part, "*.py") for part in ("stats", "metrics", "harness")])


def _identity(name: str, n: int, config: CalibrateConfig, code: str) -> str:
    settings: dict[str, Any] = {k: v for k, v in as_tree(config).items() if k not in ("metrics", "n")}
    return config_hash([name, n, settings, METRICS[name].card.signature, __version__, code])


def _kept(path: Path, identity: str) -> Cell | None:
    try:
        held = unsealed(read_json(path))
        if held["identity"] != identity:
            return None
        tree: dict[str, Any] = held["cell"]
        rates = {f.name for f in dataclasses.fields(Cell) if f.type == "Rate"}
        values: dict[str, Any] = {k: Rate(**v) if k in rates else v for k, v in tree.items()}
        return Cell(**values)
    except (UserError, ValueError, KeyError, TypeError):
        return None
