"""Published lists of clips: where the lists lie, and the names that their clips have on disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.video import probe
from clipsonic_eval.tables import refuse_unknown_split

MISSING = "file named in the csv is missing"
YOUTUBE_CLIP_S = 10.0  # length of the clips of AudioSet and of the sets made from it
_SLACK_S = 0.5  # what an encoder may add
_LOOKED_AT: Final = 20  # files of a set whose lengths are read; of hundreds of thousands that would take an hour
_FOLDERS: Final = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}  # as the datasets package names the folders of splits


def find_lists(root: Path, csv: Path | None, names: Mapping[str, str], split: str | None) -> list[tuple[str, Path]]:
    """Return the lists of a data set that has one for each split, as (split, file).

    Args:
        root: folder of the data, which holds the lists or has a folder that does.
        csv: one list; None: those that are there.
        names: of the lists, by split.
        split: only its list; None: all.

    Raises:
        UserError: no list is there, ``csv`` has no list's name and the split is not said, or the split is unknown.
    """
    refuse_unknown_split(split, names, str(root))
    if csv is not None:
        own = next((part for part, name in names.items() if name == csv.name), split)
        if own is None or (split is not None and own != split):
            raise UserError(f"{csv}: of which split is it? name it {' or '.join(names.values())}, or say --split")
        return [(own, csv)]
    wanted = {part: name for part, name in names.items() if split in (None, part)}
    folders = [root, *sorted(path for path in root.glob("*") if path.is_dir())] if root.is_dir() else []
    places = {part: [folder / name for folder in folders if (folder / name).is_file()] for part, name in wanted.items()}
    if found := [(part, paths[0]) for part, paths in places.items() if paths]:
        return found
    raise UserError(f"{root}: holds none of {', '.join(wanted.values())}; give the list with --csv")


def cut_names(video: str, start: int) -> tuple[str, ...]:
    """Return the stems that a clip of ten seconds has where it was cut when it was fetched.

    Example:
        >>> cut_names("-aB", 30)[:3]
        ('-aB_000030', '-aB_30', '-aB_30_40')
        >>> cut_names("-aB", 30)[3:]
        ('-aB_30.000_40.000', '-aB_30000_40000', '-aB_000030_000040')
    """
    end = start + round(YOUTUBE_CLIP_S)
    spans = (f"{start}_{end}", f"{start}.000_{end}.000", f"{start * 1000}_{end * 1000}", f"{start:06d}_{end:06d}")
    return tuple(f"{video}_{name}" for name in (f"{start:06d}", str(start), *spans))


def holds_only_the_clip(path: Path) -> bool:
    """Return whether a file that is named after a video is no longer than a clip of it, by its headers."""
    try:
        length = probe(path).duration_s
    except MediaError:  # decoding it says so
        return False
    return length is not None and length <= YOUTUBE_CLIP_S + _SLACK_S


def all_hold_only_clips(paths: Sequence[Path]) -> bool:
    """Return whether files that are named after a video seem to be clips of it, by some of them."""
    looked_at = paths[:: max(1, len(paths) // _LOOKED_AT)][:_LOOKED_AT]
    return bool(paths) and all(holds_only_the_clip(path) for path in looked_at)


def seconds(text: str | None) -> int | None:
    """Return a start in whole seconds, None where the text is none.

    Example:
        >>> seconds("30.000"), seconds("1:30"), seconds("-1")
        (30, None, None)
    """
    try:
        value = float(text or "")
    except ValueError:
        return None
    return int(value) if math.isfinite(value) and value >= 0 else None


def leads_out(name: str) -> bool:
    r"""Return whether a path in a list or an archive could leave the folder that it belongs to.

    Example:
        >>> leads_out("a/b.wav"), leads_out("../b.wav"), leads_out("/b.wav"), leads_out("C:\\b.wav")
        (False, True, True, True)
    """
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return posix.is_absolute() or bool(windows.anchor) or ".." in (*posix.parts, *windows.parts)


def split_of_folders(relative: Path) -> str | None:
    """Return the split that a folder above a file names, None without such a folder.

    Example:
        >>> split_of_folders(Path("Dev/0001.wav"))
        'validation'
    """
    return next((split for folder in relative.parts[:-1] if (split := split_of_word(folder))), None)


def split_of_word(word: str) -> str | None:
    """Return the split that a word names, None for another word."""
    return next((name for name, names in _FOLDERS.items() if word.lower() in names), None)
