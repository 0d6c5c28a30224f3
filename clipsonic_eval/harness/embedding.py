"""Turn sets of audio into embeddings: decoded by a few threads, in batches, each clip once for all encoders.

Memory holds two batches of audio and the embeddings. What is in the cache is not even decoded. Clips that cannot be
read, are empty, not finite or in another unit than full scale 1, or that an encoder refuses, are left out and listed;
the set goes on without them. Silence is sound: it is embedded like any other clip. Levels are measured of every set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.harness import sound_levels
from clipsonic_eval.harness.audio_sets import AudioItem, AudioSet
from clipsonic_eval.harness.cache import EmbeddingCache
from clipsonic_eval.harness.sound_levels import measured
from clipsonic_eval.media.checks import unusable
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Clip, Embeddings, Skip

_AHEAD = 2  # batches that are decoded before they are asked for


@dataclass(frozen=True, slots=True)
class Embedded:
    """A set of audio in several spaces.

    Attributes:
        audio: the set.
        spaces: embeddings by role; rows in the order of the set, all roles hold the same clips.
        levels: what was measured of the same clips (:mod:`~clipsonic_eval.harness.sound_levels`).
        digests: content hash by key of the clips that were embedded.
        skipped: everything that was left out, of the listing and of the audio.
    """

    audio: AudioSet
    spaces: Mapping[str, Embeddings]
    levels: Embeddings
    digests: Mapping[str, str]
    skipped: tuple[Skip, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the clips that were embedded, in order."""
        return tuple(self.digests)


class Embedder:
    """Embeds sets with encoders by role, through their caches.

    Args:
        encoders: by role.
        cache: folder of the caches; None: remember nothing.
        batch_size: clips that an encoder gets at once; changes no result beyond rounding.
        workers: threads that decode.
    """

    def __init__(
        self, encoders: Mapping[str, Encoder], *, cache: Path | None = None, batch_size: int = 64, workers: int = 2
    ) -> None:
        encoders = {sound_levels.ROLE: sound_levels.SoundLevels(), **encoders}
        self._encoders = encoders
        self._caches = {role: EmbeddingCache(cache, e.card) for role, e in encoders.items()} if cache else {}
        self._batch_size = batch_size
        self._workers = workers

    def embed(self, audio: AudioSet, roles: Sequence[str], *, progress: Progress = SILENT) -> Embedded:
        """Embed a set in the spaces of some roles.

        Raises:
            UserError: an encoder takes no audio, or no clip of the set is usable.
        """
        asked = [sound_levels.ROLE, *roles]
        caches = {role: self._caches[role] for role in asked if self._caches}
        work = _Work({role: self._encoders[role] for role in asked}, caches)
        label = f"embed {audio.name}"
        try:
            with ThreadPoolExecutor(self._workers, thread_name_prefix="decode") as pool:
                batches = _ahead(pool, _split(audio.items, self._batch_size), work)
                for _ in progress.track(_each(batches, work), label=label, total=len(audio.items)):
                    pass
        finally:
            for cache in work.caches.values():
                cache.flush()
        return work.result(audio)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """An item after hashing and, unless all its embeddings are known, decoding."""

    item: AudioItem
    digest: str = ""
    clip: Clip | None = None
    problem: str = ""


