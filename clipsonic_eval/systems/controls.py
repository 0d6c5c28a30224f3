"""Controls that need no model: the query's own sound, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ConfigError, MediaError, UserError
from clipsonic_eval.hashing import folder_sha256
from clipsonic_eval.media.audio import mono_at, read_audio
from clipsonic_eval.seeds import stream
from clipsonic_eval.types import Query


@dataclass(frozen=True, slots=True)
class RealAudioConfig:
    """How the query's own sound is delivered.

    Attributes:
        name: of the system.
        sample_rate: Hz.
        duration_s: length of every output: longer sounds are cut at the end, shorter ones continue in silence. None:
            as they are.
    """

    name: str = "real"
    sample_rate: int = 16000
    duration_s: float | None = None

    def __post_init__(self) -> None:
        if self.sample_rate < 1 or (self.duration_s is not None and self.duration_s <= 0):
            raise ConfigError("sample_rate and duration_s must be above 0")


class RealAudio:
    """The sound of the query's own video: what a perfect system would be near to."""

    def __init__(self, config: RealAudioConfig) -> None:
        self.config = config
        self.name = config.name
        self.sample_rate = config.sample_rate

    def card(self) -> dict[str, Any]:
        """Return rate and length."""
        return {
            "kind": "real-audio",
            "duration_s": self.config.duration_s,
            "preprocessing": f"rate:{self.sample_rate}|mono:mean|resample:soxr-hq",
        }

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Read each query's video or sound file; seeds change nothing.

        Raises:
            MediaError: a query names no file, or one without readable sound.
        """
        del seeds
        return [own_audio(q, self.sample_rate, self.config.duration_s) for q in queries]


def own_audio(query: Query, sample_rate: int, duration_s: float | None = None) -> Float32:
    """Return the sound of a query's own file, mono (n,), cut or zero-padded to ``duration_s``.

    Raises:
        MediaError: the query names no file, or one without readable sound.
    """
    if query.image is None:
        raise MediaError(f"query '{query.key}': names no file; real audio needs the query's video in column `path`")
    samples = mono_at(read_audio(query.image, key=query.key), sample_rate)
    if duration_s is None:
        return samples
    n = round(duration_s * sample_rate)
    return np.pad(samples[:n], (0, max(0, n - len(samples))))


@dataclass(frozen=True, slots=True)
class NoiseConfig:
    """Which noise.

    Attributes:
        name: of the system.
        sample_rate: Hz.
        duration_s: of every output.
        reference: a folder of wavs; the noise has the level (root mean square over all their samples) of these.
        rms: the level where no reference is given, 1 is full scale.
    """

    name: str = "noise"
    sample_rate: int = 16000
    duration_s: float = 4.0
    reference: Path | None = None
    rms: float = 0.1

    def __post_init__(self) -> None:
        if self.sample_rate < 1 or self.duration_s <= 0 or self.rms <= 0:
            raise ConfigError("sample_rate, duration_s and rms must be above 0")


class Noise:
    """White Gaussian noise, clipped to [-1, 1]: the floor that any system must leave behind."""

    def __init__(self, config: NoiseConfig) -> None:
        self.config = config
        self.name = config.name
        self.sample_rate = config.sample_rate
        self.rms = config.rms if config.reference is None else folder_rms(config.reference)

    def card(self) -> dict[str, Any]:
        """Return level and length."""
        reference = self.config.reference
        return {
            "kind": "noise",
            "rms": self.rms,
            "duration_s": self.config.duration_s,
            "reference_sha256": None if reference is None else folder_sha256(reference, "*.wav"),
        }

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Draw each query's noise from its seed."""
        del queries
        n = round(self.config.duration_s * self.sample_rate)
        drawn = (stream(int(seed), "", "noise").normal(0.0, self.rms, n) for seed in seeds)
        return [np.clip(x, -1.0, 1.0).astype(np.float32) for x in drawn]


def folder_rms(folder: Path) -> float:
    """Return the root mean square over all samples of a folder's wavs, at their own rates.

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
    return float(np.sqrt(total / count))
