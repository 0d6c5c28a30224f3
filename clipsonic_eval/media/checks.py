"""Does a piece of audio look broken? Pure functions of samples, one fault each, one sentence each.

Every check takes samples (n,), one channel, floating point with full scale at 1, and returns a
:class:`~clipsonic_eval.types.Finding` or None. :func:`check_audio` runs them all on all channels of a clip. Thresholds
are on the cautious side: music that was mastered loud touches full scale for single samples, not for runs of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.types import Clip, Finding, FloatArray

SILENCE_PEAK = 1e-4  # -80 dB of full scale
MOSTLY_SILENT = 0.9  # share of windows below the silence level
WINDOW = 1024
CLIP_RUN = 4  # equal samples at the extreme in a row
CLIP_SHARE = 1e-3
FULL_SCALE = 1.0 + 1e-4  # what 16-bit rounding may add
DC_SHARE = 0.1  # of the root mean square
DC_LEAST = 1e-3


def check_audio(clip: Clip) -> list[Finding]:
    """Run all checks on a clip, each fault once, the first channel that has it; broken samples end the list."""
    if clip.samples.shape[1] == 0:
        return [Finding("empty", "error", (clip.key,), f"'{clip.key}' holds no samples; generate it again")]
    found: list[Finding] = []
    for check in (not_finite, silence, peak, clipping, dc):
        results = (check(channel, clip.key) for channel in clip.samples)
        finding = next((f for f in results if f is not None), None)
        if finding is not None:
            found.append(finding)
            if finding.severity == "error":
                break  # nothing after it means anything
    return found


def not_finite(samples: FloatArray, key: str) -> Finding | None:
    """Find NaN and infinity.

    Raises:
        ShapeError: the samples are not floating point of shape (n,) with n >= 1; so in all checks.
    """
    broken = int(np.count_nonzero(~np.isfinite(_mono(samples, key))))
    if not broken:
        return None
    sentence = f"'{key}' holds {broken} samples that are NaN or infinite; the system or the file is broken"
    return Finding("not_finite", "error", (key,), sentence)


def silence(samples: FloatArray, key: str) -> Finding | None:
    """Find a peak below -80 dB of full scale (an error), or nine tenths of the windows of 64 ms at 16 kHz below it."""
    x = np.abs(_mono(samples, key))
    top = float(x.max())
    if top < SILENCE_PEAK:
        sentence = f"'{key}' is silent (peak {top:.1g}, below {SILENCE_PEAK:g}); it answers no prompt"
        return Finding("silence", "error", (key,), sentence)
    starts = np.arange(0, len(x), WINDOW)
    quiet = float(np.mean(np.maximum.reduceat(x, starts) < SILENCE_PEAK))
    if quiet <= MOSTLY_SILENT:
        return None
    sentence = f"'{key}' is silent for {quiet:.0%} of its length; was it padded, or generated too short?"
    return Finding("silence", "warning", (key,), sentence)


def peak(samples: FloatArray, key: str) -> Finding | None:
    """Find samples above full scale, which writing to integers cuts or wraps."""
    top = float(np.abs(_mono(samples, key)).max())
    if top <= FULL_SCALE:
        return None
    sentence = f"'{key}' peaks at {top:.3g} times full scale; scale it to at most 1 before it is written and scored"
    return Finding("peak", "warning", (key,), sentence)


def clipping(samples: FloatArray, key: str) -> Finding | None:
    """Find flat tops: a thousandth of the samples or more in runs of at least four at the extreme of either sign.

    The extreme is the clip's own, from half of full scale on, so that sound clipped before it was turned down is found.
    """
    x = _mono(samples, key)
    flat = 0
    for side in (x, -x):
        top = float(side.max())
        if top >= 0.5:
            flat += _in_runs(side >= top * (1 - 1e-6))
    share = flat / len(x)
    if share < CLIP_SHARE:
        return None
    sentence = f"'{key}' is clipped: {share:.1%} of its samples lie in flat tops; lower the level before it is cut"
    return Finding("clipping", "warning", (key,), sentence)


def dc(samples: FloatArray, key: str) -> Finding | None:
    """Find a mean above a tenth of the root mean square (and above a thousandth of full scale)."""
    x = _mono(samples, key)
    mean, rms = float(x.mean()), float(np.sqrt(np.mean(x**2)))
    if abs(mean) < max(DC_LEAST, DC_SHARE * rms):
        return None
    sentence = f"'{key}' has a constant offset of {mean:.3g} at a level of {rms:.3g}; subtract the mean"
    return Finding("dc", "warning", (key,), sentence)


def _mono(samples: NDArray[Any], key: str) -> NDArray[np.float64]:
    if samples.ndim != 1 or len(samples) == 0 or not np.issubdtype(samples.dtype, np.floating):
        raise ShapeError(
            f"samples of '{key}' must be floating point of shape (n,) with n >= 1, got {samples.dtype} {samples.shape}"
        )
    return samples.astype(np.float64)


def _in_runs(at_top: NDArray[np.bool_]) -> int:
    """Return how many samples lie in runs of at least ``CLIP_RUN``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at_top.astype(np.int8), [0]])))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= CLIP_RUN].sum())
