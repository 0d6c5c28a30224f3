"""A process of its own for one case: ``python -m clipsonic_eval.bench.worker``, told by JSON lines on stdin.

Loads one target, measures it, and ends with it, so that neither the parent's memory, nor another case's caches, nor a
compiled network of before can show up in its numbers. Commands, one JSON object a line, each answered by one::

    {"do": "load", ...}                 the request of a case, see cases.Case.request
    {"do": "measure"}                   warm-up, then timed requests
    {"do": "warm"}, {"do": "turn", "calls": n}, {"do": "collect"}
                                        the same in turns with another worker, see interleave

An answer holds either results or ``error``, one sentence. stdout belongs to the answers: what a system prints goes to
stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clipsonic_eval import seeds, threads
from clipsonic_eval.bench import energy, machine
from clipsonic_eval.bench.measure import Measurement, Request, measure, time_request, warm_up
from clipsonic_eval.bench.memory import PeakMemory
from clipsonic_eval.bench.targets import Loaded, load, read
from clipsonic_eval.bench.timer import WallClock, device_clock
from clipsonic_eval.errors import UserError

Answer = dict[str, Any]
_IDLE_S = 5.5  # in which an idle machine's energy is counted


class _Worker:
    """Answers the commands of one process."""

    def __init__(self) -> None:
        self._target: Loaded | None = None
        self._told: Mapping[str, Any] = {}
        self._timed: list[Request] = []
        self._stack = ExitStack()

    def answer(self, command: Mapping[str, Any]) -> Answer:
        """Carry out a command; what goes wrong becomes an ``error``."""
        actions: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "load": self._load,
            "measure": self._measure,
            "warm": self._warm,
            "turn": self._turn,
            "collect": self._collect,
        }
        try:
            return actions[str(command["do"])](command)
        except Exception as error:  # whatever a system, an encoder or torch raises
            return {"error": sentence(error)}

    def _load(self, told: Mapping[str, Any]) -> Answer:
        queries = read(None if told["queries"] is None else Path(told["queries"]))
        number = threads.available()
        target = load(told["spec"], told["name"], told["settings"], queries, told["seed"])
        self._stack.enter_context(threads.limited(matrices=number, networks=number))
        self._target, self._told = target, told
        self._device = _device(target.device)
        self._clock = device_clock(self._device) if self._device.type != "cpu" else WallClock()
        return {
            "name": target.name,
            "kind": target.kind,
            "card": target.card,
            "batch": target.batch,
            "item": target.item,
            "device": target.device.partition(":")[0],
            "request": target.request,
            "queries": _content(queries) if target.kind != "metric" else "",
            "clock": self._clock.clock,
            "threads": number,
            "machine": machine.identify(self._device),
        }

    @property
    def _ready(self) -> Loaded:
        if self._target is None:
            raise UserError("nothing is loaded; send `load` first")
        return self._target

    def _measure(self, command: Mapping[str, Any]) -> Answer:
        del command
        target, told = self._ready, self._told
        self._memory, self._watch = PeakMemory(self._device), _Watch(self._device)
        least = min(energy.LEAST_S, told["seconds"]) if self._watch.has_energy else 0.0
        found = measure(
            target.call,
            self._clock,
            requests=told["calls"],
            at_least_s=least,
            at_most_s=told["seconds"],
            when_warm=self._watch.begin,
        )
        return self._told_of(found, self._watch.end(items=len(found.requests_ns) * target.batch))

    def _warm(self, command: Mapping[str, Any]) -> Answer:
        del command
        self._memory, self._watch = PeakMemory(self._device), _Watch(self._device)
        self._warm_up = warm_up(self._ready.call, self._clock)
        self._number = 1 + len(self._warm_up.calls_ns)
        self._watch.begin()
        return {"stable": self._warm_up.stable}

    def _turn(self, command: Mapping[str, Any]) -> Answer:
        """Time requests after one that is not timed: the caches of the processor were the other worker's."""
        done = []
        for _ in range(1 + command["calls"]):
            done.append(time_request(self._ready.call, self._number, self._clock))
            self._number += 1
        self._timed += done[1:]
        return {"requests_ns": [request.total_ns for request in done[1:]]}

    def _collect(self, command: Mapping[str, Any]) -> Answer:
        del command
        seen = self._watch.end(items=0)  # the other worker used energy, too
        return self._told_of(Measurement.of(self._timed, self._warm_up, self._clock.clock), seen)

    def _told_of(self, found: Measurement, seen: Answer) -> Answer:
        """Return a measurement with what was seen beside it, JSON-serialisable."""
        target, told = self._ready, self._told
        kept = reservoir(len(found.requests_ns), told["kept"], told["seed"])
        remarks = [*target.remarks, *found.remarks(), *seen["remarks"]]
        return {
            "first_ns": found.warm_up.first_ns,
            "warm_up_ns": list(found.warm_up.calls_ns),
            "stable": found.warm_up.stable,
            "n_requests": len(found.requests_ns),
            "requests_ns": [int(found.requests_ns[i]) for i in kept],
            "stages_ns": {path: [int(times[i]) for i in kept] for path, times in found.stages_ns.items()},
            "entries": {path: [int(times[i]) for i in kept] for path, times in found.entries.items()},
            "audio_s": target.audio_s,
            "memory_method": self._memory.method,
            **self._memory.read(),
            **seen,
            "remarks": remarks,
        }


