"""Vocoders: log-mel spectrograms to waveforms. One file each; the folder is scanned.

A file registers a loader under its name::

    @VOCODERS.register("my-vocoder")
    def load(mel: MelConfig, *, device: str = "cpu") -> Vocoder: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from clipsonic.mel import MelConfig
from clipsonic_eval.errors import ConfigError, ShapeError, unknown_name
from clipsonic_eval.registry import Registry
from clipsonic_eval.stages import stage


class Vocoder(Protocol):
    """Converts log-mel spectrograms to waveforms. An item depends on its own log-mel and seed only."""

    def card(self) -> dict[str, Any]:
        """Return everything the result depends on, JSON-serialisable: name, settings, hash of the weights."""
        ...

    def __call__(self, log_mel: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """Return (b, frames * hop) float32 waveforms of (b, n_mels, frames) log-mels, nats, and b seeds."""
        ...


def check_request(name: str, log_mel: torch.Tensor, seeds: Sequence[int], n_mels: int) -> None:
    """Check what a vocoder is called with.

    Raises:
        ShapeError: the log-mels are not (b, n_mels, frames) with b seeds.
    """
    if log_mel.ndim != 3 or log_mel.shape[1] != n_mels or log_mel.shape[0] != len(seeds):
        raise ShapeError(
            f"{name} takes (b, {n_mels}, frames) log-mels and b seeds, got {tuple(log_mel.shape)} "
            f"and {len(seeds)} seeds"
        )


def within_full_scale(audio: torch.Tensor) -> torch.Tensor:
    """Return waveforms (b, n) with peaks of at most 1: a higher peak divides its waveform, the others are unchanged.

    Example:
        >>> within_full_scale(torch.tensor([[0.5, -2.0], [0.5, -0.25]]))
        tensor([[ 0.2500, -1.0000],
                [ 0.5000, -0.2500]])
    """
    return audio / audio.abs().amax(dim=1, keepdim=True).clamp(min=1.0) if audio.numel() else audio


def waveforms(vocoder: Vocoder, log_mel: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    """Return waveforms (b, frames * hop) with peaks of at most 1 of log-mels (b, n_mels, frames); marks the stage."""
    with stage("vocoder"):
        return within_full_scale(vocoder(log_mel, seeds))


VOCODERS: Registry[Any] = Registry("vocoder", "clipsonic.vocoders")


def make_vocoder(mel: MelConfig, settings: Mapping[str, Any], *, device: str = "cpu") -> Vocoder:
    """Return the vocoder of some settings: ``name`` (Griffin-Lim where it is left out) and the options of that one.

    Raises:
        UserError: there is no vocoder of that name, or it has no such option.
        ConfigError: it needs an option that is not there, or does not accept a value.

    Example:
        >>> make_vocoder(MelConfig(), {"iterations": 4}).card()["iterations"]
        4
    """
    options = {"name": "griffin-lim", **settings}
    name = options.pop("name")
    loader = VOCODERS[name]
    known = {n: p for n, p in inspect.signature(loader).parameters.items() if n not in {"mel", "device"}}
    for option in options:
        if option not in known:
            raise unknown_name(f"option of vocoder {name}", option, known)
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in options:
            raise ConfigError(f"vocoder {name} needs {option}: set vocoder.{option}")
    vocoder: Vocoder = loader(mel, device=device, **options)
    return vocoder
