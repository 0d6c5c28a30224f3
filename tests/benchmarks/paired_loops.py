"""Loops in processes of their own that take turns, so that what else a machine does meets all of them alike."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.seeds import stream

_RESAMPLES = 2000
_TRAINING = "training_loops.py"


class Ratio(NamedTuple):
    """How many times the seconds of one loop are those of another: median over the rounds, and its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f}x [{self.low:.2f}, {self.high:.2f}]"


def ratio(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> Ratio:
    """Return the median of the rounds' ratios, for seconds (rounds,) each, and its bootstrap interval over rounds.

    Example:
        >>> str(ratio(np.array([2.0, 4.0, 3.0]), np.array([1.0, 2.0, 1.5])))
        '2.00x [2.00, 2.00]'
    """
    rounds = theirs / ours
    drawn = stream(0, "", "paired-rounds").integers(len(rounds), size=(_RESAMPLES, len(rounds)))
    low, high = np.quantile(np.median(rounds[drawn], axis=1), [0.025, 0.975])
    return Ratio(float(np.median(rounds)), float(low), float(high))


class Loop:
    """A loop in a process of its own; see :mod:`benchmarks.training_loops` and :mod:`benchmarks.sampling_loops`.

    Attributes:
        who: name of the loop.
        first: what it says when it is ready, of a training its first loss.
    """

    def __init__(self, who: str, *options: str, script: str = _TRAINING) -> None:
        self.who = who
        words = [sys.executable, str(Path(__file__).with_name(script)), who, *options]
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, env=one_thread)
        self.first = self._answer()

    def ask(self, what: str) -> Any:
        """Return its answer to ``time``, ``kinds`` or ``losses``."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the loop '{self.who}' ended, with exit code {self._process.wait()}")
        return json.loads(line)


@contextlib.contextmanager
def running(names: Sequence[str], *options: str, script: str = _TRAINING) -> Iterator[list[Loop]]:
    """Start loops one after the other, and end them after a ``with`` block."""
    loops: list[Loop] = []
    try:
        for who in names:
            loops.append(Loop(who, *options, script=script))
        yield loops
    finally:
        for one in loops:
            one.end()


class Times(NamedTuple):
    """Processor time of a step.

    Attributes:
        seconds: (rounds,) by loop.
        parts: median seconds by loop and part of a step.
    """

    seconds: dict[str, NDArray[np.float64]]
    parts: dict[str, dict[str, float]]


def in_turns(loops: Sequence[Loop], rounds: int) -> Times:
    """Time the loops in turns, in another order each round; the first round warms up and is left out."""
    order = stream(0, "", "order-of-loops")
    found: dict[str, list[dict[str, float]]] = {one.who: [] for one in loops}
    for _ in range(rounds + 1):
        for index in order.permutation(len(loops)):
            found[loops[index].who].append(loops[index].ask("time"))
    kept = {who: answers[1:] for who, answers in found.items()}
    seconds = {who: np.array([sum(answer.values()) for answer in answers]) for who, answers in kept.items()}
    parts = {
        who: {name: float(np.median([answer.get(name, 0.0) for answer in answers])) for name in answers[0]}
        for who, answers in kept.items()
    }
    return Times(seconds, parts)
