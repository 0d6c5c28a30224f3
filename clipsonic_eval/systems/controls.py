"""Controls without a model: the real audio of a query's own video, and white noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ConfigError, MediaError, UserError
from clipsonic_eval.hashing import folder_sha256
from clipsonic_eval.media.audio import mono_at, read_audio
from clipsonic_eval.seeds import stream
from clipsonic_eval.types import Query

REAL = "real"  # the queries' own audio
SHUFFLED = "shuffled"
NOISE = "noise"
HALVES = "halves"


class RealAudio:
    """Topline: the audio of the query's own video, which a perfect system would approach.

    Args:
        name: name in tables.
        sample_rate: Hz.
        duration_s: length of every output, seconds: longer audio is cut at the end, shorter audio zero-padded. None:
            as it is.
    """

    def __init__(self, *, name: str = "real", sample_rate: int = 16000, duration_s: float | None = None) -> None:
        if sample_rate < 1 or (duration_s is not None and duration_s <= 0):
            raise ConfigError("sample_rate and duration_s must be above 0")
        self.name, self.sample_rate, self.duration_s = name, sample_rate, duration_s

    def card(self) -> dict[str, Any]:
        """Return sample rate and length."""
        return {
            "kind": "real-audio",
            "duration_s": self.duration_s,
            "preprocessing": f"rate:{self.sample_rate}|mono:mean|resample:soxr-hq",
        }

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Read the video or audio file of each query, mono (n,) float32; seeds change nothing.

        Raises:
            MediaError: a query names no file, or one without readable audio.
        """
        del seeds
        return [own_audio(query, self.sample_rate, self.duration_s) for query in queries]


def own_audio(query: Query, sample_rate: int, duration_s: float | None = None) -> Float32:
    """Return the audio of a query's own file.

    Args:
        query: names the file.
        sample_rate: Hz of the result.
        duration_s: length in seconds to cut or zero-pad to; None: as it is.

    Returns:
        (n,) float32, mono.

    Raises:
        MediaError: the query names no file, or one without readable audio.
    """
    if query.image is None:
        raise MediaError(f"query '{query.key}': names no file; real audio needs the query's video in column `path`")
    samples = mono_at(read_audio(query.image, key=query.key), sample_rate)
    if duration_s is None:
        return samples
    n = round(duration_s * sample_rate)
    return np.pad(samples[:n], (0, max(0, n - len(samples))))


class Noise:
    """Negative control: white Gaussian noise, clipped to [-1, 1], which every system must beat.

    Args:
        name: name in tables.
        sample_rate: Hz.
        duration_s: length of every output, seconds.
        reference: a folder of wavs; the noise takes its level (root mean square over all samples) from them.
        rms: root mean square where no reference is given; full scale is 1.
    """

    def __init__(
        self,
        *,
        name: str = "noise",
        sample_rate: int = 16000,
        duration_s: float = 4.0,
        reference: Path | None = None,
        rms: float = 0.1,
    ) -> None:
        if sample_rate < 1 or duration_s <= 0 or rms <= 0:
            raise ConfigError("sample_rate, duration_s and rms must be above 0")
        self.name, self.sample_rate, self.duration_s, self.reference = name, sample_rate, duration_s, reference
        self.rms = rms if reference is None else folder_rms(reference)

    def card(self) -> dict[str, Any]:
        """Return level and length."""
        return {
            "kind": "noise",
            "rms": self.rms,
            "duration_s": self.duration_s,
            "reference_sha256": None if self.reference is None else folder_sha256(self.reference, "*.wav"),
        }

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Draw the noise of each query from its seed, (n,) float32."""
        del queries
        n = round(self.duration_s * self.sample_rate)
        drawn = (stream(int(seed), "", "noise").normal(0.0, self.rms, n) for seed in seeds)
        return [np.clip(x, -1.0, 1.0).astype(np.float32) for x in drawn]


def folder_rms(folder: Path) -> float:
    """Return the root mean square over all samples of a folder's wavs, at their own rates; full scale is 1.

    Raises:
        UserError: there is no wav, or all are silent.
    """
    total, count = 0.0, 0
    for path in sorted(folder.glob("*.wav")):
        samples = read_audio(path).mono().astype(np.float64)
        total += float(np.dot(samples, samples))
        count += len(samples)
    if total == 0.0:
        raise UserError(f"{folder}: no wav with any sound here; noise takes its level from the reference's wavs")
    return float(np.sqrt(total / count))  # √(Σ x² / n)
