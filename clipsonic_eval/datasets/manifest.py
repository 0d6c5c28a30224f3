"""A list of files with what is known about them: csv, jsonl or parquet."""

from __future__ import annotations

import math
from pathlib import Path

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import key_of, refuse_duplicates, safe
from clipsonic_eval.datasets._lists import MISSING
from clipsonic_eval.tables import Row, read_table, refuse_unknown_split
from clipsonic_eval.types import Skip

COLUMNS = ("key", "path", "start_s", "end_s", "duration_s", "prompt", "label", "split")
_SAME_S = 1e-3  # an end and a duration that differ by less say the same


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the rows of a table that has a column ``path``.

    It may have key, start_s, end_s or duration_s, prompt, label and split too. Paths are relative to ``root`` or
    absolute. Without a key the path makes it (and the start, if there is one). Further columns are noted as not read.

    Args:
        root: folder of the files; or the table itself, whose folder it then is.
        csv: the table, of any format of :mod:`clipsonic_eval.tables`; by default ``manifest.csv`` in ``root``.
        split: which rows; None: all.

    Raises:
        UserError: no table, no column ``path``, a misspelt column, no row that can be used, duplicate keys, or an
            unknown split.
    """
    if csv is None and root.is_file():
        root, csv = root.parent, root
    path = csv if csv is not None else root / "manifest.csv"
    fix = f"give the list with --csv (columns: {', '.join(COLUMNS)})"
    table = read_table(path, COLUMNS, required=("path",), fix=fix)
    notes = list(table.notes)
    if "split" in table.columns or split is not None:
        refuse_unknown_split(split, (row.get("split") for row in table.rows), str(path))
    names = sorted({name for row in table.rows if (name := row.get("split")) is not None})
    if split is None and len(names) > 1:
        notes.append(f"{path}: rows of every split are taken ({', '.join(names)}); --split takes one")
    rows = [row for row in table.rows if split is None or row.get("split") == split]
    found = [_item(root, path, row) for row in rows]
    refuse_duplicates((x.key for x in found), str(path))
    used = tuple(x for x in found if isinstance(x, SourceItem))
    return Listing(used, (*table.skipped, *(x for x in found if isinstance(x, Skip))), tuple(notes))


def _item(root: Path, table: Path, row: Row) -> SourceItem | Skip:
    name, key = row.values["path"], row.get("key")
    try:
        start, duration = _span(row)
    except ValueError as error:
        return Skip(key or f"line-{row.line}", f"{table.name} line {row.line}: {error}")
    if key is not None and safe(key) != key:
        rule = "must do as a file name; use letters, digits, '.', '-', '_'"
        return Skip(f"line-{row.line}", f"{table.name} line {row.line}: key '{key}' {rule}")
    if key is None:
        relative = Path(name)
        key = key_of(relative if not relative.is_absolute() else Path(relative.name))
        key += "" if start is None else f"_{round(start * 1000):07d}"
    file = root / name
    if not file.is_file():
        return Skip(key, f"{MISSING} ({name})")
    return SourceItem(key, file, start or 0.0, duration, row.get("prompt"), row.get("label"), row.get("split"))


def _span(row: Row) -> tuple[float | None, float | None]:
    """Return (start, duration) in seconds; an end becomes a duration.

    Raises:
        ValueError: a value is no number of seconds, the end lies before the start, or end and duration disagree.
    """
    start, end, duration = (_seconds(row, column) for column in ("start_s", "end_s", "duration_s"))
    if end is None:
        return start, duration
    begin = start or 0.0
    if end <= begin:
        raise ValueError(f"end_s {end:g} does not lie after start_s {begin:g}")
    if duration is not None and abs(end - begin - duration) > _SAME_S:
        raise ValueError(f"start_s {begin:g} and end_s {end:g} make {end - begin:g} s, but duration_s is {duration:g}")
    return start, end - begin if duration is None else duration


def _seconds(row: Row, column: str) -> float | None:
    text = row.get(column)
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
