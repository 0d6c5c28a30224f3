"""WavCaps: sounds of AudioSet, the BBC, Freesound and SoundBible with captions that a language model wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import by_stem, media_files, refuse_duplicates, safe, without_suffix
from clipsonic_eval.datasets._lists import MISSING
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.tables import refuse_unknown_split
from clipsonic_eval.types import Skip

SOURCES: Final = {
    "as_final.json": "AudioSet_SL",
    "bbc_final.json": "BBC_Sound_Effects",
    "fsd_final.json": "FreeSound",
    "sb_final.json": "SoundBible",
}
_FIX = "fetch json_files of the data set again"


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the sounds of the published json files.

    A sound is ``<id>.*`` below a folder whose name begins with that of its source (``FreeSound_flac``), else, where
    one json file alone is read, anywhere below ``root``. Sounds that the data set's own lists of test clips
    (``blacklist*.json`` below ``root``) name are left out: they are in the test sets of AudioCaps, Clotho and others.

    Args:
        root: folder of the sounds.
        csv: one json file; None: ``as_final.json``, ``bbc_final.json``, ``fsd_final.json`` and ``sb_final.json``,
            wherever they lie below ``root``.
        split: WavCaps has none.

    Raises:
        UserError: no list, one that cannot be understood, duplicate keys, a split, or no media at all.
    """
    refuse_unknown_split(split, (), f"{root} (WavCaps)")
    files = media_files(root).files
    lists = [csv] if csv is not None else _lists(root)
    left_out, notes = _test_clips(root)
    found: list[SourceItem] = []
    skipped: list[Skip] = []
    for path in lists:
        source = next((s for name, s in SOURCES.items() if path.name.startswith(name.removesuffix("final.json"))), None)
        if source is None:
            raise UserError(f"{path}: of which source? let its name begin with as_, bbc_, fsd_ or sb_, as published")
        inside = [f for f in files if any(part.startswith(source) for part in f.relative_to(root).parts[:-1])]
        here = by_stem(inside or (files if len(lists) == 1 else ()))
        for number, entry in enumerate(_entries(path), 1):
            item = _item(entry, f"{path.name} entry {number}", source, here)
            if isinstance(item, Skip):
                skipped.append(item)
            elif item.video not in left_out:
                found.append(item)
    refuse_duplicates((item.key for item in found), str(root))
    return Listing(tuple(found), tuple(skipped), tuple(notes))


def _lists(root: Path) -> list[Path]:
    found = []
    for name in SOURCES:
        there = sorted(root.rglob(name))
        if len(there) > 1:
            raise UserError(f"{there[0]} and {there[1]}: two lists of one source; remove one, or give one with --csv")
        found += there
    if not found:
        raise UserError(f"{root}: holds none of {', '.join(SOURCES)}; give the list with --csv")
    return found


def _entries(path: Path) -> Sequence[Any]:
    """Return the entries of a list, which is one itself (on GitHub) or under ``data`` (on the hub)."""
    tree = read_json(path, fix=_FIX)
    entries = tree.get("data") if isinstance(tree, dict) else tree
    if not isinstance(entries, list):
        raise UserError(f"{path}: no list of sounds; {_FIX}")
    return entries


def _item(entry: Any, where: str, source: str, files: Mapping[str, Path]) -> SourceItem | Skip:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(n), str) and entry[n] for n in ("id", "caption")):
        return Skip(where, f"{where}: expected texts under id and caption")
    name = without_suffix(entry["id"])
    key = f"{source}_{safe(name)}"
    file = files.get(name)
    if file is None:
        return Skip(key, f"{MISSING} ({source}: {name}.*)")
    return SourceItem(key, file, prompt=entry["caption"].strip(), video=_recording(source, name))


def _recording(source: str, name: str) -> str:
    """Return what a sound was taken from: for AudioSet the YouTube id, as in the other sets made from it."""
    return name.removeprefix("Y") if source.startswith("AudioSet") else f"{source}/{name}"


def _test_clips(root: Path) -> tuple[set[str], list[str]]:
    """Return the recordings that the data set's own lists of test clips name, and a note on each list."""
    named: set[str] = set()
    notes = []
    for path in sorted(root.rglob("blacklist*.json")):
        tree = read_json(path, fix=_FIX)
        if not isinstance(tree, dict) or not all(isinstance(ids, list) for ids in tree.values()):
            raise UserError(f"{path}: expected lists of ids by source; {_FIX}, or remove it")
        here = {_recording(source, without_suffix(str(i))) for source, ids in tree.items() for i in ids}
        named |= here
        notes.append(f"{path}: its {len(here)} clips of test sets are left out")
    return named, notes


DATASETS.add(
    "wavcaps",
    Dataset(
        "WavCaps' json files of captions and a folder of its sounds",
        items,
        licence="academic use only",
        source="https://huggingface.co/datasets/cvssp/WavCaps",
    ),
)
