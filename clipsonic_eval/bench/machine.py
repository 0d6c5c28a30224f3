"""The machine of a measurement: what must be equal for two to be compared, and whether it was itself the whole time.

Everything is read and nothing is set. No host name, no user, no path; the UUID of a GPU is hashed.

- :func:`identify`: the parts of the machine, those that are *compared* and those that are only *noted*, and the
  fingerprint of the compared ones. Versions of packages stand in the record's provenance and are not among them: what
  a new torch costs is a fair question.
- :func:`conditions` before and after, and :func:`changes` between them: clocks that fell, throttling, other work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval import provenance, threads
from clipsonic_eval.bench.nvml import HARMLESS, Gpu
from clipsonic_eval.hashing import config_hash

if TYPE_CHECKING:
    import torch

_CPU = Path("/sys/devices/system/cpu")
_CPUINFO = Path("/proc/cpuinfo")
_STAT = Path("/proc/stat")
_FELL = 0.05  # a clock below this much of what it was
_PREEMPTED_PER_S = 20.0  # involuntary switches; an idle machine has almost none


def identify(device: torch.device) -> dict[str, Any]:
    """Return the machine: ``fingerprint``, and the parts ``compared`` and ``noted``.

    Args:
        device: of the measurement. The GPU counts only if it is measured.

    Example:
        >>> import torch
        >>> machine = identify(torch.device("cpu"))
        >>> sorted(machine["compared"])
        ['boost', 'cores', 'device', 'governor', 'instructions', 'processor', 'threads']
    """
    machine = provenance.machine()
    compared: dict[str, Any] = {
        "device": device.type,
        "processor": provenance.processor(),
        "cores": threads.cores(),
        "instructions": machine["instructions"],
        "governor": _first(_CPU, "cpu*/cpufreq/scaling_governor"),
        "boost": _boost(),
        "threads": machine["threads"].get("torch"),
    }
    noted: dict[str, Any] = {"memory_gib": machine["memory_gib"], "threads": machine["threads"]}
    if device.type == "cuda":
        import torch

        gpu = Gpu(device)
        index = torch.cuda.current_device() if device.index is None else device.index
        compared |= {
            "gpu": machine["gpus"][index],
            "driver": machine["driver"],
            "float32_matmul": machine["float32_matmul"],
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            **gpu.settings(),
        }
        noted |= {"gpu_uuid_hash": gpu.uuid_hash, "cuda": machine["cuda"], "cudnn": machine["cudnn"]}
    return {"fingerprint": config_hash(compared), "compared": compared, "noted": noted}


def explain(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what differs between two machines among what is compared, a part each; empty if nothing does.

    Args:
        a: from :func:`identify`.
        b: the other.

    Example:
        >>> explain({"compared": {"processor": "A", "cores": 2}}, {"compared": {"processor": "B", "cores": 2}})
        ('processor: A against B',)
    """
    first, second = a["compared"], b["compared"]
    names = dict.fromkeys([*first, *second])
    return tuple(
        f"{name}: {first.get(name)} against {second.get(name)}" for name in names if first.get(name) != second.get(name)
    )


def conditions(device: torch.device) -> dict[str, Any]:
    """Return the state of the machine at this moment; unknown values are None.

    Take it before and after the timed requests, the first time after the warm-up: an idle processor clocks low.

    - ``cpu_clock_mhz``: mean over the cores; ``cpu_throttled``: how often the cores were slowed for heat so far.
    - ``preempted``: how often other work took the processor from this process so far; ``stolen_s``: seconds that the
      host of a virtual machine kept from it.
    - ``sm_clock_mhz``, ``memory_clock_mhz``, ``temperature_c``, ``throttled_by``: of the GPU.
    """
    return {
        "cpu_clock_mhz": _cpu_clock(),
        "cpu_throttled": _sum(_CPU, "cpu*/thermal_throttle/core_throttle_count"),
        "preempted": _preempted(),
        "stolen_s": _stolen(),
        **(Gpu(device).condition() if device.type == "cuda" else {}),
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any], seconds: float) -> tuple[str, ...]:
    """Return why the machine was not itself between two :func:`conditions`, one sentence each.

    Args:
        before: after the warm-up.
        after: after the last request.
        seconds: between them.
    """
    found = []
    for key, name in (("sm_clock_mhz", "GPU's clock"), ("cpu_clock_mhz", "processor's clock")):
        was, now = before.get(key), after.get(key)
        if was and now is not None and now < (1 - _FELL) * was:
            found.append(f"the {name} fell by {100 * (1 - now / was):.0f} %, from {was:.0f} to {now:.0f} MHz")
    reasons = {*(before.get("throttled_by") or ()), *(after.get("throttled_by") or ())} - HARMLESS
    if reasons:
        found.append(f"the GPU was throttled: {', '.join(sorted(reasons))}")
    if _more(before, after, "cpu_throttled"):
        found.append("the processor was throttled for heat")
    if _more(before, after, "preempted") > _PREEMPTED_PER_S * seconds:
        found.append(f"other work took the processor {_more(before, after, 'preempted') / seconds:.0f} times a second")
    if _more(before, after, "stolen_s") > 0.01 * seconds:
        share = 100 * _more(before, after, "stolen_s") / seconds
        found.append(f"the host of this virtual machine kept {share:.0f} % of a core from it")
    return tuple(found)


def _more(before: Mapping[str, Any], after: Mapping[str, Any], key: str) -> float:
    was, now = before.get(key), after.get(key)
    return 0.0 if was is None or now is None else float(now - was)


def _texts(folder: Path, pattern: str) -> list[str]:
    found = []
    for path in sorted(folder.glob(pattern)):
        try:
            found.append(path.read_text(encoding="ascii").strip())
        except (OSError, UnicodeDecodeError):
            continue
    return found


def _first(folder: Path, pattern: str) -> str | None:
    return next(iter(_texts(folder, pattern)), None)


def _sum(folder: Path, pattern: str) -> int | None:
    counts = [int(text) for text in _texts(folder, pattern) if text.isdecimal()]
    return sum(counts) if counts else None


def _boost() -> bool | None:
    """Return whether the processor may clock above its nominal frequency."""
    boost, no_turbo = _first(_CPU, "cpufreq/boost"), _first(_CPU, "intel_pstate/no_turbo")
    if boost is not None:
        return boost == "1"
    return None if no_turbo is None else no_turbo == "0"


def _cpu_clock() -> float | None:
    clocks = [int(text) / 1000 for text in _texts(_CPU, "cpu*/cpufreq/scaling_cur_freq") if text.isdecimal()]
    if not clocks:
        lines = "\n".join(_texts(_CPUINFO.parent, _CPUINFO.name)).splitlines()
        clocks = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return sum(clocks) / len(clocks) if clocks else None


def _preempted() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _stolen() -> float | None:
    words = next(iter(_texts(_STAT.parent, _STAT.name)), "").partition("\n")[0].split()
    return int(words[8]) / os.sysconf("SC_CLK_TCK") if len(words) > 8 and words[0] == "cpu" else None
