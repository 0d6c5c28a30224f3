"""The reader of tables that people made: csv, tsv, ``;``, jsonl, Parquet, in whatever encoding they were saved.

Strict about what it cannot know, generous with what is unambiguous. A row that cannot be understood is named with its
line and skipped like a bad file, and all other rows are read; only a table whose structure is wrong (no header, a
column missing, two columns of one meaning, no row left) is an error.

*Quotes.* See :mod:`clipsonic_eval.csv_records`.

*Fields.* A row of more fields than columns is refused: an unquoted separator has cut a field, and there is no telling
which. So is a row with a field that begins with a blank, where hardly any other row (under a tenth) has such a field: a
row without its last field has just as many fields as columns when a comma of its caption cuts it.

*Missing values.* Nothing, ``nan``, ``None``, ``null``, ``N/A``, ``<NA>`` and the like, in any case, are no value.

*Columns.* Names are compared without case, blanks and punctuation; the names that other tools write are listed in
:mod:`clipsonic_eval.table_columns`.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clipsonic_eval.errors import UserError, listed, unknown_name
from clipsonic_eval.table_columns import MEANINGS, is_missing, meaning_of, nearest, plain
from clipsonic_eval.table_rows import NamedRow, Required, one_prompt_per_row, read_rows
from clipsonic_eval.types import Skip

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        line: where it begins in the file, from 1 (for Parquet: its number).
        values: text by meaning; a column that is missing or holds no value has no entry.
    """

    line: int
    values: Mapping[str, str]

    def get(self, meaning: str) -> str | None:
        """Return a value, None where there is none."""
        return self.values.get(meaning)


@dataclass(frozen=True, slots=True)
class Table:
    """The contents of a table.

    Attributes:
        path: of the file.
        columns: meanings that it has a column for.
        rows: those that were understood, in order.
        skipped: the others; the key is the row's, or e.g. ``line-7`` where it is not known.
        notes: sentences about how the file was read, for the screen.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    skipped: tuple[Skip, ...]
    notes: tuple[str, ...]


def read_table(
    path: Path,
    columns: Sequence[str],
    *,
    required: Required,
    layouts: Sequence[tuple[str, ...]] = (),
    captions: bool = False,
    extra: Sequence[str] = (),
    fix: str = "",
) -> Table:
    """Read a table of any format and encoding.

    Args:
        path: of the file; its contents decide the format, the suffix only where tabs and commas compete.
        columns: meanings (see :mod:`clipsonic_eval.table_columns`) that the caller uses; other columns are noted as not
            read.
        required: meanings that every row must have a value for; of a tuple, at least one.
        layouts: the columns where the first row names none, one layout for each number of fields.
        captions: several prompts in one row (``caption_1`` to ``caption_5``, a list in jsonl) become separate rows.
        extra: further columns, which have no other names; one that is missing, or nearly spelt, is no fault.
        fix: what to do where there is no such file, as the end of a sentence.

    Raises:
        UserError: not a regular file, not text, no header, a column missing or misspelt, two of one meaning, or no
            usable row. The sentence lists everything that is wrong with the header.
    """
    names, rows, notes = read_rows(path, columns, required, layouts, fix)
    if captions:
        names, rows = one_prompt_per_row(names, rows)
    meanings, said = _header(path, names, columns, required, extra)
    table = _understood(path, meanings, rows, required)
    return Table(path, table.columns, table.rows, table.skipped, (*notes, *said, *table.notes))


def refuse_unknown_split(split: str | None, known: Iterable[str | None], where: str) -> None:
    """Raise if a split is asked for that no row has.

    Raises:
        UserError: with the splits there are.
    """
    names = sorted({s for s in known if s})
    if split is None or split in names:
        return
    raise unknown_name(f"split in {where}", split, names or ["none, no row names a split; leave --split out"])


def _header(
    path: Path, names: Sequence[str], columns: Sequence[str], required: Required, extra: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Return (meaning by name of each column that is read, notes).

    Raises:
        UserError: a column is missing, misspelt or there twice; the sentence lists all such faults.
    """
    by_meaning: dict[str, list[str]] = {}
    unread: list[str] = []
    for name in names:
        meaning = meaning_of(name)
        if meaning is not None and meaning in columns:
            by_meaning.setdefault(meaning, []).append(name)
        elif plain(name) in extra:
            by_meaning.setdefault(plain(name), []).append(name)
        elif plain(name):
            unread.append(name)
    if "key" in by_meaning:  # an id of its own may stand beside the one that is named key
        exact = [name for name in by_meaning["key"] if plain(name) == "key"]
        if len(exact) == 1:
            unread += [name for name in by_meaning["key"] if name not in exact]
            by_meaning["key"] = exact
    wrong = [
        f"columns {' and '.join(repr(n) for n in found)} both mean '{meaning}', remove or rename all but one"
        for meaning, found in by_meaning.items()
        if len(found) > 1
    ]
    for name in unread:
        near = nearest(plain(name), columns)
        if near and MEANINGS[near] not in by_meaning:
            wrong.append(f"unknown column '{name}'. Did you mean '{near}'?")
    needs: list[tuple[str, ...]] = [(need,) if isinstance(need, str) else need for need in required]
    absent = [need for need in needs if not any(meaning in by_meaning for meaning in need)]
    there = f"{', '.join(names)} (the first row names the columns)"
    wrong += [f"column {' or '.join(repr(m) for m in need)} is missing; found: {there}" for need in absent]
    if wrong:
        raise UserError(f"{path}: {'; '.join(wrong)}")
    meanings = {found[0]: meaning for meaning, found in by_meaning.items()}
    other = [f"'{name}' as {meaning}" for name, meaning in meanings.items() if plain(name) != meaning]
    notes = [f"{path}: read {', '.join(other)}"] if other else []
    notes += [f"{path}: columns not read: {', '.join(unread)}"] if unread else []
    return meanings, notes


