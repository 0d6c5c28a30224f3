"""In which numbers networks are computed: bfloat16 where the processor has instructions for it, if so configured."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]


def bf16_supported(device: torch.device) -> bool:
    """Return whether bfloat16 products run on hardware made for them."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(bool(getattr(torch.cpu, p, bool)()) for p in probes)


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which a configured precision is computed."""
    wanted = precision == "bf16" or (precision == "auto" and bf16_supported(device))
    return torch.autocast(device.type, dtype=torch.bfloat16) if wanted else contextlib.nullcontext()
