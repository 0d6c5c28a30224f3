"""Sets of audio to embed: a folder of wavs, a folder of any media, or prepared clips."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clipsonic_eval import filenames
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.datasets import DATASETS, MEDIA_SUFFIXES, by_suffix, count_suffixes, near_matches, why_none
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.hashing import config_hash, file_sha256
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.metrics import attributes
from clipsonic_eval.tables import read_table
from clipsonic_eval.types import Clip, Query, Skip


class AudioItem(Protocol):
    """A clip that is not read yet."""

    @property
    def key(self) -> str:
        """Identity of the clip."""
        ...

    def digest(self) -> str:
        """Return the hash of its content, hexadecimal.

        Raises:
            MediaError: it cannot be read, or is not the file that ``samples.csv`` lists.
        """
        ...

    def clip(self) -> Clip:
        """Decode it.

        Raises:
            MediaError: it cannot be decoded.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileItem:
    """A file; ``sha256`` is the hash that ``samples.csv`` lists, if there is one."""

    key: str
    path: Path
    sha256: str = ""

    def digest(self) -> str:
        """Return the SHA-256 of the file's bytes."""
        digest = file_sha256(self.path, MediaError)
        if self.sha256 and digest != self.sha256:
            raise MediaError(f"{self.path}: its sha256 is not the one in {filenames.SAMPLES}; sample again")
        return digest

    def clip(self) -> Clip:
        """Decode the whole file."""
        return read_audio(self.path, key=self.key)


@dataclass(frozen=True, slots=True)
class StoreItem:
    """A prepared clip."""

    key: str
    store: ClipStore
    row: int

    def digest(self) -> str:
        """Return the SHA-256 of its samples and rate."""
        clip = self.clip()
        return hashlib.sha256(clip.samples.tobytes() + str(clip.sample_rate).encode()).hexdigest()

    def clip(self) -> Clip:
        """Return its audio without the zeros at its end."""
        return self.store.clip(self.row)


@dataclass(frozen=True, slots=True)
class AudioSet:
    """Listed clips of one system or one set of real audio.

    Attributes:
        name: of the system, or ``reference``.
        items: clips with distinct keys, sorted by key.
        skipped: clips that the listing left out, those without a query among them.
        card: of the system (``system.json``), or the kind of the folder.
        queries: that its clips answer, by key, as far as the folder holds them.
        notes: sentences about how it was listed, for the screen.
        found: number of clips and other files in the folder.
        left_out: number of them without a query, or without a suffix of audio.
        unmatched: why no clip answers a query, "" if one does.
    """

    name: str
    items: tuple[AudioItem, ...]
    skipped: tuple[Skip, ...]
    card: dict[str, Any]
    queries: dict[str, Query]
    notes: tuple[str, ...] = ()
    found: int = 0
    left_out: int = 0
    unmatched: str = ""


