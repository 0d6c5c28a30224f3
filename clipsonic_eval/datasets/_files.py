"""Media files in a folder, and keys made from their names."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from clipsonic_eval.errors import UserError

VIDEO_SUFFIXES = (
    ".mp4",
    ".webm",
    ".mkv",
    ".avi",
    ".mov",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".ts",
    ".flv",
    ".wmv",
    ".3gp",
    ".ogv",
)
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".mp3", ".aac", ".aiff", ".wma")
MEDIA_SUFFIXES = VIDEO_SUFFIXES + AUDIO_SUFFIXES


def media_files(root: Path) -> list[Path]:
    """List the media files below a folder, sorted; hidden ones are left out.

    Raises:
        UserError: no such folder, or no media file in it.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; SOURCE is the folder that holds the videos")
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith(".")]
        found += [Path(folder, n) for n in names if not n.startswith(".") and n.lower().endswith(MEDIA_SUFFIXES)]
    if not found:
        raise UserError(f"{root}: no media files; looked for {', '.join(MEDIA_SUFFIXES)} in it and the folders below")
    return sorted(found, key=lambda p: p.relative_to(root).as_posix())


def key_of(relative: Path) -> str:
    """Return a key from a path without its suffix: folders joined by ``__``, unusual characters as ``_``."""
    parts = [*relative.parent.parts, relative.stem]
    return "__".join(safe(part) for part in parts if part not in ("/", "..", "."))


def without_suffix(key: str) -> str:
    """Return a key without the suffix of a media file."""
    stem, dot, suffix = key.rpartition(".")
    return stem if stem and (dot + suffix).lower() in MEDIA_SUFFIXES else key


def safe(text: str) -> str:
    """Replace what is not a letter, a digit, ``.``, ``-`` or ``_``."""
    return re.sub(r"[^\w.-]", "_", text).lstrip(".") or "_"


def unique_keys(relative: Sequence[Path]) -> list[str]:
    """Return one key per file; files whose keys would be equal get a piece of their path's hash."""
    keys = [key_of(p) for p in relative]
    count = Counter(keys)
    return [
        f"{key}-{hashlib.sha256(path.as_posix().encode()).hexdigest()[:8]}" if count[key] > 1 else key
        for key, path in zip(keys, relative, strict=True)
    ]


def refuse_duplicates(keys: Iterable[str], where: str) -> None:
    """Raise for keys that occur more than once, naming them.

    Raises:
        UserError: some do.
    """
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        listed = ", ".join(repr(k) for k in twice[:5])
        raise UserError(
            f"{where}: keys must be unique, these occur more than once: {listed}{more}; rename or remove them"
        )
