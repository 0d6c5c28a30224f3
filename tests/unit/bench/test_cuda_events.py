"""CUDA events on a stand-in for torch.cuda that is backed by the simulated device: queue, stream, units."""

from __future__ import annotations

from typing import Any

import fake_nvml
import pytest
import torch
from fake_device import MS, FakeDevice, FakeEvent

from clipsonic_eval.bench.measure import measure, time_request
from clipsonic_eval.bench.timer import CudaEvents, Device, TimingError, device_clock
from clipsonic_eval.stages import stage


class StandIn:
    """What CudaEvents uses of torch.cuda; notes on which stream events were recorded and what was waited for."""

    def __init__(self, gpu: FakeDevice) -> None:
        self.gpu = gpu
        self.streams: list[str] = []
        self.waited: list[torch.device | None] = []

    def event(self, *, enable_timing: bool) -> Any:
        assert enable_timing  # without it CUDA refuses to tell the time
        stand_in = self

        class Event:
            at = FakeEvent(None)

            def record(self, stream: str) -> None:
                stand_in.streams.append(stream)
                self.at = stand_in.gpu.event()

            def elapsed_time(self, other: Event) -> float:
                return stand_in.gpu.elapsed(self.at, other.at) / MS

        return Event()

    def synchronize(self, device: torch.device | None) -> None:
        self.waited.append(device)
        self.gpu.synchronize()


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn(FakeDevice(launch_ns=5_000, mark_ns=2_000))
    monkeypatch.setattr(torch.cuda, "Event", stand_in.event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    monkeypatch.setattr(torch.cuda, "synchronize", stand_in.synchronize)
    return stand_in


@pytest.fixture
def device(cuda: StandIn) -> Device:
    events = device_clock(fake_nvml.CUDA)
    assert isinstance(events, CudaEvents)
    events.now = cuda.gpu.now  # type: ignore[method-assign,assignment]
    return events


def test_stages_are_read_in_nanoseconds_from_events_on_the_current_stream(cuda: StandIn, device: Device) -> None:
    def call(number: int) -> None:
        with stage("denoiser"):
            for _ in range(4):
                with stage("step"):
                    cuda.gpu.launch(10 * MS)
        cuda.gpu.copy_to_host()

    measured = measure(call, device, requests=3)
    assert measured.clock == "CUDA events"
    assert measured.stages_ns["denoiser"] == pytest.approx(40 * MS, rel=1e-3)
    assert measured.remarks() == ()
    assert set(cuda.streams) == {"stream of cuda:0"}


def test_the_gpu_is_waited_for_before_and_after_a_request_and_never_within(cuda: StandIn, device: Device) -> None:
    def call(number: int) -> None:
        for _ in range(50):
            with stage("step"):
                cuda.gpu.launch(MS)
        cuda.gpu.copy_to_host()

    time_request(call, 0, device)
    assert cuda.waited == [fake_nvml.CUDA, fake_nvml.CUDA]


def test_a_result_left_on_the_gpu_is_refused(cuda: StandIn, device: Device) -> None:
    with pytest.raises(TimingError, match="not yet on the host"):
        time_request(lambda number: cuda.gpu.launch(20 * MS), 0, device)


def test_reading_an_event_before_the_wait_is_an_error(cuda: StandIn, device: Device) -> None:
    before = device.event()
    cuda.gpu.launch(MS)
    with pytest.raises(RuntimeError, match="not ready"):
        device.elapsed(before, device.event())
