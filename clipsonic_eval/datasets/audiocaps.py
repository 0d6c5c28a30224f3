"""AudioCaps: captions of ten seconds each of AudioSet's videos, five to a clip in validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import by_stem, media_files, refuse_duplicates, safe
from clipsonic_eval.datasets._lists import (
    MISSING,
    YOUTUBE_CLIP_S,
    cut_names,
    find_lists,
    holds_only_the_clip,
    seconds,
)
from clipsonic_eval.tables import Table, read_table
from clipsonic_eval.types import Skip

LISTS = {"train": "train.csv", "val": "val.csv", "test": "test.csv"}


class _Clip(NamedTuple):
    """Ten seconds of a video, with the ids and captions of its rows."""

    video: str
    start: int
    ids: list[str]
    captions: list[str]

    @property
    def key(self) -> str:
        return f"{self.video}_{self.start}"


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the clips of the published lists (columns audiocap_id, youtube_id, start_time, caption).

    A clip's file is ``<youtube_id>_<start>.*``, also with six digits or with start and end in milliseconds,
    ``Y<youtube_id>.*`` or ``<audiocap_id>.*``, all cut when they were fetched, or ``<youtube_id>.*``, anywhere below
    ``root``. The last is a whole video or recording, of which 10 s from the start second count, unless it is no longer
    than a clip. Files count by their endings, those of audio and video; of the others none is opened.

    Args:
        root: folder of the sounds or videos.
        csv: one list; None: ``train.csv``, ``val.csv`` and ``test.csv`` in ``root`` or a folder in it.
        split: ``train``, ``val`` or ``test``; None: all.

    Raises:
        UserError: no list, no row that can be understood, duplicate keys, an unknown split, or no media at all.
    """
    files = by_stem(media_files(root).files)
    found: list[SourceItem] = []
    skipped: list[Skip] = []
    notes: list[str] = []
    for part, path in find_lists(root, csv, LISTS, split):
        ids = ("youtube_id", "audiocap_id")
        table = read_table(path, ("start_s", "prompt"), required=("youtube_id", "start_s", "prompt"), extra=ids)
        clips, bad = _clips(table)
        skipped += [*table.skipped, *bad]
        notes += table.notes
        for clip in clips:
            item = _item(clip, part, files)
            (found if isinstance(item, SourceItem) else skipped).append(item)  # type: ignore[arg-type]
    refuse_duplicates((item.key for item in found), str(root))
    return Listing(tuple(found), tuple(skipped), tuple(notes))


def _clips(table: Table) -> tuple[Sequence[_Clip], list[Skip]]:
    """Gather the rows of each clip; a row without a usable id or start is a skip."""
    clips: dict[tuple[str, int], _Clip] = {}
    skipped = []
    for row in table.rows:
        video, start = row.values["youtube_id"], seconds(row.values["start_s"])
        if start is None or safe(video) != video:
            got = f"got '{video}' and '{row.values['start_s']}'"
            reason = f"{table.path.name} line {row.line}: expected a YouTube id and a start in seconds, {got}"
            skipped.append(Skip(f"line-{row.line}", reason))
            continue
        clip = clips.setdefault((video, start), _Clip(video, start, [], []))
        clip.ids.append(row.get("audiocap_id") or "")
        clip.captions.append(row.values["prompt"])
    return list(clips.values()), skipped


def _item(clip: _Clip, split: str, files: Mapping[str, Path]) -> SourceItem | Skip:
    cut = (*cut_names(clip.video, clip.start), *cut_names(f"Y{clip.video}", clip.start), f"Y{clip.video}", *clip.ids)
    file, begin = next((files[name] for name in cut if name in files), None), 0.0
    if file is None and (file := files.get(clip.video)) is not None:
        begin = 0.0 if clip.start == 0 or holds_only_the_clip(file) else float(clip.start)
    if file is None:
        names = f"{clip.key}.*, Y{clip.video}.*, {clip.ids[0]}.* or {clip.video}.*"
        return Skip(clip.key, f"{MISSING} (audio or video {names})")
    first, several = clip.captions[0], tuple(clip.captions) if len(clip.captions) > 1 else ()
    return SourceItem(clip.key, file, begin, YOUTUBE_CLIP_S, first, None, split, several, clip.video)


DATASETS.add(
    "audiocaps",
    Dataset(
        "AudioCaps' csvs and a folder of its sounds or videos",
        items,
        licence="captions for academic use; the videos belong to their uploaders",
        source="https://github.com/cdjkim/audiocaps",
    ),
)
