"""Values per clip are large; a history keeps those of its baselines and of its newest records. Scores stay for ever."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clipsonic_eval.history.entries import Entries

KEEP: Final = 20  # newest records that keep their values
_YOUNG_S: Final = 3600.0  # a file that no record names yet may belong to one that is being added


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning removed.

    Attributes:
        records: hashes of the records that lost their values per clip, the oldest first.
        files: number of files.
        bytes: their size.
        kept: number of records that still have theirs.
    """

    records: tuple[str, ...]
    files: int
    bytes: int
    kept: int


def prune(clips: Path, entries: Entries, pinned: Iterable[str], *, keep: int = KEEP, dry_run: bool = False) -> Pruned:
    """Remove values per clip, except of the pinned and the newest records.

    Args:
        clips: folder of the values.
        entries: of the history; where some could not be read, files that no other one names are kept.
        pinned: hashes.
        keep: number of newest records that keep their values.
        dry_run: only say what would be removed.
    """
    held = {path.stem: path for path in clips.glob("[!.]*.parquet")}
    with_values = [entry for entry in entries if entry.clips in held]
    spared = {*pinned, *(entry.hash for entry in with_values[max(0, len(with_values) - keep) :])}
    needed = {entry.clips for entry in with_values if entry.hash in spared}
    named = {entry.clips for entry in with_values}
    gone = [path for key, path in held.items() if key not in needed and (key in named or _is_orphan(path, entries))]
    size = sum(path.stat().st_size for path in gone)
    if not dry_run:
        for path in gone:
            path.unlink(missing_ok=True)
    lost = {path.stem for path in gone}
    records = tuple(entry.hash for entry in with_values if entry.clips in lost)
    return Pruned(records, len(gone), size, len(with_values) - len(records))


def _is_orphan(path: Path, entries: Entries) -> bool:
    return not entries.skipped and time.time() - path.stat().st_mtime > _YOUNG_S
