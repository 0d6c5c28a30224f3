"""What NVIDIA's management library says about a GPU: read only, None where it is silent.

The library comes with the driver; its Python module is the package nvidia-ml-py, which is not required.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# bits of nvmlClocksEventReasons; the last three names are the user's own wish or no load, not a fault
_REASONS = {
    0x04: "software power cap",
    0x08: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
    0x01: "idle",
    0x02: "application clocks",
    0x100: "display clocks",
}
HARMLESS = frozenset({"idle", "application clocks", "display clocks"})


class Gpu:
    """A GPU as the management library sees it.

    Args:
        device: of torch. It is found by its UUID: the library numbers GPUs otherwise than CUDA does.
    """

    def __init__(self, device: torch.device) -> None:
        self._nvml: Any = None
        self._handle: Any = None
        self.uuid_hash: str | None = None
        if device.type == "cuda":
            self._open(device)

    def _open(self, device: torch.device) -> None:
        import torch

        uuid = str(getattr(torch.cuda.get_device_properties(device), "uuid", ""))
        if not uuid:
            return
        uuid = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
        self.uuid_hash = hashlib.sha256(uuid.encode()).hexdigest()[:12]
        try:
            import pynvml  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError:
            return
        try:
            pynvml.nvmlInit()  # counted by the library: beside another user of the process it does no harm
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        except pynvml.NVMLError:
            return
        self._nvml = pynvml

    def _ask(self, function: str, *arguments: int) -> Any:
        """Return an answer of the library, None where it has none (not supported, no permission, no such function)."""
        if self._handle is None or not hasattr(self._nvml, function):
            return None
        try:
            return getattr(self._nvml, function)(self._handle, *arguments)
        except self._nvml.NVMLError:
            return None

    def energy_uj(self) -> int | None:
        """Return the energy used since the driver was loaded, µJ (Volta or newer)."""
        millijoules = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        return None if millijoules is None else 1000 * int(millijoules)

    def settings(self) -> dict[str, Any]:
        """Return what someone has set: power limit (W), ECC and MIG."""
        limit = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        ecc, mig = self._ask("nvmlDeviceGetEccMode"), self._ask("nvmlDeviceGetMigMode")  # (current, pending) each
        return {
            "power_limit_w": None if limit is None else limit / 1000,
            "ecc": None if ecc is None else bool(ecc[0]),
            "mig": None if mig is None else bool(mig[0]),
        }

    def condition(self) -> dict[str, Any]:
        """Return the state at this moment: clocks (MHz), temperature (°C), reasons for clocks below the maximum."""
        bits = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if bits is None:  # the name before driver 535
            bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        return {
            "sm_clock_mhz": self._ask("nvmlDeviceGetClockInfo", 1),  # NVML_CLOCK_SM
            "memory_clock_mhz": self._ask("nvmlDeviceGetClockInfo", 2),  # NVML_CLOCK_MEM
            "temperature_c": self._ask("nvmlDeviceGetTemperature", 0),  # NVML_TEMPERATURE_GPU
            "throttled_by": None if bits is None else [name for bit, name in _REASONS.items() if bits & bit],
        }
