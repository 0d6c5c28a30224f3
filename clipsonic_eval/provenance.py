"""Provenance of a result: versions, commit, machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")
_MEMINFO = Path("/proc/meminfo")
_NVIDIA = Path("/proc/driver/nvidia/version")
_INSTRUCTIONS = (  # they decide which kernels run, hence the order of sums and their rounding
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_bf16", "amx_int8", "asimd", "asimdhp", "sve", "sve2", "bf16", "i8mm",
)  # fmt: skip
_PACKAGES = ("torch", "diffusers", "transformers", "numpy", "scipy", "pandas", "av", "soxr", "soundfile", "pyarrow")


def _git(*args: str) -> str | None:
    """Run git in the checkout of this package; None for an installed wheel."""
    try:
        done = subprocess.run(
            ["git", *args], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def collect() -> dict[str, Any]:
    """Return a JSON-serialisable record of the software, the machine and the moment.

    Contains no host name, user name or path.
    """
    from clipsonic_eval import __version__

    versions: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    commit = _git("rev-parse", "HEAD")
    dirty = bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None
    return {
        "clipsonic_eval": __version__,
        "commit": commit,
        "uncommitted_changes": dirty,
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "processor": processor(),
        "cpu_count": os.cpu_count(),
        "accelerator": _accelerator(),
        "machine": machine(),
        "packages": versions,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def machine() -> dict[str, Any]:
    """Return what numbers and times depend on besides the software; unknown values are None or left out.

    - ``cores``: ``physical``, ``logical``, and ``usable`` by this process.
    - ``memory_gib``: of the machine.
    - ``instructions``: instruction sets of the processor that affect numerics.
    - ``threads``: of torch and of each BLAS, as they are set at this moment.
    - ``gpus``: model, memory and compute capability of each; ``driver``, ``cuda``, ``cudnn``: versions;
      ``float32_matmul``: how torch multiplies float32 there. Only where torch is loaded: it is not loaded for this.
    """
    cpuinfo = _lines(_CPUINFO)
    return {
        "cores": {"physical": _physical_cores(cpuinfo), "logical": os.cpu_count(), "usable": _usable_cores()},
        "memory_gib": _memory_gib(),
        "instructions": _instructions(cpuinfo),
        "threads": _threads(),
        **_gpus(),
    }


def _lines(path: Path) -> list[tuple[str, str]]:
    """Return the ``name : value`` lines of a kernel file, [] where there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    parts = (line.partition(":") for line in text.splitlines())
    return [(name.strip(), value.strip()) for name, colon, value in parts if colon]


def _physical_cores(cpuinfo: list[tuple[str, str]]) -> int | None:
    packages = [value for name, value in cpuinfo if name == "physical id"]
    cores = [value for name, value in cpuinfo if name == "core id"]
    if not cores or len(packages) != len(cores):
        return None
    return len(set(zip(packages, cores, strict=True)))


def _usable_cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory_gib() -> float | None:
    total = next((value for name, value in _lines(_MEMINFO) if name == "MemTotal"), "")
    kib = total.split()[0] if total else ""
    return round(int(kib) / 2**20, 1) if kib.isdigit() else None


def _instructions(cpuinfo: list[tuple[str, str]]) -> list[str]:
    flags = next((value for name, value in cpuinfo if name in ("flags", "Features")), "").split()
    return [name for name in _INSTRUCTIONS if name in flags]


def _threads() -> dict[str, Any]:
    found: dict[str, Any] = {}
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = torch.get_num_threads()
    try:
        import threadpoolctl  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return found
    for pool in threadpoolctl.threadpool_info():  # its paths are the machine's own and stay out
        name = "-".join(str(pool[k]) for k in ("internal_api", "version", "architecture") if pool.get(k))
        found[name] = pool["num_threads"]
    return found


def _gpus() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {"gpus": []}
    gpus = []
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        capability = ".".join(map(str, torch.cuda.get_device_capability(index)))
        gpus.append({"name": card.name, "memory_gib": round(card.total_memory / 2**30, 1), "capability": capability})
    return {
        "gpus": gpus,
        "driver": _driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "float32_matmul": torch.get_float32_matmul_precision(),
    }


def _driver() -> str | None:
    """Return the version of NVIDIA's driver."""
    line = next((value for name, value in _lines(_NVIDIA) if name == "NVRM version"), "")
    return next((word for word in line.split() if word[:1].isdigit() and "." in word), None)


def processor() -> str:
    """Return the model of the processor."""
    return next((value for name, value in _lines(_CPUINFO) if name == "model name"), platform.processor() or "unknown")


def _accelerator() -> str:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name(0) if torch is not None and torch.cuda.is_available() else "none"
