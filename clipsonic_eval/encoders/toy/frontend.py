"""What happens before the networks: pictures to small squares, audio to log-mels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.errors import ShapeError

SIDE: Final = 48  # pixels
RATE: Final = 16000
WINDOW: Final = 15360  # samples, 0.96 s
BANDS: Final = 64
_FRAME: Final = 512
_HOP: Final = 160
_FLOOR: Final = 1e-5


def square(picture: UInt8, side: int = SIDE) -> UInt8:
    """Resize the short side (bicubic) and cut the centre, as CLIP does.

    Args:
        picture: (height, width, 3) uint8, any size.
        side: of the result.

    Raises:
        ShapeError: not an RGB picture of 8 bits.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise ShapeError(f"pictures must be uint8 of shape (height, width, 3), got {picture.dtype} {picture.shape}")
    height, width = picture.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    image = Image.fromarray(picture)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)))


def squares(pictures: Sequence[UInt8]) -> UInt8:
    """Return (n, SIDE, SIDE, 3) uint8."""
    return np.stack([square(p) for p in pictures]) if len(pictures) else np.zeros((0, SIDE, SIDE, 3), np.uint8)


@functools.cache
def _filters() -> Float32:
    """Return (257, 64) triangles on the mel scale (HTK), 50 Hz to 8 kHz, each of area 1."""
    mel = np.linspace(2595 * np.log10(1 + 50 / 700), 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    grid = np.fft.rfftfreq(_FRAME, 1 / RATE)[:, None]
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.maximum(0, np.minimum((grid - low) / (peak - low), (high - grid) / (high - peak)))
    # At the bottom a triangle may fall between two bins: give it the nearest one.
    empty = triangles.sum(axis=0) == 0
    triangles[np.abs(grid - peak).argmin(axis=0)[empty], np.flatnonzero(empty)] = 1.0
    return (triangles / triangles.sum(axis=0)).astype(np.float32)


@functools.cache
def _taper() -> Float32:
    return np.hanning(_FRAME + 1)[:-1].astype(np.float32)


def log_mel(windows: Float32) -> Float32:
    """Return the standardised log-mel of windows.

    Args:
        windows: (n, 15360) float32 at 16 kHz.

    Returns:
        (n, 1, 64, 96) float32: natural logarithm of the mel magnitude (floor 1e-5) plus 5, divided by 3.
    """
    padded = np.pad(windows, ((0, 0), (_FRAME // 2, _FRAME // 2 - _HOP)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME, axis=1)[:, ::_HOP]
    out = np.empty((len(windows), 1, BANDS, frames.shape[1]), np.float32)
    for start in range(0, len(windows), 64):  # bounds the memory of the spectra
        magnitude = np.abs(np.fft.rfft(frames[start : start + 64] * _taper(), axis=2)).astype(np.float32)
        mel = np.log(np.maximum(magnitude @ _filters() / (_FRAME / 4), _FLOOR))
        out[start : start + 64, 0] = (mel.transpose(0, 2, 1) + 5) / 3
    return out


def windows(mono: Float32) -> Float32:
    """Cut audio at 16 kHz into windows of 0.96 s.

    Args:
        mono: (n,) float32; shorter than a window: zeros are added at the end; longer: windows without overlap, the
            last one ends where the audio ends.

    Returns:
        (rows, 15360) float32.

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