class _Watch:
    """The machine's state and energy while the requests of a case are timed."""

    def __init__(self, device: Any) -> None:
        from clipsonic_eval.bench.energy import EnergyMeter

        self._device = device
        self._meter = EnergyMeter.of(device)
        self.has_energy = bool(self._meter.counters)

    def begin(self) -> None:
        """Look at the machine; called when the warm-up is over."""
        self._before, self._began = machine.conditions(self._device), time.monotonic()
        self._used = self._meter.begin()

    def end(self, items: int) -> Answer:
        """Return the conditions before and after, remarks on what changed, and joules per item where they are known.

        Args:
            items: that were made since :meth:`begin`; 0: the energy is not theirs alone, and is not returned.
        """
        used = self._used()
        after, seconds = machine.conditions(self._device), time.monotonic() - self._began
        found: Answer = {
            "conditions": {"before": self._before, "after": after},
            "remarks": list(machine.changes(self._before, after, seconds)),
        }
        part = "gpu" if self._device.type == "cuda" else "cpu"
        if part in used and items:
            idle = self._meter.begin()
            time.sleep(_IDLE_S)
            above = energy.above_idle(used, idle())
            found |= {"energy": used[part] / items, "energy_above_idle": above.get(part, 0.0) / items}
        return found


def _device(name: str) -> Any:
    """Return a device as torch describes it, without loading torch for a CPU: a metric needs none."""
    if name == "cpu":
        return SimpleNamespace(type="cpu", index=None)
    import torch

    return torch.device(name)


def _content(queries: list[Any]) -> str:
    from clipsonic_eval.hashing import config_hash

    return config_hash([[q.key, q.prompt] for q in queries])[:8]


def reservoir(n: int, kept: int, seed: int) -> list[int]:
    """Return which of n requests are kept: all, or a random sample in their order.

    Example:
        >>> reservoir(3, 10, 0), len(reservoir(100, 10, 0))
        ([0, 1, 2], 10)
    """
    if n <= kept:
        return list(range(n))
    return sorted(seeds.stream(seed, "", "bench-reservoir").choice(n, kept, replace=False).tolist())


def sentence(error: Exception) -> str:
    """Return what went wrong in one sentence."""
    line = (str(error).strip() or type(error).__name__).partition("\n")[0]
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory ({line}); take a smaller batch or a shorter length"
    return f"{type(error).__name__}: {line}"


def main() -> None:
    """Answer commands until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a system that prints does not disturb the answers
    threads.spin_briefly()
    worker = _Worker()
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
