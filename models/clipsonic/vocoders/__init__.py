"""Vocoders: log-mels back to waveforms. One file each; the folder is scanned.

A file registers a loader under its name::

    @VOCODERS.register("my-vocoder")
    def load(mel: MelConfig, *, device: str = "cpu") -> Vocoder: ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from clipsonic_eval.registry import Registry


class Vocoder(Protocol):
    """What turns log-mels into sound. The result of an item depends on its log-mel and its seed only."""

    def card(self) -> dict[str, Any]:
        """Return what the result depends on, JSON-serialisable: name, settings, weights' hash."""
        ...

    def __call__(self, log_mel: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """Return (b, frames * hop) float32 waveforms of (b, n_mels, frames) natural log-mels."""
        ...


def within_full_scale(audio: torch.Tensor) -> torch.Tensor:
    """Return (b, n) waveforms, each of a peak above 1 divided by its peak; the others as they are."""
    return audio / audio.abs().amax(dim=1, keepdim=True).clamp(min=1.0) if audio.numel() else audio


VOCODERS: Registry[Any] = Registry("vocoder", "clipsonic.vocoders")
