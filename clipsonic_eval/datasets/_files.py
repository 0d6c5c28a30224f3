"""Media files in a folder, and clip keys made from their names."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import filenames
from clipsonic_eval.errors import UserError, listed

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
_COMPANIONS = (filenames.SAMPLES, filenames.METADATA, filenames.SKIPPED, filenames.SYSTEM, filenames.RUN)


@dataclass(frozen=True, slots=True)
class Walked:
    """The contents of a folder and the folders below it.

    Attributes:
        files: with a media suffix, sorted by their path from the root.
        left_out: number of other files, by suffix.
        notes: sentences about links, for the screen.
    """

    files: tuple[Path, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


def media_files(root: Path) -> Walked:
    """List the media files below a folder; hidden ones are left out.

    Links to folders are followed, after all other folders and each folder once, known by device and inode: a ring of
    links ends, a link up the tree leads nowhere, and a folder that is reached twice gives its files once.

    Raises:
        UserError: no such folder, or no media file in it.
    """
    if not root.is_dir():
        what = "is a file" if root.is_file() else "no such folder"
        raise UserError(f"{root}: {what}; SOURCE is the folder that holds the videos")
    files: list[Path] = []
    others: list[Path] = []
    notes: list[str] = []
    seen = {_identity(folder) for folder in (root.resolve(), *root.resolve().parents)}
    links = _walk(root, seen, files, others)
    followed = []
    while links:
        link = links.pop(0)
        if (identity := _identity(link)) is None:
            notes.append(f"{link}: is a link to nothing and was skipped")
        elif identity in seen:
            notes.append(f"{link}: is a link to a folder that is read already or that holds this one, and was skipped")
        else:
            seen.add(identity)
            followed.append(link)
            links += _walk(link, seen, files, others)
    if followed:
        notes.append(f"{root}: {len(followed)} links to folders were followed, the first: {followed[0].name}")
    left_out = count_suffixes(others)
    if not files:
        there = f"; there are {by_suffix(left_out)}" if left_out else ""
        looked = ", ".join(MEDIA_SUFFIXES)
        raise UserError(f"{root}: no media files; looked for {looked} in it and the folders below{there}")
    if left_out:
        notes.append(f"{root}: left out by suffix: {by_suffix(left_out)}")
    return Walked(tuple(sorted(files, key=lambda p: p.relative_to(root).as_posix())), left_out, tuple(notes))


def by_stem(files: Iterable[Path]) -> dict[str, Path]:
    """Return files by stem; where several share it the first in the order of suffixes wins (video first).

    Example:
        >>> by_stem([Path("wav/a.wav"), Path("mp4/a.mp4")])["a"].name
        'a.mp4'
    """
    rank = {suffix: i for i, suffix in enumerate(MEDIA_SUFFIXES)}
    return {path.stem: path for path in sorted(files, key=lambda p: -rank[p.suffix.lower()])}


def _walk(top: Path, seen: set[tuple[int, int] | None], files: list[Path], others: list[Path]) -> list[Path]:
    """Collect media files and others in a folder and the real folders below it; return links to folders."""
    links: list[Path] = []
    for folder, folders, names in os.walk(top):
        below = sorted(Path(folder, f) for f in folders if not f.startswith("."))
        links += [path for path in below if path.is_symlink()]
        folders[:] = [path.name for path in below if not path.is_symlink() and (_identity(path) not in seen)]
        seen.update(_identity(Path(folder, name)) for name in folders)
        for path in (Path(folder, n) for n in names if not n.startswith(".")):
            if path.name.lower().endswith(MEDIA_SUFFIXES):
                files.append(path)
            elif path.is_symlink() and not path.exists():
                links.append(path)
            else:
                others.append(path)
    return links


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        state = folder.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def count_suffixes(paths: Iterable[Path]) -> dict[str, int]:
    """Return the number of files by suffix, without those that our commands write next to audio.

    Example:
        >>> count_suffixes([Path("a.txt"), Path("b.TXT"), Path("README")])
        {'.txt': 2, 'no suffix': 1}
    """
    counts = Counter(path.suffix.lower() or "no suffix" for path in paths if path.name not in _COMPANIONS)
    return dict(sorted(counts.items()))


def by_suffix(counts: Mapping[str, int]) -> str:
    """Return counts by suffix as words."""
    return ", ".join(f"{n} {suffix}" for suffix, n in counts.items())


def key_of(relative: Path) -> str:
    """Return a clip key from a relative path: no suffix, folders joined by ``__``, unusual characters as ``_``.

    Example:
        >>> key_of(Path("dogs/a dog.wav"))
        'dogs__a_dog'
    """
    parts = [*relative.parent.parts, relative.stem]
    return "__".join(safe(part) for part in parts if part not in ("/", "..", "."))


def without_suffix(key: str) -> str:
    """Return a key without the suffix of a media file.

    Example:
        >>> without_suffix("dog-1.wav"), without_suffix("v1.5")
        ('dog-1', 'v1.5')
    """
    stem, dot, suffix = key.rpartition(".")
    return stem if stem and (dot + suffix).lower() in MEDIA_SUFFIXES else key


def safe(text: str) -> str:
    """Replace what is not a letter, a digit, ``.``, ``-`` or ``_``; letters are composed (NFC)."""
    return re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFC", text)).lstrip(".") or "_"


def unique_keys(relative: Sequence[Path]) -> list[str]:
    """Return one key per file; files whose keys would be equal get a part of their path's hash.

    Example:
        >>> unique_keys([Path("a.wav"), Path("b.wav"), Path("b.mp3")])
        ['a', 'b-d4d76cc3', 'b-cd475aa6']
    """
    keys = [key_of(p) for p in relative]
    count = Counter(keys)
    return [
        f"{key}-{hashlib.sha256(path.as_posix().encode()).hexdigest()[:8]}" if count[key] > 1 else key
        for key, path in zip(keys, relative, strict=True)
    ]


def refuse_duplicates(keys: Iterable[str], where: str) -> None:
    """Raise if keys occur more than once.

    Raises:
        UserError: some do; the sentence names them.
    """
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        named = listed([repr(k) for k in twice], 5)
        raise UserError(f"{where}: keys must be unique, these occur more than once: {named}; rename or remove them")
