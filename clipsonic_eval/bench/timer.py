"""Clocks of a device and its host: events mark moments on the device's timeline without waiting for it.

A GPU works through a queue. A call that puts work there returns at once, so the host's clock around it measures the
launch and not the work. Two things do measure it: the host's clock after a wait for the queue to empty
(``synchronize``), and the device's own clock, read at events in the queue. Waiting at each mark would empty the queue
and slow down what is measured; events do not. They are recorded while the request runs and read when it has ended.

Source: pytorch#75393 (a wait at each call distorts short ones).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from clipsonic_eval.errors import UserError

if TYPE_CHECKING:
    import torch


class TimingError(UserError):
    """A time that means nothing: a clock that ran backwards, an event that is missing, work that was not awaited."""


class Device(Protocol):
    """The timeline of a device and the clock of its host."""

    @property
    def clock(self) -> str:
        """What the time between two events is read from, as printed beside it."""
        ...

    def now(self) -> int:
        """Return the host's monotonic time, ns."""
        ...

    def event(self) -> Any:
        """Mark the present end of the device's queue."""
        ...

    def elapsed(self, a: Any, b: Any) -> int:
        """Return the device's time from one event to a later one, ns; both must have passed (``synchronize``)."""
        ...

    def synchronize(self) -> None:
        """Wait until the device has done all that it was given."""
        ...


class WallClock:
    """The host's clock; an event waits for the device first.

    On a CPU the wait is empty. On MPS it empties the queue at each mark, so that a stage's time is its own; what the
    host could have prepared meanwhile is then part of the request.

    Args:
        wait: waits for the device; None for a CPU, which returns only when it is done.
        clock: of the host, monotonic, ns.
    """

    def __init__(
        self, wait: Callable[[], object] | None = None, clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._wait = wait
        self.now = clock
        self.clock = "wall clock" if wait is None else "wall clock, waiting for the device at each mark"

    def event(self) -> int:
        """Return the time, after the wait."""
        if self._wait is not None:
            self._wait()
        return self.now()

    def elapsed(self, a: int, b: int) -> int:
        """Return the difference of two times, ns."""
        return b - a

    def synchronize(self) -> None:
        """Wait until the device is done."""
        if self._wait is not None:
            self._wait()


class CudaEvents:
    """Events of CUDA on the current stream of a GPU.

    Args:
        device: the GPU; None: torch's current one.
    """

    clock = "CUDA events"

    def __init__(self, device: torch.device | None = None) -> None:
        import torch

        self._cuda = torch.cuda
        self._device = device
        self.now = time.perf_counter_ns

    def event(self) -> torch.cuda.Event:
        """Record an event; does not wait."""
        event = self._cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(self._cuda.current_stream(self._device))
        return event

    def elapsed(self, a: torch.cuda.Event, b: torch.cuda.Event) -> int:
        """Return the GPU's time between two events, ns; its resolution is about half a microsecond."""
        return round(float(a.elapsed_time(b)) * 1e6)

    def synchronize(self) -> None:
        """Wait for all streams of the GPU."""
        self._cuda.synchronize(self._device)


def device_clock(device: torch.device) -> Device:
    """Return the clock of a device.

    Example:
        >>> import torch
        >>> device_clock(torch.device("cpu")).clock
        'wall clock'
    """
    import torch

    if device.type == "cuda":
        return CudaEvents(device)
    return WallClock(torch.mps.synchronize if device.type == "mps" else None)
