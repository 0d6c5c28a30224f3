"""Sets of audio to embeddings: decoded by a few threads, in batches, each clip once for all encoders.

Memory holds two batches of audio and the embeddings. A clip whose embeddings are all in the cache is not even decoded.
Clips that cannot be read, are empty, not finite or in another unit than full scale 1, or that an encoder refuses, are
skipped and listed; the set goes on without them. Silence is embedded like any other clip.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.checks.audio import LEVEL_FIELDS, LEVELS_VERSION, ClipLevels, unusable
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.harness.audio_sets import AudioItem, AudioSet
from clipsonic_eval.harness.cache import ClipCache, open_caches
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Clip, Embeddings, Skip

_AHEAD = 2  # batches that are decoded before they are asked for
_LEVELS = "sound levels"  # among the caches of the roles: what the checks measure


@dataclass(frozen=True, slots=True)
class EmbeddedSet:
    """A set of audio in several embedding spaces.

    Attributes:
        audio: the set as listed.
        spaces: embeddings (n, d) float32 by role; rows in the order of the set, all roles hold the same clips.
        levels: sound levels of the same clips, by key.
        digests: content hash of the same clips, by key.
        skipped: everything that was left out, by the listing or because it could not be embedded.
        content: eight hex digits over the contents of these clips.
        hashes: SHA-256 of what each stage made: ``wavs`` over keys and file hashes, ``embeddings/<role>`` of a space.
    """

    audio: AudioSet
    spaces: Mapping[str, Embeddings]
    levels: Mapping[str, ClipLevels]
    digests: Mapping[str, str]
    skipped: tuple[Skip, ...]
    content: str
    hashes: Mapping[str, str]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the clips that were embedded, in order."""
        return tuple(self.digests)


@dataclass(slots=True)
class _Clip:
    """One clip on its way: hashed, looked up in the caches or decoded, measured, embedded; a problem ends the way."""

    item: AudioItem
    digest: str = ""
    audio: Clip | None = None
    levels: ClipLevels | None = None
    rows: dict[str, Float32] = field(default_factory=dict)
    problem: str = ""


class Embedder:
    """Embeds sets with encoders by role, through their caches.

    Args:
        encoders: by role.
        cache: folder of the caches; None: nothing is cached.
        batch_size: clips that an encoder gets at once; changes no result beyond rounding.
        workers: threads that decode.
    """

    def __init__(
        self, encoders: Mapping[str, Encoder], *, cache: Path | None = None, batch_size: int = 64, workers: int = 2
    ) -> None:
        self._encoders = dict(encoders)
        self._caches: dict[str, ClipCache] = {}
        if cache is not None:
            cards = {role: encoder.card for role, encoder in encoders.items()}
            self._caches = open_caches(cache, cards, {_LEVELS: (LEVELS_VERSION, len(LEVEL_FIELDS))})
        self._batch_size = batch_size
        self._workers = workers

    def embed(self, audio: AudioSet, roles: Sequence[str], *, progress: Progress = SILENT) -> EmbeddedSet:
        """Embed a set in the spaces of some roles.

        Raises:
            UserError: an encoder takes no audio, or no clip of the set is usable.
        """
        clips: list[_Clip] = []
        label = f"embed {audio.name}"
        try:
            with ThreadPoolExecutor(self._workers, thread_name_prefix="decode") as pool:
                for clip in progress.track(self._clips(pool, audio, roles), label=label, total=len(audio.items)):
                    clips.append(clip)
        finally:
            for cache in self._caches.values():
                cache.flush()
        return _gathered(audio, clips, {role: self._encoders[role] for role in roles})

    def _clips(self, pool: ThreadPoolExecutor, audio: AudioSet, roles: Sequence[str]) -> Iterator[_Clip]:
        """Yield every clip of a set, embedded or with a problem, while the next batches are being decoded."""
        waiting: deque[list[Future[_Clip]]] = deque()
        for start in range(0, len(audio.items), self._batch_size):
            batch = audio.items[start : start + self._batch_size]
            waiting.append([pool.submit(self._decode, item, roles) for item in batch])
            if len(waiting) >= _AHEAD:
                yield from self._embed([future.result() for future in waiting.popleft()], roles)
        while waiting:
            yield from self._embed([future.result() for future in waiting.popleft()], roles)

    def _decode(self, item: AudioItem, roles: Sequence[str]) -> _Clip:
        """Hash one item, look it up in the caches and, unless everything is there, decode it; runs in a thread."""
        clip = _Clip(item)
        try:
            clip.digest = item.digest()
            for name, cache in self._caches.items():
                rows = cache.get(clip.digest) if name in (_LEVELS, *roles) else None
                if rows is not None:
                    clip.rows[name] = rows
            if len(clip.rows) <= len(roles):  # the roles and the levels are one more
                clip.audio = item.clip()
                clip.problem = _problem(clip.audio)
        except MediaError as error:
            clip.problem = str(error)
        except MemoryError:
            clip.problem = "decoding it takes more memory than there is"
        return clip

    def _embed(self, batch: list[_Clip], roles: Sequence[str]) -> list[_Clip]:
        """Measure and embed the clips of a batch, and put what is new into the caches."""
        known = [set(clip.rows) for clip in batch]
        for clip in batch:
            if not clip.problem:
                _measure(clip)
        for role in roles:
            missing = {clip.item.key: clip for clip in batch if not clip.problem and role not in clip.rows}
            audio = [clip.audio for clip in missing.values() if clip.audio is not None]
            for key, found in _encoded(self._encoders[role], audio):
                if isinstance(found, str):
                    missing[key].problem = found
                else:
                    missing[key].rows[role] = found
        for clip, cached in zip(batch, known, strict=True):
            clip.audio = None
            for name in self._caches.keys() & clip.rows.keys() if not clip.problem else ():
                if name not in cached:
                    self._caches[name].put(clip.digest, clip.rows[name])
        return batch


