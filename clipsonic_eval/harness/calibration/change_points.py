"""Change points in simulation: their penalties, how often they are false, and how soon a step is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval import outputs, seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.config import as_tree, coerce
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.harness.calibration.cells import kept
from clipsonic_eval.hashing import config_hash, file_sha256
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.stats import change_points
from clipsonic_eval.stats.bootstrap import wilson_interval

Shape = tuple[int, int]
Noise = Callable[[np.random.Generator, Shape], Float64]
_OF_POWER = (5, 10, 20, 50, 200)  # numbers of points at which steps are looked for
_BATCH = 1_000_000  # squares of segments held at once

NOISES: Final[Mapping[str, Noise]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "laplace": lambda rng, shape: rng.laplace(size=shape),
    "t, 3 degrees": lambda rng, shape: rng.standard_t(3, shape),
    "lognormal": lambda rng, shape: np.exp(rng.standard_normal(shape)),
    "Cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "5 % outliers of 10 sd": lambda rng, shape: rng.standard_normal(shape) * np.where(rng.random(shape) < 0.05, 10, 1),
    "rounded to 1 sd": lambda rng, shape: np.round(rng.standard_normal(shape)),
}


def _drift(correlation: float) -> Noise:
    def drawn(rng: np.random.Generator, shape: Shape) -> Float64:
        x = rng.standard_normal(shape)
        for i in range(1, shape[1]):  # x_i = ρ x_{i−1} + √(1 − ρ²) ε_i
            x[:, i] = correlation * x[:, i - 1] + np.sqrt(1 - correlation**2) * x[:, i]
        return x

    return drawn


DRIFTS: Final[Mapping[str, Noise]] = {f"correlation {rho:g}": _drift(rho) for rho in (0.2, 0.5)}
NORMAL: Final = "normal"
FALSE, DRIFTING, FOUND = "false", "drifting", "found"
REPEATS: Final = 40_000  # series behind each penalty


@dataclass(frozen=True, slots=True)
class ChangePointConfig:
    """Settings of the simulation.

    Attributes:
        points: numbers of points of a series.
        repeats: series without a change, per number of points and noise.
        power_repeats: series with one step.
        sizes: of the step, in standard deviations of the noise.
        after: points since the step, the newest included.
        seed: of the simulation.
    """

    points: tuple[int, ...] = (5, 6, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200)
    repeats: int = 4000
    power_repeats: int = 1000
    sizes: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 6.0)
    after: tuple[int, ...] = (3, 5, 10, 20)
    seed: int = 0

    def __post_init__(self) -> None:
        coerce(self)
        if min(self.repeats, self.power_repeats) < 2 or min(self.points, default=0) < change_points.LEAST:
            raise ConfigError(f"repeats must be at least 2 and every number of points at least {change_points.LEAST}")


@dataclass(frozen=True, slots=True)
class StepRate:
    """A share of simulated series, with Wilson's interval.

    Attributes:
        what: ``false``: series without a change in which a step was found; ``drifting``: the same for noise that is
            correlated from point to point, which the fit takes to be independent; ``found``: series with one step in
            which a step was found within two points of it.
        noise: its distribution.
        points: of the series.
        size: of the step in standard deviations; 0 where there is none.
        after: points since the step; 0 where there is none.
        share: of the series.
        low: lower end of the 95 % interval.
        high: upper end.
        repeats: series.
    """

    what: str
    noise: str
    points: int
    size: float
    after: int
    share: float
    low: float
    high: float
    repeats: int


_Cell = tuple[str, str, int, float, int]


def simulate(
    config: ChangePointConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False
) -> list[StepRate]:
    """Simulate all cells; those that ``out`` has already are read.

    Args:
        config: settings.
        out: folder of the results of single cells.
        progress: receives the stages.
        overwrite: replace results of other settings in ``out``.

    Raises:
        UserError: ``out`` holds something else.
    """
    wanted: list[_Cell] = [(FALSE, noise, n, 0.0, 0) for n in config.points for noise in NOISES]
    wanted += [(DRIFTING, noise, n, 0.0, 0) for n in config.points if n in _OF_POWER for noise in DRIFTS]
    wanted += [
        (FOUND, NORMAL, n, size, after)
        for n in config.points
        for after in config.after
        for size in config.sizes
        if after <= n - 2 and n in _OF_POWER
    ]
    settings = {"repeats": config.repeats, "power_repeats": config.power_repeats, "seed": config.seed}
    code = [file_sha256(Path(str(change_points.__file__))), file_sha256(Path(__file__))]
    results = []
    with outputs.claim(out, "calibrate change-points", as_tree(config), overwrite=overwrite, keep=True):
        for cell in progress.track(wanted, label="change points", total=len(wanted)):
            identity = config_hash([list(cell), settings, code])
            rate = kept(out / f"{identity[:16]}.json", identity, partial(_tree, cell, config))
            results.append(StepRate(**rate))
    return results


def _tree(cell: _Cell, config: ChangePointConfig) -> dict[str, Any]:
    tree: dict[str, Any] = as_tree(_rate(cell, config))
    return tree


def _rate(cell: _Cell, config: ChangePointConfig) -> StepRate:
    what, noise, n, size, after = cell
    rng = seeds.stream(config.seed, f"{what}-{noise}-{n}-{size:g}-{after}", "calibrate-change-points")
    repeats = config.power_repeats if what == FOUND else config.repeats
    draw = {**NOISES, **DRIFTS}[noise]
    if what == FOUND:
        series = draw(rng, (repeats, n))
        series[:, n - after :] += size
        fits = map(change_points.find_change_points, series)
        hits = [any(abs(step.index - (n - after)) <= 2 for step in fit.steps) for fit in fits]
    else:
        hits = [bool(hit) for batch in _batches(rng, draw, n, repeats) for hit in change_points.have_steps(batch)]
    share = float(np.mean(hits))
    return StepRate(what, noise, n, size, after, share, *wilson_interval(share, repeats), repeats)


def _batches(rng: np.random.Generator, draw: Noise, n: int, repeats: int) -> list[Float64]:
    size = max(1, _BATCH // (n + 1) ** 2)
    return [draw(rng, (min(size, repeats - done), n)) for done in range(0, repeats, size)]


def penalties(n: int, *, repeats: int = REPEATS, seed: int = 1) -> tuple[float, float]:
    """Return the penalties per step on values and on ranks of n points, as they stand in the code.

    A series without a change has any step in 5 % of cases; in 4.5 % where ranks take no part, which leaves room for
    noise that is not normal.

    Args:
        n: number of points.
        repeats: simulated series of normal noise without a change.
        seed: of the simulation; another one than that of the check.
    """
    rng = seeds.stream(seed, str(n), "change-point-penalties")
    on_values, on_ranks = [], []
    for batch in _batches(rng, NOISES[NORMAL], n, repeats):
        on_values.append(change_points.largest_gain(change_points.without_outliers(batch)))
        if n >= change_points.ROBUST:
            on_ranks.append(change_points.largest_gain(change_points.normal_scores(batch)))
    quantile = 0.95 if on_ranks else 0.955
    ranks = float(np.quantile(np.concatenate(on_ranks), quantile)) if on_ranks else 0.0
    return float(np.quantile(np.concatenate(on_values), quantile)), ranks


def as_row(found: StepRate) -> dict[str, Any]:
    """Return one flat row of a table."""
    return dataclasses.asdict(found)
