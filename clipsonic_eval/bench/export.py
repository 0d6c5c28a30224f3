"""Bench records as the JSON of pytest-benchmark, which ``pytest-benchmark compare`` and its services read.

One benchmark per case, with the raw durations that the record keeps. Its statistics are defined as pytest-benchmark
defines them: the standard deviation with n − 1, quartiles as medians of the halves, outliers beyond one deviation and
beyond 1.5 interquartile ranges.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.records import RunRecord

_LAYOUT = "5.0.0"  # of pytest-benchmark, whose layout this is


def to_pytest_benchmark(record: RunRecord) -> dict[str, Any]:
    """Return a bench record as pytest-benchmark's JSON.

    Raises:
        UserError: the record is of another kind, or has lost its durations.
    """
    if record.kind != "bench":
        raise UserError(f"a record of kind '{record.kind}' has no durations; give one that `bench` wrote")
    found = [score for score in record.scores if score.metric == "latency"]
    lost = next((score.system for score in found if not score.per_clip), None)
    if lost is not None:
        raise UserError(f"'{lost}': its durations are missing; keep clips.parquet beside the record, or measure again")
    provenance = record.provenance
    return {
        "machine_info": {
            "node": "",
            "processor": provenance.get("processor", ""),
            "machine": provenance.get("platform", ""),
            "python_version": provenance.get("python", ""),
            "cpu": {"brand_raw": provenance.get("processor", ""), "count": provenance.get("cpu_count")},
        },
        "commit_info": {
            "id": provenance.get("commit") or "unversioned",
            "dirty": bool(provenance.get("uncommitted_changes")),
            "project": "clipsonic-eval",
        },
        "benchmarks": [
            {
                "group": None,
                "name": score.system,
                "fullname": f"clipsonic-eval bench::{score.system}",
                "params": dict(record.systems.get(score.system, {}).get("bench", {}).get("point", {})) or None,
                "param": None,
                "extra_info": {"signature": score.signature},
                "options": {"warmup": True},
                "stats": statistics_of(list(score.per_clip.values())),
            }
            for score in found
        ],
        "datetime": provenance.get("created", ""),
        "version": _LAYOUT,
    }


def write_pytest_benchmark(record: RunRecord, path: Path) -> None:
    """Write :func:`to_pytest_benchmark` atomically."""
    write_json(path, to_pytest_benchmark(record))


def statistics_of(durations: Sequence[float]) -> dict[str, Any]:
    """Return pytest-benchmark's statistics of durations in seconds, at least one.

    Example:
        >>> found = statistics_of([3.0, 1.0, 2.0, 4.0])
        >>> found["median"], found["q1"], found["q3"], found["ops"]
        (2.5, 1.5, 3.5, 0.4)
    """
    data = sorted(durations)
    n, mean = len(data), statistics.fmean(data)
    deviation = statistics.stdev(data) if n > 1 else 0.0
    q1, q3 = _quartiles(data)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    beyond = sum(not low <= x <= high for x in data)
    return {
        "min": data[0],
        "max": data[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": n,
        "median": statistics.median(data),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond,
        "stddev_outliers": (far := sum(not mean - deviation <= x <= mean + deviation for x in data)),
        "outliers": f"{far};{beyond}",
        "ld15iqr": next(x for x in data if x >= low),
        "hd15iqr": next(x for x in reversed(data) if x <= high),
        "ops": 1 / mean if mean else 0,
        "total": sum(data),
        "data": list(durations),
        "iterations": 1,
    }


def _quartiles(data: Sequence[float]) -> tuple[float, float]:
    """Return the quartiles of sorted values: medians of the halves (n even), method 3 of Wikipedia's list (n odd)."""
    n, rest = divmod(len(data), 4)
    if len(data) == 1:
        return data[0], data[0]
    if len(data) % 2 == 0:
        half = len(data) // 2
        return statistics.median(data[:half]), statistics.median(data[half:])
    if rest == 1:  # 4n + 1 values
        return 0.25 * data[n - 1] + 0.75 * data[n], 0.75 * data[3 * n] + 0.25 * data[3 * n + 1]
    return 0.75 * data[n] + 0.25 * data[n + 1], 0.25 * data[3 * n + 1] + 0.75 * data[3 * n + 2]