def _understood(path: Path, meanings: Mapping[str, str], rows: Sequence[NamedRow], required: Required) -> Table:
    """Keep the rows that have the required values; skip the others with the reason.

    Raises:
        UserError: no row is left.
    """
    kept: list[Row] = []
    skipped: list[Skip] = []
    for row in rows:
        values, problem = ({}, row.problem) if row.problem else _values(row, meanings)
        problem = problem or _lacking(row, values, meanings, required)
        if problem:
            key = values.get("key")
            named = f" (key '{key}')" if key else ""
            skipped.append(Skip(key or f"line-{row.line}", f"{path.name} line {row.line}{named}: {problem}"))
        else:
            kept.append(Row(row.line, values))
    if not kept:
        why = "; ".join(skip.reason for skip in skipped[:_SHOWN]) or "the header must be followed by at least one row"
        raise UserError(f"{path}: holds no row that can be used: {why}")
    columns = tuple(dict.fromkeys(meanings.values()))
    return Table(path, columns, tuple(kept), tuple(skipped), tuple(_gaps(path, columns, kept)))


def _values(row: NamedRow, meanings: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the values of a row as text by meaning, and what is wrong with one of them."""
    found: dict[str, str] = {}
    for name, meaning in meanings.items():
        value = row.values.get(name)
        if isinstance(value, (list, dict)):
            return found, f"'{name}' is a {'list' if isinstance(value, list) else 'mapping'} where one value is needed"
        text = "" if value is None else str(value).strip()
        if not is_missing(text):
            found[meaning] = text
    return found, ""


def _lacking(row: NamedRow, values: Mapping[str, str], meanings: Mapping[str, str], required: Required) -> str:
    for need in required:
        asked = (need,) if isinstance(need, str) else need
        if not any(meaning in values for meaning in asked):
            written = [str(row.values[n]) for n, m in meanings.items() if m in asked and row.values.get(n) is not None]
            shown = next((f" ('{text}' means none)" for text in written if text.strip()), "")
            return f"has no {' or '.join(asked)}{shown}"
    return ""


def _gaps(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for each of label, split and prompt that only some rows have, and for misspelt splits."""
    for meaning in ("label", "split", "prompt"):
        if meaning not in columns:
            continue
        without = [row.line for row in rows if row.get(meaning) is None]
        if without and len(without) < len(rows):
            yield f"{path}: {len(without)} of {len(rows)} rows have no {meaning} (line {listed(without)})"
        elif without:
            yield f"{path}: the column {meaning} is empty"
    counts = Counter(split for row in rows if (split := row.get("split")) is not None)
    for name, n in counts.items():
        near = difflib.get_close_matches(name, [o for o, m in counts.items() if m > 10 * n], n=1, cutoff=0.75)
        if near:
            yield f"{path}: split '{name}' ({n} rows) may be a misspelt '{near[0]}' ({counts[near[0]]} rows)"
