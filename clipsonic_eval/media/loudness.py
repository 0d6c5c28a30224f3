"""Loudness and true peak by ITU-R BS.1770, and the one gain that brings a clip to a wanted loudness.

The loudness is pyloudnorm's (extra ``listening``): K-weighting, blocks of 0.4 s that overlap by three quarters, gates
at -70 LUFS and 10 LU below the mean. The true peak is that of four times the sample rate (BS.1770, annex 2).
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Final

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.audio import resample

TARGET_LUFS: Final = -23.0  # EBU R 128
MAX_PEAK_DBTP: Final = -1.0  # EBU R 128
SHORTEST_S: Final = 0.4  # one block: shorter sound has no loudness
_OVERSAMPLING = 4
_ABSOLUTE_GATE = -70.0  # LUFS; a clip that is nowhere louder has no loudness


def require_pyloudnorm() -> ModuleType:
    """Return the pyloudnorm package.

    Raises:
        UserError: it is not installed.
    """
    try:
        import pyloudnorm
    except ImportError:
        raise UserError("loudness: pyloudnorm is not installed; pip install 'clipsonic-eval[listening]'") from None
    module: ModuleType = pyloudnorm
    return module


def loudness_lufs(samples: Float32, rate: int, name: str) -> float:
    """Return the integrated loudness in LUFS.

    Args:
        samples: (channels, n) float32 in [-1, 1], one or two channels.
        rate: Hz.
        name: of the clip, for the error sentence.

    Raises:
        MediaError: shorter than 0.4 s, or nowhere louder than the absolute gate of -70 LUFS.
        UserError: pyloudnorm is not installed.
    """
    seconds = samples.shape[1] / rate
    if samples.shape[1] < SHORTEST_S * rate:
        raise MediaError(f"{name}: {seconds:.2f} s are too short for a loudness, which takes {SHORTEST_S} s")
    meter = require_pyloudnorm().Meter(rate)
    loudness = float(meter.integrated_loudness(samples.T.astype(np.float64)))
    if not loudness > _ABSOLUTE_GATE:
        raise MediaError(f"{name}: silent (nowhere louder than {_ABSOLUTE_GATE:.0f} LUFS), so it has no loudness")
    return loudness


def true_peak_db(samples: Float32, rate: int) -> float:
    """Return the true peak in dB of full scale; -inf for silence.

    Args:
        samples: (channels, n) float32, n >= 1.
        rate: Hz.
    """
    peak = float(max(np.abs(samples).max(), np.abs(resample(samples, rate, _OVERSAMPLING * rate)).max()))
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def gain_db(loudness: float, peak_db: float) -> float:
    """Return the gain in dB that brings a clip to -23 LUFS, or as near as a true peak of -1 dB allows.

    Args:
        loudness: of the clip in LUFS.
        peak_db: its true peak in dB of full scale.

    Example:
        >>> gain_db(-30.0, -12.0), gain_db(-30.0, -3.0)
        (7.0, 2.0)
    """
    return min(TARGET_LUFS - loudness, MAX_PEAK_DBTP - peak_db)


def at_loudness(samples: Float32, rate: int, lufs: float) -> Float32:
    """Return a sound at a loudness, with a peak of at most 1.

    As the package audiotools does: zeros fill up half a second, and the last block, before it is measured; what is
    nowhere louder than the absolute gate counts as -70 LUFS.

    Args:
        samples: (channels, n) float32 in [-1, 1], n >= 1.
        rate: Hz.
        lufs: the wanted loudness.

    Raises:
        UserError: pyloudnorm is not installed.

    Source: ``AudioSignal.normalize`` and ``ensure_max_of_audio`` of descript-audiotools.
    """
    n = samples.shape[1]
    block, step = int(SHORTEST_S * rate), int(SHORTEST_S * rate / 4)
    blocks = math.ceil(max(0, max(n, rate // 2) - block) / step)
    measured = np.pad(samples, ((0, 0), (0, block + blocks * step - n))).T.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = float(require_pyloudnorm().Meter(rate).integrated_loudness(measured))
    loudness = found if found > _ABSOLUTE_GATE else _ABSOLUTE_GATE  # silence has none, which is no number
    louder: Float32 = samples * np.float32(10 ** ((lufs - loudness) / 20))
    limited: Float32 = louder / np.maximum(np.float32(1), np.abs(louder).max(axis=1, keepdims=True))
    return limited
