"""Control systems, which frame the others: real audio with shuffled prompts, noise, and two halves of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clipsonic_eval import filenames, seeds
from clipsonic_eval.checks.audio import check_audio
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.harness.audio_sets import AudioSet, read_card
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.systems.controls import HALVES, NOISE, REAL, SHUFFLED, Noise
from clipsonic_eval.types import Embeddings, Query

__all__ = ["HALVES", "NOISE", "REAL", "SHUFFLED", "derangement", "halves", "with_shuffled_keys", "write_noise"]

_LEVEL_CLIPS = 64  # of the reference, which set level, rate and length of the noise


def derangement(keys: Sequence[str], seed: int) -> dict[str, str]:
    """Give every key another one, never itself: one random cycle through all (Sattolo's algorithm).

    Raises:
        UserError: fewer than two keys.
    """
    if len(keys) < 2:
        raise UserError("shuffled prompts need at least two queries")
    order = sorted(keys)
    rng = seeds.stream(seed, "", "shuffled-prompts")
    cycle = list(order)
    for i in range(len(cycle) - 1, 0, -1):
        j = int(rng.integers(0, i))
        cycle[i], cycle[j] = cycle[j], cycle[i]
    return dict(zip(order, cycle, strict=True))


def with_shuffled_keys(real: Embeddings | None, seed: int) -> Embeddings:
    """Return real audio, embeddings (n, d), under the keys of other queries: it is scored with their prompts.

    Raises:
        UserError: there is no real audio, or that of one query only.
    """
    if real is None:
        raise UserError("control 'shuffled' needs the queries' own audio; give --real FOLDER")
    names = derangement(sorted(set(real.keys)), seed)
    return Embeddings(real.vectors, tuple(names[key] for key in real.keys), real.modality, real.space)


def write_noise(keys: Sequence[str], reference: AudioSet, folder: Path, seed: int) -> Path:
    """Write white noise for every query, at the sample rate and the median length and level of the reference.

    Files that are there already are kept, so that a killed job resumes, unless other settings made them.

    Returns:
        ``folder``, with ``<key>.wav`` and ``system.json``.

    Raises:
        UserError: every clip of the reference is silent or broken.
    """
    clips = []
    for item in reference.items[:_LEVEL_CLIPS]:
        try:
            clip = item.clip()
        except UserError:
            continue  # listed as skipped where the reference is embedded
        if not any(finding.severity == "error" for finding in check_audio(clip)):
            clips.append(clip)
    if not clips:
        raise UserError("noise takes its level from the reference, which has no clip with any sound")
    rms = float(np.median([np.sqrt(np.mean(np.square(c.samples, dtype=np.float64))) for c in clips]))
    rate = clips[0].sample_rate
    noise = Noise(sample_rate=rate, duration_s=float(np.median([c.duration_s for c in clips])), rms=rms)
    card = {"name": "noise", "seed": seed, **noise.card()}
    known = read_card(folder / filenames.SYSTEM) == card
    write_json(folder / filenames.SYSTEM, card)
    for key in keys:
        path = folder / f"{key}.wav"
        if not (known and path.exists()):
            sound = noise.generate([Query(key, "")], [seeds.derive(seed, key, "sample")])[0]
            write_wav(path, sound, rate)
    return folder


def halves(reference: Embeddings, seed: int) -> tuple[Embeddings, Embeddings]:
    """Split the clips of the reference, embeddings (n, d), in two at random.

    Raises:
        UserError: fewer than four clips.
    """
    keys = set(reference.keys)
    if len(keys) < 4:
        raise UserError(f"two halves of the reference need at least 4 clips, got {len(keys)}")
    order = sorted(keys, key=lambda key: (seeds.derive(seed, key, "halves"), key))
    first = set(order[: len(order) // 2])
    side = np.array([key in first for key in reference.keys])
    return reference.take(np.flatnonzero(side)), reference.take(np.flatnonzero(~side))
