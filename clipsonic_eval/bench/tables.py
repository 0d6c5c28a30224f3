"""Tables of bench records as text: what each case costs, its stages, and the sentence that papers print."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clipsonic_eval.bench.interleave import METRIC
from clipsonic_eval.bench.quantities import HOST_AND_GAPS, PERCENTILES, STAGE, quantity
from clipsonic_eval.formats import p_value, percent
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

NONE = "–"
_HEADS = {
    **{name: f"p{rank}" for name, rank in PERCENTILES.items()},
    "clips_per_s": "clips/s",
    "real_time_factor": "x real time",
    "first_call": "first call",
    "load": "load",
    "compile": "compile",
    "memory_host": "host MiB",
    "memory_device_allocated": "device MiB",
    "memory_device_reserved": "reserved MiB",
    "energy": "J/clip",
}


def seconds(value: float, unit_of: float | None = None) -> str:
    """Return a duration with three significant digits, in the unit that suits it.

    Args:
        value: seconds.
        unit_of: a duration whose unit is taken instead of its own; then the unit is left out.

    Example:
        >>> seconds(0.0123), seconds(1.5), seconds(4.2e-5), seconds(0.5, unit_of=2.0)
        ('12.3 ms', '1.50 s', '42.0 µs', '0.500')
    """
    size = abs(value if unit_of is None else unit_of)
    factor, unit = (1.0, "s") if size >= 1 else (1e3, "ms") if size >= 1e-3 else (1e6, "µs")
    shown = significant(value * factor)
    return shown if unit_of is not None else f"{shown} {unit}"


def significant(value: float, digits: int = 3) -> str:
    """Return a number with some significant digits, never in powers of ten.

    Example:
        >>> significant(1234.5), significant(0.01234), significant(0.0)
        ('1234', '0.0123', '0')
    """
    if not value:
        return "0"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def costs(record: RunRecord) -> list[list[str]]:
    """Return a row per case, first the heads: percentiles with intervals, rates, load, memory, energy, n."""
    present = [name for name in _HEADS if any(score.metric == name for score in record.scores)]
    columns = [name for name in _HEADS if name in present or name in PERCENTILES]
    rows = [["", *(_HEADS[name] for name in columns), "n"]]
    for label in record.system_names:
        own = {score.metric: score for score in record.scores if score.system == label}
        rows.append([label, *(_cell(own.get(name)) for name in columns), str(own["latency"].n)])
    return rows


def _cell(score: Score | None) -> str:
    if score is None or (score.metric in PERCENTILES and score.ci is None):
        return NONE  # too few requests for an interval are too few for a percentile
    if score.metric in PERCENTILES:
        low, high = (seconds(end, unit_of=score.value) for end in score.ci or ())
        return f"{seconds(score.value)} [{low}, {high}]"
    if score.metric == "real_time_factor":
        return f"{significant(score.details['x_real_time'])}x ({significant(score.value)})"
    what = quantity(score.metric)
    return seconds(score.value) if what.unit == "s" else significant(score.value, what.digits)


def stages(record: RunRecord) -> list[list[str]]:
    """Return a row per case, first the heads: mean time of each stage with its share, and their sum."""
    named = [s.metric for s in record.scores if s.metric.startswith(STAGE) and s.metric != HOST_AND_GAPS]
    columns = list(dict.fromkeys(named))
    if not columns:
        return []
    rows = [["mean of", *(quantity(name).title for name in (*columns, HOST_AND_GAPS)), "total"]]
    for label in record.system_names:
        own = {score.metric: score for score in record.scores if score.system == label}
        cells = [_stage(own.get(name)) for name in (*columns, HOST_AND_GAPS)]
        rows.append([label, *cells, seconds(own["latency"].details["mean"])])
    return rows


def _stage(score: Score | None) -> str:
    if score is None:
        return NONE
    if "share" in score.details:
        return f"{seconds(score.value)} ({percent(score.details['share'], 1)})"
    return f"{significant(score.details['per_request'])} × {seconds(score.value)}"


def conventions(record: RunRecord) -> list[str]:
    """Return for each system at batch 1 the sentence of papers: time for so many seconds of audio, on what."""
    found = []
    for score in record.scores:
        card = record.systems.get(score.system, {})
        asked = card.get("bench", {})
        if score.metric != "real_time_factor" or asked.get("batch") != 1 or asked.get("kind") != "system":
            continue
        latency = record[score.system, "latency"].value
        settings = [f"{card['steps']} steps"] if "steps" in card else []
        on = record.provenance.get("measured_on", {}).get(asked["device"], {}).get("name", asked["device"])
        where = ", ".join(["batch 1", *settings, on])
        found.append(f"{score.system}: {significant(latency)} s for {score.details['audio_s']:g} s of audio ({where})")
    return found


def ratios(record: RunRecord) -> list[str]:
    """Return a sentence per interleaved comparison: how many times longer one target takes."""
    return [
        f"{c.a} takes {math.exp(c.difference):.3f} times as long as {c.b} [{_ends(c.ci)}], p {_equals(c.p_value)} "
        f"({c.test}, {c.n} blocks)"
        for c in record.comparisons
        if c.metric == METRIC
    ]


def _ends(ci: Sequence[float] | None) -> str:
    return ", ".join(f"{math.exp(end):.3f}" for end in ci or ())


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"
