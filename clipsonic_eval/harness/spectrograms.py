"""Log-mel spectrograms of a few clips, for the eye; no score depends on them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval import atomic, filenames, seeds
from clipsonic_eval.arraytypes import Float32, Float64
from clipsonic_eval.harness.embedder import EmbeddedSet
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.media.mel import hz_to_mel, mel_filter_bank, mel_to_hz
from clipsonic_eval.types import Clip

RATE = 16000
BANDS = 64
_FRAME = 1024
_HOP = 160
_FLOOR = 1e-5
_LONGEST_S = 10.0


def log_mel(clip: Clip) -> Float32:
    """Return the log-mel spectrogram of a clip, (64, frames) float32.

    Natural logarithm of mel magnitudes, floor 1e-5; 16 kHz, Hann window of 1024 samples, hop 160; 10 s at most.
    """
    mono = mono_at(clip, RATE)[: round(_LONGEST_S * RATE)]
    padded = np.pad(mono, (_FRAME // 2, _FRAME // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_FRAME + 1)[:-1], axis=1)) / (_FRAME / 4)
    mel: Float32 = np.log(np.maximum(spectrum @ _filters(), _FLOOR)).astype(np.float32).T
    return mel


@functools.cache
def _filters() -> Float64:
    """Return (513, 64) triangles on the HTK mel scale from 50 Hz to 8 kHz, each summing to 1."""
    triangles = mel_filter_bank(RATE, _FRAME, BANDS, 50, RATE / 2, scale="htk")
    low, high = hz_to_mel([50, RATE / 2], "htk").tolist()
    peaks = mel_to_hz(np.linspace(low, high, BANDS + 2), "htk")[1:-1]  # Hz
    bins = np.fft.rfftfreq(_FRAME, 1 / RATE)[:, None]  # Hz
    triangles[np.abs(bins - peaks).argmin(axis=0), np.arange(BANDS)] += 1e-9  # low bands narrower than a bin
    weights: Float64 = triangles / triangles.sum(axis=0)
    return weights


def write_examples(
    sets: Mapping[str, EmbeddedSet], prompts: Mapping[str, str], out: Path, *, k: int, seed: int
) -> Path | None:
    """Write log-mel spectrograms of the same few queries by every system that answered them.

    Args:
        sets: by system.
        prompts: by key.
        out: the run folder.
        k: number of queries, drawn among those that most systems answered.
        seed: of the draw.

    Returns:
        The file: ``keys`` (k,), ``prompts`` (k,), and by system (k, 64, frames); None if there is nothing to show.
    """
    keys = _chosen(sets, k, seed)
    if not keys:
        return None
    arrays: dict[str, NDArray[np.generic]] = {
        "keys": np.array(keys),
        "prompts": np.array([prompts.get(key, "") for key in keys]),
    }
    for name, embedded in sets.items():
        if all(key in embedded.digests for key in keys):
            items = {item.key: item for item in embedded.audio.items}
            arrays[name] = _stacked([log_mel(items[key].clip()) for key in keys])
    path = out / filenames.EXAMPLES
    with atomic.replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    return path


def _chosen(sets: Mapping[str, EmbeddedSet], k: int, seed: int) -> list[str]:
    counts: dict[str, int] = {}
    for embedded in sets.values():
        for key in embedded.digests:
            counts[key] = counts.get(key, 0) + 1
    if not counts or k == 0:
        return []
    most = max(counts.values())
    candidates = sorted(key for key, count in counts.items() if count == most)
    return sorted(candidates, key=lambda key: seeds.derive(seed, key, "examples"))[:k]


def _stacked(mels: Sequence[Float32]) -> Float32:
    """Stack spectrograms (64, frames) of several lengths, padded with silence at the end -> (k, 64, frames)."""
    frames = max(mel.shape[1] for mel in mels)
    floor = float(np.log(_FLOOR))
    padded = [np.pad(mel, ((0, 0), (0, frames - mel.shape[1])), constant_values=floor) for mel in mels]
    return np.stack(padded)
