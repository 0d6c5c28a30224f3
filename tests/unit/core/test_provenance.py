"""Where a result comes from: software and machine, without names or places of the machine."""

from __future__ import annotations

import json
import platform
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from clipsonic_eval import provenance
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import page

CPUINFO = """\
processor\t: {0}
model name\t: A Processor 9000
physical id\t: 0
core id\t\t: {1}
flags\t\t: fpu sse4_2 avx avx2 fma f16c avx512f avx512_bf16 amx_bf16 nonsense

"""
NVIDIA = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version:  gcc 12\n"
)


def fake_torch(*, gpus: int) -> Any:
    card = types.SimpleNamespace(name="NVIDIA H100 80GB HBM3", total_memory=80 * 2**30)
    cuda = types.SimpleNamespace(
        is_available=lambda: gpus > 0,
        device_count=lambda: gpus,
        get_device_name=lambda i: card.name,
        get_device_properties=lambda i: card,
        get_device_capability=lambda i: (9, 0),
    )
    return types.SimpleNamespace(
        cuda=cuda,
        version=types.SimpleNamespace(cuda="12.8"),
        backends=types.SimpleNamespace(cudnn=types.SimpleNamespace(version=lambda: 91002)),
        get_num_threads=lambda: 7,
        get_float32_matmul_precision=lambda: "highest",
    )


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cores of two threads each, 16 GiB, a driver."""
    for name, text in (
        ("_CPUINFO", "".join(CPUINFO.format(i, i // 2) for i in range(4))),
        ("_MEMINFO", "MemTotal:       16777216 kB\nMemFree: 1 kB\n"),
        ("_NVIDIA", NVIDIA),
    ):
        path = tmp_path / name
        path.write_text(text)
        monkeypatch.setattr(provenance, name, path)
    return tmp_path


def test_the_processor_is_known_by_what_its_numbers_hang_on(linux: Path) -> None:
    found = provenance.machine()
    assert found["cores"]["physical"] == 2
    assert found["cores"]["usable"] >= 1
    assert found["memory_gib"] == 16.0
    assert found["instructions"] == ["sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_bf16", "amx_bf16"]
    assert provenance.collect()["processor"] == "A Processor 9000"


def test_two_gpus_their_driver_and_libraries(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake_torch(gpus=2))
    found = provenance.machine()
    assert found["gpus"] == [{"name": "NVIDIA H100 80GB HBM3", "memory_gib": 80.0, "capability": "9.0"}] * 2
    assert (found["driver"], found["cuda"], found["cudnn"]) == ("550.54.15", "12.8", 91002)
    assert found["float32_matmul"] == "highest"
    assert found["threads"]["torch"] == 7
    assert provenance.collect()["accelerator"] == "NVIDIA H100 80GB HBM3"


def test_a_report_says_it_in_one_line(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake_torch(gpus=1))
    record = RunRecord("evaluate", (), provenance=provenance.collect())
    line = next(line for line in page.provenance([Run("r", Path("r"), record)]) if line.startswith("machine: "))
    for part in ("16 GiB", "torch 7", "amx_bf16", "NVIDIA H100 80GB HBM3 (80 GiB)", "driver 550.54.15", "cuda 12.8"):
        assert part in line
    assert not any("machine" in line for line in page.provenance([Run("r", Path("r"), RunRecord("evaluate", ()))]))


def test_without_a_gpu_nothing_is_said_of_one(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake_torch(gpus=0))
    found = provenance.machine()
    assert found["gpus"] == []
    assert not {"driver", "cuda", "cudnn"} & found.keys()


def test_what_cannot_be_found_out_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_CPUINFO", "_MEMINFO", "_NVIDIA"):
        monkeypatch.setattr(provenance, name, tmp_path / "none")
    monkeypatch.setitem(sys.modules, "torch", fake_torch(gpus=1))
    found = provenance.machine()
    assert found["cores"]["physical"] is None
    assert found["memory_gib"] is None
    assert found["instructions"] == []
    assert found["driver"] is None
    assert provenance.collect()["processor"]


def test_threads_of_blas_are_named_without_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = {"internal_api": "openblas", "version": "0.3.30", "architecture": "SkylakeX", "num_threads": 3}
    fake = types.SimpleNamespace(threadpool_info=lambda: [{**pool, "filepath": "/opt/ve/libopenblas.so"}])
    monkeypatch.setitem(sys.modules, "threadpoolctl", fake)
    assert provenance.machine()["threads"]["openblas-0.3.30-SkylakeX"] == 3
    assert "/opt" not in json.dumps(provenance.machine())


def test_no_host_and_no_place_is_named() -> None:
    text = json.dumps(provenance.collect(), allow_nan=False)
    for name in (platform.node(), str(Path.home()), str(Path(sys.executable).parent)):
        assert name not in text or len(name) < 4
