"""Golden vectors: what our code gives on fixed inputs, kept in ``tests/golden`` beside the numerics version.

The inputs come from exact arithmetic (a hash of integers), so that they are the same on every machine and with every
release of NumPy and torch. A value that moves is a new numerics version (``num`` on the card), an interval that moves
is a method of another name: :func:`verdict` says which, and :func:`renewed` refuses to overwrite anything else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "golden"
COMMAND = "python -m pytest tests/contract/test_golden.py --write-golden"
_TABLE_BITS = 20


@dataclass(frozen=True)
class Golden:
    """What one thing gives.

    Attributes:
        num: its numerics version.
        values: by name; an interval is in ``intervals``.
        intervals: ends by name, and under which name the method goes.
    """

    num: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[str, float, float]]


def _mixed(index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64 (G. Steele et al., 2014): integers to integers, each bit as good as random."""
    with np.errstate(over="ignore"):
        z = index * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(name: str, *shape: int) -> NDArray[np.float64]:
    """Return numbers in [0, 1) that follow from a name, multiples of 2^-53."""
    start = np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")) << np.uint64(31)
    index = start + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    return ((_mixed(index) >> np.uint64(11)) * 2.0**-53).reshape(shape)


def bell(name: str, *shape: int) -> NDArray[np.float64]:
    """Return numbers of mean 0 and variance 1, nearly normal: sums of twelve uniform ones."""
    return uniform(name, 12, *shape).sum(axis=0) - 6


def verdict(held: Golden | None, now: Golden | None, tolerance: float) -> str:
    """Say what is wrong between what is kept and what comes out now, "" if nothing is.

    Args:
        held: what is kept; None: nothing.
        now: what comes out; None: the thing is gone.
        tolerance: relative, against the largest number of the thing.
    """
    if now is None:
        return f"is gone: {COMMAND}"
    if held is None:
        return f"has no golden vector yet: {COMMAND}"
    if now.num < held.num:
        return f"numerics version {now.num} is below the known {held.num}: a version is never used twice"
    if now.num > held.num:
        return f"numerics version {now.num} is new: {COMMAND}"
    return _moved(held, now, tolerance)


def _moved(held: Golden, now: Golden, tolerance: float) -> str:
    if held.values.keys() != now.values.keys() or held.intervals.keys() != now.intervals.keys():
        return f"gives other numbers than before ({sorted(now.values)}): raise num on its card"
    size = max([abs(v) for v in held.values.values() if np.isfinite(v)], default=0.0)
    for name, value in now.values.items():
        if not abs(value - held.values[name]) <= tolerance * size:
            return f"{name} moved from {held.values[name]!r} to {value!r}: raise num on its card (now {now.num})"
    for name, (method, *ends) in now.intervals.items():
        known, *before = held.intervals[name]
        if known == method and not np.allclose(ends, before, rtol=0, atol=tolerance * max(1e-300, *map(abs, before))):
            return f"the interval of {name} moved from {before} to {ends}: {method} needs another name"
        if known != method:
            return f"the interval of {name} is made by {method}, no longer {known}: {COMMAND}"
    return ""


def renewed(held: Mapping[str, Golden], now: Mapping[str, Golden], tolerance: float) -> dict[str, Golden]:
    """Return what is to be kept: what is new, gone, or of a raised version or a renamed interval is taken over.

    Raises:
        ValueError: a number moved and its version was not raised.
    """
    for name, one in now.items():
        problem = verdict(held.get(name), one, tolerance)
        if problem and COMMAND not in problem:
            raise ValueError(f"{name}: {problem}")
    return {name: now[name] if verdict(held.get(name), now[name], tolerance) else held[name] for name in sorted(now)}


def read(kind: str) -> dict[str, Golden]:
    """Return the golden vectors of a kind, e.g. ``metrics``."""
    path = FOLDER / f"{kind}.json"
    tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {
        name: Golden(one["num"], one["values"], {k: tuple(v) for k, v in one["intervals"].items()})  # type: ignore[misc]
        for name, one in tree.items()
    }


def write(kind: str, found: Mapping[str, Golden]) -> None:
    """Keep golden vectors."""
    FOLDER.mkdir(exist_ok=True)
    tree = {name: asdict(one) for name, one in found.items()}
    (FOLDER / f"{kind}.json").write_text(json.dumps(tree, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def summary(array: NDArray[Any]) -> dict[str, float]:
    """Return a few numbers that move if any number of an array moves: its shape, places, and sums with random signs."""
    flat = np.asarray(array, np.float64).ravel()
    places = np.unique(np.linspace(0, len(flat) - 1, 8).astype(int))
    signs = np.where(uniform("signs", 2, len(flat)) < 0.5, -1.0, 1.0)
    sums = signs @ flat / np.sqrt(len(flat))
    return {
        **{f"shape[{i}]": float(n) for i, n in enumerate(array.shape)},
        **{f"[{i}]": float(f"{flat[i]:.7g}") for i in places},
        **{f"sum {i}": float(f"{s:.7g}") for i, s in enumerate(sums)},
        "rms": float(f"{np.sqrt(np.mean(flat**2)):.7g}"),
    }
