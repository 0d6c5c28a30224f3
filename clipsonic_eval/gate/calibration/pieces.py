"""Simulations in pieces: each is stored when it is done, and reused by the same code and settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import clipsonic_eval
from clipsonic_eval import outputs, threads
from clipsonic_eval.config import as_tree, coerce
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.gate.calibration.influence import CASES, influence_row, simulate_influence
from clipsonic_eval.gate.calibration.power import SPREADS, power_rows
from clipsonic_eval.gate.calibration.verdicts import SCENARIOS, simulate_verdicts, verdict_rows
from clipsonic_eval.harness.calibration.cells import kept
from clipsonic_eval.hashing import config_hash, file_sha256, folder_sha256
from clipsonic_eval.progress import SILENT, Progress

_PIECE: Final = 50  # comparisons
TableRows = list[dict[str, object]]
Told = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class GateCalibrationConfig:
    """Settings of the simulations of the gate.

    Attributes:
        repeats: simulated comparisons per scenario in which nothing changed.
        power_repeats: per scenario in which something did.
        influence_repeats: per case of influences beside resamples; ``power_repeats`` where the first order is poor.
        seed: of the simulations.
    """

    repeats: int = 2000
    power_repeats: int = 300
    influence_repeats: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        coerce(self)
        if min(self.repeats, self.power_repeats, self.influence_repeats) < 2:
            raise ConfigError("repeats, power_repeats and influence_repeats must be at least 2")


def simulate_gate(
    config: GateCalibrationConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False
) -> dict[str, TableRows]:
    """Simulate all scenarios and cases; pieces that ``out`` has already are read.

    Args:
        config: settings.
        out: folder of the pieces.
        progress: receives the stages.
        overwrite: replace results of other settings in ``out``.

    Returns:
        Rows by table: ``verdicts``, ``power`` and ``influence``.

    Raises:
        UserError: ``out`` holds something else.
    """
    with outputs.claim(out, "calibrate gate", as_tree(config), overwrite=overwrite, keep=True):
        store = _Store(out, config.seed, _code())
        verdicts: TableRows = []
        for scenario in progress.track(SCENARIOS, label="verdicts", total=len(SCENARIOS)):
            repeats = config.repeats if scenario.unchanged else config.power_repeats
            told = store.told(scenario.name, repeats, partial(simulate_verdicts, scenario, seed=config.seed))
            verdicts += verdict_rows(scenario, told)
        influences: TableRows = []
        for case in progress.track(CASES, label="influences", total=len(CASES)):
            repeats = config.power_repeats if case.poor else config.influence_repeats
            told = store.told(case.name, repeats, partial(simulate_influence, case, seed=config.seed))
            influences.append(influence_row(case, told))
        with threads.limited():
            power = [
                row
                for spread in progress.track(SPREADS, label="power")
                for row in power_rows(spread, config.power_repeats, config.seed)
            ]
    return {"verdicts": _filled(verdicts), "power": power, "influence": influences}


def _filled(rows: TableRows) -> TableRows:
    """Return rows that all have the columns of any of them; what a row has not is empty."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, "") for name in columns} for row in rows]


def _code() -> str:
    """Return a hash of the sources that a result depends on."""
    package = Path(clipsonic_eval.__file__).parent
    own = [file_sha256(Path(__file__).parent / f"{name}.py") for name in ("simulated_records", "verdicts", "influence")]
    judges = [file_sha256(path) for path in sorted((package / "gate").glob("*.py"))]
    return config_hash([*(folder_sha256(package / part, "*.py") for part in ("stats", "metrics")), *judges, *own])


@dataclass(frozen=True, slots=True)
class _Store:
    """Pieces of simulations in a folder.

    Attributes:
        folder: of the files.
        seed: of the simulations.
        code: hash of the sources.
    """

    folder: Path
    seed: int
    code: str

    def told(self, name: str, repeats: int, simulate: Callable[[range], Told]) -> Told:
        """Return the results of so many comparisons, from the pieces that are there and new ones."""
        return [one for part in _parts(repeats) for one in self._piece(name, part, simulate)]

    def _piece(self, name: str, part: range, simulate: Callable[[range], Told]) -> Told:
        path = self.folder / f"{re.sub(r'[^a-z0-9.-]', '_', name)}-{part.start:05d}.json"
        identity = config_hash([name, part.start, part.stop, self.seed, self.code])
        told: Told = kept(path, identity, partial(simulate, part))
        return told


def _parts(repeats: int) -> Iterator[range]:
    for start in range(0, repeats, _PIECE):
        yield range(start, min(repeats, start + _PIECE))
