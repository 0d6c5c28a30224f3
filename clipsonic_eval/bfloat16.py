"""Precision of network inference: bfloat16 where the device has instructions for it, float32 elsewhere.

A processor with AVX-512 but without its BF16 part takes longer in bfloat16 than in float32, and GPUs before Ampere
convert back and forth. PyTorch calls both supported.
"""

from __future__ import annotations

import contextlib
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "fp32", "bf16"]

# PyTorch's names of the instruction sets: two of x86, two of ARM
_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
_OLDER_PROBES = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # of older PyTorch, x86 alone

_log = logging.getLogger(__name__)


def is_native(device: str | torch.device) -> bool:
    """Return whether a device has instructions for products in bfloat16."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return kind == "cpu" and _processor_has_it()


def _processor_has_it() -> bool:
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found = capabilities()
        return any(bool(found.get(name)) for name in _INSTRUCTIONS)
    return any(bool(getattr(torch.cpu, probe, bool)()) for probe in _OLDER_PROBES)


def chosen(precision: Precision, device: str | torch.device, what: str) -> Literal["fp32", "bf16"]:
    """Return the precision that a network is computed in; ``auto`` is bfloat16 where that is native.

    Bfloat16 by name is accepted on any device; where it is only slower, a warning is logged once.

    Args:
        precision: as configured.
        device: of the network.
        what: name of the computation, for the warning.
    """
    if precision == "auto":
        return "bf16" if is_native(device) else "fp32"
    if precision == "bf16" and not is_native(device):
        _warn(str(device).partition(":")[0], what)
    return precision


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which a network runs at the configured precision."""
    import torch

    wanted = chosen(precision, device, "the network") == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16) if wanted else contextlib.nullcontext()


def described(precision: Precision, device: str | torch.device) -> str:
    """Return the precision that was used, as cards state it: ``fp32``, ``bf16``, or ``bf16 (emulated)``."""
    native = is_native(device)
    if precision == "auto":
        return "bf16" if native else "fp32"
    return precision if precision == "fp32" or native else "bf16 (emulated)"


@lru_cache(maxsize=64)  # once each
def _warn(kind: str, what: str) -> None:
    where = {"cpu": "processor", "cuda": "GPU"}.get(kind, f"device ({kind})")
    _log.warning(
        "%s: this %s has no instructions for bf16 and emulates it, which is slower than fp32 and less exact; choose "
        "precision fp32",
        what,
        where,
    )
