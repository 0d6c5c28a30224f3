"""Requests on a simulated asynchronous device: what is measured is the work, whatever the queue does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fake_device import MS, FakeDevice, FakeEvent
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.bench import measure as m
from clipsonic_eval.bench.timer import TimingError, WallClock
from clipsonic_eval.stages import recorded_by, stage


def a_request(device: FakeDevice, steps: int = 4) -> Callable[[int], None]:
    """Return a request of 2 ms of text encoder, 4 × 10 ms of denoiser, 5 ms of vocoder, 1 ms of host."""

    def call(number: int) -> None:
        with stage("condition"):
            device.launch(2 * MS)
        with stage("denoiser"):
            for _ in range(steps):
                with stage("step"):
                    device.launch(10 * MS)
        with stage("vocoder"):
            device.launch(5 * MS)
        device.copy_to_host()
        device.work(1 * MS)

    return call


def test_stages_are_timed_by_the_devices_work_although_each_launch_returns_at_once() -> None:
    device = FakeDevice(launch_ns=5_000)
    request = m.time_request(a_request(device), 0, device)
    assert request.stages_ns["denoiser"] == pytest.approx(40 * MS, rel=1e-3)
    assert request.stages_ns["vocoder"] == pytest.approx(5 * MS, rel=1e-3)
    assert request.total_ns == pytest.approx(48 * MS, rel=1e-3)


def test_the_hosts_clock_without_a_wait_measures_next_to_nothing_here() -> None:
    device = FakeDevice(launch_ns=5_000)
    start = device.now()
    device.launch(40 * MS)
    assert device.now() - start == 5_000  # what a harness that forgets to synchronise would report
    unawaited = WallClock(wait=None, clock=device.now)
    with recorded_by(marks := m._Marks(unawaited)), stage("denoiser"):
        device.launch(40 * MS)
    ((begun, ended),) = marks.events
    assert unawaited.elapsed(begun, ended) == 5_000
    awaited = WallClock(wait=device.synchronize, clock=device.now)
    request = m.time_request(a_request(device), 0, awaited)
    assert request.stages_ns["denoiser"] == pytest.approx(40 * MS, rel=1e-3)


def test_a_request_that_returns_before_the_device_is_done_is_refused() -> None:
    device = FakeDevice(launch_ns=5_000)

    def forgets(number: int) -> None:
        device.launch(50 * MS)

    with pytest.raises(TimingError, match=r"request 3 returned 50.0 ms before the device was done"):
        m.time_request(forgets, 3, device)


def test_a_host_that_is_interrupted_after_the_return_is_not_mistaken_for_work_left_behind() -> None:
    class Interrupted(FakeDevice):
        def synchronize(self) -> None:
            super().synchronize()
            self.host += 9 * MS  # another process ran

    device = Interrupted()
    assert m.time_request(a_request(device), 0, device).device_ns == 48 * MS


def test_a_harness_that_does_not_wait_for_the_device_gets_no_time_at_all() -> None:
    class Forgets(FakeDevice):
        def synchronize(self) -> None:
            pass

    device = Forgets()
    with pytest.raises(RuntimeError, match="device not ready"):
        m.time_request(lambda number: device.launch(50 * MS), 0, device)


def test_nothing_waits_for_the_device_between_the_beginning_and_the_end_of_a_request() -> None:
    device = FakeDevice()
    m.time_request(a_request(device, steps=100), 0, device)
    assert device.waits == 2


def test_work_left_in_the_queue_by_someone_else_is_not_part_of_the_request() -> None:
    device = FakeDevice()
    device.launch(500 * MS)
    assert m.time_request(a_request(device), 0, device).total_ns == 48 * MS


def test_a_stage_that_waits_for_the_host_is_charged_for_it() -> None:
    device = FakeDevice()

    def call(number: int) -> None:
        with stage("condition"):
            device.work(7 * MS)  # a tokenizer
            device.launch(2 * MS)
        device.copy_to_host()

    assert m.time_request(call, 0, device).stages_ns == {"condition": 9 * MS}


def test_nested_stages_have_paths_and_repeated_ones_are_summed_and_counted() -> None:
    device = FakeDevice()
    measured = m.measure(a_request(device), device, requests=3)
    assert list(measured.stages_ns) == ["condition", "denoiser", "denoiser/step", "vocoder"]
    assert measured.entries["denoiser/step"].tolist() == [4, 4, 4]
    assert measured.stages_ns["denoiser/step"].tolist() == [40 * MS] * 3
    assert measured.per_entry_ns("denoiser/step").tolist() == [10 * MS] * 3


def test_outermost_stages_and_the_rest_sum_to_the_total_exactly() -> None:
    device = FakeDevice(launch_ns=3_001, mark_ns=977)
    measured = m.measure(a_request(device), device, requests=5)
    outermost = sum(measured.stages_ns[path] for path in ("condition", "denoiser", "vocoder"))
    assert (outermost + measured.host_and_gaps_ns == measured.requests_ns).all()
    assert measured.host_and_gaps_ns == pytest.approx(1 * MS, rel=0.02)
    assert measured.remarks() == ()


@given(
    durations=st.lists(st.integers(0, 10 * MS), min_size=1, max_size=6),
    hosts=st.lists(st.integers(0, MS), min_size=6, max_size=6),
    launch=st.integers(0, 20_000),
)
def test_stages_never_exceed_the_total_on_one_queue(durations: list[int], hosts: list[int], launch: int) -> None:
    device = FakeDevice(launch_ns=launch)

    def call(number: int) -> None:
        for i, duration in enumerate(durations):
            with stage(f"stage {i}"):
                device.launch(duration)
            device.work(hosts[i])
        device.copy_to_host()

    request = m.time_request(call, 0, device)
    assert sum(request.stages_ns.values()) <= request.total_ns
    assert all(ns >= duration for ns, duration in zip(request.stages_ns.values(), durations, strict=True))


def test_a_stage_that_some_requests_skip_counts_zero_there() -> None:
    device = FakeDevice()

    def call(number: int) -> None:
        if number % 2:
            with stage("prior"):
                device.launch(3 * MS)
        with stage("denoiser"):
            device.launch(9 * MS)
        device.copy_to_host()

    requests = [m.time_request(call, number, device) for number in range(4)]
    measured = m.Measurement.of(requests, m.WarmUp(0, (), True), device.clock)
    assert measured.stages_ns["prior"].tolist() == [0, 3 * MS, 0, 3 * MS]
    assert np.isnan(measured.per_entry_ns("prior")).tolist() == [True, False, True, False]


def test_a_request_that_raises_inside_a_stage_is_not_counted_and_leaves_the_next_one_alone() -> None:
    device = FakeDevice()

    def breaks(number: int) -> None:
        with stage("denoiser"), stage("step"):
            device.launch(70 * MS)
            raise ValueError("a step that fails")

    with pytest.raises(ValueError, match="a step that fails"):
        m.time_request(breaks, 0, device)
    request = m.time_request(a_request(device), 1, device)
    assert request.total_ns == 48 * MS
    assert set(request.entries) == {"condition", "denoiser", "denoiser/step", "vocoder"}


def test_stages_outside_a_measurement_go_nowhere() -> None:
    device = FakeDevice()
    a_request(device)(0)
    assert device.waits == 0


def test_a_stage_without_an_end_is_refused() -> None:
    device = FakeDevice()

    def call(number: int) -> None:
        stage("vocoder").__enter__()

    with pytest.raises(TimingError, match="stage 'vocoder' was begun and not ended"):
        m.time_request(call, 0, device)


def test_an_event_that_was_not_recorded_is_an_error_and_not_a_zero() -> None:
    class Forgets(FakeDevice):
        def event(self) -> FakeEvent:
            return FakeEvent(None)

    device = Forgets()
    with pytest.raises(RuntimeError, match="not recorded"):
        m.time_request(a_request(device), 0, device)


@pytest.mark.parametrize("step", [-1, -50 * MS])
def test_a_clock_that_runs_backwards_is_refused(step: int) -> None:
    device = FakeDevice()

    def call(number: int) -> None:
        device.host += step

    with pytest.raises(TimingError, match="not monotonic"):
        m.time_request(call, 0, WallClock(clock=device.now))


def test_a_device_clock_that_runs_backwards_within_a_stage_is_refused() -> None:
    device = FakeDevice()

    def call(number: int) -> None:
        with stage("denoiser"):
            device.host -= 2 * MS
        device.host += 5 * MS

    with pytest.raises(TimingError, match="stage 'denoiser' ended before it began"):
        m.time_request(call, 0, WallClock(clock=device.now))


@pytest.mark.parametrize(
    ("rate", "remarked"), [(1.0, False), (1.005, False), (0.995, False), (1.03, True), (0.97, True)]
)
def test_clocks_that_drift_apart_by_more_than_a_percent_are_remarked(rate: float, remarked: bool) -> None:
    device = FakeDevice(rate=rate)
    measured = m.measure(a_request(device), device, requests=5)
    assert bool(measured.remarks()) is remarked
    assert measured.disagreement == pytest.approx(rate - 1, abs=1e-6)


def timed_by(durations: list[int]) -> tuple[Callable[[int], None], FakeDevice]:
    """Return a request whose duration follows a list, the last one for ever."""
    device = FakeDevice()
    return lambda number: device.work(durations[min(number, len(durations) - 1)]), device


def test_the_first_call_is_kept_apart() -> None:
    call, device = timed_by([900 * MS, 10 * MS])
    measured = m.measure(call, device, requests=7)
    assert measured.warm_up.first_ns == 900 * MS
    assert measured.requests_ns.tolist() == [10 * MS] * 7


def test_warm_up_ends_when_the_medians_of_two_windows_of_five_agree() -> None:
    call, device = timed_by([100 * MS, *[20 * MS] * 4, *[10 * MS] * 60])
    warm = m.warm_up(call, device)
    assert warm.stable
    assert len(warm.calls_ns) == 12  # 5 before: 20 20 10 10 10, whose median is 10


@pytest.mark.parametrize(("later", "calls"), [(98.1, 10), (97.9, 13)])
def test_two_percent_is_the_difference_that_counts_as_steady(later: float, calls: int) -> None:
    call, device = timed_by([100 * MS, *[100 * MS] * 5, *[int(later * MS)] * 60])
    assert len(m.warm_up(call, device).calls_ns) == calls  # the older window needs three of the later times


def test_times_that_keep_falling_are_not_stable_after_twenty_calls() -> None:
    call, device = timed_by([int(1000 * MS * 0.95**i) for i in range(60)])
    measured = m.measure(call, device, requests=5)
    assert len(measured.warm_up.calls_ns) == 20
    assert measured.remarks() == ("not stable: 20 calls of warm-up, and the times still moved after them",)


def test_warm_up_of_slow_requests_ends_after_thirty_seconds_and_three_calls() -> None:
    call, device = timed_by([7_000 * MS])
    assert len(m.warm_up(call, device).calls_ns) == 4
    call, device = timed_by([40_000 * MS])
    measured = m.measure(call, device, requests=1)
    assert len(measured.warm_up.calls_ns) == 3
    assert measured.remarks() == ("not stable: 3 calls of warm-up, and it takes 10 to tell",)


def test_requests_are_numbered_without_a_gap_over_warm_up_and_measurement() -> None:
    device, seen = FakeDevice(), []

    def call(number: int) -> None:
        seen.append(number)
        device.work(MS)

    m.measure(call, device, requests=6)
    assert seen == list(range(1 + 10 + 6))


def test_a_window_of_time_and_a_limit_of_time_are_kept() -> None:
    call, device = timed_by([100 * MS])
    assert len(m.measure(call, device, requests=2, at_least_s=5.0).requests_ns) == 50
    assert len(m.measure(call, device, requests=100, at_most_s=1.0).requests_ns) == 10
    assert len(m.measure(call, device, requests=100, at_most_s=0.0).requests_ns) == 1


def test_no_requests_are_refused() -> None:
    call, device = timed_by([MS])
    with pytest.raises(TimingError, match="at least 1"):
        m.measure(call, device, requests=0)
