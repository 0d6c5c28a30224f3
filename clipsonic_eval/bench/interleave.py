"""Two targets that take turns, so that whatever happens to the machine happens to both.

Each target lives in a process of its own: in one process the two would share memory, allocator, caches of compiled
networks and of cuDNN's choices, and the second would find what the first left. While one works the other waits for its
next command and computes nothing. The first request of a turn is not timed: the processor's caches were the other's.

A round is a block of four turns, A B B A or, every other time, B A A B, which cancels a steady drift. A block gives
one log ratio, and a pair of processes the mean of its blocks. Processes differ, too (where their memory lies, for
example), so pairs of processes are the units of the interval, three at least: blocks of one pair, as units, would call
equal targets different in most comparisons.

Source: the design is that of paired rounds in asv#595 and of ABBA blocks in crossover trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import stats

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.bench import machine
from clipsonic_eval.bench.cases import LEAST_PAIRS, BenchConfig, Case, cases
from clipsonic_eval.bench.process import WorkerProcess, started
from clipsonic_eval.bench.records import Measured, labels_of
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.progress import Progress
from clipsonic_eval.records import Comparison

METRIC: Final = "log_latency"  # the difference of two is the logarithm of their ratio
PER_TURN: Final = 2  # timed requests
_ORDERS = ("ABBA", "BAAB")


class LogRatio(NamedTuple):
    """The logarithm of how many times longer one target takes than another.

    Attributes:
        value: natural logarithm of the ratio of geometric means.
        ci: its 95 % interval.
        p_value: two-sided, of the hypothesis that they take equally long.
        test: which units the interval is over.
    """

    value: float
    ci: tuple[float, float]
    p_value: float
    test: str


def log_ratio(pairs: Sequence[Float64]) -> LogRatio:
    """Return the log ratio of two targets with Student's interval.

    Args:
        pairs: by pair of processes, the log ratio of each block, (rounds,) float64.

    Raises:
        ShapeError: fewer than three pairs.

    Example:
        >>> import math
        >>> found = log_ratio([np.log([2.0, 2.1]), np.log([1.9, 2.0]), np.log([2.05, 1.95])])
        >>> round(math.exp(found.value), 2), found.test
        (2.0, 't over 3 pairs of processes')
    """
    n = len(pairs)
    if n < LEAST_PAIRS:
        raise ShapeError(f"{n} pairs of processes, and their interval takes at least {LEAST_PAIRS}")
    units = np.array([blocks.mean() for blocks in pairs])
    mean, se = float(units.mean()), float(units.std(ddof=1)) / n**0.5
    half = float(stats.t.ppf(0.975, n - 1)) * se
    p = float(2 * stats.t.sf(abs(mean) / se, n - 1)) if se else float(mean == 0)
    return LogRatio(mean, (mean - half, mean + half), p, f"t over {n} pairs of processes")


def order(block: int, pair: int) -> str:
    """Return whose turns a block is made of; pairs of processes begin with one target and the other in turn.

    Example:
        >>> order(0, 0), order(1, 0), order(0, 1)
        ('ABBA', 'BAAB', 'BAAB')
    """
    return _ORDERS[(block + pair) % 2]


def take_turns(config: BenchConfig, folder: Path, progress: Progress) -> tuple[list[Measured], Comparison]:
    """Measure two targets in turns; a pair of processes that was measured before is kept.

    Args:
        config: of two targets at one point each.
        folder: of the measurements.
        progress: shows the pairs of processes.

    Raises:
        UserError: one of them cannot be measured, or they run on different machines (CPU and GPU).
    """
    both = [Measured(case) for case in cases(config)]
    pairs = []
    for pair in progress.track(range(config.processes), label="pairs of processes"):
        path = folder / f"pair-{pair}.json"
        found = read_json(path, fix="remove it and run the same command again") if path.exists() else None
        if found is None:
            found = _pair(config, [one.case for one in both], pair)
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, found)
        for one, answer in zip(both, found["answers"], strict=True):
            one.processes[pair] = answer
        pairs.append(np.array(found["log_ratios"]))
    a, b = labels_of(both)
    ratio = log_ratio(pairs)
    n = sum(map(len, pairs))
    return both, Comparison(METRIC, a, b, ratio.value, ratio.ci, ratio.p_value, ratio.p_value, n, ratio.test, False)


def _pair(config: BenchConfig, both: Sequence[Case], pair: int) -> dict[str, Any]:
    """Return the answers of one pair of processes, and the log ratio of each block."""
    with started() as first, started() as second:
        workers = {"A": first, "B": second}
        loaded = [worker.load(case.request(config, pair)) for worker, case in zip(workers.values(), both, strict=True)]
        _check(*(one["machine"] for one in loaded))
        for worker in workers.values():
            worker.ask("warm")
        ratios = [_block(workers, order(block, pair)) for block in range(config.rounds)]
        answers = [{**one, **worker.ask("collect")} for one, worker in zip(loaded, workers.values(), strict=True)]
    return {"answers": answers, "log_ratios": ratios}


def _check(a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    if a["fingerprint"] != b["fingerprint"]:
        raise UserError(
            f"the two targets run on different machines or devices ({'; '.join(machine.explain(a, b))}), and times "
            "compare on one only; give both the same --set device"
        )


def _block(workers: Mapping[str, WorkerProcess], turns: str) -> float:
    times: dict[str, list[int]] = {name: [] for name in workers}
    for name in turns:
        times[name] += workers[name].ask("turn", calls=PER_TURN)["requests_ns"]
    # ln(geometric mean of A / geometric mean of B)
    return float(np.mean(np.log(times["A"])) - np.mean(np.log(times["B"])))
