"""The sounds, spectrograms and pictures of a page's queries: inside the page, or in a folder beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.media.loudness import require_pyloudnorm
from clipsonic_eval.pagemedia import encoding, media
from clipsonic_eval.pagemedia.sources import PageSources
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.reporting.html.settings import PageConfig

FOLDER: Final = "page"  # beside page.html
_PICTURES = "pictures"  # within; no other folder is named without a number
MOST_DB: Final = 20.0  # that a sound is turned down: beside one that is nearly silent the others can still be heard
_LONGEST = 80  # characters of a name that are kept in the name of a file
_INSIDE = ("sounds", "spectrograms", "picture")


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


def file_names(texts: Sequence[str]) -> list[str]:
    """Return what the files or folders of systems or queries are called: their number, and what can be read of them.

    The number keeps them apart from each other, where upper and lower case are one too, and from every other name; the
    rest has only characters that every file system and address takes.

    Example:
        >>> file_names(["pictures", "a:b", "A/b"])
        ['1 pictures', '2 a_b', '3 A_b']
    """
    width = len(str(len(texts)))
    readable = (re.sub(r"[^A-Za-z0-9+@_.-]+", "_", text)[:_LONGEST].strip("._") for text in texts)
    return [f"{i:0{width}} {text}".strip() for i, text in enumerate(readable, 1)]


def prepare(
    names: Sequence[str],
    keys: Sequence[str],
    sources: PageSources,
    folder: Path,
    config: PageConfig,
    kept: Path,
    progress: Progress = SILENT,
) -> PageSounds:
    """Encode the sounds of some queries and draw their spectrograms.

    Args:
        names: of the systems, in the order of the page.
        keys: of the queries, in the order of the page.
        sources: from :func:`clipsonic_eval.pagemedia.sources.find_sounds`.
        folder: of the page; gets ``page/`` if the sounds are too many to lie inside.
        config: codec, how much may lie inside, and whether loudness is measured.
        kept: folder of finished queries, of an earlier call too.
        progress: shows every query.

    Raises:
        UserError: loudness is asked for, and pyloudnorm is not installed; or a process was killed.
    """
    if config.equal_loudness:
        require_pyloudnorm()
    found = encoding.encode(
        keys,
        sources,
        kept,
        config.audio,
        loudness=config.equal_loudness,
        workers=config.workers,
        progress=progress,
    )
    blocks: list[dict[str, Any]] = []
    seconds, volumes, pictures, problems = [], [], set(), []
    room = config.inline_mb * 1e6
    for i, made in enumerate(map(encoding.read, found)):
        seconds.append(made["seconds"])
        volumes.append(_volumes(made["loudness"]))
        pictures |= {keys[i]} if made["picture"] else set()
        problems += made["problems"]
        room -= sum(map(len, (*made["sounds"].values(), *made["spectrograms"].values(), made["picture"])))
        if room >= 0:
            blocks.append({name: made[name] for name in _INSIDE})
    if room < 0:
        blocks.clear()
        systems = dict(zip(names, file_names(names), strict=True))
        for name, path in zip(file_names(keys), found, strict=True):
            _write(folder / FOLDER, systems, name, encoding.read(path), media.SUFFIXES[config.audio])
    return PageSounds(tuple(blocks), tuple(seconds), tuple(volumes), frozenset(pictures), tuple(problems))


def described() -> str:
    """Return how the spectrograms are to be read, as part of a sentence."""
    return (
        f"64 mel bands upwards, 50 Hz to 8 kHz; colours down to {media.RANGE_DB:.0f} dB below the loudest point of the "
        "query's real sound, or of all its sounds where there is none"
    )


def _volumes(loudness: Mapping[str, float]) -> dict[str, float]:
    """Return the factor of each sound, at most 1: a browser turns down, never up."""
    levels = loudness.values()
    target = max(min(levels, default=0.0), max(levels, default=0.0) - MOST_DB)
    return {system: round(min(1.0, 10 ** ((target - lufs) / 20)), 4) for system, lufs in loudness.items()}


def _write(folder: Path, systems: Mapping[str, str], query: str, made: Mapping[str, Any], suffix: str) -> None:
    """Write the files of one query; the folder is a new one that replaces an old one as a whole."""
    parts = {f"{systems[system]}/{query}{suffix}": part for system, part in made["sounds"].items()}
    parts |= {f"{systems[system]}/{query}.webp": part for system, part in made["spectrograms"].items()}
    parts |= {f"{_PICTURES}/{query}.webp": made["picture"]} if made["picture"] else {}
    for path, part in parts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(base64.b64decode(part))
