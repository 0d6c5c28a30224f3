"""AudioFolder: the layout of the Hugging Face hub, and what ``sample`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clipsonic_eval import filenames
from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import refuse_duplicates, safe, unique_keys
from clipsonic_eval.datasets._lists import MISSING, leads_out, split_of_folders
from clipsonic_eval.errors import UserError
from clipsonic_eval.tables import Row, read_table, refuse_unknown_split
from clipsonic_eval.types import Skip

TABLES: Final = (filenames.METADATA, "metadata.jsonl", "metadata.parquet")


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the rows of every ``metadata.csv``, ``.jsonl`` or ``.parquet`` below ``root``.

    A row names its file in the column ``file_name``, relative to the folder of the table and inside it; it may have
    key, prompt (or caption, text), label and split too. Without a column split, a folder named train, validation or
    test (or one of their other names) above the file is its split. Hidden folders are left out.

    Args:
        root: the folder.
        csv: one table; None: all there are.
        split: ``train``, ``validation`` or ``test``, or a value of the column; None: all.

    Raises:
        UserError: no table, no column ``file_name``, duplicate keys, or an unknown split.
    """
    read: list[tuple[Path, Row]] = []
    skipped: list[Skip] = []
    notes: list[str] = []
    for path in [csv] if csv is not None else _tables(root):
        table = read_table(path, ("key", "path", "prompt", "label", "split"), required=("path",))
        read += [(path, row) for row in table.rows if not leads_out(row.values["path"])]
        skipped += [*table.skipped, *(_outside(path, row) for row in table.rows if leads_out(row.values["path"]))]
        notes += table.notes
    files = [path.parent / row.values["path"] for path, row in read]
    relative = [file.relative_to(root) if file.is_relative_to(root) else Path(file.name) for file in files]
    parts = [row.get("split") or split_of_folders(place) for (_, row), place in zip(read, relative, strict=True)]
    refuse_unknown_split(split, parts, str(root))
    found: list[SourceItem] = []
    for (path, row), file, key, part in zip(read, files, unique_keys(relative), parts, strict=True):
        item = _item(path, row, file, row.get("key") or key, part)
        if split in (None, part):
            (found if isinstance(item, SourceItem) else skipped).append(item)  # type: ignore[arg-type]
    refuse_duplicates((item.key for item in found), str(root))
    return Listing(tuple(found), tuple(skipped), tuple(notes))


def _outside(table: Path, row: Row) -> Skip:
    where = f"{table.name} line {row.line}"
    return Skip(f"line-{row.line}", f"{where}: '{row.values['path']}' leads out of its folder; move the file into it")


def _item(table: Path, row: Row, file: Path, key: str, split: str | None) -> SourceItem | Skip:
    if safe(key) != key:
        rule = "must do as a file name; use letters, digits, '.', '-', '_'"
        return Skip(f"line-{row.line}", f"{table.name} line {row.line}: key '{key}' {rule}")
    if not file.is_file():
        return Skip(key, f"{MISSING} ({row.values['path']})")
    return SourceItem(key, file, prompt=row.get("prompt"), label=row.get("label"), split=split)


def _tables(root: Path) -> list[Path]:
    if not root.is_dir():
        what = "is a file" if root.is_file() else "no such folder"
        raise UserError(f"{root}: {what}; SOURCE is the folder that holds {TABLES[0]}")
    found = sorted(
        path
        for path in root.rglob("metadata.*")
        if path.name in TABLES and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if not found:
        raise UserError(f"{root}: holds no {' or '.join(TABLES)}; without one, use --dataset folder")
    return found


DATASETS.add(
    "audiofolder", Dataset("an AudioFolder of the hub: metadata.csv with file_name; what sample writes", items)
)
