"""Leaks: sets of clips that should have nothing in common, such as train and test, and share videos or sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from clipsonic_eval.types import Finding


class ClipOrigins(NamedTuple):
    """A set of clips: its name, and the video and a hash of the sound of every clip, by key."""

    name: str
    videos: Mapping[str, str]
    sounds: Mapping[str, str]


def check_leaks(sets: Sequence[ClipOrigins]) -> list[Finding]:
    """Find clips of one set whose video, or whose sound sample by sample, an earlier set holds too.

    Returns:
        One finding for each pair of sets and each of the two kinds; its keys are of the later set.
    """
    found = []
    for earlier, later in combinations(sets, 2):
        videos = _shared(earlier.videos, later.videos)
        sounds = _shared(earlier.sounds, later.sounds)
        if videos:
            fix = "put all clips of a video into one set"
            found.append(_finding(videos, earlier.name, later.name, "come from videos", later.videos, fix))
        if sounds:
            fix = "remove one of each two"
            found.append(_finding(sounds, earlier.name, later.name, "have the same sound as clips", {}, fix))
    return found


def _shared(earlier: Mapping[str, str], later: Mapping[str, str]) -> dict[str, str]:
    """Return a key of the earlier set by key of the later one, for the clips of equal origin."""
    first: dict[str, str] = {}
    for key, origin in earlier.items():
        first.setdefault(origin, key)
    return {key: first[origin] for key, origin in sorted(later.items()) if origin in first}


def _finding(
    shared: Mapping[str, str], earlier: str, later: str, kind: str, videos: Mapping[str, str], fix: str
) -> Finding:
    key, other = next(iter(shared.items()))
    of_video = f" of video '{videos[key]}'" if key in videos else ""
    number = f"{len(shared)} clip{'s' if len(shared) > 1 else ''}"
    sentence = f"{number} of '{later}' {kind} of '{earlier}', e.g. '{key}' and '{other}'{of_video}; {fix}"
    return Finding("leaks", "error", tuple(shared), sentence)
