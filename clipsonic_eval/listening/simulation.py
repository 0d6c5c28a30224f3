"""Do the intervals of a listening test cover the truth? Simulated tests whose truth is known.

An answer is the level of its system, a level of the listener, a level of the query and noise, all normal, rounded to
the scale from 1 to 5. Every test draws listeners and queries anew, so the truth is the mean over all of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import special

from clipsonic_eval import outputs, seeds
from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.config import as_tree, coerce
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.harness.calibration.cells import kept
from clipsonic_eval.hashing import config_hash, file_sha256
from clipsonic_eval.listening import design
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.stats import crossed
from clipsonic_eval.stats.bootstrap import Interval, wilson_interval

ONE: Final = "one system"  # every listener rates every query
SEVERAL: Final = "several systems"  # the design of a plan: every listener rates every query once, by one of the systems
BOOTSTRAP, ANALYTIC, NAIVE, DIFFERENCE = "crossed bootstrap", "two-way analytic", "1.96 sd/√n", "difference"
_CATEGORIES: Final = np.arange(1.0, 6.0)
_LEVELS: Final = (2.2, 2.6, 3.0, 3.4, 3.8)  # of the systems


@dataclass(frozen=True, slots=True)
class ListeningSimulationConfig:
    """Settings of the simulation.

    Attributes:
        listeners: numbers of listeners.
        queries: numbers of queries.
        repeats: simulated tests per cell.
        difference_repeats: of them, those in which two systems are compared too.
        n_bootstrap: resamples of an interval.
        sd_listener: standard deviation of the listeners' levels.
        sd_query: of the queries' levels.
        sd_rest: of the noise.
        seed: of the simulation.
    """

    listeners: tuple[int, ...] = (10, 20, 40)
    queries: tuple[int, ...] = (20, 50, 100)
    repeats: int = 2000
    difference_repeats: int = 500
    n_bootstrap: int = 500
    sd_listener: float = 0.5
    sd_query: float = 0.4
    sd_rest: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        coerce(self)
        if min(self.repeats, self.difference_repeats) < 2 or self.n_bootstrap < 100:
            raise ConfigError("repeats must be at least 2 and n_bootstrap at least 100")
        if min(*self.listeners, *self.queries) < 5 or min(self.sd_listener, self.sd_query, self.sd_rest) <= 0:
            raise ConfigError("it takes 5 listeners, 5 queries and standard deviations above 0")


def simulate(
    config: ListeningSimulationConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False
) -> list[dict[str, Any]]:
    """Simulate all cells; those that ``out`` has already are read.

    Args:
        config: settings.
        out: folder of the results of single cells.
        progress: receives the cells.
        overwrite: replace results of other settings in ``out``.

    Returns:
        A row per design, size and interval: share of the simulated tests whose interval covers the truth, with
        Wilson's interval, and its mean half-width.

    Raises:
        UserError: ``out`` holds something else.
    """
    cells = [(kind, n, q) for kind in (ONE, SEVERAL) for n in config.listeners for q in config.queries]
    code = [file_sha256(Path(str(module))) for module in (crossed.__file__, design.__file__, __file__)]
    settings = {k: v for k, v in as_tree(config).items() if k not in ("listeners", "queries")}
    rows: list[dict[str, Any]] = []
    with outputs.claim(out, "calibrate listening", as_tree(config), overwrite=overwrite, keep=True):
        for cell in progress.track(cells, label="listening tests", total=len(cells)):
            identity = config_hash([list(cell), settings, code])
            rows += kept(out / f"{identity}.json", identity, partial(_cell, config, *cell))
    return rows


def expected_answer(level: float, config: ListeningSimulationConfig) -> float:
    """Return the mean answer of all listeners to all queries of a system, after rounding.

    Args:
        level: of the system.
        config: of the simulation.

    Example:
        >>> round(expected_answer(3.0, ListeningSimulationConfig()), 6)  # the scale is symmetric about 3
        3.0
    """
    sd = np.sqrt(config.sd_listener**2 + config.sd_query**2 + config.sd_rest**2)
    below = special.ndtr((_CATEGORIES[:-1] + 0.5 - level) / sd)  # P(answer ≤ k)
    return float(np.diff(below, prepend=0.0, append=1.0) @ _CATEGORIES)


def _cell(config: ListeningSimulationConfig, kind: str, listeners: int, queries: int) -> list[dict[str, Any]]:
    who, what, which = _asked(kind, listeners, queries)
    rng = seeds.stream(config.seed, f"{kind}-{listeners}-{queries}", "calibrate-listening")
    levels = np.array(_LEVELS)
    truth = [expected_answer(level, config) for level in _LEVELS]
    own = which == 0
    intervals: Mapping[str, list[Interval]] = {name: [] for name in (BOOTSTRAP, ANALYTIC, NAIVE, DIFFERENCE)}
    for repeat in range(config.repeats):
        noise = rng.normal(0, config.sd_listener, listeners)[who] + rng.normal(0, config.sd_query, queries)[what]
        latent = levels[which] + noise + rng.normal(0, config.sd_rest, len(who))
        answers = np.clip(np.round(latent), 1, 5)
        for name, found in _of_mean(answers[own], who[own], what[own], config.n_bootstrap, repeat).items():
            intervals[name].append(found)
        if kind == SEVERAL and repeat < config.difference_repeats:
            difference, influence, fitted = crossed.adjusted_differences(answers, which, who, what, [(1, 0)])[0]
            intervals[DIFFERENCE].append(crossed.two_way_interval(difference, influence, who, what, fitted=fitted))
    about = {"design": kind, "listeners": listeners, "queries": queries, "answers": int(own.sum())}
    return [
        {**about, **_coverage(name, found, truth[1] - truth[0] if name == DIFFERENCE else truth[0])}
        for name, found in intervals.items()
        if found
    ]


def _asked(kind: str, listeners: int, queries: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return listener, query and system of every answer, (n,) each."""
    if kind == ONE:
        who, what = np.repeat(np.arange(listeners), queries), np.tile(np.arange(queries), listeners)
        return who, what, np.zeros(len(who), np.intp)
    rows = [(i, *heard) for i in range(listeners) for heard in design.block(i, len(_LEVELS), queries, 1, 0)]
    who, what, which = np.array(rows, np.intp).T
    return who, what, which


def _of_mean(answers: Float64, who: IntArray, what: IntArray, n_boot: int, seed: int) -> dict[str, Interval]:
    """Return the intervals of a mean opinion by name; all arguments (n,)."""
    value = float(answers.mean())
    influence = (answers - value) / len(answers)
    half = 1.96 * float(answers.std(ddof=1)) / np.sqrt(len(answers))
    return {
        BOOTSTRAP: crossed.crossed_bootstrap_interval(value, influence, who, what, n_boot=n_boot, seed=seed),
        ANALYTIC: crossed.two_way_interval(value, influence, who, what),
        NAIVE: (value - half, value + half),
    }


def _coverage(name: str, intervals: list[Interval], truth: float) -> dict[str, Any]:
    ends = np.array(intervals)
    share = float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
    low, high = wilson_interval(share, len(ends))
    half = float((ends[:, 1] - ends[:, 0]).mean() / 2)
    return {"interval": name, "covered": share, "low": low, "high": high, "half_width": half, "repeats": len(ends)}
