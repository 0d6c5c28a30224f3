"""MUSIC and MUSIC21 (Zhao et al. 2018, 2019): YouTube videos of solos and duets, by instrument."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import by_stem, media_files, safe
from clipsonic_eval.datasets._lists import MISSING
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.tables import refuse_unknown_split
from clipsonic_eval.types import Skip

LISTS: Final = ("MUSIC_solo_videos.json", "MUSIC_duet_videos.json", "MUSIC21_solo_videos.json")
SPLITS: Final = ("train", "val", "test")
_FIX = "fetch it again from the data set's repository"


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the videos of the published json files (ids by instrument, or by two instruments for duets).

    A video is ``<id>.*`` anywhere below ``root``. Videos last minutes: ``window=all`` cuts all of a video into clips.
    The label is the instrument, e.g. ``acoustic_guitar`` or ``flute+violin``, and the prompt the same in words. The
    sets are published without splits. Here a hash of the id decides, 8 of 10 videos for train and one each for val
    and test, so that all clips of a video are in one split and other videos change nothing.

    Args:
        root: folder of the videos.
        csv: one json file; None: those of the three published ones that lie in ``root``.
        split: ``train``, ``val`` or ``test``; None: all.

    Raises:
        UserError: no list, one that cannot be understood, an unknown split, or no media at all.
    """
    refuse_unknown_split(split, SPLITS, str(root))
    lists = [csv] if csv is not None else [root / name for name in LISTS if (root / name).is_file()]
    if not lists:
        raise UserError(f"{root}: holds none of {', '.join(LISTS)}; give the list with --csv")
    label_of, skipped = _labels(lists)
    files = by_stem(media_files(root).files)
    found: list[SourceItem] = []
    for video, label in label_of.items():
        part = split_of(video)
        if split not in (None, part):
            continue
        if (file := files.get(video)) is None:
            skipped.append(Skip(video, f"{MISSING} ({video}.*)"))
            continue
        prompt = label.replace("_", " ").replace("+", " and ")
        found.append(SourceItem(video, file, prompt=prompt, label=label, split=part, video=video))
    return Listing(
        tuple(found), tuple(skipped), (f"{root}: splits are by a hash of the id, MUSIC has none of its own",)
    )


def split_of(video: str) -> str:
    """Return the split of a video: of ten values of a hash of its id, eight are train, one val, one test.

    Example:
        >>> split_of("--IXKwloYLE")
        'train'
    """
    tenth = int(hashlib.sha256(video.encode()).hexdigest()[:8], 16) % 10
    return {8: "val", 9: "test"}.get(tenth, "train")


def _labels(lists: Sequence[Path]) -> tuple[dict[str, str], list[Skip]]:
    """Return the label of every video; one that is listed again under another label keeps its first."""
    found: dict[str, str] = {}
    skipped = []
    for path in lists:
        for video, label in _videos(path):
            if safe(video) != video:
                skipped.append(Skip(safe(video), f"{path.name}: '{video}' under {label} is no YouTube id"))
            elif (first := found.setdefault(video, label)) != label:
                again = f"is listed as {first} and, in {path.name}, as {label}; the first holds"
                skipped.append(Skip(video, again))
    return found, skipped


def _videos(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (id, label) in the order of a list.

    Raises:
        UserError: it holds no ids by instrument.
    """
    tree = read_json(path, fix=_FIX)
    videos = tree.get("videos") if isinstance(tree, dict) else None
    if not isinstance(videos, dict) or not all(isinstance(ids, list) for ids in videos.values()):
        raise UserError(f"{path}: expected lists of ids by instrument under 'videos'; {_FIX}")
    for instruments, ids in videos.items():
        label = "+".join(instruments.split())
        yield from ((str(video), label) for video in ids)


DATASETS.add(
    "music",
    Dataset(
        "MUSIC's and MUSIC21's json files and a folder of their videos",
        items,
        licence="lists for research; the videos belong to their uploaders",
        source="https://github.com/roudimit/MUSIC_dataset",
    ),
)
