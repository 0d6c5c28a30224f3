"""Numbers to hold the others against: shuffled prompts, noise, and two halves of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clipsonic_eval import filenames, seeds
from clipsonic_eval.checks.audio import check_audio
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.harness.audio_sets import AudioSet, read_card
from clipsonic_eval.harness.embed import EmbeddedSet
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.systems.controls import Noise
from clipsonic_eval.types import Embeddings, Query

_LEVEL_CLIPS = 64  # of the reference, that set level, rate and length of the noise


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


def renamed(embeddings: Embeddings, names: dict[str, str]) -> Embeddings:
    """Return the same vectors under other keys: real audio that is held against another query's prompt."""
    return Embeddings(
        embeddings.vectors, tuple(names[key] for key in embeddings.keys), embeddings.modality, embeddings.space
    )


def write_noise(keys: Sequence[str], reference: AudioSet, folder: Path, seed: int) -> Path:
    """Write white noise for every query, with the rate and the median length and level of the reference.

    What is there already is kept, so that a killed job goes on, unless it was made with other settings.

    Returns:
        ``folder``, with ``<key>.wav`` and ``system.json``.

    Raises:
        UserError: no clip of the reference has any sound.
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


def halves(reference: EmbeddedSet, role: str, seed: int) -> tuple[Embeddings, Embeddings]:
    """Split the clips of the reference in two at random.

    Raises:
        UserError: fewer than four clips.
    """
    if len(reference.keys) < 4:
        raise UserError(f"two halves of the reference need at least 4 clips, got {len(reference.keys)}")
    order = sorted(reference.keys, key=lambda key: (seeds.derive(seed, key, "halves"), key))
    first = set(order[: len(order) // 2])
    embeddings = reference.spaces[role]
    side = np.array([key in first for key in embeddings.keys])
    return embeddings.take(np.flatnonzero(side)), embeddings.take(np.flatnonzero(~side))
