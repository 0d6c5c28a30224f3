"""Rows of a list that people made: csv of any encoding and separator, jsonl, parquet."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import UserError

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEPARATORS = ",;\t"


def read_text(path: Path) -> str:
    """Read text in UTF-8 or UTF-16 with a BOM, UTF-8 without, else Windows-1252.

    Raises:
        UserError: no such file, or it is binary.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data.decode(name, errors="replace")
    if b"\0" in data:
        raise UserError(f"{path}: not a text file; expected a csv")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read a csv whose fields are separated by comma, semicolon or tab.

    Returns:
        (line number, stripped fields) of every row that is not blank.

    Raises:
        UserError: not readable as csv.
    """
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        rows = [(reader.line_num, [field.strip() for field in row]) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} line {reader.line_num}: not readable as csv ({error})") from None
    return [(line, row) for line, row in rows if any(row)]


def table_rows(path: Path) -> list[tuple[int, Mapping[str, Any]]]:
    """Read a table with named columns: .csv/.tsv/.txt (first row: names), .jsonl or .parquet.

    Returns:
        (line or row number, column -> value) of every row that is not blank.

    Raises:
        UserError: not readable, or a row with more fields than names.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in (".jsonl", ".ndjson"):
        return _jsonl(path)
    rows = csv_rows(path)
    if not rows:
        raise UserError(f"{path}: the file is empty; the first row must name the columns")
    names = [name.lower() for name in rows[0][1]]
    for line, row in rows[1:]:
        if len(row) > len(names):
            raise UserError(
                f"{path} line {line}: {len(row)} fields, {len(names)} columns; quote fields that hold commas"
            )
    return [(line, dict(zip(names, row, strict=False))) for line, row in rows[1:]]


def _parquet(path: Path) -> list[tuple[int, Mapping[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not readable as parquet ({str(error).splitlines()[0]})") from None
    return list(enumerate(rows, 1))


def _jsonl(path: Path) -> list[tuple[int, Mapping[str, Any]]]:
    rows: list[tuple[int, Mapping[str, Any]]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path} line {number}: not readable as JSON ({error.msg})") from None
        if not isinstance(row, dict):
            raise UserError(f"{path} line {number}: expected an object with named fields")
        rows.append((number, row))
    return rows
