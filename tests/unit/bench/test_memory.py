"""Peaks of memory: a spike that is over at once, one case after another, kernels that do not help, a GPU's peaks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from clipsonic_eval.bench import memory
from clipsonic_eval.bench.memory import PeakMemory

CPU = torch.device("cpu")
MB = 1_000_000
linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's account of memory")


def peaks(code: str) -> Any:
    """Run code in a process of its own, as each case has; the heap of the tests may hold any amount of free memory."""
    begin = """
import json, types
import numpy as np
from clipsonic_eval.bench.memory import PeakMemory
CPU, MB = types.SimpleNamespace(type="cpu"), 1_000_000
"""
    done = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@linux
def test_a_spike_that_is_over_at_once_is_seen() -> None:
    found, method = peaks("""
watch = PeakMemory(CPU)
np.ones(100 * MB, np.uint8)
print(json.dumps([watch.read(), watch.method]))
""")
    assert method == "VmHWM, reset"
    assert found["memory_host_above"] == pytest.approx(100 * MB, rel=0.05)
    assert found["memory_host"] > found["memory_host_above"]


@linux
def test_a_case_does_not_inherit_the_peak_of_the_one_before() -> None:
    first, second = peaks("""
found = []
for size in (200, 20):
    watch = PeakMemory(CPU)
    np.ones(size * MB, np.uint8)
    found.append(watch.read()["memory_host_above"])
print(json.dumps(found))
""")
    assert first > 190 * MB
    assert second == pytest.approx(20 * MB, abs=5 * MB)


@linux
def test_what_was_loaded_before_is_in_the_absolute_peak_and_not_above_it() -> None:
    found = peaks("""
model = np.ones(80 * MB, np.uint8)
print(json.dumps(PeakMemory(CPU).read()))
""")
    assert found["memory_host"] > 80 * MB
    assert found["memory_host_above"] < 5 * MB


@linux
def test_a_kernel_that_does_not_reset_its_mark_gives_that_of_the_process_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "absent" / "clear_refs")
    watch = PeakMemory(CPU)
    assert watch.method == "VmHWM since the process began"
    assert set(watch.read()) == {"memory_host"}


def test_without_the_kernels_account_the_lifetime_maximum_stands_in_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "absent" / "clear_refs")
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    watch = PeakMemory(CPU)
    assert watch.method == "getrusage since the process began"
    found = watch.read()
    assert set(found) == {"memory_host"}
    assert found["memory_host"] > 10 * MB


@pytest.mark.parametrize("text", ["VmHWM:\t kB\n", "VmHWM: many kB\n", "VmHW: 5 kB\n", ""])
def test_an_account_that_cannot_be_read_is_unknown_and_not_zero(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "status").write_text(text, encoding="ascii")
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    assert memory._status("VmHWM") is None


def test_a_gpus_peaks_are_reset_and_told_absolutely_and_above_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {"max_memory_allocated": 9_999, "max_memory_reserved": 9_999}  # of someone before
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 300)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 512)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peaks["max_memory_allocated"])
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: peaks["max_memory_reserved"])
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(
        torch.cuda,
        "reset_peak_memory_stats",
        lambda device: peaks.update(max_memory_allocated=300, max_memory_reserved=512),
    )
    watch = PeakMemory(torch.device("cuda", 0))
    peaks.update(max_memory_allocated=1_300, max_memory_reserved=2_048)
    found = {name: value for name, value in watch.read().items() if "device" in name}
    assert found == {
        "memory_device_allocated": 1_300,
        "memory_device_allocated_above": 1_000,
        "memory_device_reserved": 2_048,
        "memory_device_reserved_above": 1_536,
    }


@pytest.mark.gpu
def test_a_known_tensor_is_found_to_the_byte() -> None:
    device = torch.device("cuda")
    kept = torch.empty(1024, dtype=torch.uint8, device=device)
    watch = PeakMemory(device)
    held = torch.empty(64 * 2**20, dtype=torch.uint8, device=device)  # the allocator rounds up to 512 bytes
    del held
    assert watch.read()["memory_device_allocated_above"] == 64 * 2**20
    assert kept.numel() == 1024
