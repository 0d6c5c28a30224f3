"""The quantities of a bench record: title, unit, direction and digits of each, in one table.

Names stand in :attr:`clipsonic_eval.types.Score.metric`. Stages have names of their own (``stage_vocoder``,
``stage_denoiser_step``), which follow from the marks of the system (:mod:`clipsonic_eval.stages`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

STAGE: Final = "stage_"
HOST_AND_GAPS: Final = "stage_host_and_gaps"
NUMERICS: Final = 1  # raised when the same durations give other numbers, and only then


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a number of a bench record is.

    Attributes:
        title: heading of its column in tables.
        unit: of its values.
        higher_is_better: direction.
        digits: significant ones in tables.
        per_request: its values are durations of requests, so that percentiles and intervals are over requests.
    """

    title: str
    unit: str
    higher_is_better: bool = False
    digits: int = 3
    per_request: bool = False


QUANTITIES: Final[dict[str, Quantity]] = {
    "latency": Quantity("latency, median", "s", per_request=True),
    "latency_p90": Quantity("latency, p90", "s", per_request=True),
    "latency_p95": Quantity("latency, p95", "s", per_request=True),
    "latency_p99": Quantity("latency, p99", "s", per_request=True),
    "log_latency": Quantity("logarithm of the latency", "ln s", per_request=True),  # differences are log ratios
    "first_call": Quantity("first call", "s"),
    "load": Quantity("load", "s"),
    "compile": Quantity("compile", "s"),
    "clips_per_s": Quantity("clips per second", "clips/s", higher_is_better=True),
    "real_time_factor": Quantity("real-time factor", "s of time / s of audio"),
    "memory_host": Quantity("host memory, peak", "MiB", digits=4),
    "memory_device_allocated": Quantity("device memory allocated, peak", "MiB", digits=4),
    "memory_device_reserved": Quantity("device memory reserved, peak", "MiB", digits=4),
    "energy": Quantity("energy", "J/clip"),
}
PERCENTILES: Final = {"latency": 50, "latency_p90": 90, "latency_p95": 95, "latency_p99": 99}


def quantity(name: str) -> Quantity:
    """Return what a quantity is.

    Args:
        name: of a table above, or ``stage_…``.

    Raises:
        KeyError: no quantity has this name.

    Example:
        >>> quantity("stage_denoiser_step").title
        'denoiser, per step'
        >>> quantity("latency").unit
        's'
    """
    if name.startswith(STAGE) and len(name) > len(STAGE):
        return Quantity(_stage_title(name), "s", per_request=True)
    return QUANTITIES[name]


def is_quantity(name: str) -> bool:
    """Return whether a metric of a record is a quantity of this package."""
    return name in QUANTITIES or (name.startswith(STAGE) and len(name) > len(STAGE))


def by_process(values: Mapping[str, float]) -> dict[str, list[float]]:
    """Return what each process of a case gave, from the keys ``p<process>/<round>`` of a record, in their order.

    Example:
        >>> by_process({"p0/000000": 0.5, "p0/000001": 0.7, "p1/000000": 0.6})
        {'p0': [0.5, 0.7], 'p1': [0.6]}
    """
    found: dict[str, list[float]] = {}
    for key, value in values.items():
        found.setdefault(key.partition("/")[0], []).append(value)
    return found


def _stage_title(name: str) -> str:
    if name == HOST_AND_GAPS:
        return "host and gaps"
    stage = name.removeprefix(STAGE)
    whole, underscore, part = stage.rpartition("_")
    return f"{whole.replace('_', ' ')}, per step" if underscore and part == "step" else stage.replace("_", " ")
