"""Log-mel spectrograms of a few clips, for the eye; no score depends on them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval import atomic, filenames, seeds
from clipsonic_eval.arraytypes import Float32, Float64
from clipsonic_eval.harness.embedder import EmbeddedSet
from clipsonic_eval.harness.queries import QuerySet
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.media.mel import hz_to_mel, mel_filter_bank, mel_to_hz
from clipsonic_eval.types import Clip

RATE = 16000
BANDS = 64
_FRAME = 1024
_HOP = 160
_FLOOR = 1e-5
_LOWEST_HZ = 50.0
_LONGEST_S = 10.0
_PER_CLASS = 2  # queries of each class, so that one look shows every class ...
_MOST_CLASSES = 24  # ... of a data set with this many; of more, one query of as many classes


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
    triangles = mel_filter_bank(RATE, _FRAME, BANDS, _LOWEST_HZ, RATE / 2, scale="htk")
    bins = np.fft.rfftfreq(_FRAME, 1 / RATE)[:, None]  # Hz
    nearest = np.abs(bins - band_hz()).argmin(axis=0)
    triangles[nearest, np.arange(BANDS)] += 1e-9  # low bands narrower than a bin
    weights: Float64 = triangles / triangles.sum(axis=0)
    return weights


def band_hz() -> Float64:
    """Return the centre frequencies of the bands of :func:`log_mel`, (64,) Hz."""
    low, high = hz_to_mel([_LOWEST_HZ, RATE / 2], "htk").tolist()
    return mel_to_hz(np.linspace(low, high, BANDS + 2), "htk")[1:-1]


def write_examples(sets: Mapping[str, EmbeddedSet], queries: QuerySet, out: Path, *, k: int, seed: int) -> Path | None:
    """Write log-mel spectrograms of the same few queries by every system that answered them.

    Args:
        sets: by system.
        queries: for the prompts and the class labels.
        out: the run folder.
        k: number of queries, drawn among those that most systems answered; where they have class labels, two of every
            class if that is more. 0 writes nothing.
        seed: of the draw.

    Returns:
        The file: ``keys``, ``prompts`` and ``labels`` (k,), ``hz`` (64,), ``hop_s`` (), and by system (k, 64, frames)
        float16; None if there is nothing to show.
    """
    keys = _chosen(sets, queries.labels, k, seed)
    if not keys:
        return None
    arrays: dict[str, NDArray[np.generic]] = {
        "keys": np.array(keys),
        "prompts": np.array([queries.prompts.get(key, "") for key in keys]),
        "labels": np.array([queries.labels.get(key, "") for key in keys]),
        "hz": band_hz(),
        "hop_s": np.array(_HOP / RATE),
    }
    for name, embedded in sets.items():
        if all(key in embedded.digests for key in keys):
            items = {item.key: item for item in embedded.audio.items}
            arrays[name] = _stacked([log_mel(items[key].clip()) for key in keys]).astype(np.float16)
    path = out / filenames.EXAMPLES
    with atomic.replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    return path


def _chosen(sets: Mapping[str, EmbeddedSet], labels: Mapping[str, str], k: int, seed: int) -> list[str]:
    """Draw queries: one of every class first, then a second one of every class, and so on."""
    counts = Counter([key for embedded in sets.values() for key in embedded.digests])
    if not counts or k == 0:
        return []
    most = max(counts.values())
    candidates = sorted(key for key, count in counts.items() if count == most)
    candidates.sort(key=lambda key: seeds.derive(seed, key, "examples"))
    seen: Counter[str] = Counter()
    rounds = {}
    for key in candidates:
        own = labels.get(key, key)  # without a label, a class of its own
        rounds[key] = seen[own]
        seen[own] += 1
    classes = len({labels[key] for key in candidates if key in labels})
    wanted = _PER_CLASS * classes if classes <= _MOST_CLASSES else _MOST_CLASSES
    return sorted(candidates, key=rounds.__getitem__)[: max(k, wanted)]


def _stacked(mels: Sequence[Float32]) -> Float32:
    """Stack spectrograms (64, frames) of several lengths, padded with silence at the end -> (k, 64, frames)."""
    frames = max(mel.shape[1] for mel in mels)
    floor = float(np.log(_FLOOR))
    padded = [np.pad(mel, ((0, 0), (0, frames - mel.shape[1])), constant_values=floor) for mel in mels]
    return np.stack(padded)
