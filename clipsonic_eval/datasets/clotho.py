"""Clotho: sounds of Freesound of 15 to 30 seconds, each with five captions."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import key_of, media_files, refuse_duplicates
from clipsonic_eval.datasets._lists import MISSING, find_lists, leads_out
from clipsonic_eval.tables import read_table
from clipsonic_eval.types import Skip

LISTS = {part: f"clotho_captions_{part}.csv" for part in ("development", "validation", "evaluation")}


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the sounds of the published lists (columns file_name, caption_1 to caption_5).

    A sound is the file of that name in a folder named after the split, else anywhere below ``root``.

    Args:
        root: folder of the sounds.
        csv: one list; None: ``clotho_captions_<split>.csv`` in ``root`` or a folder in it.
        split: ``development``, ``validation`` or ``evaluation``; None: all.

    Raises:
        UserError: no list, no row that can be understood, duplicate keys, an unknown split, or no media at all.
    """
    files: dict[str, list[Path]] = {}
    for path in media_files(root).files:
        files.setdefault(unicodedata.normalize("NFC", path.name), []).append(path)
    found: list[SourceItem] = []
    skipped: list[Skip] = []
    notes: list[str] = []
    for part, path in find_lists(root, csv, LISTS, split):
        table = read_table(path, ("path", "prompt"), required=("path", "prompt"), captions=True)
        skipped += table.skipped
        notes += table.notes
        captions: dict[str, list[str]] = {}
        for row in table.rows:
            captions.setdefault(row.values["path"], []).append(row.values["prompt"])
        for name, texts in captions.items():
            key = key_of(Path(name))
            there = files.get(unicodedata.normalize("NFC", name), [])
            file = next((f for f in there if part in f.relative_to(root).parts), there[0] if there else None)
            if file is None or leads_out(name):
                skipped.append(Skip(key, f"{MISSING} ({name})"))
                continue
            found.append(
                SourceItem(
                    key,
                    file,
                    prompt=texts[0],
                    split=part,
                    captions=tuple(texts) if len(texts) > 1 else (),
                    video=f"clotho/{key}",
                )
            )
    refuse_duplicates((item.key for item in found), str(root))
    return Listing(tuple(found), tuple(skipped), tuple(notes))


DATASETS.add(
    "clotho",
    Dataset(
        "Clotho's csvs of captions and a folder of its sounds",
        items,
        licence="captions: Tampere University's licence, non-commercial with attribution; sounds: each its own",
        source="https://zenodo.org/records/4783391",
    ),
)
