"""The index of a history: a cache of its scores, brought in line with the folder whenever it is used.

A record's file never changes, so the index is right about every file that still has the size and time that it had;
only new ones are read. Whatever is wrong with the cache, it is made again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clipsonic_eval import records
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import write_text
from clipsonic_eval.history import entries
from clipsonic_eval.history.entries import Columns, Entries
from clipsonic_eval.history.objects import RECORDS, Objects
from clipsonic_eval.progress import Progress
from clipsonic_eval.types import Score, Skip

CACHE: Final = ".cache"
_FILE: Final = "scores.npz"
_BATCH: Final = 1000  # records read before the cache is written: one that is stopped goes on from there

Stamp = list[int]  # size of a file in bytes and time of its last change in ns


def refreshed(objects: Objects, progress: Progress) -> Entries:
    """Return the entries of a history; reads the records that the cache does not know, and adds them to it."""
    path = objects.folder / CACHE / _FILE
    found = listing(objects.folder / RECORDS)
    cached = _cached(path)
    kept = [i for i, about in enumerate(cached.about) if found.get(about["hash"]) == about["stamp"]]
    columns = cached if len(kept) == len(cached.about) else cached.take(kept)
    known = {about["hash"] for about in columns.about}
    new = [key for key in found if key not in known]
    rows, skipped = [], []
    for i, key in enumerate(progress.track(new, label="reading new records") if new else (), 1):
        try:
            rows.append(_row(objects, key, found[key]))
        except UserError as error:
            skipped.append(Skip(key, str(error)))
        if len(rows) == _BATCH or (rows and i == len(new)):
            columns = columns.joined(entries.of_records(rows))
            rows = []
            _store(columns, path)
    if columns is not cached and not new:
        _store(columns, path)
    return Entries(columns, skipped)


def listing(folder: Path) -> dict[str, Stamp]:
    """Return the records in a folder by hash, sorted, with the stamp of each file."""
    with os.scandir(folder) as found:
        files = [(one.name, one.stat()) for one in found if one.name.endswith(".json") and not one.name.startswith(".")]
    return {name.removesuffix(".json"): [state.st_size, state.st_mtime_ns] for name, state in sorted(files)}


def _row(objects: Objects, key: str, stamp: Stamp) -> tuple[dict[str, Any], tuple[Score, ...]]:
    tree = objects.tree(key)
    record = records.from_tree(tree, objects.record_path(key), lambda _: {})
    clips = tree.get("clips")
    about = {
        "hash": key,
        "kind": record.kind,
        "created": _text(record.provenance, "created") or "",
        "commit": _text(record.provenance, "commit"),
        "tags": dict(record.tags),
        "clips": clips["hash"] if clips else None,
        "cards": {name: str(card["card_hash"])[:16] for name, card in record.systems.items() if card.get("card_hash")},
        "stamp": stamp,
    }
    return about, record.scores


def _text(tree: Mapping[str, Any], name: str) -> str | None:
    value = tree.get(name)
    return None if value is None else str(value)


def _cached(path: Path) -> Columns:
    try:
        found = entries.load(path)
        for row in range(len(found.about)):  # fields of this release, not of an earlier one
            found.entry(row)
    except Exception:  # whatever is wrong with a cache, it is made again
        return entries.NONE
    return found


def _store(columns: Columns, path: Path) -> None:
    with contextlib.suppress(OSError):  # a history that may only be read is read without a cache
        if not (path.parent / ".gitignore").exists():
            write_text(path.parent / ".gitignore", "*\n")
        entries.save(columns, path)
