"""Measure requests: how long each took from the call to the result on the host, and what its stages took of that.

The total is read from the host's clock, the wait for the device included, because that is what a user waits for. Stages
(:mod:`clipsonic_eval.stages`) are read from the device's events. What the total has beyond its outermost stages is a
row of its own, *host and gaps*; it is never spread over the stages.

    measured = measure(lambda number: system.generate([queries[number]], [number]), device_clock(device))
    np.median(measured.requests_ns), measured.stages_ns["denoiser"], measured.host_and_gaps_ns

The first call is kept apart (it loads kernels, compiles, fills caches), and so are the calls that follow until the
times are steady.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.bench.timer import Device, TimingError
from clipsonic_eval.stages import recorded_by

Nanoseconds = NDArray[np.int64]
Call = Callable[[int], object]  # answers the request of a number, a new request for each number

WINDOW, CHANGE = 5, 0.02  # steady: the median of the last 5 calls is within 2 % of that of the 5 before
LEAST_CALLS, MOST_CALLS, MOST_SECONDS = 3, 20, 30.0  # of a warm-up, the first call not counted
AGREEMENT = 0.01  # of the device's clock and the host's, as a share of the request
SLACK_NS = 100_000  # launches of events and the return from a wait: no disagreement of clocks


@dataclass(frozen=True, slots=True)
class Request:
    """The times of one request.

    Attributes:
        total_ns: from the call until the result is on the host and the device is done, by the host's clock.
        device_ns: from the event before the request to the event after it, by the device's clock.
        stages_ns: by path (``denoiser``, ``denoiser/step``); a stage entered several times is summed.
        entries: how often each was entered.
    """

    total_ns: int
    device_ns: int
    stages_ns: Mapping[str, int]
    entries: Mapping[str, int]


class _Marks:
    """Receives the stages of a request as pairs of events, in the order in which they begin."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._open: list[int] = []
        self.paths: list[str] = []
        self.events: list[tuple[Any, Any]] = []

    def begin(self, name: str) -> None:
        path = f"{self.paths[self._open[-1]]}/{name}" if self._open else name
        self._open.append(len(self.paths))
        self.paths.append(path)
        self.events.append((self._device.event(), None))

    def end(self, name: str) -> None:
        del name
        end = self._device.event()
        entry = self._open.pop()
        self.events[entry] = (self.events[entry][0], end)


def time_request(call: Call, number: int, device: Device) -> Request:
    """Time one request.

    Args:
        call: answers it; its result must be on the host when it returns.
        number: passed to the call.
        device: its clocks.

    Raises:
        TimingError: the clock ran backwards, a stage was not closed, or the call returned before the device was done.
        Exception: the call's own; its stages are closed and nothing is counted.
    """
    marks = _Marks(device)
    device.synchronize()
    start = device.now()
    first = device.event()
    with recorded_by(marks):
        result = call(number)
    last = device.event()
    returned = device.now()
    device.synchronize()
    end = device.now()
    del result  # kept until here: freeing it is not part of the request
    request = _request(end - start, device.elapsed(first, last), marks, device)
    slack = max(SLACK_NS, AGREEMENT * request.total_ns)
    # the device's last event came after the return, and the host did wait for it
    if request.device_ns - (returned - start) > slack and end - returned > slack:
        raise TimingError(
            f"request {number} returned {(end - returned) / 1e6:.1f} ms before the device was done: its result was not "
            "yet on the host; copy it there (.cpu()) before it is returned"
        )
    return request


