"""VGGSound: the official csv and a folder of downloaded videos."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import by_stem, media_files, refuse_duplicates, safe
from clipsonic_eval.datasets._lists import MISSING, all_hold_only_clips, cut_names, seconds
from clipsonic_eval.errors import UserError
from clipsonic_eval.tables import Row, read_table, refuse_unknown_split
from clipsonic_eval.types import Skip

CLIP_S = 10.0
SPLITS = ("train", "val", "test")  # published are train and test


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the rows of VGGSound's list.

    The list is the published ``vggsound.csv`` (no header: YouTube id, start second, label, train/test), one with these
    columns named, the one of the data set's repository (no header: ``<id>_<start, six digits>.mp4``, label), or a
    table with the columns id (``<id>_<start, six digits>``) and label, as MMAudio has them.

    A row's file is a clip that was cut when it was fetched (``<id>_<start, six digits>.*``, ``<id>_<start>.*`` or
    ``<id>_<start>_<end>.*`` in seconds or milliseconds), else ``<id>.*``, anywhere below ``root``. The last is a whole
    video, of which 10 s from the start second count, unless these files are no longer than a clip. The label is the
    prompt too; templates such as "the sound of ..." belong to whoever encodes it.

    Args:
        root: folder of the videos.
        csv: the list; by default ``vggsound.csv`` in ``root``.
        split: ``train`` or ``test``, or ``val`` where a list has one; None: all.

    Raises:
        UserError: no csv, no row that can be understood, duplicate keys, an unknown split, or no videos at all.
    """
    path = csv if csv is not None else root / "vggsound.csv"
    table = read_table(
        path,
        ("key", "path", "start_s", "label", "split"),
        required=(("key", "path"), "label"),
        layouts=(("key", "start_s", "label", "split"), ("path", "label")),
        fix="give VGGSound's list with --csv",
    )
    read = [_row(path, row) for row in table.rows]
    rows = [row for row in read if isinstance(row, _Listed)]
    skipped = [*table.skipped, *(row for row in read if isinstance(row, Skip))]
    if not rows:
        raise UserError(f"{path}: holds no row that can be used: {'; '.join(s.reason for s in skipped[:3])}")
    refuse_duplicates((row.key for row in rows), str(path))
    refuse_unknown_split(split, (row.split for row in rows), str(path))
    files = by_stem(media_files(root).files)
    cut: dict[str, Path] = {}
    named: dict[str, Path] = {}  # after the video alone
    for row in rows:
        if file := next((files[name] for name in cut_names(row.video, row.start) if name in files), None):
            cut[row.key] = file
        elif row.video in files:
            named[row.key] = files[row.video]
    notes = list(table.notes)
    if clips := all_hold_only_clips([named[row.key] for row in rows if row.key in named and row.start]):
        notes.append(f"{root}: files named <id>.* are no longer than a clip (a few were looked at) and are taken whole")
    found: list[SourceItem] = []
    for row in rows:
        if split is not None and row.split != split:
            continue
        if (file := cut.get(row.key) or named.get(row.key)) is None:
            skipped.append(Skip(row.key, f"{MISSING} ({row.key}.* or {row.video}.*)"))
            continue
        begin = 0.0 if clips or row.key in cut else float(row.start)
        found.append(SourceItem(row.key, file, begin, CLIP_S, row.label, row.label, row.split, video=row.video))
    return Listing(tuple(found), tuple(skipped), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Listed:
    """One row: which ten seconds of which video, and its label."""

    video: str
    start: int
    label: str
    split: str | None

    @property
    def key(self) -> str:
        """Name of the cut clip."""
        return f"{safe(self.video)}_{self.start:06d}"


def _row(path: Path, row: Row) -> _Listed | Skip:
    video, start, split = row.get("key"), row.get("start_s"), row.get("split")
    if video is None or start is None:  # <id>_<start>.mp4, in a column path or as the key
        name = re.fullmatch(r"(.+)_(\d+)(?:\.\w+)?", row.get("path") or video or "")
        video, start = (name[1], name[2]) if name else (None, None)
    number = seconds(start)
    got = ",".join(row.values.values())
    if video is None or number is None:
        expected = "expected YouTubeID,start seconds,label,train/test or <id>_<start>.mp4,label"
        return Skip(f"line-{row.line}", f"{path.name} line {row.line}: {expected}, got {got}")
    if split not in (None, *SPLITS):
        return Skip(f"line-{row.line}", f"{path.name} line {row.line}: the split is none of {', '.join(SPLITS)}: {got}")
    return _Listed(video, number, row.values["label"], split)


DATASETS.add(
    "vggsound",
    Dataset(
        "VGGSound's csv and a folder of its videos",
        items,
        licence="annotations CC-BY-4.0; the videos belong to their uploaders",
        source="https://www.robots.ox.ac.uk/~vgg/data/vggsound/",
    ),
)
