"""Names of table columns: what they mean, whatever tool wrote them, and which cells hold no value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Final

MISSING: Final = frozenset({"", "nan", "none", "null", "na", "n/a", "#n/a", "<na>", "nat"})
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "key": (
        "id", "ytid", "youtube_id", "youtubeid", "video_id", "audiocap_id", "clip_id", "audio_id", "sound_id",
        "sample_id", "item_id", "track_id", "uid", "uuid",
    ),
    "path": (
        "file", "filename", "file_name", "filepath", "file_path", "audio", "audio_path", "audio_file",
        "audio_filename", "wav", "wav_path", "wav_file", "video", "video_path", "video_file", "location",
    ),
    "image": ("image_path", "picture", "picture_path", "frame"),
    "start_s": (
        "start", "start_time", "start_second", "start_seconds", "start_sec", "start_time_s", "start_time_seconds",
        "begin", "begin_s", "begin_time", "onset",
    ),
    "end_s": (
        "end", "end_time", "end_second", "end_seconds", "end_sec", "end_time_s", "end_time_seconds", "stop", "stop_s",
        "stop_time", "offset",
    ),
    "duration_s": (
        "duration", "duration_second", "duration_seconds", "duration_sec", "dur", "length", "length_s",
        "length_seconds",
    ),
    "prompt": ("caption", "captions", "text", "description", "sentence", "raw_text", "raw_caption"),
    "label": ("class", "category", "class_name", "classname", "class_label", "label_name", "category_name"),
    "split": ("subset", "set", "partition", "train_test", "train_test_split"),
    "seed": (),
    "sha256": (),
    "query": (),
    "peak": (),
}  # fmt: skip
MEANINGS: Final = {alias: meaning for meaning, others in ALIASES.items() for alias in (meaning, *others)}


def plain(name: str) -> str:
    """Return a column's name without case, blanks and punctuation.

    Example:
        >>> plain("Start (s)"), plain("# YTID")
        ('start_s', 'ytid')
    """
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")


def meaning_of(name: str) -> str | None:
    """Return the meaning of a column's name, None if it is unknown.

    Example:
        >>> meaning_of("Caption"), meaning_of("loudness")
        ('prompt', None)
    """
    return MEANINGS.get(plain(name))


def nearest(name: str, columns: Sequence[str]) -> str:
    """Return the known name that a name nearly spells, "" if it is known itself or far from all.

    Args:
        name: of a column, as :func:`plain` gives it.
        columns: meanings that count.

    Example:
        >>> nearest("captoin", ["prompt"]), nearest("caption", ["prompt"])
        ('caption', '')
    """
    if not name or name in MEANINGS:
        return ""
    known = [alias for alias, meaning in MEANINGS.items() if meaning in columns]
    near = [a for a in difflib.get_close_matches(name, known, n=3, cutoff=0.75) if abs(len(a) - len(name)) <= 2]
    return next((a for a in near if a in columns), near[0] if near else "")


def is_missing(text: str) -> bool:
    """Return whether a cell holds nothing, or what programs write for nothing.

    Example:
        >>> is_missing(" NaN "), is_missing("0")
        (True, False)
    """
    return text.strip().lower() in MISSING