def reference_set(folder: Path) -> AudioSet:
    """List a set of real audio: prepared clips, or every media file in a folder and below.

    Raises:
        UserError: the folder is missing or empty, or the prepared clips are damaged.
    """
    if _is_store(folder):
        return _from_store("reference", folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a folder of audio or of prepared clips")
    listing = DATASETS["folder"].items(folder, None, None)
    items = {item.key: FileItem(item.key, item.path) for item in listing.items}
    other = sum(listing.left_out.values())
    card = {"kind": "folder-of-media"}
    found = len(items) + len(listing.skipped) + other
    return AudioSet("reference", _sorted(items), listing.skipped, card, {}, listing.notes, found, other)


def system_set(name: str, folder: Path, keys: Collection[str] | None) -> AudioSet:
    """List a system's outputs and match them to the queries.

    Args:
        name: of the system.
        folder: written by ``sample`` (``samples.csv`` lists it), any folder of ``<key>.wav``, or prepared clips.
        keys: of the queries; None: all clips of the folder.

    Raises:
        UserError: no such folder, or no audio in it.
    """
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "no such folder"
        raise UserError(f"{folder}: {what}; system '{name}' needs a folder with a <key>.wav for each query")
    found = _from_store(name, folder) if _is_store(folder) else _from_folder(name, folder)
    if keys is None:
        return found
    near = near_matches(keys, [item.key for item in found.items])
    items: dict[str, Any] = {near.get(item.key, item.key): item for item in found.items}
    seen = {*items, *(skip.key for skip in found.skipped)}
    missing = tuple(Skip(k, "missing: the folder has no audio for this query") for k in keys if k not in seen)
    extra = tuple(Skip(k, "extra: not in the list of queries") for k in items if k not in keys)
    kept = {k: dataclasses.replace(item, key=k) for k, item in items.items() if k in keys}
    notes = found.notes
    if near:
        there, asked = min(near.items())
        notes = (
            *notes,
            f"{name}: {len(near)} files match their key except for suffix or Unicode form, e.g. '{asked}', '{there}'",
        )
    why = ""
    if not kept:
        why = f"none of its {len(items)} audio files answers a query; {why_none(keys, items)}"
    return dataclasses.replace(
        found,
        items=_sorted(kept),
        skipped=(*found.skipped, *missing, *extra),
        notes=notes,
        left_out=found.left_out + len(extra),
        unmatched=why,
    )


def _is_store(folder: Path) -> bool:
    return (folder / filenames.CLIPS).is_file() or (folder / filenames.PLAN).is_file()


def _sorted(items: dict[str, Any]) -> tuple[AudioItem, ...]:
    return tuple(items[key] for key in sorted(items))


def _from_store(name: str, folder: Path) -> AudioSet:
    store = ClipStore.open(folder)
    items = {key: StoreItem(key, store, row) for row, key in enumerate(store.keys)}
    rows = zip(store.keys, store.prompts, store.labels, strict=True)
    queries = {key: Query(key, prompt, label=label) for key, prompt, label in rows if prompt}
    card = {"kind": "prepared-clips", "content_hash": store.content_hash}
    return AudioSet(name, _sorted(items), (), card, queries, found=len(items))


def _from_folder(name: str, folder: Path) -> AudioSet:
    there = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    files = [p for p in there if p.suffix.lower() in MEDIA_SUFFIXES]
    other = count_suffixes([p for p in there if p not in set(files) and not p.is_dir()])
    listed, skipped, notes = _read_samples(folder)
    items: dict[str, FileItem] = {}
    names = {sample.file for sample in listed}
    queries: dict[str, Query] = {}
    for sample in listed:
        if sample.key in items:
            skipped.append(Skip(sample.key, f"{filenames.SAMPLES} lists the key twice; the first file is used"))
        else:
            items[sample.key] = FileItem(sample.key, folder / sample.file, sample.sha256)
            queries |= {sample.key: sample.query} if sample.query.prompt else {}
    extra = [path for path in files if listed and path.name not in names]
    skipped += [Skip(path.stem, f"extra: {path.name} is not in {filenames.SAMPLES}") for path in extra]
    for path in files if not listed else ():
        if path.stem in items:
            skipped.append(Skip(path.stem, f"{path.name}: {items[path.stem].path.name} has the same key and is used"))
        else:
            items[path.stem] = FileItem(path.stem, path)
    below = [path.name for path in there if path.is_dir()]
    if not items:
        more = f"; it holds {by_suffix(other)}" if other else ""
        more += f"; the folders in it ({', '.join(below[:3])}) are not searched" if below else ""
        raise UserError(f"{folder}: no audio here; a system's folder holds <key>.wav for each query{more}")
    if other:
        notes = (*notes, f"{name}: left out by suffix: {by_suffix(other)}")
    if below:
        notes = (*notes, f"{name}: {len(below)} folders in it were not searched, the first: {below[0]}")
    left_out = sum(other.values()) + len(extra)
    found = len(items) + len(skipped) + sum(other.values())
    card = read_card(folder / filenames.SYSTEM)
    return AudioSet(name, _sorted(items), tuple(skipped), card, queries, notes, found, left_out)


@dataclass(frozen=True, slots=True)
class _Sample:
    """A row of ``samples.csv``."""

    key: str
    file: str
    query: Query
    sha256: str


def _read_samples(folder: Path) -> tuple[list[_Sample], list[Skip], tuple[str, ...]]:
    """Return the rows of ``samples.csv``, unusable rows, and notes on how it was read; nothing if there is none."""
    path = folder / filenames.SAMPLES
    if not path.exists():
        if (folder / filenames.SHARES).is_dir():
            raise UserError(
                f"{folder}: not every share of its queries is sampled; give the missing sample --shard again"
            )
        return [], [], ()
    columns, extra = ("key", "path", "prompt", "label", "sha256", "seed", "query", "peak"), attributes()
    try:
        table = read_table(path, columns, required=("path",), extra=(*extra, "peak"))
    except UserError as error:
        raise UserError(f"{error}; remove {filenames.SAMPLES} or sample again") from None
    rows: list[_Sample] = []
    skipped = list(table.skipped)
    for row in table.rows:
        file = row.values["path"]
        key = row.get("key") or Path(file).stem
        if Path(file).name == file:
            own = {name: value for name in extra if (value := row.get(name)) is not None}
            query = Query(key, row.get("prompt") or "", label=row.get("label"), attributes=own)
            rows.append(_Sample(key, file, query, row.get("sha256") or ""))
        else:
            skipped.append(Skip(key, f"{filenames.SAMPLES} line {row.line}: '{file}' is not a file of this folder"))
    if not rows:
        raise UserError(f"{path}: no row names a file of this folder; remove it or sample again")
    return rows, skipped, tuple(note for note in table.notes if "read 'file' as path" not in note)


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of a system; a folder without one is just a folder of wavs.

    Raises:
        UserError: it is not JSON, or was changed after ``sample`` wrote it.
    """
    if not path.exists():
        return {"kind": "folder-of-wavs"}
    card = read_json(path, fix="remove it or sample again")
    if not isinstance(card, dict):
        return {"kind": "folder-of-wavs"}
    expected = card.get("card_hash")
    if expected is not None and expected != config_hash(
        {k: v for k, v in card.items() if k not in ("name", "card_hash")}
    ):
        raise UserError(f"{path}: its content does not match its card_hash; remove it or sample again")
    return card