def _request(total: int, device_ns: int, marks: _Marks, device: Device) -> Request:
    stages: dict[str, int] = {}
    entries: dict[str, int] = {}
    for path, (begun, ended) in zip(marks.paths, marks.events, strict=True):
        if ended is None:
            raise TimingError(f"stage '{path}' was begun and not ended; mark it by `with stage(...):`")
        duration = device.elapsed(begun, ended)
        if duration < 0:
            raise TimingError(f"stage '{path}' ended before it began: the device's clock is not monotonic")
        stages[path] = stages.get(path, 0) + duration
        entries[path] = entries.get(path, 0) + 1
    if total < 0 or device_ns < 0:
        raise TimingError("a request ended before it began: the clock is not monotonic")
    return Request(total, device_ns, stages, entries)


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The calls before a measurement.

    Attributes:
        first_ns: the first call.
        calls_ns: those after it.
        stable: the median of the last five was within 2 % of that of the five before.
    """

    first_ns: int
    calls_ns: tuple[int, ...]
    stable: bool


def warm_up(call: Call, device: Device) -> WarmUp:
    """Call until the times are steady: the medians of the last two windows of five calls differ by less than 2 %.

    Ends without that after 20 calls, or after 30 seconds and at least 3 calls; the first call is not one of them.
    Requests are numbered from 0.
    """
    begun = device.now()
    first = time_request(call, 0, device).total_ns
    calls: list[int] = []
    while len(calls) < MOST_CALLS and not _steady(calls):
        if len(calls) >= LEAST_CALLS and device.now() - begun >= MOST_SECONDS * 1e9:
            break
        calls.append(time_request(call, 1 + len(calls), device).total_ns)
    return WarmUp(first, tuple(calls), _steady(calls))


def _steady(calls: Sequence[int]) -> bool:
    if len(calls) < 2 * WINDOW:
        return False
    last, before = median(calls[-WINDOW:]), median(calls[-2 * WINDOW : -WINDOW])
    return abs(last - before) < CHANGE * before


@dataclass(frozen=True, slots=True)
class Measurement:
    """The raw times of n requests in steady state, and of the calls before.

    Attributes:
        clock: what the stages were read from.
        warm_up: the first call and the calls until the times were steady.
        requests_ns: (n,) int64, from call to result on the host, by the host's clock.
        device_ns: (n,) int64, the same by the device's events.
        stages_ns: (n,) int64 by path, see :class:`Request`; 0 where a request did not enter the stage.
        entries: (n,) int64 by path.
    """

    clock: str
    warm_up: WarmUp
    requests_ns: Nanoseconds
    device_ns: Nanoseconds
    stages_ns: Mapping[str, Nanoseconds]
    entries: Mapping[str, Nanoseconds]

    @classmethod
    def of(cls, requests: Sequence[Request], warm_up: WarmUp, clock: str) -> Measurement:
        """Collect requests that were timed one by one; the paths keep the order in which stages began."""
        paths = list(dict.fromkeys(path for request in requests for path in request.stages_ns))
        return cls(
            clock,
            warm_up,
            np.array([request.total_ns for request in requests], np.int64),
            np.array([request.device_ns for request in requests], np.int64),
            {path: np.array([r.stages_ns.get(path, 0) for r in requests], np.int64) for path in paths},
            {path: np.array([r.entries.get(path, 0) for r in requests], np.int64) for path in paths},
        )

    @property
    def host_and_gaps_ns(self) -> Nanoseconds:
        """What each total has beyond its outermost stages, (n,) int64; with them it sums to the total exactly.

        Below zero only where the device's clock runs faster than the host's, see :meth:`remarks`.
        """
        stages = [times for path, times in self.stages_ns.items() if "/" not in path]
        return self.requests_ns - sum(stages, np.zeros_like(self.requests_ns))

    def per_entry_ns(self, path: str) -> NDArray[np.float64]:
        """Return the mean duration of a stage's entries in each request, (n,) float64; NaN where it was not entered."""
        entries = self.entries[path]
        mean: NDArray[np.float64] = np.full(len(entries), np.nan)
        np.divide(self.stages_ns[path], entries, out=mean, where=entries > 0)
        return mean

    @property
    def disagreement(self) -> float:
        """Median of (device's clock − host's clock) / host's clock over the requests."""
        return float(np.median((self.device_ns - self.requests_ns) / np.maximum(self.requests_ns, 1)))

    def remarks(self) -> tuple[str, ...]:
        """Return what a reader of these times must know, one sentence each."""
        found = []
        calls = len(self.warm_up.calls_ns)
        if not self.warm_up.stable:
            why = "the times still moved after them" if calls >= 2 * WINDOW else f"it takes {2 * WINDOW} to tell"
            found.append(f"not stable: {calls} calls of warm-up, and {why}")
        slack = max(SLACK_NS, AGREEMENT * float(np.median(self.requests_ns)))
        if abs(float(np.median(self.device_ns - self.requests_ns))) > slack:
            found.append(
                f"the device's clock and the host's differ by {100 * self.disagreement:+.1f} %: the stages and the "
                "total are not on one scale"
            )
        return tuple(found)


def measure(
    call: Call,
    device: Device,
    *,
    requests: int = 50,
    at_least_s: float = 0.0,
    at_most_s: float = math.inf,
    when_warm: Callable[[], object] = lambda: None,
) -> Measurement:
    """Warm up, then time requests one after the other.

    Args:
        call: answers the request of a number. Numbers rise from 0 over warm-up and measurement, so that a system which
            remembers its answers can be given a new request each time.
        device: its clocks.
        requests: how many to time.
        at_least_s: goes on until the timed requests took that long together (an energy counter needs 5 s).
        at_most_s: stops after that long, with fewer requests, but at least one.
        when_warm: called between the warm-up and the timed requests, to look at the machine.

    Raises:
        TimingError: no requests, or a time that means nothing, see :func:`time_request`.

    Example:
        >>> from clipsonic_eval.bench.timer import WallClock
        >>> from clipsonic_eval.stages import stage
        >>> def call(number: int) -> None:
        ...     with stage("denoiser"):
        ...         for _ in range(4):
        ...             with stage("step"):
        ...                 sum(range(1000))
        >>> measured = measure(call, WallClock(), requests=10)
        >>> {path: int(counts[0]) for path, counts in measured.entries.items()}
        {'denoiser': 1, 'denoiser/step': 4}
        >>> bool((measured.stages_ns["denoiser"] + measured.host_and_gaps_ns == measured.requests_ns).all())
        True
    """
    if requests < 1:
        raise TimingError(f"asked for {requests} requests; at least 1 is needed")
    warm = warm_up(call, device)
    when_warm()
    number = 1 + len(warm.calls_ns)
    timed: list[Request] = []
    spent = 0
    while len(timed) < requests or spent < at_least_s * 1e9:
        timed.append(time_request(call, number + len(timed), device))
        spent += timed[-1].total_ns
        if spent >= at_most_s * 1e9:
            break
    return Measurement.of(timed, warm, device.clock)
