"""What measuring costs: the time that a request of 53 marked stages gains by being measured, and without a recorder."""

from __future__ import annotations

import timeit
from typing import Any

from clipsonic_eval.bench.measure import time_request
from clipsonic_eval.bench.timer import WallClock
from clipsonic_eval.stages import stage

REQUEST_S = 5e-3  # of which measuring may take 1 %
STEPS = 50


def marked(number: int) -> None:
    """Mark the stages of a request of 50 steps, and do nothing in them."""
    with stage("condition"):
        pass
    with stage("denoiser"):
        for _ in range(STEPS):
            with stage("step"):
                pass
    with stage("vocoder"):
        pass


def test_marks_without_a_measurement(benchmark: Any) -> None:
    benchmark.group = f"{STEPS + 3} marks of stages"
    benchmark.extra_info["who"] = "ours"
    benchmark(marked, 0)
    assert benchmark.stats.stats.min < 0.01 * REQUEST_S


def test_marks_in_a_measurement(benchmark: Any) -> None:
    benchmark.group = f"{STEPS + 3} marks of stages, timed"
    benchmark.extra_info["who"] = "ours"
    device = WallClock()
    requests = []
    benchmark(lambda: requests.append(time_request(marked, 0, device)))
    bare = min(timeit.repeat(lambda: marked(0), number=1, repeat=1000))
    gained = min(request.total_ns for request in requests) / 1e9 - bare
    benchmark.extra_info["note"] = f"the request gains {1e6 * gained:.0f} µs, {100 * gained / REQUEST_S:.2f} % of 5 ms"
    assert gained < 0.01 * REQUEST_S
