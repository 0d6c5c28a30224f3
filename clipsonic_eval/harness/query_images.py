"""The images and videos that queries ask by, embedded and cached by their content."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.cache import ClipCache, embedding_cache
from clipsonic_eval.hashing import config_hash, file_sha256
from clipsonic_eval.media.video import IMAGE_SUFFIXES, query_image, read_frames, video_length_s
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Embeddings, Skip

_CACHED_AS: Final = b"query image\0"  # a video has other rows as a sound


class QueryImages(NamedTuple):
    """Embeddings of the pictures of queries.

    Attributes:
        embeddings: (n, d), one or more rows per query.
        skipped: queries whose image could not be used, and why.
        content: eight hex digits over the keys and the contents of the files.
    """

    embeddings: Embeddings
    skipped: tuple[Skip, ...]
    content: str


def embed_images(
    images: Mapping[str, Path], encoder: Encoder, *, cache: Path | None = None, progress: Progress = SILENT
) -> QueryImages:
    """Embed the image of each query, or the video.

    Of a video, an encoder with a method ``video`` gets the frames at the times that its ``video_times`` names, and any
    other the frame in the middle.

    Args:
        images: file by key of the query.
        encoder: of images.
        cache: folder of the embedding caches; None: nothing is cached.
        progress: shows every image.

    Raises:
        UserError: the encoder takes no images, or none of them can be used.
    """
    card = encoder.card
    if "image" not in card.modalities and not hasattr(encoder, "video"):
        raise UserError(f"encoder '{card.name}' takes no images; see clipsonic-eval ls encoders")
    kept = embedding_cache(cache, card) if cache is not None else None
    rows: dict[str, Float32] = {}
    digests: dict[str, str] = {}
    skipped = []
    try:
        for key, path in progress.track(sorted(images.items()), label=f"embed images, {card.name}", total=len(images)):
            try:
                digests[key] = file_sha256(path)
                rows[key] = _row(path, digests[key], encoder, kept)
            except UserError as error:
                skipped.append(Skip(key, str(error)))
    finally:
        if kept is not None:
            kept.flush()
    if not rows:
        first = f"; the first: {skipped[0].key}: {skipped[0].reason}" if skipped else ""
        raise UserError(f"none of the {len(images)} images of the queries is usable{first}")
    keys = tuple(key for key, part in rows.items() for _ in part)
    embeddings = Embeddings(np.concatenate(list(rows.values())), keys, "image", card)
    return QueryImages(embeddings, tuple(skipped), config_hash([[key, digests[key]] for key in rows])[:8])


def offsets_from(videos: Embeddings, sounds: Embeddings, encoder: Any) -> Embeddings:
    """Return the offsets in time between clips and the videos of their queries, of the clips that have one.

    Args:
        videos: (n, d) rows of the videos.
        sounds: (m, d) rows of the clips.
        encoder: of both, with a method ``offsets(sound, video) -> (k,)`` that compares the rows of one clip.

    Returns:
        (k · clips, 1), in seconds.
    """
    rows_of: list[dict[str, list[int]]] = [{}, {}]
    for side, found in zip((sounds, videos), rows_of, strict=True):
        for i, key in enumerate(side.keys):
            found.setdefault(key, []).append(i)
    keys, parts = [], [np.zeros(0, np.float32)]
    for key in sorted(rows_of[0].keys() & rows_of[1].keys()):
        parts.append(encoder.offsets(sounds.vectors[rows_of[0][key]], videos.vectors[rows_of[1][key]]))
        keys += [key] * len(parts[-1])
    space = dataclasses.replace(encoder.card, dim=1)
    return Embeddings(np.concatenate(parts)[:, None], tuple(keys), "audio", space)


def _row(path: Path, digest: str, encoder: Any, cache: ClipCache | None) -> Float32:
    """Return the embedding of one file, (rows, d).

    Raises:
        UserError: it cannot be read, or its embedding is not finite.
    """
    name = hashlib.sha256(_CACHED_AS + digest.encode()).hexdigest()
    found = cache.get(name) if cache is not None else None
    if found is not None:
        return found
    if path.suffix.lower() in IMAGE_SUFFIXES or not hasattr(encoder, "video"):
        row: Float32 = encoder.image([query_image(path)])
    else:
        times = encoder.video_times(video_length_s(path))
        row = encoder.video([read_frames(path, times)])
    if not np.isfinite(row).all():
        raise UserError(f"{path}: encoder '{encoder.card.name}' gave an embedding that is not finite")
    if cache is not None:
        cache.put(name, row)
    return row
