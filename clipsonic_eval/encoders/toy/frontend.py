"""Front ends of the toy encoders: images to small squares, audio to log-mel spectrograms of windows of 0.96 s."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.encoders._base import check_image
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.media.mel import mel_filter_bank
from clipsonic_eval.media.squares import Square

SIDE: Final = 48  # pixels
SQUARE: Final = Square(SIDE)  # as CLIP does, but for the rounding
RATE: Final = 16000  # Hz
WINDOW: Final = 15360  # samples, 0.96 s
N_MELS: Final = 64
_FRAME: Final = 512  # samples
_HOP: Final = 160  # samples
_FLOOR: Final = 1e-5  # magnitude


def squares(images: Sequence[UInt8]) -> UInt8:
    """Return images of any size as (n, 48, 48, 3) uint8.

    Raises:
        ShapeError: not RGB images of 8 bits.
    """
    for image in images:
        check_image(image)
    return np.stack([SQUARE.cut(image) for image in images]) if images else np.zeros((0, SIDE, SIDE, 3), np.uint8)


def image_tensor(pixels: UInt8) -> torch.Tensor:
    """Return images (n, height, width, 3) uint8 as (n, 3, height, width) float32 in [-2, 2]."""
    return (torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255 - 0.5) * 4


@functools.cache
def _mel_filters() -> Float32:
    """Return (257, 64) float32 triangles on the HTK mel scale from 50 Hz to 8 kHz, each summing to 1."""
    bank = mel_filter_bank(RATE, _FRAME, N_MELS, 50, RATE / 2, scale="htk")
    return (bank / bank.sum(axis=0)).astype(np.float32)


@functools.cache
def _hann() -> Float32:
    """Return the periodic Hann window, (512,) float32."""
    return np.hanning(_FRAME + 1)[:-1].astype(np.float32)


def log_mel(windows: Float32) -> Float32:
    """Return the standardised log-mel spectrogram of windows.

    Args:
        windows: (n, 15360) float32 at 16 kHz, full scale 1.

    Returns:
        (n, 1, 64, 96) float32: (ln max(mel, 1e-5) + 5) / 3.
    """
    padded = np.pad(windows, ((0, 0), (_FRAME // 2, _FRAME // 2 - _HOP)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME, axis=1)[:, ::_HOP]
    out = np.empty((len(windows), 1, N_MELS, frames.shape[1]), np.float32)
    for start in range(0, len(windows), 64):  # bounds the memory of the spectra
        magnitude = np.abs(np.fft.rfft(frames[start : start + 64] * _hann(), axis=2)).astype(np.float32)
        mel = np.log(np.maximum(magnitude @ _mel_filters() / (_FRAME / 4), _FLOOR))  # a full-scale sine has |X| = N / 4
        out[start : start + 64, 0] = (mel.transpose(0, 2, 1) + 5) / 3
    return out


def windows(mono: Float32) -> Float32:
    """Cut audio at 16 kHz into windows of 0.96 s.

    Args:
        mono: (n,) float32, n >= 1; shorter than a window: zero-padded at the end; longer: windows without overlap, the
            last one aligned to the end.

    Returns:
        (windows, 15360) float32.

    Raises:
        ShapeError: there is no sample.
    """
    if mono.ndim != 1 or len(mono) == 0:
        raise ShapeError(f"audio must hold at least one sample of shape (n,), got {mono.shape}")
    if len(mono) <= WINDOW:
        return np.pad(mono, (0, WINDOW - len(mono)))[None]
    rows = -(-len(mono) // WINDOW)
    starts = np.minimum(np.arange(rows) * WINDOW, len(mono) - WINDOW)
    return np.stack([mono[s : s + WINDOW] for s in starts])
