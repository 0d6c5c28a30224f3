"""How the network is computed in training: precision, compilation, and what is kept between forwards and backwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from clipsonic_eval import bfloat16
from clipsonic_eval.errors import ConfigError

TrainPrecision = Literal["auto", "fp32", "tf32", "bf16", "fp16"]
_Computed = Literal["fp32", "tf32", "bf16", "fp16"]

# residual blocks, attention and transformer blocks: ours, and diffusers'
_BLOCKS = ("_Block", "_Attention", "ResnetBlock2D", "Attention", "BasicTransformerBlock")


class Execution(NamedTuple):
    """How a network is computed.

    Attributes:
        precision: ``fp32``: IEEE float32 everywhere. ``tf32``: float32, whose products a GPU computes from 10 bits of
            mantissa. ``bf16``, ``fp16``: a copy of the network is called, whose weights are cast once a step.
        compiled: by ``torch.compile``.
        recomputed: the insides of a block are computed again for the backward pass instead of kept.
    """

    precision: _Computed = "fp32"
    compiled: bool = False
    recomputed: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and activations."""
        low = {"bf16": torch.bfloat16, "fp16": torch.float16}
        return low.get(self.precision, torch.float32)


FLOAT32 = Execution()


def chosen(precision: TrainPrecision, device: torch.device) -> _Computed:
    """Return the precision that a training is computed in.

    ``auto`` is bf16 where the device has instructions for it, fp16 on GPUs that would only emulate bf16, else fp32.

    Raises:
        ConfigError: tf32 on a device other than a GPU.
    """
    if precision == "auto":
        low: _Computed = "fp16" if device.type == "cuda" else "fp32"
        return "bf16" if bfloat16.is_native(device) else low
    if precision == "tf32" and device.type != "cuda":
        raise ConfigError(
            f"train.precision tf32 is computed by GPUs, and this training runs on {device.type}; use fp32"
        )
    if precision == "bf16":
        bfloat16.chosen("bf16", device, "the training")  # warns where it is emulated
    return precision


def described(precision: TrainPrecision, device: torch.device) -> str:
    """Return the precision that was used, as cards state it: its name, or ``bf16 (emulated)``."""
    found = chosen(precision, device)
    return bfloat16.described("bf16", device) if found == "bf16" else found


def prepared(module: nn.Module, execution: Execution) -> Any:
    """Return what to call in place of a network; its weights stay where they are.

    Raises:
        ConfigError: blocks are to be recomputed in a network without any.
    """
    if execution.recomputed:
        blocks = list(outermost_blocks(module))
        if not blocks:
            raise ConfigError(f"train.gradient_checkpointing: {type(module).__name__} has no blocks to recompute")
        for block in blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    return torch.compile(module) if execution.compiled else module


def plain(module: nn.Module) -> None:
    """Undo what :func:`prepared` did to a network."""
    for block in outermost_blocks(module):
        block.__dict__.pop("forward", None)


def outermost_blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the blocks of a network, and none that is within another."""
    for child in module.children():
        if type(child).__name__ in _BLOCKS:
            yield child
        else:
            yield from outermost_blocks(child)


@contextlib.contextmanager
def products(precision: _Computed, device: torch.device) -> Iterator[None]:
    """Let a GPU compute float32 products in TF32, or not, for the length of a ``with`` block.

    PyTorch's own default computes convolutions in TF32 and matrix products in IEEE float32.
    """
    if device.type != "cuda":
        yield
        return
    backends = (cast(Any, torch.backends.cuda.matmul), cast(Any, torch.backends.cudnn))
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = precision == "tf32"
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value
