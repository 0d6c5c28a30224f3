"""Sources of clips: a data set's layout, its folder, and optionally prompts from another table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clipsonic_eval.datasets import DATASETS, Listing, SourceItem, near_matches, refuse_duplicates, why_none
from clipsonic_eval.errors import UserError
from clipsonic_eval.tables import Row, read_table


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of videos and what is known about them.

    Attributes:
        root: their folder (for ``manifest`` also the list itself).
        dataset: name of the layout, see ``clipsonic-eval ls datasets``.
        csv: the list of files, for layouts that have one.
        split: part of the list; None: all.
        prompts: a table with the columns key and prompt (and label), which replaces what the layout gives.
    """

    root: Path
    dataset: str = "folder"
    csv: Path | None = None
    split: str | None = None
    prompts: Path | None = None

    @property
    def folder(self) -> Path:
        """Folder that paths are relative to."""
        return self.root.parent if self.root.is_file() else self.root

    def items(self) -> Listing:
        """List the items.

        Raises:
            UserError: the layout is not known, or its source or the prompts cannot be read.
        """
        listing = DATASETS[self.dataset].items(self.root, self.csv, self.split)
        if self.prompts is None:
            return listing
        prompts = read_table(self.prompts, ("key", "prompt", "label"), required=("key", "prompt"))
        refuse_duplicates((row.values["key"] for row in prompts.rows), str(self.prompts))
        texts = {row.values["key"]: row for row in prompts.rows}
        keys = {item.key for item in listing.items}
        near = near_matches(texts, keys)
        texts |= {there: texts[asked] for there, asked in near.items()}
        if keys and not keys & texts.keys():
            raise UserError(f"{self.prompts}: none of its keys is a key of the source; {why_none(texts, keys)}")
        notes = [*listing.notes, *prompts.notes]
        if near:
            there, asked = min(near.items())
            notes.append(f"{self.prompts}: {len(near)} keys match but for suffix or letters, e.g. '{asked}', '{there}'")
        return replace(
            listing,
            items=tuple(_with_texts(item, texts.get(item.key)) for item in listing.items),
            skipped=(*listing.skipped, *prompts.skipped),
            notes=tuple(notes),
        )


def _with_texts(item: SourceItem, row: Row | None) -> SourceItem:
    if row is None:
        return item
    return replace(item, prompt=row.values["prompt"], captions=(), label=row.get("label") or item.label)
