"""Checks on sets of embeddings: too few rows, duplicates, copies of training clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from clipsonic_eval.arraytypes import Float64, Int
from clipsonic_eval.errors import ShapeError, listed
from clipsonic_eval.metrics.vectors import check_space, clips_of, mean_per_clip
from clipsonic_eval.stats.chunking import chunks
from clipsonic_eval.stats.pairwise import squared_distances
from clipsonic_eval.types import Embeddings, Finding

NEAR = 0.5  # of the distance to the training set that only 1 % of the reference clips undercut
QUANTILE = 0.01
MIN_REFERENCE = 20


def few(system: Embeddings) -> list[Finding]:
    """Find a set (n, d) with n <= d rows, whose covariance matrix is not of full rank."""
    rows, dim = system.vectors.shape
    if rows > dim:
        return []
    sentence = (
        f"{rows} {'row' if rows == 1 else 'rows'} for {dim} dimensions: FAD mostly says how few clips there are; take "
        "more clips, or kad, whose expectation is the same at every n"
    )
    return [Finding("few", "warning", (), sentence)]


def duplicates(system: Embeddings, *, made: bool = True) -> list[Finding]:
    """Find clips with bit-identical embeddings: the same file twice, or a system that ignores its seed.

    Args:
        system: embeddings (n, d) of the set.
        made: by a system, for which duplicates are an error; in real audio they are a warning.

    Returns:
        One finding per group of duplicates, the largest group first.
    """
    keys, clip_of_row = clips_of(system.keys)
    rows = np.ascontiguousarray(system.vectors)
    content: dict[str, list[bytes]] = {key: [] for key in keys}
    for row, clip in enumerate(clip_of_row):
        content[keys[clip]].append(rows[row].tobytes())
    groups: dict[tuple[bytes, ...], list[str]] = defaultdict(list)
    for key, parts in content.items():
        groups[tuple(parts)].append(key)
    copies = sorted((tuple(group) for group in groups.values() if len(group) > 1), key=lambda g: (-len(g), g))
    return [
        Finding(
            "duplicates",
            "error" if made else "warning",
            group,
            f"{len(group)} clips ({_named(group)}) have exactly the same embeddings; is one file there under several "
            f"names{', or does the system ignore prompt or seed' if made else ''}?",
        )
        for group in copies
    ]


def memorised(system: Embeddings, training: Embeddings, reference: Embeddings) -> list[Finding]:
    """Find memorised clips: closer to a training clip than real audio that was not trained on.

    Distances are Euclidean, from the mean embedding of a clip to its nearest neighbour in the training set. A clip is
    suspect at less than half the distance that only 1 % of the reference clips undercut.

    Args:
        system: embeddings (n, d) of the system's clips.
        training: embeddings (m, d) of the training set.
        reference: embeddings (r, d) of real audio that was not trained on, at least 20 clips.

    Raises:
        SpaceError: the sets come from different encoders.
        ShapeError: the reference has fewer than 20 clips.
    """
    check_space(training, system)
    check_space(reference, system)
    keys, means = _means(system)
    _, held_out = _means(reference)
    trained_keys, trained = _means(training)
    if len(held_out) < MIN_REFERENCE:
        raise ShapeError(
            f"a search for copies of training clips needs at least {MIN_REFERENCE} reference clips, "
            f"got {len(held_out)}; give more real audio that was not trained on"
        )
    ordinary = float(np.quantile(_nearest(held_out, trained)[0], QUANTILE))
    if ordinary == 0:
        sentence = "the reference holds clips of the training set; give real audio that was not trained on"
        return [Finding("memorised", "error", (), sentence)]
    distances, which = _nearest(means, trained)
    suspect = np.flatnonzero(distances < NEAR * ordinary)
    if not len(suspect):
        return []
    worst = int(suspect[np.argmin(distances[suspect])])
    sentence = (
        f"{len(suspect)} of {len(keys)} clips lie within {NEAR * ordinary:.3g} of a training clip, where 99 of 100 "
        f"real clips stay beyond {ordinary:.3g}, nearest '{keys[worst]}' to '{trained_keys[which[worst]]}'; "
        "listen to them"
    )
    return [Finding("memorised", "warning", tuple(keys[i] for i in suspect), sentence)]


def _means(embeddings: Embeddings) -> tuple[tuple[str, ...], Float64]:
    keys, clip_of_row = clips_of(embeddings.keys)
    return keys, mean_per_clip(embeddings.vectors.astype(np.float64), clip_of_row, len(keys))


def _nearest(points: Float64, others: Float64) -> tuple[Float64, Int]:
    """Return the distance of each point to the nearest other one, without cancellation, and which that is."""
    origin = others.mean(axis=0)
    which = np.empty(len(points), dtype=np.intp)
    for part in chunks(len(points), len(others)):
        which[part] = squared_distances(points[part] - origin, others - origin).argmin(axis=1)
    return np.linalg.norm(points - others[which], axis=1), which


def _named(keys: Sequence[str]) -> str:
    return listed([f"'{key}'" for key in keys])
