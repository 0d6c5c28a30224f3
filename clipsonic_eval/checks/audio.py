"""Does a clip look broken? One fault per check, one sentence per finding.

Samples are floating point with full scale at 1. Everything that the checks need is measured once per channel
(:class:`Levels`) and can be cached in place of the samples, so that clips that are not decoded again are still checked.
Thresholds are on the cautious side: music that was mastered loud touches full scale for single samples, not for runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from clipsonic_eval.arraytypes import AnyArray, Bool, Float32, Float64, FloatArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.types import Clip, Finding

SILENCE_PEAK = 1e-4  # -80 dB of full scale; the one threshold of silence
MOSTLY_SILENT = 0.9  # share of windows below the silence level
WINDOW = 1024
CLIP_RUN = 4  # equal samples at the extreme in a row
CLIP_SHARE = 1e-3
FULL_SCALE = 1.0 + 1e-4  # what 16-bit rounding may add
# Lossy coding of clipped sound overshoots to twice full scale at most, an unscaled sum of two channels to twice that:
# beyond it the samples are in another unit.
ANOTHER_UNIT = 4.0
INTEGERS_FROM = 2.0  # peak; square waves between -1 and 1 are sound
DC_SHARE = 0.1  # of the root mean square
DC_LEAST = 1e-3


class Levels(NamedTuple):
    """Levels of one channel.

    Attributes:
        peak: largest magnitude, full scale 1.
        quiet: share of the windows of 1024 samples whose peak is below -80 dB of full scale.
        flat: share of the samples in flat tops.
        mean: of the samples (DC offset).
        rms: root mean square.
        whole: 1 if every sample is an integer, otherwise 0.
    """

    peak: float
    quiet: float
    flat: float
    mean: float
    rms: float
    whole: float = 0.0


LEVEL_FIELDS = (*Levels._fields, "rate", "seconds")  # columns of ClipLevels.rows
LEVELS_VERSION = "sound-levels-v2"  # raised when the same clip gives other rows


@dataclass(frozen=True, slots=True)
class ClipLevels:
    """Levels of all channels of a clip, its sample rate and its duration.

    Attributes:
        channels: levels of each channel.
        rate: Hz of the audio as stored.
        seconds: duration.
    """

    channels: tuple[Levels, ...]
    rate: float
    seconds: float

    @classmethod
    def of(cls, clip: Clip) -> ClipLevels:
        """Measure a clip; values are rounded to float32, as a cache keeps them."""
        measured = tuple(levels(channel, clip.key) for channel in clip.samples)
        return cls.from_rows(cls(measured, clip.sample_rate, clip.duration_s).rows())

    def rows(self) -> Float32:
        """Return one row per channel, (channels, 8) float32, columns as in ``LEVEL_FIELDS``."""
        return np.array([(*channel, self.rate, self.seconds) for channel in self.channels], np.float32)

    @classmethod
    def from_rows(cls, rows: Float32) -> ClipLevels:
        """Return the levels of rows that :meth:`rows` gave, (channels, 8) float32."""
        values = rows.tolist()
        return cls(tuple(Levels(*row[:-2]) for row in values), *values[0][-2:])


def levels(samples: FloatArray, key: str) -> Levels:
    """Measure one channel.

    Args:
        samples: (n,) floating point, full scale 1.
        key: of the clip, for the error.

    Raises:
        ShapeError: the samples are not floating point of shape (n,) with n >= 1.
    """
    x = _mono(samples, key)
    magnitude = np.abs(x)
    quiet = np.maximum.reduceat(magnitude, np.arange(0, len(x), WINDOW)) < SILENCE_PEAK
    rms = float(np.sqrt(np.mean(x**2)))
    whole = float((x == np.rint(x)).all())
    return Levels(float(magnitude.max()), float(quiet.mean()), _flat(x), float(x.mean()), rms, whole)


def check_audio(clip: Clip) -> list[Finding]:
    """Run all checks on a clip; each fault is reported once, for the first channel that has it.

    Samples that are empty, NaN or infinite end the list.
    """
    if clip.samples.shape[1] == 0:
        return [Finding("empty", "error", (clip.key,), f"'{clip.key}' holds no samples; generate it again")]
    broken = (not_finite(channel, clip.key) for channel in clip.samples)
    finding = next((f for f in broken if f is not None), None)
    if finding is not None:
        return [finding]
    return check_levels([levels(channel, clip.key) for channel in clip.samples], clip.key)


def check_levels(channels: Sequence[Levels], key: str) -> list[Finding]:
    """Run the checks on the levels of a clip's channels, as :func:`check_audio` does on its samples."""
    found: list[Finding] = []
    for check in (unit, silence, peak, clipping, dc):
        finding = next((f for f in (check(channel, key) for channel in channels) if f is not None), None)
        if finding is not None:
            found.append(finding)
            if finding.severity == "error":
                break  # nothing after it means anything
    return found


def unusable(channels: Sequence[Levels], key: str) -> str:
    """Return why a clip must be left out (samples in another unit than full scale 1), "" if it need not be."""
    finding = next((f for f in (unit(channel, key) for channel in channels) if f is not None), None)
    return "" if finding is None else finding.sentence.removeprefix(f"'{key}' ")


