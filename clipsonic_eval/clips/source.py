"""What clips are prepared from: a data set's layout, its folder, and prompts from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clipsonic_eval.datasets import DATASETS, Listing, refuse_duplicates, table_rows
from clipsonic_eval.errors import UserError


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
        texts = _read_prompts(self.prompts)
        if not any(item.key in texts for item in listing.items):
            example = listing.items[0].key if listing.items else "none"
            raise UserError(f"{self.prompts}: none of its keys is a key of the source (one of those: '{example}')")
        return replace(
            listing,
            items=tuple(
                replace(item, prompt=prompt or item.prompt, label=label or item.label)
                for item in listing.items
                for prompt, label in [texts.get(item.key, (None, None))]
            ),
        )


def _read_prompts(path: Path) -> dict[str, tuple[str | None, str | None]]:
    rows = [row for _, row in table_rows(path)]
    if not rows or "key" not in rows[0] or "prompt" not in rows[0]:
        raise UserError(f"{path}: needs the columns 'key' and 'prompt' (and may have 'label')")
    refuse_duplicates((str(row["key"]) for row in rows), str(path))
    return {
        str(row["key"]): (str(row.get("prompt") or "") or None, str(row.get("label") or "") or None) for row in rows
    }
