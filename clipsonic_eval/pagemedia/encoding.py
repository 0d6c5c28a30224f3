"""Sounds, spectrograms and pictures of queries, encoded by several processes; each finished query is kept in a file.

The file's name follows from the contents of the wavs and the settings, so that a page that was stopped half-way goes on
with what is finished, and gives the same bytes.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clipsonic_eval import engines, files
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.harness.audio_sets import AudioItem
from clipsonic_eval.hashing import config_hash, file_sha256, seal, unsealed
from clipsonic_eval.media.loudness import loudness_lufs
from clipsonic_eval.pagemedia import media
from clipsonic_eval.pagemedia.sources import PageSources
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.systems.controls import REAL

_PER_PART = 8  # queries that a process encodes before it answers; fewer do not repay the start of a process
_MUCH = 50e6  # bytes


class _Query(NamedTuple):
    key: str
    items: Mapping[str, AudioItem]
    image: Path | None


class _Part(NamedTuple):
    """What one process encodes; small, and picklable."""

    queries: Sequence[_Query]
    kept: Path
    codec: str
    loudness: bool


def encode(
    keys: Sequence[str],
    sources: PageSources,
    kept: Path,
    codec: str,
    *,
    loudness: bool = False,
    workers: int = 1,
    progress: Progress = SILENT,
) -> list[Path]:
    """Encode the sounds of queries and draw their spectrograms, and keep each query in a file.

    Args:
        keys: of the queries.
        sources: from :func:`clipsonic_eval.pagemedia.sources.find_sounds`.
        kept: folder of finished queries; those that it holds already are not encoded again.
        codec: ``aac`` or ``opus``.
        loudness: measure it too; needs pyloudnorm.
        workers: processes, at most; the result does not depend on it.
        progress: shows every query.

    Returns:
        The file of each query, for :func:`read`.

    Raises:
        UserError: a process was killed.
    """
    queries = [_query(key, sources) for key in keys]
    parts = [
        _Part(queries[i : i + _PER_PART], kept.absolute(), codec, loudness) for i in range(0, len(queries), _PER_PART)
    ]
    answers = engines.in_processes(_encode, parts, max(1, min(workers, len(parts))))
    found = _one_by_one((paths for _, paths in answers), len(queries), progress)
    return list(progress.track(found, label="sounds of the page", total=len(queries)))


def read(path: Path) -> dict[str, Any]:
    """Return what a file of :func:`encode` holds.

    Returns:
        ``sounds`` and ``spectrograms`` (base64), ``seconds`` and ``loudness`` (LUFS) by system, ``picture`` (base64, ""
        for none), and ``problems``: a sentence for every sound and picture that cannot be used.

    Raises:
        ValueError: damaged.
    """
    return unsealed(files.read_json(path))


def _one_by_one(parts: Iterable[Sequence[Path]], total: int, progress: Progress) -> Iterator[Path]:
    """Yield the files of all parts; after the first part, say what all will take if that is much."""
    for i, paths in enumerate(parts):
        if i == 0:
            size = total / len(paths) * sum(path.stat().st_size for path in paths)
            if size > _MUCH:
                progress.note(f"the sounds of {total} queries will take about {size * 3 / 4 / 1e6:.0f} MB")
        yield from paths


def _query(key: str, sources: PageSources) -> _Query:
    items = {system: items[key] for system, items in sources.sounds.items() if key in items}
    return _Query(key, items, sources.queries[key].image if key in sources.queries else None)


def _encode(part: _Part) -> list[Path]:
    return list(_encoded(part))


def _encoded(part: _Part) -> Iterator[Path]:
    """Yield the file of each query of a part, and make it where it is not there or damaged."""
    for query in part.queries:
        path = part.kept / f"{_name(query, part)}.json"
        with contextlib.suppress(UserError, ValueError):
            read(path)
            yield path
            continue
        files.write_text(path, json.dumps(seal(_of_query(query, part)), allow_nan=False))
        yield path


def _name(query: _Query, part: _Part) -> str:
    """Return a name that changes with everything that decides the contents of a query's file."""
    sounds = {}
    for system, item in query.items.items():
        with contextlib.suppress(MediaError):  # it cannot be decoded either
            sounds[system] = item.digest()
    image = None
    if query.image is not None:
        with contextlib.suppress(UserError):
            image = file_sha256(query.image)
    return config_hash([query.key, sorted(query.items), sounds, image, part.codec, part.loudness])


def _of_query(query: _Query, part: _Part) -> dict[str, Any]:
    sounds, mels, seconds, loudness, problems = {}, {}, {}, {}, []
    for system, item in query.items.items():
        try:
            clip = item.clip()
            sounds[system], mels[system] = _base64(media.sound(clip, part.codec)), media.levels(clip)
            seconds[system] = round(clip.duration_s, 3)
            if part.loudness:
                with contextlib.suppress(MediaError):  # too short or silent: it plays as it is
                    loudness[system] = loudness_lufs(clip.samples, clip.sample_rate, query.key)
        except UserError as error:
            problems.append(f"{system} '{query.key}': {error}")
    brightest = [mels[REAL]] if REAL in mels else list(mels.values())
    top = max((float(mel.max()) for mel in brightest), default=0.0)
    picture = b""
    if query.image is not None:
        try:
            picture = media.picture(query.image)
        except UserError as error:
            problems.append(f"picture of '{query.key}': {error}")
    return {
        "sounds": sounds,
        "spectrograms": {system: _base64(media.spectrogram(mel, top)) for system, mel in mels.items()},
        "picture": _base64(picture),
        "seconds": seconds,
        "loudness": loudness,
        "problems": problems,
    }


def _base64(part: bytes) -> str:
    return base64.b64encode(part).decode("ascii")