def check_set(clips: Mapping[str, ClipLevels]) -> list[Finding]:
    """Run the checks on the levels of a set, by key; one finding per kind of fault."""
    return grouped(finding for key, clip in clips.items() for finding in check_levels(clip.channels, key))


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """Merge findings of single clips: one per kind of fault, with the keys of all clips that have it."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.check, finding.severity), []).append(finding)
    return [_one(group) for group in groups.values()]


def count_by_check(findings: Iterable[Finding]) -> dict[str, int]:
    """Return the number of keys of all findings of each check."""
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.check] += len(finding.keys)
    return dict(counts)


def _one(group: Sequence[Finding]) -> Finding:
    first = group[0]
    if len(group) == 1:
        return first
    keys = tuple(sorted(key for finding in group for key in finding.keys))
    others = f"{len(group) - 1} other {'clip' if len(group) == 2 else 'clips'} likewise"
    return Finding(first.check, first.severity, keys, f"{first.sentence} ({others})")


def not_finite(samples: FloatArray, key: str) -> Finding | None:
    """Find NaN and infinity in samples (n,)."""
    broken = int(np.count_nonzero(~np.isfinite(_mono(samples, key))))
    if not broken:
        return None
    sentence = f"'{key}' holds {broken} samples that are NaN or infinite; the system or the file is broken"
    return Finding("not_finite", "error", (key,), sentence)


def silence(channel: Levels, key: str) -> Finding | None:
    """Find a peak below -80 dB of full scale (an error), or more than 90 % of the windows of 1024 samples below it."""
    if channel.peak < SILENCE_PEAK:
        sentence = f"'{key}' is silent (peak {channel.peak:.1g}, below {SILENCE_PEAK:g}); it answers no prompt"
        return Finding("silence", "error", (key,), sentence)
    if channel.quiet <= MOSTLY_SILENT:
        return None
    sentence = f"'{key}' is silent for {channel.quiet:.0%} of its length; was it padded, or generated too short?"
    return Finding("silence", "warning", (key,), sentence)


def unit(channel: Levels, key: str) -> Finding | None:
    """Find samples in another unit than full scale 1: integers stored as floats, or a peak above 4 times full scale."""
    if channel.whole and INTEGERS_FROM <= channel.peak <= 2**31:  # far above, every float32 is an integer
        bits = next((b for b in (16, 24) if channel.peak <= 2 ** (b - 1)), 32)
        sentence = (
            f"'{key}' holds integers stored as floats (peak {channel.peak:.0f}); divide its samples by "
            f"{2 ** (bits - 1)} ({bits} bits)"
        )
    elif channel.peak > ANOTHER_UNIT:
        sentence = (
            f"'{key}' peaks at {channel.peak:.3g} times full scale, more than any coding or mixing adds; its samples "
            "are in another unit, scale them to at most 1"
        )
    else:
        return None
    return Finding("unit", "error", (key,), sentence)


def peak(channel: Levels, key: str) -> Finding | None:
    """Find samples above full scale (up to 4 times), which writing to integers cuts or wraps."""
    if channel.peak <= FULL_SCALE:
        return None
    sentence = (
        f"'{key}' peaks at {channel.peak:.3g} times full scale; scale it to at most 1 before it is written and scored"
    )
    return Finding("peak", "warning", (key,), sentence)


def clipping(channel: Levels, key: str) -> Finding | None:
    """Find flat tops: a thousandth of the samples or more in runs of at least four at the extreme of either sign.

    The extreme is the clip's own, from half of full scale on, so that sound clipped before it was turned down is found.
    """
    if channel.flat < CLIP_SHARE:
        return None
    sentence = (
        f"'{key}' is clipped: {channel.flat:.1%} of its samples lie in flat tops; lower the level before it is cut"
    )
    return Finding("clipping", "warning", (key,), sentence)


def dc(channel: Levels, key: str) -> Finding | None:
    """Find a mean above a tenth of the root mean square (and above a thousandth of full scale)."""
    if abs(channel.mean) < max(DC_LEAST, DC_SHARE * channel.rms):
        return None
    sentence = f"'{key}' has a constant offset of {channel.mean:.3g} at a level of {channel.rms:.3g}; subtract the mean"
    return Finding("dc", "warning", (key,), sentence)


def _flat(x: Float64) -> float:
    flat = 0
    for side in (x, -x):
        top = float(side.max())
        if top >= 0.5:
            flat += _in_runs(side >= top * (1 - 1e-6))
    return flat / len(x)


def _mono(samples: AnyArray, key: str) -> Float64:
    if samples.ndim != 1 or len(samples) == 0 or not np.issubdtype(samples.dtype, np.floating):
        raise ShapeError(
            f"samples of '{key}' must be floating point of shape (n,) with n >= 1, got {samples.dtype} {samples.shape}"
        )
    return samples.astype(np.float64)


def _in_runs(at_top: Bool) -> int:
    """Return how many samples lie in runs of at least ``CLIP_RUN``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at_top.astype(np.int8), [0]])))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= CLIP_RUN].sum())
