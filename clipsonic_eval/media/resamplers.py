"""Resamplers by name: soxr's, and those of resampy and torchaudio for the conventions of other toolkits.

A toolkit's resampler is part of its convention: the same wavs through two of them give different embeddings. The
default everywhere is ``soxr-hq``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from clipsonic_eval.arraytypes import Float32, Float64
from clipsonic_eval.errors import unknown_name
from clipsonic_eval.media._resampy import Version
from clipsonic_eval.media._resampy import filters as resampy_filters
from clipsonic_eval.media.audio import resample as soxr_hq

_BLOCK = 1 << 11  # output periods that are computed at a time: bounds the memory


@lru_cache(maxsize=16)
def _kernels(rate_in: int, rate_out: int, width: int, rolloff: float, beta: float | None) -> tuple[Float64, int]:
    """Return the filters of one period, (rate_out, taps) float64, and how many input samples lie before its first."""
    base = min(rate_in, rate_out) * rolloff
    reach = math.ceil(width * rate_in / base)
    taps = np.arange(-reach, reach + rate_in) / rate_in
    # h(t) = sinc(t) w(t), t in zero crossings; w Hann: cos²(πt / 2W), or Kaiser: I₀(β √(1 − (t/W)²)) / I₀(β)
    t = np.clip((taps[None] - np.arange(rate_out)[:, None] / rate_out) * base, -width, width)
    if beta is None:
        window = np.cos(t * np.pi / width / 2) ** 2
    else:
        window = np.i0(beta * np.sqrt(1 - (t / width) ** 2)) / np.i0(beta)
    return np.sinc(t) * window * base / rate_in, reach


def windowed_sinc(
    samples: Float32, rate_in: int, rate_out: int, *, width: int, rolloff: float, beta: float | None = None
) -> Float32:
    """Resample with a windowed sinc whose zero crossings lie at the lower of the two rates times ``rolloff``.

    Args:
        samples: (channels, n) float32 in [-1, 1].
        rate_in: Hz.
        rate_out: Hz.
        width: zero crossings on each side.
        rolloff: cut-off over the lower Nyquist frequency.
        beta: of a Kaiser window; None: a Hann window.

    Returns:
        (channels, ceil(n * rate_out / rate_in)) float32. The filters are made in float64; torchaudio makes them in
        the type of the sound, which moves its float32 samples by up to 1e-4 from ours and from its own float64 ones.

    Source: J. O. Smith, Digital Audio Resampling; parameters as in ``torchaudio.functional.resample``.
    """
    if rate_in == rate_out:
        return samples
    common = math.gcd(rate_in, rate_out)
    old, new = rate_in // common, rate_out // common
    bank, reach = _kernels(old, new, width, rolloff, beta)
    return _periodic(samples, old, bank, reach, math.ceil(new * samples.shape[1] / old))


def _periodic(samples: Float32, old: int, bank: Float64, reach: int, n_out: int) -> Float32:
    """Apply a period's filters at every ``old`` samples; ``reach`` taps lie before the first sample.

    Args:
        samples: (channels, n) float32.
        old: input samples per period.
        bank: (new, taps) float64.
        reach: taps before the first sample.
        n_out: samples to return.

    Returns:
        (channels, n_out) float32.
    """
    filters = bank.T.astype(np.float32)
    padded = np.pad(samples, ((0, 0), (reach, len(filters))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(filters), axis=1)[:, ::old]
    parts = [frames[:, k : k + _BLOCK] @ filters for k in range(0, frames.shape[1], _BLOCK)]
    whole: Float32 = np.concatenate(parts, axis=1).reshape(len(samples), -1)
    return np.ascontiguousarray(whole[:, :n_out])


def torchaudio_hann(samples: Float32, rate_in: int, rate_out: int) -> Float32:
    """Resample as ``torchaudio.functional.resample`` does by default: Hann, width 6, rolloff 0.99.

    Args and result, (channels, n) -> (channels, m), as in :func:`windowed_sinc`.
    """
    return windowed_sinc(samples, rate_in, rate_out, width=6, rolloff=0.99)


def torchaudio_kaiser_best(samples: Float32, rate_in: int, rate_out: int) -> Float32:
    """Resample with torchaudio's counterpart of resampy's ``kaiser_best``: width 64, as fadtk and kadtk do.

    Args and result, (channels, n) -> (channels, m), as in :func:`windowed_sinc`.
    """
    return windowed_sinc(samples, rate_in, rate_out, width=64, rolloff=0.9475937167399596, beta=14.769656459379492)


def resampy_kaiser_best(samples: Float32, rate_in: int, rate_out: int) -> Float32:
    """Resample as ``resampy.resample`` does by default, what torchvggish and frechet_audio_distance load with.

    Args and result, (channels, n) -> (channels, m), as in :func:`windowed_sinc`, but for the length:

    The output has ``int(n * rate_out / rate_in)`` samples, one fewer than others where that is no whole number.
    """
    return _resampy("0.4", samples, rate_in, rate_out)


def resampy_0_2_kaiser_best(samples: Float32, rate_in: int, rate_out: int) -> Float32:
    """Resample as resampy 0.2, to which OpenL3 is pinned; its filter is wider and cuts off higher than later ones.

    Args and result, (channels, n) -> (channels, m), as in :func:`resampy_kaiser_best`.
    """
    return _resampy("0.2", samples, rate_in, rate_out)


def _resampy(version: Version, samples: Float32, rate_in: int, rate_out: int) -> Float32:
    if rate_in == rate_out:
        return samples
    common = math.gcd(rate_in, rate_out)
    old, new = rate_in // common, rate_out // common
    bank, reach = resampy_filters(version, old, new)
    return _periodic(samples, old, bank, reach, int(samples.shape[1] * float(rate_out) / float(rate_in)))


RESAMPLERS: dict[str, Callable[[Float32, int, int], Float32]] = {
    "soxr-hq": soxr_hq,
    "resampy-kaiser-best": resampy_kaiser_best,
    "resampy-0.2-kaiser-best": resampy_0_2_kaiser_best,
    "torchaudio-hann": torchaudio_hann,
    "torchaudio-kaiser-best": torchaudio_kaiser_best,
}


def resampler(name: str) -> Callable[[Float32, int, int], Float32]:
    """Return a resampler ``(samples (channels, n), rate_in, rate_out) -> (channels, m)`` by name.

    Raises:
        UserError: there is none of that name.
    """
    if name not in RESAMPLERS:
        raise unknown_name("resampler", name, RESAMPLERS)
    return RESAMPLERS[name]
