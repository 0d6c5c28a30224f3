"""A list of files with what is known about them: csv, jsonl or parquet."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipsonic_eval.datasets import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import key_of, refuse_duplicates, refuse_unknown_split, safe
from clipsonic_eval.datasets._table import table_rows
from clipsonic_eval.errors import UserError
from clipsonic_eval.types import Skip

COLUMNS = ("key", "path", "start_s", "duration_s", "prompt", "label", "split")
MISSING = "file named in the csv is missing"


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the rows of a table that has a column ``path``.

    It may have key, start_s, duration_s, prompt, label and split too. Paths are relative to ``root`` or absolute.
    Without a key the path makes it (and the start, if there is one).
    Other columns are ignored unless they look like a misspelt one of these.

    Args:
        root: folder of the files; or the table itself, whose folder it then is.
        csv: the table (.csv, .tsv, .jsonl, .parquet); by default ``manifest.csv`` in ``root``.
        split: which rows; None: all.

    Raises:
        UserError: no table, no ``path`` column, a misspelt column, duplicate or unsafe keys, or an unknown split.
    """
    if csv is None and root.is_file():
        root, csv = root.parent, root
    path = csv if csv is not None else root / "manifest.csv"
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the list with --csv (columns: {', '.join(COLUMNS)})")
    rows = table_rows(path)
    if not rows:
        raise UserError(f"{path}: the list holds no rows")
    _check_columns(path, rows)
    refuse_unknown_split(split, (_text(row, "split") for _, row in rows), str(path))
    listed = [_item(root, path, line, row) for line, row in rows if split is None or _text(row, "split") == split]
    refuse_duplicates((x.key for x in listed), str(path))
    return Listing(
        tuple(x for x in listed if isinstance(x, SourceItem)), tuple(x for x in listed if isinstance(x, Skip))
    )


def _check_columns(path: Path, rows: list[tuple[int, Mapping[str, Any]]]) -> None:
    names = dict.fromkeys(name for _, row in rows for name in row)
    for name in names:
        near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.75)
        if name not in COLUMNS and near and near[0] not in names:
            raise UserError(f"{path}: unknown column '{name}'. Did you mean '{near[0]}'?")
    if "path" not in names:
        raise UserError(f"{path}: no column 'path'; the first row must name the columns, among {', '.join(COLUMNS)}")


def _item(root: Path, table: Path, line: int, row: Mapping[str, Any]) -> SourceItem | Skip:
    name, key = _text(row, "path"), _text(row, "key")
    if name is None:
        return Skip(key or f"line-{line}", f"line {line} of the list has no path")
    try:
        start, duration = _seconds(row, "start_s"), _seconds(row, "duration_s")
    except ValueError as error:
        return Skip(key or f"line-{line}", f"line {line} of the list: {error}")
    if key is not None and safe(key) != key:
        raise UserError(f"{table} line {line}: key '{key}' must do as a file name; use letters, digits, '.', '-', '_'")
    if key is None:
        relative = Path(name)
        key = key_of(relative if not relative.is_absolute() else Path(relative.name))
        key += "" if start is None else f"_{round(start * 1000):07d}"
    file = root / name
    if not file.is_file():
        return Skip(key, f"{MISSING} ({name})")
    return SourceItem(key, file, start or 0.0, duration, _text(row, "prompt"), _text(row, "label"), _text(row, "split"))


def _text(row: Mapping[str, Any], column: str) -> str | None:
    value = row.get(column)
    text = "" if value is None else str(value).strip()
    return text or None


def _seconds(row: Mapping[str, Any], column: str) -> float | None:
    text = _text(row, column)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} '{text}' is not a number of seconds") from None
    if not math.isfinite(value) or value < 0 or (column == "duration_s" and value == 0):
        raise ValueError(f"{column} {text} must be positive")
    return value


DATASETS.add("manifest", Dataset("a csv, jsonl or parquet with path and, optionally, " + ", ".join(COLUMNS[2:]), items))
