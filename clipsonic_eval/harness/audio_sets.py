"""Sets of audio to embed: a folder of wavs, a folder of any media, or prepared clips."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clipsonic_eval.clips import ClipStore
from clipsonic_eval.datasets import DATASETS
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.hashing import config_hash, file_sha256
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.types import Clip, Skip

SAMPLES_NAME = "samples.csv"
SYSTEM_NAME = "system.json"
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".mp3", ".aac", ".aiff", ".mp4", ".webm", ".mkv")


class AudioItem(Protocol):
    """One piece of audio that is not read yet."""

    @property
    def key(self) -> str:
        """Identity of the item."""
        ...

    def digest(self) -> str:
        """Return the hash of its content, hexadecimal.

        Raises:
            MediaError: it cannot be read, or is not what it is said to be.
        """
        ...

    def clip(self) -> Clip:
        """Read it.

        Raises:
            MediaError: it cannot be decoded.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileItem:
    """A file; ``sha256`` is what its list says of it, if there is one."""

    key: str
    path: Path
    sha256: str = ""

    def digest(self) -> str:
        """Return the SHA-256 of the file's bytes."""
        digest = file_sha256(self.path, MediaError)
        if self.sha256 and digest != self.sha256:
            raise MediaError(f"{self.path}: is not the file that {SAMPLES_NAME} lists (other sha256); sample again")
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
        """Return its sound without the zeros at its end."""
        return self.store.clip(self.row)


@dataclass(frozen=True, slots=True)
class AudioSet:
    """Audio under one name.

    Attributes:
        name: of the system, or ``reference``.
        items: with distinct keys, sorted by key.
        skipped: what was left out before reading anything.
        card: of the system (``system.json``), or what kind of folder it is.
        prompts: (prompt, label) by key where the folder says them.
    """

    name: str
    items: tuple[AudioItem, ...]
    skipped: tuple[Skip, ...]
    card: dict[str, Any]
    prompts: dict[str, tuple[str, str | None]]


def reference_set(folder: Path) -> AudioSet:
    """List the reference set: prepared clips, or every media file in a folder and below.

    Raises:
        UserError: no such folder, nothing in it, or damaged.
    """
    if _is_store(folder):
        return _from_store("reference", folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; --reference is a folder of real audio or of prepared clips")
    listing = DATASETS["folder"].items(folder, None, None)
    items = {item.key: FileItem(item.key, item.path) for item in listing.items}
    return AudioSet("reference", _sorted(items), listing.skipped, {"kind": "folder-of-media"}, {})


def system_set(name: str, folder: Path, keys: Collection[str] | None) -> AudioSet:
    """List a system's outputs and hold them against the queries.

    Args:
        name: of the system.
        folder: written by ``sample`` (``samples.csv`` lists it), any folder of ``<key>.wav``, or prepared clips.
        keys: of the queries; None: whatever the folder holds.

    Raises:
        UserError: no such folder, or no audio in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; --system {name}=FOLDER needs one with a <key>.wav for each query")
    found = _from_store(name, folder) if _is_store(folder) else _from_folder(name, folder)
    if keys is None:
        return found
    items = {item.key: item for item in found.items}
    seen = {*items, *(skip.key for skip in found.skipped)}
    missing = tuple(Skip(k, "missing: the folder has no audio for this query") for k in keys if k not in seen)
    extra = tuple(Skip(k, "extra: not in the list of queries") for k in items if k not in keys)
    kept = {k: item for k, item in items.items() if k in keys}
    return AudioSet(name, _sorted(kept), (*found.skipped, *missing, *extra), found.card, found.prompts)


def _is_store(folder: Path) -> bool:
    return (folder / "clips.json").is_file() or (folder / "plan.json").is_file()


def _sorted(items: dict[str, Any]) -> tuple[AudioItem, ...]:
    return tuple(items[key] for key in sorted(items))


def _from_store(name: str, folder: Path) -> AudioSet:
    store = ClipStore.open(folder)
    items = {key: StoreItem(key, store, row) for row, key in enumerate(store.keys)}
    prompts = {k: (p, label) for k, p, label in zip(store.keys, store.prompts, store.labels, strict=True) if p}
    card = {"kind": "prepared-clips", "content_hash": store.content_hash}
    return AudioSet(name, _sorted(items), (), card, prompts)


def _from_folder(name: str, folder: Path) -> AudioSet:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES and not p.name.startswith("."))
    rows = _read_samples(folder / SAMPLES_NAME)
    items: dict[str, FileItem] = {}
    skipped: list[Skip] = []
    listed = {row["file"] for row in rows}
    for row in rows:
        items[row["key"]] = FileItem(row["key"], folder / row["file"], row.get("sha256") or "")
    for path in files:
        if rows and path.name not in listed:
            skipped.append(Skip(path.stem, f"extra: {path.name} is not in {SAMPLES_NAME}"))
        elif not rows and path.stem in items:
            skipped.append(Skip(path.stem, f"{path.name}: {items[path.stem].path.name} has the same key; it was taken"))
        elif not rows:
            items[path.stem] = FileItem(path.stem, path)
    if not items:
        raise UserError(f"{folder}: no audio here; a system's folder holds <key>.wav for each query")
    prompts = {row["key"]: (row["prompt"], row.get("label") or None) for row in rows if row.get("prompt")}
    return AudioSet(name, _sorted(items), tuple(skipped), read_card(folder / SYSTEM_NAME), prompts)


def _read_samples(path: Path) -> list[dict[str, str]]:
    """Read ``samples.csv``; an empty list if there is none."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        return []
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not readable as a csv ({error}); remove it or sample again") from None
    for row in rows:
        if not row.get("key") or not row.get("file") or Path(row["file"]).name != row["file"]:
            raise UserError(f"{path}: every row needs a key and the name of a file in the same folder; sample again")
    return rows


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of a system; a folder without one is just a folder of wavs.

    Raises:
        UserError: it is no JSON, or was changed since ``sample`` wrote it.
    """
    if not path.exists():
        return {"kind": "folder-of-wavs"}
    card = read_json(path, mend="remove it or sample again")
    if not isinstance(card, dict):
        return {"kind": "folder-of-wavs"}
    said = card.get("card_hash")
    if said is not None and said != config_hash({k: v for k, v in card.items() if k not in ("name", "card_hash")}):
        raise UserError(f"{path}: what it says does not fit its card_hash; remove it or sample again")
    return card
