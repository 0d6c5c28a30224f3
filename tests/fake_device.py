"""A simulated asynchronous device: a queue with its own timeline, beside a host whose clock only work moves."""

from __future__ import annotations

from dataclasses import dataclass

MS = 1_000_000  # ns


@dataclass(frozen=True)
class FakeEvent:
    """A moment on the device's timeline; None if it was never recorded."""

    at: int | None


class FakeDevice:
    """Behaves like a GPU: a launch returns at once, an event passes when the queue reaches it, a wait takes as long.

    Args:
        launch_ns: host time of a launch.
        mark_ns: host time of recording an event.
        rate: of the device's clock against the host's; 1.03 runs 3 % fast.
    """

    clock = "fake events"

    def __init__(self, launch_ns: int = 0, mark_ns: int = 0, rate: float = 1.0) -> None:
        self.host = 0
        self.idle_from = 0
        self.launch_ns, self.mark_ns, self.rate = launch_ns, mark_ns, rate
        self.waits = 0

    def now(self) -> int:
        """Return the host's time, ns."""
        return self.host

    def work(self, duration: int) -> None:
        """Spend time on the host."""
        self.host += duration

    def launch(self, duration: int) -> None:
        """Put work into the device's queue; returns at once."""
        self.host += self.launch_ns
        self.idle_from = max(self.idle_from, self.host) + duration

    def event(self) -> FakeEvent:
        """Put an event into the queue."""
        self.host += self.mark_ns
        return FakeEvent(max(self.idle_from, self.host))

    def elapsed(self, a: FakeEvent, b: FakeEvent) -> int:
        """Return the device's time between two events; like CUDA, refuses those that have not passed."""
        if a.at is None or b.at is None:
            raise RuntimeError("an event was not recorded")
        if max(a.at, b.at) > self.host:
            raise RuntimeError("device not ready")
        return round((b.at - a.at) * self.rate)

    def synchronize(self) -> None:
        """Wait until the queue is empty."""
        self.waits += 1
        self.host = max(self.host, self.idle_from)

    def copy_to_host(self) -> None:
        """Fetch a result, which waits like ``.cpu()``; not counted among the explicit waits."""
        self.host = max(self.host, self.idle_from)
