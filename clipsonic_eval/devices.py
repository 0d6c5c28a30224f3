"""What this process computes: on which device, and which share under torchrun."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.lifetime import end_with_torchrun

if TYPE_CHECKING:
    import torch


def resolve_device(name: str) -> torch.device:
    """Return the device of a configuration.

    Args:
        name: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, … . Under torchrun, ``cuda`` without a
            number is the process's own GPU (``LOCAL_RANK``).

    Raises:
        ConfigError: the name is not known, or there is no such device here.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device '{name}' is not known; use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device 'cuda' is not available here; use auto or cpu")
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


def share_of_torchrun() -> tuple[int, int]:
    """Return the share (i, n) of this process under torchrun, by its RANK and WORLD_SIZE; (1, 1) elsewhere."""
    end_with_torchrun()
    return int(os.environ.get("RANK", "0")) + 1, int(os.environ.get("WORLD_SIZE", "1"))
