"""The files that a plan names, as samples."""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import MediaError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.listening.plan import ListeningPlan, Sound
from clipsonic_eval.media.audio import read_audio, resample


def highest_rate(plan: ListeningPlan) -> int:
    """Return the highest sample rate among the sounds of a plan in Hz."""
    files = [sound.path for by_key in plan.sounds.values() for sound in by_key.values()]
    return max(read_audio(path, duration_s=0.1).sample_rate for path in files)


def read_source(source: Sound, channels: int, rate: int) -> Float32:
    """Return the samples of a file, (channels, n) float32.

    Args:
        source: the file and its hash.
        channels: 1 (the mean of the channels) or 2.
        rate: Hz.

    Raises:
        MediaError: it is not the file of the plan, cannot be read, or has more than two channels.
    """
    if file_sha256(source.path, MediaError) != source.sha256:
        raise MediaError(f"{source.path}: is not the file of the plan any more; take the original, or plan anew")
    clip = read_audio(source.path)
    samples = clip.mono()[None] if channels == 1 else clip.samples
    if len(samples) > 2:
        raise MediaError(f"{source.path}: {len(samples)} channels, and two can be heard; mix them down")
    return resample(np.repeat(samples, channels // len(samples), axis=0), clip.sample_rate, rate)
