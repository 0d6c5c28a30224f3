"""Numerical precision of networks: bfloat16 where configured and the device has instructions for it, else float32."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from clipsonic_eval.bfloat16 import Precision, chosen

__all__ = ["Precision", "autocast"]


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which a network runs at the configured precision."""
    wanted = chosen(precision, device, "the network") == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16) if wanted else contextlib.nullcontext()
