"""The sounds, spectrograms and pictures of a page's queries: inside the page, or in a folder beside it."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.loudness import loudness_lufs, require_pyloudnorm
from clipsonic_eval.pagemedia import media
from clipsonic_eval.pagemedia.sources import PageSources
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.reporting.html.settings import PageConfig
from clipsonic_eval.systems.controls import REAL

FOLDER: Final = "page"  # beside page.html
PICTURES: Final = "pictures"


class _OfQuery(NamedTuple):
    """Bytes by system; ``b""`` stands for no picture."""

    sounds: Mapping[str, bytes]
    spectrograms: Mapping[str, bytes]
    seconds: Mapping[str, float]
    loudness: Mapping[str, float]
    picture: bytes


class PageSounds(NamedTuple):
    """What the page needs to play and show.

    Attributes:
        blocks: of each query, base64 by system and the picture; empty where they lie in files.
        seconds: of each query, by system; only of those that have a sound.
        volumes: of each query, by system: factors that bring its sounds to the loudness of the quietest; none of
            those that are too short or silent to have one.
        pictures: keys of the queries that have one.
        problems: a sentence for every sound and picture that cannot be used.
    """

    blocks: tuple[dict[str, Any], ...]
    seconds: tuple[Mapping[str, float], ...]
    volumes: tuple[Mapping[str, float], ...]
    pictures: frozenset[str]
    problems: tuple[str, ...]


def prepare(
    keys: Iterable[str], sources: PageSources, folder: Path, config: PageConfig, progress: Progress = SILENT
) -> PageSounds:
    """Encode the sounds of some queries and draw their spectrograms.

    Args:
        keys: of the queries, in the order of the page.
        sources: from :func:`clipsonic_eval.pagemedia.sources.find_sounds`.
        folder: of the page; gets ``page/`` if the sounds are too many to lie inside.
        config: codec, how much may lie inside, and whether loudness is measured.
        progress: shows every query.

    Raises:
        UserError: loudness is asked for, and pyloudnorm is not installed.
    """
    if config.equal_loudness:
        require_pyloudnorm()
    inside: dict[str, _OfQuery] = {}
    room = config.inline_mb * 1e6
    seconds, volumes, pictures, problems = [], [], set(), []
    for key in progress.track(list(keys), label="sounds of the page"):
        made, wrong = _of_query(key, sources, config)
        seconds.append(made.seconds)
        volumes.append(_volumes(made.loudness))
        pictures |= {key} if made.picture else set()
        problems += wrong
        room -= sum(4 / 3 * len(part) for part in (*made.sounds.values(), *made.spectrograms.values(), made.picture))
        inside[key] = made
        if room < 0:  # what was made so far and all that follows
            for name, one in inside.items():
                _write(folder / FOLDER, name, one, media.SUFFIXES[config.audio])
            inside.clear()
    blocks = tuple(map(_block, inside.values())) if room >= 0 else ()
    return PageSounds(blocks, tuple(seconds), tuple(volumes), frozenset(pictures), tuple(problems))


def described() -> str:
    """Return how the spectrograms are to be read, as part of a sentence."""
    return (
        f"64 mel bands upwards, 50 Hz to 8 kHz; colours down to {media.RANGE_DB:.0f} dB below the loudest point of the "
        "query's real sound, or of all its sounds where there is none"
    )


def _volumes(loudness: Mapping[str, float]) -> dict[str, float]:
    """Return the factor of each sound, at most 1: a browser turns down, never up."""
    quietest = min(loudness.values(), default=0.0)
    return {system: round(10 ** ((quietest - lufs) / 20), 4) for system, lufs in loudness.items()}


def _of_query(key: str, sources: PageSources, config: PageConfig) -> tuple[_OfQuery, list[str]]:
    sounds, mels, seconds, loudness, problems = {}, {}, {}, {}, []
    for system, items in sources.sounds.items():
        if key not in items:
            continue
        try:
            clip = items[key].clip()
            sounds[system], mels[system] = media.sound(clip, config.audio), media.levels(clip)
            seconds[system] = round(clip.duration_s, 3)
            if config.equal_loudness:
                with contextlib.suppress(MediaError):  # too short or silent: it plays as it is
                    loudness[system] = loudness_lufs(clip.samples, clip.sample_rate, key)
        except UserError as error:
            problems.append(f"{system} '{key}': {error}")
    brightest = [mels[REAL]] if REAL in mels else list(mels.values())
    top = max((float(mel.max()) for mel in brightest), default=0.0)
    spectrograms = {system: media.spectrogram(mel, top) for system, mel in mels.items()}
    picture = b""
    image = sources.queries[key].image if key in sources.queries else None
    if image is not None:
        try:
            picture = media.picture(image)
        except UserError as error:
            problems.append(f"picture of '{key}': {error}")
    return _OfQuery(sounds, spectrograms, seconds, loudness, picture), problems


def _block(made: _OfQuery) -> dict[str, Any]:
    return {
        "sounds": {name: _base64(part) for name, part in made.sounds.items()},
        "spectrograms": {name: _base64(part) for name, part in made.spectrograms.items()},
        "picture": _base64(made.picture),
    }


def _base64(part: bytes) -> str:
    return base64.b64encode(part).decode("ascii")


def _write(folder: Path, key: str, made: _OfQuery, suffix: str) -> None:
    """Write the files of one query; the folder is a new one that replaces an old one as a whole."""
    files = {f"{system}/{key}{suffix}": part for system, part in made.sounds.items()}
    files |= {f"{system}/{key}.webp": part for system, part in made.spectrograms.items()}
    files |= {f"{PICTURES}/{key}.webp": made.picture} if made.picture else {}
    for name, part in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(part)
