"""Simulations of all metrics; each is stored when it is done, and reused by the same code and settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import clipsonic_eval
from clipsonic_eval import __version__, outputs
from clipsonic_eval.config import as_tree
from clipsonic_eval.harness.calibration.cells import kept
from clipsonic_eval.harness.calibration.simulation import CalibrateConfig, Calibration, Rate, planned, simulate
from clipsonic_eval.hashing import config_hash, folder_sha256
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.progress import SILENT, Progress

FOLDER = "simulated"


def calibrate(
    config: CalibrateConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False
) -> list[Calibration]:
    """Simulate every metric at every n; results that ``out`` has already are read.

    Args:
        config: metrics, numbers of clips and settings.
        out: folder of the results.
        progress: receives the stages.
        overwrite: replace results of other settings in ``out``.

    Raises:
        UserError: there is no metric of a name asked for, or ``out`` holds something else.
    """
    wanted = planned(config)
    with outputs.claim(out, "calibrate", as_tree(config), overwrite=overwrite, keep=True):
        return _calibrations(wanted, config, out, progress)


def _calibrations(
    wanted: Sequence[tuple[str, int]], config: CalibrateConfig, out: Path, progress: Progress
) -> list[Calibration]:
    code = _code()
    results = []
    for name, n in progress.track(wanted, label="calibrate", total=len(wanted)):
        identity = _identity(name, n, config, code)
        results.append(_read(kept(out / FOLDER / f"{name}-{n}.json", identity, partial(_simulated, name, n, config))))
    return results


def _simulated(name: str, n: int, config: CalibrateConfig) -> Any:
    return as_tree(simulate(name, n, config))


def _read(tree: Mapping[str, Any]) -> Calibration:
    rates = {f.name for f in dataclasses.fields(Calibration) if f.type == "Rate"}
    values: dict[str, Any] = {k: Rate(**v) if k in rates else v for k, v in tree.items()}
    return Calibration(**values)


def _code() -> str:
    """Return a hash of the sources that a result depends on: an interval that was changed is simulated again."""
    package = Path(clipsonic_eval.__file__).parent
    return config_hash([folder_sha256(package / part, "*.py") for part in ("stats", "metrics", "harness")])


def _identity(name: str, n: int, config: CalibrateConfig, code: str) -> str:
    settings: dict[str, Any] = {k: v for k, v in as_tree(config).items() if k not in ("metrics", "n")}
    return config_hash([name, n, settings, METRICS[name].card.signature, __version__, code])
