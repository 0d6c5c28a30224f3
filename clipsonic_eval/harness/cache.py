"""A cache of arrays per clip, found by content: the hash of a file's bytes names a clip, a path never does.

A folder per encoder holds shards, ``<name>.npy`` (rows of all clips, memory-mapped when read) and ``<name>.npz`` (whose
rows they are, and a hash of the rows of each clip). The second is written last and atomically, so that a killed job
loses at most the shard it was filling and resumes from there. Shards are only ever added: several processes may share
a cache. A damaged shard, or damaged rows of one clip, is named in the log and left alone; its clips are embedded again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import atomic, outputs
from clipsonic_eval.arrays import read_npy, read_npz
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import UserError
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.types import EncoderCard

_FLUSH_CLIPS = 512
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where the rows of a clip are: shard, first row, end, and their hash."""

    index: Path
    shard: int
    start: int
    end: int
    sha256: bytes


def _sha256(rows: Float32) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(rows, "<f4").data).digest()


def default_cache() -> Path:
    """Return the user's cache folder for embeddings."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "clipsonic-eval" / "embeddings"


def usable_cache(folder: Path | None) -> Path:
    """Return a cache folder, the user's by default, that is there and can be written into.

    Raises:
        UserError: it cannot.
    """
    found = folder or default_cache()
    outputs.make_folder(found, "--cache")
    return found


def embedding_cache(root: Path, card: EncoderCard) -> ClipCache:
    """Return the cache of an encoder's embeddings.

    Args:
        root: folder of the caches of all encoders.
        card: of the encoder; any change of it is another cache.
    """
    identity = dataclasses.asdict(dataclasses.replace(card, licence="", source=""))
    identity.pop("world")  # what a space is good for does not make it another one
    return ClipCache(root / f"{card.name}-{config_hash(identity)}", card.dim)


def open_caches(
    root: Path, cards: Mapping[str, EncoderCard], others: Mapping[str, tuple[str, int]]
) -> dict[str, ClipCache]:
    """Return the caches of several encoders, and of other rows per clip.

    Args:
        root: folder of all caches.
        cards: of the encoders, by role.
        others: by name, the folder below ``root`` and the width of the rows.
    """
    caches = {role: embedding_cache(root, card) for role, card in cards.items()}
    return caches | {name: ClipCache(root / folder, dim) for name, (folder, dim) in others.items()}


class ClipCache:
    """Rows per clip, (r, d) float32, by the content hash of the clip.

    Args:
        folder: of this cache alone.
        dim: d.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self._folder = folder
        self._dim = dim
        self._shards: list[Float32] = []
        self._where: dict[str, list[_Place]] = {}
        self._new: dict[str, Float32] = {}
        outputs.make_folder(self._folder, "--cache")
        for index in sorted(self._folder.glob("*.npz")):
            self._read(index)

    def _read(self, index: Path) -> None:
        try:
            arrays = read_npz(index)
            digests, counts, sums = arrays["digests"], arrays["counts"], arrays["sha256"]
            vectors = read_npy(index.with_suffix(".npy"), mapped=True)
        except (UserError, KeyError) as error:
            _log.warning("%s: damaged shard of the cache, its clips are embedded again (%s)", index, error)
            return
        ends = np.cumsum(counts)
        whole = len(counts) == len(digests) == len(sums) and (len(vectors) == ends[-1] if len(ends) else False)
        if not whole or vectors.shape[1:] != (self._dim,) or vectors.dtype != np.float32:
            _log.warning("%s: damaged shard of the cache, its clips are embedded again (sizes)", index)
            return
        self._shards.append(vectors)
        for digest, end, count, sha256 in zip(digests.tolist(), ends.tolist(), counts.tolist(), sums, strict=True):
            place = _Place(index, len(self._shards) - 1, end - count, end, sha256.tobytes())
            self._where.setdefault(digest, []).append(place)

    def get(self, digest: str) -> Float32 | None:
        """Return the rows (r, d) of a clip, None if they are not there or damaged."""
        if digest in self._new:
            return self._new[digest]
        places = self._where.get(digest, [])
        for place in tuple(places):
            rows = np.array(self._shards[place.shard][place.start : place.end])
            if _sha256(rows) == place.sha256:
                return rows
            _log.warning("%s: damaged vectors of a clip in the cache, it is embedded again", place.index)
            with contextlib.suppress(ValueError):  # another thread was first
                places.remove(place)
        return None

    def __contains__(self, digest: str) -> bool:
        return self.get(digest) is not None

    def put(self, digest: str, rows: Float32) -> None:
        """Keep the rows (r, d) of a clip; on disk with the next :meth:`flush`, at the latest 512 clips on."""
        self._new[digest] = np.asarray(rows, np.float32)
        if len(self._new) >= _FLUSH_CLIPS:
            self.flush()

    def flush(self) -> None:
        """Write what is new."""
        if not self._new:
            return
        index = self._folder / f"{uuid.uuid4().hex[:16]}.npz"
        arrays: dict[str, Any] = {
            "digests": np.array(list(self._new)),
            "counts": np.array([len(rows) for rows in self._new.values()]),
            "sha256": np.array([np.frombuffer(_sha256(rows), np.uint8) for rows in self._new.values()]),
        }
        with atomic.replacing(index.with_suffix(".npy")) as temporary:
            np.save(temporary, np.concatenate(list(self._new.values())))
        with atomic.replacing(index) as temporary:
            np.savez(temporary, **arrays)
        self._new = {}
        self._read(index)
