"""Peak memory of one case, of the host and of the device: absolute, and above the loaded model.

The host's peak is the kernel's own high-water mark of this process, so a spike of a millisecond counts. It is reset
before the case; where the kernel does not allow that, it is the mark since the process began, and each case has a
process of its own. A side process that polls would miss spikes.

Source: proc_pid_status(5), ``VmHWM``; proc_pid_clear_refs(5), value 5.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class PeakMemory:
    """Watches the peaks from its construction on; construct it when the model is loaded.

    Args:
        device: of the computation.

    Attributes:
        method: how the host's peak is found: ``VmHWM, reset``; ``VmHWM since the process began``; ``getrusage since
            the process began``.

    Example:
        >>> import torch
        >>> watch = PeakMemory(torch.device("cpu"))
        >>> spike = b"x" * 50_000_000
        >>> del spike
        >>> watch.read()["memory_host"] >= 50_000_000
        True
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._allocated = self._reserved = 0
        if device.type == "cuda":
            import torch

            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            self._allocated = torch.cuda.memory_allocated(device)
            self._reserved = torch.cuda.memory_reserved(device)
        self.method = _reset()
        self._resident = _status("VmRSS")

    def read(self) -> dict[str, int]:
        """Return the peaks since then in bytes; what is not known is left out.

        - ``memory_host``: resident memory of this process.
        - ``memory_device_allocated``, ``memory_device_reserved``: tensors; what torch holds of the GPU for them.
        - each with ``_above``: above the moment of construction. None of the host where its mark was not reset.
        """
        found = {}
        host = _lifetime_peak() if self.method.startswith("getrusage") else _status("VmHWM")
        if host is not None:
            found["memory_host"] = host
        if host is not None and self._resident is not None and self.method == "VmHWM, reset":
            found["memory_host_above"] = max(0, host - self._resident)
        if self._device.type == "cuda":
            import torch

            allocated = torch.cuda.max_memory_allocated(self._device)
            reserved = torch.cuda.max_memory_reserved(self._device)
            found |= {
                "memory_device_allocated": allocated,
                "memory_device_allocated_above": allocated - self._allocated,
                "memory_device_reserved": reserved,
                "memory_device_reserved_above": reserved - self._reserved,
            }
        return found


def _reset() -> str:
    """Lower the high-water mark to the memory of this moment, and return what peaks are read from."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        known = _status("VmHWM") is not None
        return "VmHWM since the process began" if known else "getrusage since the process began"
    return "VmHWM, reset"


def _status(name: str) -> int | None:
    """Return a field of the kernel's account of this process, bytes."""
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    line = next((line for line in lines if line.startswith(f"{name}:")), "")
    words = line.split()
    return 1024 * int(words[1]) if len(words) == 3 and words[1].isdecimal() else None


def _lifetime_peak() -> int | None:
    """Return the largest resident memory of this process so far, bytes.

    On Linux it begins with that of the parent, which is why it is the last resort.
    """
    if sys.platform == "win32":
        return None
    import resource

    scale = 1 if sys.platform == "darwin" else 1024
    return scale * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
