"""Networks that give a vector per frame: clips in windows side by side, a row per frame or per second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders._base import EncoderBase
from clipsonic_eval.encoders._batches import in_batches, mono_samples
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.media.audio import resample
from clipsonic_eval.types import Clip, EncoderCard

RowsPer = Literal["frame", "second"]
_BATCH_CPU_S, _BATCH_GPU_S = 5, 160  # seconds of audio per batch, which bounds the memory
_BATCH_MOST = 64  # windows, however short they are


class Framing(NamedTuple):
    """How a clip becomes windows and the frames of a window become rows.

    Attributes:
        rate: Hz.
        window: samples of a window; None: the whole clip is one.
        shortest: samples of the shortest window that has a frame.
        rows: one per ``frame``, or the mean over the frames of a ``second``.
        overlap: windows overlap by half; the first begins half a window before the clip, and zeros fill up the last.
    """

    rate: int
    window: int | None
    shortest: int
    rows: RowsPer
    overlap: bool = False

    @classmethod
    def of(
        cls, name: str, rate: int, window_s: float | None, shortest: int, rows: str, *, overlap: bool = False
    ) -> Framing:
        """Return a framing from the options of an encoder's loader.

        Raises:
            ConfigError: a window without a frame, unknown rows, or no windows that could overlap.
        """
        if rows not in ("frame", "second"):
            raise ConfigError(f"{name}: rows '{rows}' must be frame or second")
        window = None if window_s is None else round(window_s * rate)
        if window is not None and window < shortest:
            raise ConfigError(f"{name}: window_s {window_s:g} must be at least {shortest / rate:g}, one frame")
        if overlap and window is None:
            raise ConfigError(f"{name}: overlap needs window_s, the length of the windows that overlap")
        return cls(rate, window, shortest, "frame" if rows == "frame" else "second", overlap)

    @property
    def signature(self) -> str:
        """Fields of a signature."""
        seconds = (self.window or 0) / self.rate
        if self.overlap:
            return f"win:{seconds:g}/{seconds / 2:g},from-half-a-window-before,zeros-to-whole|rows:{self.rows}"
        windows = "whole-clip" if self.window is None else f"{seconds:g}/{seconds:g},last-as-is"
        return f"win:{windows},zero-padded-to-{self.shortest}-samples|rows:{self.rows}"

    def windows(self, wave: Float32) -> list[Float32]:
        """Cut a waveform into windows, side by side or overlapping.

        Args:
            wave: (channels, n), n >= 1.

        Returns:
            At least one window, (channels, m) each; the last one is as short as it is and is left out if it has no
            frame. A clip without a frame is padded with zeros at its end.
        """
        if self.overlap and self.window is not None:
            half, whole = self.window // 2, -(-wave.shape[1] // self.window) * self.window
            padded = np.pad(wave, ((0, 0), (half, whole - wave.shape[1] + half)))
            starts = range(0, padded.shape[1] - 2 * half + 1, half)
            return [padded[:, start : start + 2 * half] for start in starts]
        length = wave.shape[1] if self.window is None else self.window
        parts = [wave[:, start : start + length] for start in range(0, wave.shape[1], length)]
        kept = [part for part in parts if part.shape[1] >= self.shortest]
        return kept or [np.pad(wave, ((0, 0), (0, self.shortest - wave.shape[1])))]

    def frames_per_row(self, frames: int, samples: int) -> int:
        """Return how many frames of a window make a row; frames that do not fill a last row are dropped.

        Args:
            frames: of the window.
            samples: of the window.
        """
        if self.rows == "frame":
            return 1
        return max(1, min(frames, int(frames / (samples / self.rate))))  # in kadtk's order, to round as it does


class FrameEncoder(EncoderBase):
    """A network on windows, each window alone or beside others of its length.

    Args:
        network: (b, channels, m) on ``device`` -> (b, frames, d).
        prepare: a clip -> its waveform (channels, n) at the rate of ``framing``, n >= 1.
        card: its identity.
        framing: windows and rows.
        device: of the network.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        prepare: Callable[[Clip], Float32],
        card: EncoderCard,
        framing: Framing,
        device: str,
    ) -> None:
        super().__init__(card)
        self._network, self._prepare, self._framing, self._device = network, prepare, framing, device
        self._budget = (_BATCH_CPU_S if device == "cpu" else _BATCH_GPU_S) * framing.rate
        self._rows: dict[tuple[int, int], int] = {}  # by samples and sample rate, on which alone they depend

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip's key for each of its rows."""
        for clip in clips:
            if _size(clip) not in self._rows:
                self.audio([clip])
        return [clip.key for clip in clips for _ in range(self._rows[_size(clip)])]

    @torch.inference_mode()
    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (rows, d) float32. Only windows of equal length share a batch.

        Raises:
            ShapeError: a clip holds no sample.
        """
        windows = [self._framing.windows(self._prepare(clip)) for clip in clips]
        rows = iter(self._embed([window for of_clip in windows for window in of_clip]))
        parts = [np.concatenate([next(rows) for _ in of_clip]) for of_clip in windows]
        self._rows |= {_size(clip): len(part) for clip, part in zip(clips, parts, strict=True)}
        return np.concatenate(parts) if parts else np.zeros((0, self._card.dim), np.float32)

    def _embed(self, windows: Sequence[Float32]) -> list[Float32]:
        """Embed windows (channels, m) each -> (rows, d) each, in their order."""
        by_length: dict[int, list[int]] = defaultdict(list)
        for index, window in enumerate(windows):
            by_length[window.shape[1]].append(index)
        found: list[Float32] = [np.zeros((0, self._card.dim), np.float32)] * len(windows)
        for length, indices in by_length.items():
            size = min(max(1, self._budget // length), _BATCH_MOST)
            for start in range(0, len(indices), size):
                part = indices[start : start + size]
                batch = torch.from_numpy(np.stack([windows[index] for index in part]))
                flat = in_batches(self._pooled, batch, size=size, device=self._device, dim=self._card.dim)
                for index, rows in zip(part, flat.reshape(len(part), -1, self._card.dim), strict=True):
                    found[index] = rows
        return found

    def _pooled(self, waves: Tensor) -> Tensor:
        """Return the rows of windows, (b, channels, m) -> (b, rows * d)."""
        frames = self._network(waves)  # (b, frames, d)
        group = self._framing.frames_per_row(frames.shape[1], waves.shape[2])
        whole = frames[:, : frames.shape[1] // group * group]
        return whole.unflatten(1, (-1, group)).mean(dim=2).flatten(1)


def _size(clip: Clip) -> tuple[int, int]:
    return clip.samples.shape[1], clip.sample_rate


def mono(rate: int) -> Callable[[Clip], Float32]:
    """Return the function that gives the mean of a clip's channels at a rate in Hz, (1, n)."""
    return lambda clip: mono_samples(clip, rate)[None]


def stereo(rate: int) -> Callable[[Clip], Float32]:
    """Return the function that gives two channels at a rate in Hz, (2, n): mono doubled, more than two averaged."""

    def prepare(clip: Clip) -> Float32:
        if len(clip.samples) != 2 or clip.samples.shape[1] == 0:
            return np.repeat(mono_samples(clip, rate)[None], 2, axis=0)
        return resample(clip.samples, clip.sample_rate, rate)

    return prepare
