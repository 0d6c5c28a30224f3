"""Audio preprocessing between the file and an encoder: the largest hidden difference between toolkits.

Our own convention is the default of :class:`AudioPreprocessing`: nothing but the encoder's own mixing and resampling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.media.loudness import at_loudness
from clipsonic_eval.media.resamplers import RESAMPLERS, resampler
from clipsonic_eval.types import Clip


@dataclass(frozen=True, slots=True)
class AudioPreprocessing:
    """Preprocessing steps, in the order in which they are applied.

    Attributes:
        mono: ``encoder`` leaves the channels to the encoder; ``mean`` of the channels; the ``first`` one only.
        peak_db: level in dB of full scale to which the largest magnitude of all channels is brought before resampling;
            None: as it is.
        rate: Hz to resample to before the encoder; None: the encoder resamples.
        resampler: name in :data:`clipsonic_eval.media.resamplers.RESAMPLERS`; only with ``rate``.
        level: ``as-is``; ``peak-1dB``: the largest magnitude becomes 10^(-1/20); ``positive-peak``: divided by the
            largest *positive* sample, or 0.1 if that is more (the original FAD's reader); ``dc-removed``: the mean
            of the samples subtracted.
        int16: quantisation to 16-bit integers: ``none``, ``round`` (× 32768, to the nearest) or ``trunc`` (× 32767,
            towards zero), clipped at full scale either way.
        lufs: loudness to bring clips to after that, with peaks above 1 scaled down to it, see
            :func:`clipsonic_eval.media.loudness.at_loudness`; None: the level is left as it is.
        at_least_s: shorter clips are padded with zeros at the end up to this length, seconds.
        at_most_s: longer clips are cut after this length, seconds.
    """

    mono: Literal["encoder", "mean", "first"] = "encoder"
    peak_db: float | None = None
    rate: int | None = None
    resampler: str = "soxr-hq"
    level: Literal["as-is", "peak-1dB", "positive-peak", "dc-removed"] = "as-is"
    int16: Literal["none", "round", "trunc"] = "none"
    lufs: float | None = None
    at_least_s: float | None = None
    at_most_s: float | None = None

    def __post_init__(self) -> None:
        resampler(self.resampler)
        if self.rate is not None and self.rate < 1:
            raise ConfigError(f"loading: rate {self.rate} must be a number of Hz above 0")

    @property
    def signature(self) -> str:
        """The steps as one field of a signature, "" if there are none.

        Example:
            >>> AudioPreprocessing(mono="mean", rate=16000).signature
            'load:mono-mean,soxr-hq@16000'
        """
        steps = [
            *([] if self.mono == "encoder" else [f"mono-{self.mono}"]),
            *([] if self.peak_db is None else [f"peak{self.peak_db:g}dB"]),
            *([] if self.rate is None else [f"{self.resampler}@{self.rate}"]),
            *([] if self.level == "as-is" else [self.level]),
            *([] if self.int16 == "none" else [f"int16-{self.int16}"]),
            *([] if self.lufs is None else [f"{self.lufs:g}LUFS"]),
            *([] if self.at_least_s is None else [f"zeros-to-{self.at_least_s:g}s"]),
            *([] if self.at_most_s is None else [f"cut-at-{self.at_most_s:g}s"]),
        ]
        return f"load:{','.join(steps)}" if steps else ""

    def __call__(self, clip: Clip) -> Clip:
        """Return the clip with all steps applied, (channels, n) float32 in [-1, 1].

        Example:
            >>> clip = Clip("a", np.array([[0.5, -0.25]], np.float32), 8000)
            >>> AudioPreprocessing(level="peak-1dB")(clip).samples.round(3)
            array([[ 0.891, -0.446]], dtype=float32)
        """
        samples, rate = clip.samples, clip.sample_rate
        if self.mono == "first":
            samples = samples[:1]
        elif self.mono == "mean":
            samples = clip.mono()[None]
        if self.peak_db is not None:
            samples = _with_peak(samples, self.peak_db)
        if self.rate is not None:
            samples, rate = RESAMPLERS[self.resampler](samples, rate, self.rate), self.rate
        samples = _through_int16(_levelled(samples, self.level), self.int16)
        if self.lufs is not None:
            samples = at_loudness(samples, rate, self.lufs)
        if self.at_most_s is not None:
            samples = samples[:, : round(self.at_most_s * rate)]
        if self.at_least_s is not None:
            samples = np.pad(samples, ((0, 0), (0, max(0, round(self.at_least_s * rate) - samples.shape[1]))))
        return replace(clip, samples=np.ascontiguousarray(samples, np.float32), sample_rate=rate)


def _with_peak(samples: Float32, peak_db: float) -> Float32:
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(10 ** (peak_db / 20) / peak) if peak > 0 else samples


def _levelled(samples: Float32, level: str) -> Float32:
    if level == "peak-1dB":
        return _with_peak(samples, -1.0)
    if level == "positive-peak":
        return samples / np.float32(max(0.1, float(samples.max(initial=0.0))))
    if level == "dc-removed":
        centred: Float32 = samples - samples.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        return centred
    return samples


def _through_int16(samples: Float32, rule: str) -> Float32:
    if rule == "none":
        return samples
    if rule == "round":
        whole, full = np.clip(np.rint(samples * np.float32(32768)), -32768, 32767), 32768
    else:
        whole, full = np.trunc(np.clip(samples, -1, 1) * np.float32(32767)), 32767
    back: Float32 = whole / np.float32(full)
    return back
