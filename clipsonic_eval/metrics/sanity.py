"""Is something wrong with a set before it is scored? A library of checks on embeddings, not metrics.

Each check returns findings, one sentence each; :func:`check_embeddings` runs those that the material allows. Checks of
the sound itself are in :mod:`clipsonic_eval.media.checks`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from clipsonic_eval.arraytypes import Float64, FloatArray, Int
from clipsonic_eval.errors import ShapeError, listed
from clipsonic_eval.metrics._vectors import check_space, clips_of, mean_by_clip
from clipsonic_eval.stats.chunking import chunks
from clipsonic_eval.stats.pairwise import squared_distances
from clipsonic_eval.types import Embeddings, Finding

NEAR = 0.5  # of the distance at which the reference's nearest clips lie
QUANTILE = 0.01
MIN_REFERENCE = 20


def check_embeddings(
    system: Embeddings, *, reference: Embeddings | None = None, training: Embeddings | None = None
) -> list[Finding]:
    """Run all checks on a system's embeddings.

    Args:
        system: what is to be scored.
        reference: real audio that the system was not trained on.
        training: what it was trained on; with the reference, copies of it are looked for.

    Raises:
        SpaceError: the sets come from different encoders.
    """
    found = [*few(system), *duplicates(system)]
    if reference is not None and training is not None:
        found += memorised(system, training, reference)
    return found


def not_finite(vectors: FloatArray, keys: Sequence[str]) -> list[Finding]:
    """Find vectors with NaN or infinity, before they are made :class:`~clipsonic_eval.types.Embeddings`.

    Args:
        vectors: (n, d).
        keys: (n,).

    Raises:
        ShapeError: the shapes do not fit.
    """
    if vectors.ndim != 2 or len(vectors) != len(keys):
        raise ShapeError(f"vectors must be (n, d) with n keys, got {vectors.shape} and {len(keys)} keys")
    broken = tuple(sorted({keys[int(i)] for i in np.flatnonzero(~np.isfinite(vectors).all(axis=1))}))
    if not broken:
        return []
    sentence = f"embeddings of {_named(broken)} hold NaN or infinity; the audio or the encoder is broken"
    return [Finding("not_finite", "error", broken, sentence)]


def few(system: Embeddings) -> list[Finding]:
    """Find a set with no more rows than dimensions, whose covariance is not of full rank."""
    rows, dim = system.vectors.shape
    if rows > dim:
        return []
    sentence = (
        f"{rows} rows for {dim} dimensions: FAD mostly says how few clips there are; take more clips, or kad, whose "
        "expectation is the same at every n"
    )
    return [Finding("few", "warning", (), sentence)]


def duplicates(system: Embeddings, *, made: bool = True) -> list[Finding]:
    """Find clips whose rows are equal to the last bit: the same file twice, or a system that ignores its seed.

    One finding for each group of copies, the largest group first.

    Args:
        system: the set.
        made: by a system; in real audio copies are a warning.
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
    """Find clips that lie nearer to a training clip than fresh sound ever does.

    The measure is the distance of a clip's mean vector to the nearest clip of the training set. Real clips that were
    not trained on (the reference) say how near is ordinary: a clip is suspect at less than half the distance that only
    one in a hundred of them undercuts.

    Raises:
        SpaceError: the sets come from different encoders.
        ShapeError: the reference has fewer than 20 clips, too few to say what is ordinary.
    """
    check_space(training, system)
    check_space(reference, system)
    keys, means = _means(system)
    _, held_out = _means(reference)
    trained_keys, trained = _means(training)
    if len(held_out) < MIN_REFERENCE:
        raise ShapeError(
            f"what lies suspiciously near to the training set is told by at least {MIN_REFERENCE} reference clips, "
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
    return keys, mean_by_clip(embeddings.vectors.astype(np.float64), clip_of_row, len(keys))


def _nearest(points: Float64, others: Float64) -> tuple[Float64, Int]:
    """Return the distance of each point to the nearest other one, without cancellation, and which that is."""
    origin = others.mean(axis=0)
    which = np.empty(len(points), dtype=np.intp)
    for part in chunks(len(points), len(others)):
        which[part] = squared_distances(points[part] - origin, others - origin).argmin(axis=1)
    return np.linalg.norm(points - others[which], axis=1), which


def _named(keys: Sequence[str]) -> str:
    return listed([f"'{key}'" for key in keys])
