"""Settings of a folder of prepared clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clipsonic_eval.checks.audio import SILENCE_PEAK
from clipsonic_eval.config import as_tree
from clipsonic_eval.engines import Engine, check_gpus
from clipsonic_eval.errors import ConfigError

_NOT_IDENTITY = (  # where the clips are computed; the card names the weights, and a shard the limits that it met
    "workers",
    "device",
    "encoder_weights",
    "item_limit_s",
    "item_limit_gib",
    "engine",
    "gpus_per_task",
)


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """How videos become clips.

    Attributes:
        sample_rate: of the stored audio in Hz; mono (mean of the channels), resampled with soxr HQ.
        duration_s: length of every clip in seconds; shorter ones are padded with zeros at the end.
        window: which part of an item: its first ``duration_s``, the one in its centre, or ``all``, one after another.
        min_s: an item with less audio, in seconds, is skipped; in ``all``, a remainder with less is dropped.
        keep_silence: keep silent clips.
        silence_peak: a clip is silent if no sample's magnitude reaches this.
        frames_per_clip: video frames per clip, in the middle of that many equal parts; odd, so that one is the centre.
        image_encoder: encoder of the frames; None: audio alone.
        encoder_weights: its weights; None: its own default.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        shard_size: items per shard: the most that a killed job repeats, and the unit of a job array's shares.
        batch_clips: clips that are embedded and written at a time (bounds the memory).
        workers: processes that decode; None: one per core where that pays, 0: decode in this process, without limits.
        item_limit_s: seconds that decoding may take beyond twice the sound's length. An item over a limit twice is left
            out by name; shards with such items are made again when a limit is raised.
        item_limit_gib: memory that decoding may take, GiB.
        engine: where shards are built: ``local``, in this process with its decoders, or ``ray``, as tasks of Ray Core.
        gpus_per_task: with Ray, GPUs of a task that embeds the frames, or the share of one; 0: on the CPU.
    """

    sample_rate: int = 16000
    duration_s: float = 4.0
    window: Literal["first", "centre", "all"] = "first"
    min_s: float = 0.5
    keep_silence: bool = False
    silence_peak: float = SILENCE_PEAK
    frames_per_clip: int = 3
    image_encoder: str | None = "toy-clip"
    encoder_weights: Path | None = None
    device: str = "auto"
    shard_size: int = 256
    batch_clips: int = 32
    workers: int | None = None
    item_limit_s: float = 60.0
    item_limit_gib: float = 8.0
    engine: Engine = "local"
    gpus_per_task: float = 0.0

    def __post_init__(self) -> None:
        if not 1000 <= self.sample_rate <= 384_000:
            raise ConfigError(f"sample_rate {self.sample_rate}: Hz between 1000 and 384000")
        if not 0 < self.min_s <= self.duration_s:
            raise ConfigError(f"min_s {self.min_s:g} and duration_s {self.duration_s:g}: need 0 < min_s <= duration_s")
        if self.frames_per_clip < 1 or self.frames_per_clip % 2 == 0:
            raise ConfigError(f"frames_per_clip {self.frames_per_clip}: an odd number, so that one is the centre")
        if min(self.shard_size, self.batch_clips) < 1 or (self.workers is not None and self.workers < 0):
            raise ConfigError("shard_size and batch_clips must be at least 1, workers at least 0")
        check_gpus(self.engine, self.device, self.gpus_per_task)
        if not (self.item_limit_s > 0 and self.item_limit_gib > 0):
            raise ConfigError("item_limit_s and item_limit_gib must be above 0")

    @property
    def n_samples(self) -> int:
        """Samples per clip."""
        return round(self.duration_s * self.sample_rate)

    @property
    def n_frames(self) -> int:
        """Video frames per clip; 0 for audio alone."""
        return self.frames_per_clip if self.image_encoder is not None else 0

    @property
    def limits(self) -> list[float]:
        """What decoding an item may take: seconds, GiB."""
        return [self.item_limit_s, self.item_limit_gib]

    def identity(self) -> dict[str, Any]:
        """Return the settings that change the clips, JSON-serialisable."""
        tree = as_tree(self)
        return {k: v for k, v in tree.items() if k not in _NOT_IDENTITY}
