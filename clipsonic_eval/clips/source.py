"""What clips are prepared from: a data set's layout, its folder, and prompts from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clipsonic_eval.datasets import DATASETS, Listing, SourceItem, refuse_duplicates
from clipsonic_eval.errors import UserError
from clipsonic_eval.tables import Row, read_table


@dataclass(frozen=True, slots=True)
class Source:
    """Where the videos are and what is known about them.

    Attributes:
        root: their folder (for ``manifest`` also the list itself).
        dataset: name of the layout.
        csv: the list of files, for layouts that have one.
        split: which part of it; None: all.
        prompts: a table with the columns key and prompt (and label), which replaces what the layout gives.
    """

    root: Path
    dataset: str = "folder"
    csv: Path | None = None
    split: str | None = None
    prompts: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder that paths are given from."""
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
        if not any(item.key in texts for item in listing.items):
            ours, theirs = listing.items[0].key if listing.items else "none", next(iter(texts))
            raise UserError(
                f"{self.prompts}: none of its keys (one of those: '{theirs}') is a key of the source (one of those: "
                f"'{ours}')"
            )
        return replace(
            listing,
            items=tuple(_with_texts(item, texts.get(item.key)) for item in listing.items),
            skipped=(*listing.skipped, *prompts.skipped),
            notes=(*listing.notes, *prompts.notes),
        )


def _with_texts(item: SourceItem, row: Row | None) -> SourceItem:
    if row is None:
        return item
    return replace(item, prompt=row.get("prompt") or item.prompt, label=row.get("label") or item.label)
