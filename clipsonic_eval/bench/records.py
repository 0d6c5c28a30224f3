"""Records of kind ``bench``: from raw durations to one score per case and quantity.

All durations of a case stay in :attr:`Score.per_clip` of its ``latency``, by ``p<process>/<round>``, so that every
number here can be computed again from the record: percentiles with order-statistic intervals, and what is made of them.
Where n is too small for a percentile's interval there is no such score. Stages are means, because means add up to the
mean of the whole; medians do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clipsonic_eval import __version__
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.bench import machine
from clipsonic_eval.bench.cases import BenchConfig, Case
from clipsonic_eval.bench.quantities import HOST_AND_GAPS, NUMERICS, PERCENTILES, STAGE, quantity
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.stats.order_statistics import METHOD, percentile
from clipsonic_eval.types import Finding, Score, Skip

_SPREAD = 0.05  # of the processes' medians, from which on a finding says so
_DIGITS = re.compile(r"\d+")
_NS = 1e-9  # seconds
_MIB = 2.0**20  # bytes


@dataclass(slots=True)
class Measured:
    """A case with what its processes measured.

    Attributes:
        case: what was measured.
        processes: answers of the workers by process.
        failure: why there is no (further) measurement; "" if there is none.
    """

    case: Case
    processes: dict[int, dict[str, Any]] = field(default_factory=dict)
    failure: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """What all processes of the case share: name, kind, card, batch, device, …; empty where none was measured."""
        return next(iter(self.processes.values()), {})

    @property
    def durations(self) -> dict[str, float]:
        """Seconds of every request by ``p<process>/<round>``."""
        return {
            f"p{process}/{i:06d}": ns * _NS
            for process, answer in sorted(self.processes.items())
            for i, ns in enumerate(answer["requests_ns"])
        }

    def each(self, name: str) -> dict[str, float]:
        """A number of every process by ``p<process>``; empty where a process does not know it."""
        found = {f"p{process}": answer.get(name) for process, answer in sorted(self.processes.items())}
        return {} if None in found.values() else {key: float(value) for key, value in found.items()}  # type: ignore[arg-type]


def record_of(
    config: BenchConfig,
    measured: Sequence[Measured],
    *,
    seconds: float,
    provenance: Mapping[str, Any],
    comparisons: Sequence[Comparison] = (),
) -> RunRecord:
    """Return the record of a bench.

    Args:
        config: what was measured.
        measured: the cases in order; at least one was measured.
        seconds: that it took.
        provenance: versions, machine, moment.
        comparisons: of interleaved targets.

    Raises:
        UserError: the cases were measured on different machines.
    """
    labels = labels_of(measured)
    _check_machine(measured)
    scores = [
        score for label, one in zip(labels, measured, strict=True) if one.processes for score in _scores(label, one)
    ]
    findings = {label: tuple(_findings(one)) for label, one in zip(labels, measured, strict=True)}
    return RunRecord(
        kind="bench",
        scores=tuple(scores),
        comparisons=tuple(comparisons),
        systems={label: _card(one) for label, one in zip(labels, measured, strict=True) if one.processes},
        skipped={
            label: (Skip("case", one.failure),) for label, one in zip(labels, measured, strict=True) if one.failure
        },
        config=portable(as_tree(config)),
        provenance={**provenance, "measured_on": _measured_on(measured)},
        timings_s={"bench": round(seconds, 3)},
        findings={label: found for label, found in findings.items() if found},
    )


def _measured_on(measured: Iterable[Measured]) -> dict[str, dict[str, Any]]:
    """Return by device the name of the processor or GPU, the fingerprint, and what must be equal to compare."""
    found: dict[str, dict[str, Any]] = {}
    for one in measured:
        for answer in one.processes.values():
            parts = answer["machine"]["compared"]
            name = parts.get("gpu", {}).get("name") or parts["processor"]
            found.setdefault(
                answer["device"],
                {"name": name, "fingerprint": answer["machine"]["fingerprint"], "compared": parts},
            )
    return found


def labels_of(measured: Sequence[Measured]) -> list[str]:
    """Return the names of the cases in tables.

    A target without a name of its own has the name that its system says it has, where any case of it was measured.
    """
    names: dict[int, str] = {}
    for one in measured:
        names.setdefault(id(one.case.target), one.case.target.name or one.facts.get("name", ""))
        names[id(one.case.target)] = names[id(one.case.target)] or one.facts.get("name", "")
    labels: list[str] = []
    for one in measured:
        label = one.case.label(names[id(one.case.target)] or one.case.target.spec.rpartition(":")[2])
        same = sum(other == label or other.startswith(f"{label} #") for other in labels)
        labels.append(f"{label} #{same + 1}" if same else label)
    return labels


def _check_machine(measured: Iterable[Measured]) -> None:
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in measured:
        for answer in one.processes.values():
            # a metric's process has no torch, and a case on a GPU has the GPU in its fingerprint
            known = first.setdefault((answer["kind"], answer["device"]), answer["machine"])
            if known["fingerprint"] != answer["machine"]["fingerprint"]:
                raise UserError(
                    "the folder holds cases from another machine, and times compare on one machine only "
                    f"({'; '.join(machine.explain(known, answer['machine']))}); measure again with --overwrite"
                )


# --- scores


def _scores(label: str, one: Measured) -> Iterator[Score]:
    """Yield all scores of a case."""
    durations = one.durations
    seconds = np.array(list(durations.values()))
    made = _Maker(label, one, len(seconds))
    yield from _latencies(made, one, durations, seconds)
    yield from _rates(made, one, seconds)
    yield from _stages(made, one, seconds)
    for name, key in (("first_call", "first_ns"), ("load", "load_ns")):
        values = {process: ns * _NS for process, ns in one.each(key).items()}
        yield made.of_processes(name, values)
    if one.facts["card"].get("compile"):
        medians = _medians(one)
        values = {process: ns * _NS - medians[process] for process, ns in one.each("first_ns").items()}
        yield made.of_processes("compile", values)  # first call − median of the steady ones
    for name in _MEMORY:
        if peaks := one.each(name):
            over = one.each(f"{name}_above").values()
            above = {"above_model": max(over) / _MIB} if over else {}
            in_mib = {process: peak / _MIB for process, peak in peaks.items()}
            yield made.of_processes(name, in_mib, highest=True, details=above)
    if joules := one.each("energy"):
        beyond = float(np.median(list(one.each("energy_above_idle").values())))
        yield made.of_processes("energy", joules, details={"above_idle": beyond})


_MEMORY = ("memory_host", "memory_device_allocated", "memory_device_reserved")


class _Maker:
    """Makes the scores of one case."""

    def __init__(self, label: str, one: Measured, n: int) -> None:
        self._label, self._one, self._n = label, one, n

    def score(
        self,
        name: str,
        value: float,
        ci: tuple[float, float] | None = None,
        method: str = "none",
        *,
        n: int | None = None,
        **more: Any,
    ) -> Score:
        """Return a score of this case."""
        what, count = quantity(name), self._n if n is None else n
        return Score(
            metric=name,
            system=self._label,
            value=value,
            ci=ci,
            ci_method=method,
            n=count,
            n_rows=count,
            unit=what.unit,
            higher_is_better=what.higher_is_better,
            signature=_signature(name, self._one, count),
            **more,
        )

    def of_processes(self, name: str, values: Mapping[str, float], *, highest: bool = False, **more: Any) -> Score:
        """Return the score of a quantity that each process has once: the median of its values, or the highest."""
        numbers = list(values.values())
        value = max(numbers) if highest else float(np.median(numbers))
        method = f"none: {'highest' if highest else 'median'} of {len(numbers)} processes"
        return self.score(name, value, None, method, n=len(numbers), per_clip=values, **more)


def _signature(name: str, one: Measured, n: int) -> str:
    """Return everything that two numbers of one quantity must share to compare, and n."""
    facts = one.facts
    fields = {
        "num": NUMERICS,
        "machine": facts["machine"]["fingerprint"],
        "device": facts["device"],
        "threads": facts["threads"],
        "clock": facts["clock"].partition(",")[0].replace(" ", "-"),
        "item": facts["item"],
        **facts["request"],
        **({"audio": f"{facts['audio_s']:g}s"} if facts["audio_s"] else {}),
        "batch": facts["batch"],
        **({"queries": facts["queries"]} if facts["queries"] else {}),
        "n": n,
        "v": __version__,
    }
    return "|".join([name, *(f"{key}:{value}" for key, value in fields.items())])


def _latencies(made: _Maker, one: Measured, durations: Mapping[str, float], seconds: Float64) -> Iterator[Score]:
    for name, rank in PERCENTILES.items():
        found = percentile(seconds, rank / 100)
        if name == "latency":
            medians = list(_medians(one).values())
            details = {
                "mean": float(seconds.mean()),
                "processes": float(len(medians)),
                "lowest_process": min(medians),
                "highest_process": max(medians),
            }
            value = float(np.median(seconds))
            interval = (None, "none: fewer than 6 requests") if found is None else (found.ci, METHOD)
            yield made.score(name, value, *interval, per_clip=durations, details=details)
        elif found is not None:
            yield made.score(name, found.value, found.ci, METHOD)


def _medians(one: Measured) -> dict[str, float]:
    """Return the median request of each process, s."""
    return {f"p{p}": float(np.median(answer["requests_ns"])) * _NS for p, answer in sorted(one.processes.items())}


def _rates(made: _Maker, one: Measured, seconds: Float64) -> Iterator[Score]:
    """Yield what is the median latency in another unit, with its interval."""
    facts = one.facts
    found = percentile(seconds, 0.5)
    middle = float(np.median(seconds))
    ends = None if found is None else found.ci
    method = "none: fewer than 6 requests" if ends is None else METHOD
    batch = facts["batch"]
    if facts["item"] == "clip":
        ci = None if ends is None else (batch / ends[1], batch / ends[0])
        yield made.score("clips_per_s", batch / middle, ci, method)
    if facts["audio_s"]:
        audio = batch * facts["audio_s"]
        ci = None if ends is None else (ends[0] / audio, ends[1] / audio)
        details = {"x_real_time": audio / middle, "audio_s": facts["audio_s"]}
        yield made.score("real_time_factor", middle / audio, ci, method, details=details)


def _stages(made: _Maker, one: Measured, seconds: Float64) -> Iterator[Score]:
    """Yield the mean of each stage per request, and per entry of one within another; the outermost add up."""
    answers = list(one.processes.values())
    paths = list(dict.fromkeys(path for answer in answers for path in answer["stages_ns"]))
    mean = float(seconds.mean())
    rest = mean
    for path in paths:
        times = _joined(answers, "stages_ns", path) * _NS
        entries = _joined(answers, "entries", path)
        name = STAGE + path.replace("/", "_")
        if "/" in path:
            per_entry = float(times.sum() / entries.sum())
            yield made.score(name, per_entry, None, "none: mean", details={"per_request": float(entries.mean())})
            continue
        rest -= float(times.mean())
        yield made.score(name, float(times.mean()), None, "none: mean", details={"share": float(times.mean()) / mean})
    yield made.score(HOST_AND_GAPS, rest, None, "none: mean", details={"share": rest / mean})


def _joined(answers: Sequence[Mapping[str, Any]], what: str, path: str) -> Float64:
    """Return the values of a stage over all requests of all processes, (n,); 0 where a process did not enter it."""
    return np.concatenate([np.asarray(a[what].get(path, [0] * len(a["requests_ns"])), np.float64) for a in answers])


# --- what else stands in a record


def _card(one: Measured) -> dict[str, Any]:
    facts = one.facts
    settings = {**one.case.target.settings, **one.case.point}
    own = {key: facts[key] for key in ("kind", "batch", "item", "audio_s", "device", "threads", "clock")}
    point = portable(dict(one.case.point))
    return {
        **facts["card"],
        "bench": {**own, "spec": one.case.target.spec, "point": point, "settings": portable(settings)},
    }


def _findings(one: Measured) -> Iterator[Finding]:
    said = [remark for answer in one.processes.values() for remark in answer["remarks"]]
    alike = {_DIGITS.sub("", remark): remark for remark in reversed(said)}  # the first of those that differ in a number
    for remark in reversed(alike.values()):
        yield Finding("bench", "warning", (), remark)
    medians = list(_medians(one).values())
    if len(medians) > 1 and max(medians) > (1 + _SPREAD) * min(medians):
        yield Finding(
            "bench",
            "warning",
            (),
            f"the medians of the {len(medians)} processes lie between {min(medians):.4g} and {max(medians):.4g} s, so "
            "intervals over requests are too narrow; measure with more processes, on a quieter machine",
        )
