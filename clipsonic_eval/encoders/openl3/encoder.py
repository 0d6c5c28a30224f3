"""OpenL3 as an encoder: one row per window of one second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches
from clipsonic_eval.encoders.openl3.frontend import FRONT_ENDS, RATE
from clipsonic_eval.encoders.openl3.network import GRID, OpenL3Network
from clipsonic_eval.encoders.openl3.weights import LICENCE, find, load, source
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.media.resamplers import resampler as named_resampler
from clipsonic_eval.types import Clip, EncoderCard
from clipsonic_eval.weight_files import tensors_sha256

_BATCH_CPU, _BATCH_GPU = 1, 32  # windows; one alone is as fast on a CPU, and no batch is filled up


class Windows(NamedTuple):
    """How a clip becomes windows of one second.

    Attributes:
        hop: samples at 48 kHz from window to window.
        center: the first window begins half a window before the clip.
        both: each of two channels by itself; otherwise their mean.
        resampler: name of ours.
    """

    hop: int
    center: bool
    both: bool
    resampler: str

    @classmethod
    def of(cls, name: str, hop_s: float, *, center: bool, channels: Literal["mean", "both"], resampler: str) -> Windows:
        """Return windows from the options of the loader.

        Raises:
            ConfigError: a hop below one sample, or unknown channels.
            UserError: no resampler of that name.
        """
        hop = int(hop_s * RATE)  # rounded down, as the package does
        if hop < 1:
            raise ConfigError(f"{name}: hop_s {hop_s:g} must be at least one sample, {1 / RATE:.2g}")
        if channels not in ("mean", "both"):
            raise ConfigError(f"{name}: channels '{channels}' must be mean or both")
        named_resampler(resampler)
        return cls(hop, center, channels == "both", resampler)

    @property
    def signature(self) -> str:
        """Fields of a signature."""
        mono = "each-channel,mono-doubled" if self.both else "mean"
        start = "from-half-a-window-before" if self.center else "from-start"
        return f"resample:{self.resampler}|mono:{mono}|win:1/{self.hop / RATE:g},{start},zeros-to-whole"

    def waves(self, clip: Clip) -> Float32:
        """Return what is cut into windows: one channel or two at 48 kHz, zeros around them, (channels, n).

        More than two channels are averaged.

        Raises:
            ShapeError: the clip holds no sample.
        """
        if clip.samples.shape[1] == 0:
            raise ShapeError(f"clip '{clip.key}': audio must hold at least one sample")
        channels = clip.samples if self.both and len(clip.samples) == 2 else clip.mono()[None]
        waves = named_resampler(self.resampler)(channels, clip.sample_rate, RATE)
        before = RATE // 2 if self.center else 0
        count = self._count(before + waves.shape[1])
        whole = (count - 1) * self.hop + RATE
        return np.pad(waves, ((0, 0), (before, whole - before - waves.shape[1])))

    def _count(self, samples: int) -> int:
        """Return how many windows hold so many samples."""
        return 1 + max(0, -(-(samples - RATE) // self.hop))

    def cut(self, wave: Float32) -> Tensor:
        """Return the windows of a wave of :meth:`waves` as a view, (n,) -> (windows, 48000)."""
        return torch.from_numpy(wave).unfold(0, RATE, self.hop)


class OpenL3Encoder(EncoderBase):
    """One row per window.

    Args:
        network: on its device.
        input_repr: of its spectrograms.
        windows: how clips are cut.
        card: its identity.
        device: of the network.
    """

    def __init__(
        self, network: OpenL3Network, input_repr: str, windows: Windows, card: EncoderCard, device: str
    ) -> None:
        super().__init__(card)
        self._network, self._front, self._windows, self._device = network, FRONT_ENDS[input_repr], windows, device
        self._size = _BATCH_CPU if device == "cpu" else _BATCH_GPU
        self._dim = card.dim // 2 if windows.both else card.dim  # of one channel
        self._counts: dict[tuple[int, int], int] = {}  # windows by samples and sample rate, on which alone they depend

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its windows."""
        for clip in clips:
            if _size(clip) not in self._counts:
                self._waves(clip)
        return [clip.key for clip in clips for _ in range(self._counts[_size(clip)])]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (windows, d) float32.

        Raises:
            ShapeError: a clip holds no sample.
        """
        parts = []
        for clip in clips:
            of_channels = [self._embed(wave) for wave in self._waves(clip)]
            if self._windows.both:
                of_channels = [of_channels[0], of_channels[-1]]
            parts.append(np.concatenate(of_channels, axis=1))
        return np.concatenate(parts) if parts else np.zeros((0, self._card.dim), np.float32)

    def _waves(self, clip: Clip) -> Float32:
        waves = self._windows.waves(clip)
        self._counts[_size(clip)] = (waves.shape[1] - RATE) // self._windows.hop + 1
        return waves

    def _embed(self, wave: Float32) -> Float32:
        """Return the embeddings of one channel, (n,) -> (windows, d)."""
        return in_batches(self._forward, self._windows.cut(wave), size=self._size, device=self._device, dim=self._dim)

    def _forward(self, waves: Tensor) -> Tensor:
        embedded: Tensor = self._network(self._front(waves.contiguous()))
        return embedded


def _size(clip: Clip) -> tuple[int, int]:
    return clip.samples.shape[1], clip.sample_rate


def load_openl3(
    content: Literal["music", "env"],
    weights: Path | None,
    device: str,
    input_repr: str,
    embedding_size: int,
    windows: Windows,
) -> OpenL3Encoder:
    """Load OpenL3; arguments as of the package.

    Raises:
        ConfigError: an option has a value that is not allowed.
        WeightsError: the weights are missing, damaged or of another network.
        UserError: h5py is not installed.
    """
    name = f"openl3-{content}"
    if input_repr not in FRONT_ENDS:
        raise ConfigError(f"{name}: input_repr '{input_repr}' must be {', '.join(FRONT_ENDS)}")
    if embedding_size not in GRID:
        raise ConfigError(f"{name}: embedding_size {embedding_size} must be 512 or 6144")
    network = load(find(weights, content, input_repr), content, input_repr, embedding_size)
    frequencies, times = GRID[embedding_size]
    card = EncoderCard(
        name,
        weights_sha256=tensors_sha256(network.state_dict()),
        dim=network.dim * (2 if windows.both else 1),
        modalities=("audio",),
        preprocessing=f"rate:48k|{windows.signature}|mel:{FRONT_ENDS[input_repr]}"
        f"|layer:last-convolution,max-pooled-to-{frequencies}x{times}",
        sample_rate=RATE,
        licence=LICENCE,
        source=source(content, input_repr),
    )
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload] # a stub lacks it
    return OpenL3Encoder(network, input_repr, windows, card, device)
