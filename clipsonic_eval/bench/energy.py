"""Energy from the counters of the hardware; where there is none, no number.

A counter is read twice, and the difference is what was used in between by everything on that part of the machine.
Counters tick every 20 to 100 ms, so a window of less than 5 seconds gives no number either. Nothing is estimated from a
nominal power.

- ``gpu``: NVIDIA's total energy counter (NVML, Volta or newer).
- ``cpu``: Intel's and AMD's RAPL, summed over the packages; most systems let only the administrator read it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clipsonic_eval.bench.nvml import Gpu

if TYPE_CHECKING:
    import torch

LEAST_S = 5.0
_POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class _Counter:
    read_uj: Callable[[], int | None]
    range_uj: int | None = None  # it begins at 0 again after that much


@dataclass(frozen=True, slots=True)
class EnergyMeter:
    """The energy counters of a machine, and a moment.

    Attributes:
        counters: by part of the machine; there may be several of one part.
        clock: of the host, ns.
    """

    counters: Mapping[str, tuple[_Counter, ...]]
    clock: Callable[[], int] = field(default=time.perf_counter_ns)

    @classmethod
    def of(cls, device: torch.device) -> EnergyMeter:
        """Return the meter of the host and, if it is measured, the GPU; without counters it measures nothing."""
        gpu = Gpu(device)
        found = {"gpu": (_Counter(gpu.energy_uj),), "cpu": _packages()}
        readable = {part: counters for part, counters in found.items() if counters and None not in _read(counters)}
        return cls(readable)

    def begin(self) -> Callable[[], dict[str, float]]:
        """Read the counters; the function returned reads them again and gives the difference.

        Returns:
            A function that returns joules by part (``gpu``, ``cpu``) and the ``seconds`` of the window. Empty if
            the window is shorter than 5 seconds; a part whose counter fails or runs backwards is left out.
        """
        start = self.clock()
        before = {part: _read(counters) for part, counters in self.counters.items()}

        def end() -> dict[str, float]:
            seconds = (self.clock() - start) / 1e9
            if seconds < LEAST_S:
                return {}
            used = {part: _used(counters, before[part]) for part, counters in self.counters.items()}
            joules = {part: value for part, value in used.items() if value is not None}
            return {**joules, "seconds": seconds} if joules else {}

        return end


def above_idle(used: Mapping[str, float], idle: Mapping[str, float]) -> dict[str, float]:
    """Return the joules by part beyond what the idle machine uses in the same time.

    Args:
        used: from :meth:`EnergyMeter.begin`, while requests were answered.
        idle: the same over a window in which nothing was done.

    Example:
        >>> above_idle({"gpu": 900.0, "seconds": 6.0}, {"gpu": 500.0, "seconds": 10.0})
        {'gpu': 600.0}
    """
    parts = [part for part in used if part in idle and part != "seconds"]
    return {part: used[part] - idle[part] / idle["seconds"] * used["seconds"] for part in parts}


def _read(counters: tuple[_Counter, ...]) -> list[int | None]:
    return [counter.read_uj() for counter in counters]


def _used(counters: tuple[_Counter, ...], before: list[int | None]) -> float | None:
    """Return the joules since the reading before, None if a counter does not tell."""
    total = 0
    for counter, was in zip(counters, before, strict=True):
        now = counter.read_uj()
        if was is None or now is None or (now < was and counter.range_uj is None):
            return None
        total += now - was + (counter.range_uj or 0 if now < was else 0)
    return total / 1e6


def _packages() -> tuple[_Counter, ...]:
    """Return the counter of each processor package."""
    found = []
    for zone in sorted(_POWERCAP.glob("intel-rapl:*")):
        if (_text(zone / "name") or "").startswith("package"):  # its cores are part of it, and it is part of psys
            limit = _number(zone / "max_energy_range_uj")
            found.append(_Counter(lambda path=zone / "energy_uj": _number(path), limit))  # type: ignore[misc]
    return tuple(found)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text is not None and text.isdecimal() else None
