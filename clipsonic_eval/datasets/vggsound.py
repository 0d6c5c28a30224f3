"""VGGSound: the official csv beside a folder of downloaded videos."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.datasets import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import (
    MEDIA_SUFFIXES,
    media_files,
    refuse_duplicates,
    refuse_unknown_split,
    safe,
)
from clipsonic_eval.datasets._table import csv_rows
from clipsonic_eval.errors import UserError
from clipsonic_eval.types import Skip

CLIP_S = 10.0
MISSING = "file named in the csv is missing"


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the rows of ``vggsound.csv`` (no header: YouTube id, start second, label, train/test).

    A row's file is ``<id>_<start, six digits>.*`` or ``<id>_<start>.*`` (a clip that was cut when it was fetched),
    else ``<id>.*`` (a whole video, of which 10 s from the start second count), anywhere below ``root``. The label is
    the prompt too; templates such as "the sound of ..." belong to whoever encodes it.

    Args:
        root: folder of the videos.
        csv: the list; by default ``vggsound.csv`` in ``root``.
        split: ``train`` or ``test``; None: both.

    Raises:
        UserError: no csv, a row that cannot be understood, duplicate keys, an unknown split, or no videos at all.
    """
    path = csv if csv is not None else root / "vggsound.csv"
    if not path.is_file():
        raise UserError(f"{path}: no such file; give VGGSound's list with --csv")
    rows = [_row(path, line, fields) for line, fields in _without_header(csv_rows(path))]
    refuse_duplicates((key for key, *_ in rows), str(path))
    refuse_unknown_split(split, (r[4] for r in rows), str(path))
    files = _by_stem(root)
    found: list[SourceItem] = []
    skipped: list[Skip] = []
    for key, video, start, label, part in rows:
        if split is not None and part != split:
            continue
        cut = files.get(f"{video}_{start:06d}") or files.get(f"{video}_{start}")
        file = cut or files.get(video)
        if file is None:
            skipped.append(Skip(key, f"{MISSING} ({key}.* or {video}.*)"))
            continue
        found.append(SourceItem(key, file, 0.0 if cut else float(start), CLIP_S, label, label, part))
    return Listing(tuple(found), tuple(skipped))


def _without_header(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Drop a first row whose second field is no number: some copies of the list have names on top."""
    return rows[1:] if rows and len(rows[0][1]) > 1 and not _is_number(rows[0][1][1]) else rows


def _is_number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def _row(path: Path, line: int, fields: list[str]) -> tuple[str, str, int, str, str]:
    if len(fields) != 4 or not _is_number(fields[1]):
        raise UserError(
            f"{path} line {line}: expected YouTubeID,start seconds,label,train/test, got {','.join(fields)}"
        )
    video, start, label, split = fields[0], int(float(fields[1])), fields[2], fields[3]
    return f"{safe(video)}_{start:06d}", video, start, label, split


def _by_stem(root: Path) -> dict[str, Path]:
    """Index the media files by stem; where several share it the first in the order of suffixes wins (video first)."""
    rank = {suffix: i for i, suffix in enumerate(MEDIA_SUFFIXES)}
    files = sorted(media_files(root), key=lambda p: -rank[p.suffix.lower()])
    return {path.stem: path for path in files}


DATASETS.add(
    "vggsound",
    Dataset(
        "VGGSound's csv beside a folder of its videos",
        items,
        licence="annotations CC-BY-4.0; the videos belong to their uploaders",
        source="https://www.robots.ox.ac.uk/~vgg/data/vggsound/",
    ),
)
