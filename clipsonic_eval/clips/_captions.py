"""The captions of items that have several: one table beside the shards, which hold the first caption of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipsonic_eval import filenames
from clipsonic_eval.datasets import SourceItem
from clipsonic_eval.errors import MediaError
from clipsonic_eval.files import read_csv, write_csv
from clipsonic_eval.hashing import file_sha256


def write_captions(out: Path, items: Sequence[SourceItem]) -> str | None:
    """Write the table and return its SHA-256; without such items remove an old one and return None."""
    path = out / filenames.CAPTIONS
    rows = [(item.key, caption) for item in items for caption in item.captions]
    if not rows:
        path.unlink(missing_ok=True)
        return None
    write_csv(path, ("source", "caption"), rows)
    return file_sha256(path)


def read_captions(folder: Path, sha256: str | None) -> dict[str, tuple[str, ...]]:
    """Return the captions by key of the item; none where the folder has no table.

    Raises:
        MediaError: the table is missing or its bytes do not match.
    """
    if sha256 is None:
        return {}
    path = folder / filenames.CAPTIONS
    if file_sha256(path, MediaError) != sha256:
        raise MediaError(f"{path}: damaged, its bytes do not match their sha256")
    found: dict[str, list[str]] = {}
    for row in read_csv(path, MediaError):
        found.setdefault(row["source"], []).append(row["caption"])
    return {key: tuple(captions) for key, captions in found.items()}
