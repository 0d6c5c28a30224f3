"""Workers in processes of their own: what they answer, and how their deaths are told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from clipsonic_eval.bench.cases import BenchConfig, Target, cases
from clipsonic_eval.bench.process import WorkerError, started
from clipsonic_eval.bench.run import measure_in_a_process

SYSTEMS = """
import os, signal, sys, time
import numpy as np
from clipsonic_eval.stages import stage

class Mine:
    name, sample_rate = "mine", 8000
    def __init__(self, how="well", mib=0):
        self.how, self.mib = how, mib
    def generate(self, queries, seeds):
        print("a system may print")
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "exits":
            sys.stderr.write("the licence has run out\\n")
            sys.stderr.flush()
            os._exit(7)
        if self.how == "memory":
            raise MemoryError("no 40 GB left")
        if self.how == "bug":
            raise ValueError("shapes differ\\nand more lines")
        if self.how == "shape":
            return [np.zeros((2, 80), np.float32) for _ in queries]
        with stage("denoiser"):
            for _ in range(3):
                with stage("step"):
                    time.sleep(0.002)
        spike = np.ones(self.mib * 2**20, np.uint8)
        del spike
        time.sleep(0.004)
        return [np.zeros(800, np.float32) for _ in queries]
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("systems") / "mine.py"
    path.write_text(SYSTEMS)
    return f"{path}:Mine"


def request(spec: str, calls: int = 6, **settings: Any) -> dict[str, Any]:
    config = BenchConfig(targets=(Target(spec, settings=settings),), calls=calls, processes=1)
    return cases(config)[0].request(config, 0)


def test_a_worker_tells_times_stages_memory_and_machine(spec: str) -> None:
    told = measure_in_a_process(request(spec, mib=64))
    assert (told["name"], told["kind"], told["device"], told["audio_s"]) == ("mine", "system", "cpu", 0.1)
    assert len(told["requests_ns"]) == told["n_requests"] == 6
    assert all(n == 3 for n in told["entries"]["denoiser/step"])
    for total, denoiser, steps in zip(
        told["requests_ns"], told["stages_ns"]["denoiser"], told["stages_ns"]["denoiser/step"], strict=True
    ):
        assert 6e6 <= steps <= denoiser <= total - 4e6
    assert told["memory_host_above"] >= 60 * 2**20
    assert told["load_ns"] > 0
    assert len(told["machine"]["fingerprint"]) >= 8
    assert {"before", "after"} == told["conditions"].keys()
    assert "torch" not in told["machine"]["noted"]["threads"]  # a system without torch does not pay for it


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("killed", "killed by the system, most likely for want of memory"),
        ("exits", r"ended with code 7 \(the licence has run out\)"),
        ("memory", r"out of memory \(no 40 GB left\); take a smaller batch"),
        ("bug", "ValueError: shapes differ$"),
        ("shape", r"must return one array of floating-point samples \(n,\)"),
    ],
)
def test_a_system_that_fails_or_dies_leaves_one_sentence(spec: str, how: str, reason: str) -> None:
    with pytest.raises(WorkerError, match=reason):
        measure_in_a_process(request(spec, how=how))


def test_a_worker_that_was_told_nothing_says_so() -> None:
    with started() as worker, pytest.raises(WorkerError, match="nothing is loaded"):
        worker.ask("measure")


def test_a_worker_ends_with_its_block_and_its_caches_with_it() -> None:
    with started() as worker:
        process = worker._process
        folder = Path(_environment(process.pid, "TORCHINDUCTOR_CACHE_DIR")).parent
        assert folder.is_dir()
        assert process.poll() is None
    assert process.poll() is not None
    assert not folder.exists()


def _environment(pid: int, name: str) -> str:
    """Return a variable of a process that has just been started: until it runs its program, it shows its parent's."""
    path = Path(f"/proc/{pid}/environ")
    if not path.exists():
        pytest.skip("this system shows no environment of processes")
    for _ in range(600):
        pairs = path.read_bytes().decode().split("\0")
        found = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if name in found:
            return found[name]
        time.sleep(0.05)
    raise AssertionError(f"{name} is not in the environment of the worker")


def test_memory_of_the_parent_does_not_show_in_a_case(spec: str) -> None:
    import numpy as np

    ballast = np.ones(300 * 2**20, np.uint8)
    told = measure_in_a_process(request(spec, calls=1))
    assert ballast[::4096].all()
    assert told["memory_host"] < 200 * 2**20
