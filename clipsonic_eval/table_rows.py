"""From a table file of any format to rows whose fields have the names that the file gives them.

csv, tsv and ``;`` in any encoding, one JSON object a line or a list of them, Parquet. The contents decide what a file
is, its suffix only where tabs and commas compete.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.csv_records import Record, records, whole, without_odd_blanks
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import MAX_TEXT, open_regular
from clipsonic_eval.table_columns import is_missing, meaning_of, nearest, plain

Required = Sequence[str | tuple[str, ...]]

_SEPARATORS: Final = ",;\t"
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class NamedRow:
    """A row whose fields have the names that the file gives them; with a ``problem`` it has none."""

    line: int
    values: Mapping[str, Any]
    problem: str = ""


def read_rows(
    path: Path, columns: Sequence[str], required: Required, layouts: Sequence[tuple[str, ...]], fix: str
) -> tuple[list[str], list[NamedRow], list[str]]:
    """Read a table of any format; arguments as in :func:`clipsonic_eval.tables.read_table`.

    Returns:
        (names of the columns, rows, notes on how the file was read).

    Raises:
        UserError: no regular file, no text, or no header.
    """
    data = _bytes(path, fix)
    if data.startswith(b"PAR1"):
        return *_parquet(path), []
    text, note = _decoded(path, data)
    notes = [note] if note else []
    if not text.strip():
        raise UserError(f"{path}: the file is empty; the first row must name the columns{_like(columns)}")
    if text.lstrip()[0] in "{[" and path.suffix.lower() not in (".csv", ".tsv"):
        return *_json(path, text), notes
    return *_separated(path, text, columns, required, layouts), notes


def _bytes(path: Path, fix: str) -> bytes:
    with open_regular(path, fix=fix, empty=True) as stream:
        data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise UserError(f"{path}: larger than {MAX_TEXT} bytes; a table of this size is no list of clips, split it")
    return data


def _decoded(path: Path, data: bytes) -> tuple[str, str]:
    """Return text with line ends of one kind, and a note where the encoding had to be guessed.

    Lines that are not UTF-8 among others that are keep surrogates, which mark their rows.
    """
    note = ""
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "")
    if encoding != "utf-16" and b"\0" in data:
        raise UserError(f"{path}: not a text file; save the table as csv in UTF-8")
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding == "utf-16":
            raise UserError(f"{path}: not readable as text in UTF-16; save the table as csv in UTF-8") from None
        text = data.decode(encoding or "utf-8", errors="surrogateescape")
        if not any(ord(c) > 127 and not _is_surrogate(c) for c in text):
            note = f"{path}: is not in UTF-8 and was read as Windows-1252"
            try:
                text = data.decode("cp1252")
            except UnicodeDecodeError:
                text, note = data.decode("latin-1"), f"{path}: is not in UTF-8 and was read as Latin-1"
    return text.replace("\r\n", "\n").replace("\r", "\n"), note


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _separated(
    path: Path,
    text: str,
    columns: Sequence[str],
    required: Required,
    layouts: Sequence[tuple[str, ...]],
) -> tuple[list[str], list[NamedRow]]:
    lines = text.split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip())
    separator = _separator(path, lines[first:], columns, {len(layout) for layout in layouts})
    head = whole(lines[first], separator)
    names = [] if head is None else list(head)
    if _is_header(names, columns, required, bool(layouts)):
        while names and not names[-1]:
            names.pop()  # a separator at the end of every line
        found = without_odd_blanks(records(lines, first + 1, separator, {len(names)}), len(names))
        return names, [_named(record, {len(names): tuple(names)}) for record in found]
    if not layouts:
        shown = " ".join(lines[first].split())[:80]
        raise UserError(
            f"{path}: the first row ({shown}) names no column that is known here; the first row must name the columns"
            f"{_like(columns)}"
        )
    by_length = {len(layout): layout for layout in layouts}
    rows = [
        _named(record, by_length)
        for record in without_odd_blanks(records(lines, first, separator, set(by_length)), max(by_length))
    ]
    return list(dict.fromkeys(name for layout in layouts for name in layout)), rows


def _like(columns: Sequence[str]) -> str:
    return f", among {', '.join(columns)}"


def _separator(path: Path, lines: Sequence[str], columns: Sequence[str], lengths: set[int]) -> str:
    """Return the separator with which the first line names most columns, or else most rows have a known length."""

    def quality(separator: str) -> tuple[int, int, bool, int]:
        head = whole(lines[0], separator) or ()
        named = sum(meaning_of(name) in columns for name in head)
        fitting = sum(len(whole(line, separator) or ()) in lengths for line in lines[:200]) if lengths else 0
        own = separator == "\t" and path.suffix.lower() == ".tsv" and "\t" in lines[0]
        return named, fitting, own, lines[0].count(separator)

    return max(_SEPARATORS, key=quality)


def _is_header(names: Sequence[str], columns: Sequence[str], required: Required, optional: bool) -> bool:
    """Return whether a first row names columns: one known name suffices where a header is required, else two."""
    known = {meaning_of(name) for name in names if meaning_of(name) in columns}
    enough = all(known & set((need,) if isinstance(need, str) else need) for need in required)
    misspelt = any(nearest(plain(name), columns) for name in names)
    return enough or (len(known) >= 2 if optional else bool(known) or misspelt)


def _named(record: Record, names: Mapping[int, tuple[str, ...]]) -> NamedRow:
    if record.problem:
        return NamedRow(record.line, {}, record.problem)
    fields = list(record.fields)
    while len(fields) > max(names) and not fields[-1]:
        fields.pop()
    if len(names) > 1 and len(fields) not in names:
        return NamedRow(
            record.line, {}, f"{len(fields)} fields where {' or '.join(map(str, sorted(names)))} are expected"
        )
    columns = names[len(fields)] if len(fields) in names else next(iter(names.values()))
    if len(fields) > len(columns):
        problem = f"{len(fields)} fields, {len(columns)} columns; put fields that hold the separator into quotes"
        return NamedRow(record.line, {}, problem)
    if any(_is_surrogate(c) for field in fields for c in field):
        return NamedRow(record.line, {}, "is not in UTF-8 as the other lines are")
    return NamedRow(record.line, dict(zip(columns, fields, strict=False)))


def _parquet(path: Path) -> tuple[list[str], list[NamedRow]]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not readable as parquet ({str(error).splitlines()[0]})") from None
    return list(rows[0]) if rows else [], [NamedRow(number, row) for number, row in enumerate(rows, 1)]


def _json(path: Path, text: str) -> tuple[list[str], list[NamedRow]]:
    """Read one object a line, or one list of objects."""
    if text.lstrip().startswith("["):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: not readable as JSON ({error})") from None
        rows = [_object(number, value) for number, value in enumerate(values, 1)]
    else:
        rows = [_json_line(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return list(dict.fromkeys(name for row in rows for name in row.values)), rows


def _json_line(number: int, line: str) -> NamedRow:
    try:
        return _object(number, json.loads(line))
    except (ValueError, RecursionError) as error:
        return NamedRow(number, {}, f"not readable as JSON ({getattr(error, 'msg', 'nested too deep')})")


def _object(number: int, value: Any) -> NamedRow:
    if isinstance(value, dict):
        return NamedRow(number, value)
    return NamedRow(number, {}, "expected an object with named fields")


def one_prompt_per_row(names: list[str], rows: list[NamedRow]) -> tuple[list[str], list[NamedRow]]:
    """Return rows of one prompt each, where several columns (``caption_1``, …) or a list hold several."""
    own = [name for name in names if meaning_of(name) == "prompt"]
    numbered = [n for n in names if meaning_of(re.sub(r"_?\d+$", "", plain(n))) == "prompt" and n not in own]
    if own:
        numbered = []
    elif not numbered:
        return names, rows
    into = own[0] if own else "prompt"
    result: list[NamedRow] = []
    for row in rows:
        found: list[Any] = [row.values.get(name) for name in numbered]
        several = row.values.get(into) if own else None
        found += [one for one in several if not isinstance(one, (list, dict))] if isinstance(several, list) else []
        held = [one for one in found if one is not None and not is_missing(str(one))]
        if row.problem or (own and not isinstance(several, list)):
            result.append(row)
        else:
            rest = {name: value for name, value in row.values.items() if name not in numbered}
            result += [NamedRow(row.line, {**rest, into: one}) for one in held or [None]]
    return [*(name for name in names if name not in numbered), *([] if own else [into])], result