@dataclass(slots=True)
class _Work:
    """One set being embedded."""

    encoders: Mapping[str, Encoder]
    caches: Mapping[str, EmbeddingCache]
    rows: dict[str, dict[str, Float32]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    skipped: list[Skip] = field(default_factory=list)

    def load(self, item: AudioItem) -> _Loaded:
        """Hash and decode one item; runs in a thread."""
        try:
            digest = item.digest()
            if self.caches and all(digest in cache for cache in self.caches.values()):
                return _Loaded(item, digest)
            clip = item.clip()
        except MediaError as error:
            return _Loaded(item, problem=str(error))
        except MemoryError:
            return _Loaded(item, problem="decoding it takes more memory than there is")
        return _Loaded(item, digest, clip, _problem(clip))

    def add(self, batch: Sequence[_Loaded]) -> None:
        """Embed a batch."""
        usable = [one for one in batch if not one.problem]
        self.skipped += [Skip(one.item.key, one.problem) for one in batch if one.problem]
        found: dict[str, dict[str, Float32]] = {one.item.key: {} for one in usable}
        refused: dict[str, str] = {}
        for role, encoder in self.encoders.items():
            cache = self.caches.get(role)
            todo: list[Clip] = []
            for one in usable:
                known = cache.get(one.digest) if cache else None
                if known is not None:
                    found[one.item.key][role] = known
                elif one.item.key not in refused:
                    todo.append(one.clip if one.clip is not None else one.item.clip())
            for key, rows in _encode(encoder, todo):
                if isinstance(rows, str):
                    refused[key] = rows
                else:
                    found[key][role] = rows
            if role == sound_levels.ROLE:  # the first one: what is in another unit is heard by no encoder
                said = {
                    key: unusable(measured(rows[role]).channels, key) for key, rows in found.items() if role in rows
                }
                refused |= {key: why for key, why in said.items() if why}
        for one in usable:
            key = one.item.key
            if key in refused:
                self.skipped.append(Skip(key, refused[key]))
                continue
            self.rows[key] = found[key]
            self.digests[key] = one.digest
            for role, cache in self.caches.items():
                if one.digest not in cache:
                    cache.put(one.digest, found[key][role])

    def result(self, audio: AudioSet) -> Embedded:
        skipped = (*audio.skipped, *self.skipped)
        if not self.rows and audio.unmatched:
            raise UserError(f"{audio.name}: {audio.unmatched}")
        if not self.rows:
            first = f"; the first: {skipped[0].key}: {skipped[0].reason}" if skipped else ""
            raise UserError(f"{audio.name}: none of its {len(audio.items)} audio files is usable{first}")
        keys = list(self.digests)
        spaces = {}
        for role, encoder in self.encoders.items():
            parts = [self.rows[key][role] for key in keys]
            row_keys = tuple(k for k, part in zip(keys, parts, strict=True) for _ in range(len(part)))
            spaces[role] = Embeddings(np.concatenate(parts), row_keys, "audio", encoder.card)
        return Embedded(audio, spaces, spaces.pop(sound_levels.ROLE), self.digests, skipped)


def _problem(clip: Clip) -> str:
    """Say why nothing can be measured of a clip, "" if it can."""
    if clip.samples.size == 0:
        return "holds no samples"
    return "" if np.isfinite(clip.samples).all() else "holds samples that are not finite"


def _split(items: Sequence[AudioItem], size: int) -> Iterator[Sequence[AudioItem]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _ahead(pool: ThreadPoolExecutor, batches: Iterable[Sequence[AudioItem]], work: _Work) -> Iterator[list[_Loaded]]:
    """Yield loaded batches in order while the next ones are being loaded."""
    waiting: deque[list[Future[_Loaded]]] = deque()
    for batch in batches:
        waiting.append([pool.submit(work.load, item) for item in batch])
        if len(waiting) >= _AHEAD:
            yield [future.result() for future in waiting.popleft()]
    while waiting:
        yield [future.result() for future in waiting.popleft()]


def _each(batches: Iterable[list[_Loaded]], work: _Work) -> Iterator[_Loaded]:
    for batch in batches:
        work.add(batch)
        yield from batch


def _encode(encoder: Encoder, clips: Sequence[Clip]) -> Iterator[tuple[str, Float32 | str]]:
    """Yield (key, rows) of clips, or (key, why not): one clip that an encoder refuses does not take the batch along."""
    if not clips:
        return
    if "audio" not in encoder.card.modalities:
        raise UserError(f"encoder '{encoder.card.name}' takes no audio; see clipsonic-eval ls encoders")
    try:
        vectors, keys = encoder.audio(clips), np.array(encoder.audio_rows(clips), dtype=object)
    except UserError as error:
        if len(clips) == 1:
            yield clips[0].key, str(error)
            return
        for clip in clips:
            yield from _encode(encoder, [clip])
        return
    for clip in clips:
        rows = vectors[keys == clip.key]
        if len(rows) == 0:
            yield clip.key, f"encoder '{encoder.card.name}' gave no embedding; the clip is too short for it"
        elif not np.isfinite(rows).all():
            yield clip.key, f"encoder '{encoder.card.name}' gave an embedding that is not finite"
        else:
            yield clip.key, rows