def _measure(clip: _Clip) -> None:
    """Measure the levels of a clip; audio in another unit reaches no encoder."""
    if _LEVELS not in clip.rows and clip.audio is not None:
        clip.rows[_LEVELS] = ClipLevels.of(clip.audio).rows()
    clip.levels = ClipLevels.from_rows(clip.rows[_LEVELS])
    clip.problem = unusable(clip.levels.channels, clip.item.key)


def _problem(audio: Clip) -> str:
    """Return why nothing can be measured of a clip, "" if something can."""
    if audio.samples.size == 0:
        return "holds no samples"
    return "" if np.isfinite(audio.samples).all() else "holds samples that are not finite"


def _encoded(encoder: Encoder, clips: Sequence[Clip]) -> Iterator[tuple[str, Float32 | str]]:
    """Yield (key, rows) per clip, or (key, why not): one clip that an encoder refuses does not fail the batch."""
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
            yield from _encoded(encoder, [clip])
        return
    for clip in clips:
        rows = vectors[keys == clip.key]
        if len(rows) == 0:
            yield clip.key, f"encoder '{encoder.card.name}' gave no embedding; the clip is too short for it"
        elif not np.isfinite(rows).all():
            yield clip.key, f"encoder '{encoder.card.name}' gave an embedding that is not finite"
        else:
            yield clip.key, rows


def _gathered(audio: AudioSet, clips: Sequence[_Clip], encoders: Mapping[str, Encoder]) -> EmbeddedSet:
    """Return the embeddings of the clips without a problem.

    Raises:
        UserError: there is none.
    """
    skipped = (*audio.skipped, *(Skip(clip.item.key, clip.problem) for clip in clips if clip.problem))
    usable = [clip for clip in clips if not clip.problem]
    if not usable and audio.unmatched:
        raise UserError(f"{audio.name}: {audio.unmatched}")
    if not usable:
        first = f"; the first: {skipped[0].key}: {skipped[0].reason}" if skipped else ""
        raise UserError(f"{audio.name}: none of its {len(audio.items)} audio files is usable{first}")
    spaces = {}
    for role, encoder in encoders.items():
        keys = tuple(clip.item.key for clip in usable for _ in clip.rows[role])
        spaces[role] = Embeddings(np.concatenate([clip.rows[role] for clip in usable]), keys, "audio", encoder.card)
    levels = {clip.item.key: clip.levels for clip in usable if clip.levels is not None}
    digests = {clip.item.key: clip.digest for clip in usable}
    content = config_hash(sorted(digests.values()))[:8]
    return EmbeddedSet(audio, spaces, levels, digests, skipped, content, _hashes(digests, spaces))


def _hashes(digests: Mapping[str, str], spaces: Mapping[str, Embeddings]) -> dict[str, str]:
    embeddings = {f"embeddings/{role}": space.sha256 for role, space in spaces.items()}
    return {"wavs": hash_of_wavs(digests), **embeddings}


def hash_of_wavs(digests: Mapping[str, str]) -> str:
    """Return the SHA-256 over keys and hashes of files, as records hold it for every system."""
    wavs = "".join(f"{key}\0{digest}\n" for key, digest in sorted(digests.items()))
    return hashlib.sha256(wavs.encode()).hexdigest()
