"""The one reader of tables that people made: csv, tsv, ``;``, jsonl, parquet, in whatever encoding they were saved.

Strict about what it can't know, generous with what is unambiguous. A row that can't be understood is named with its
line and left out like a bad file, and all other rows are read; only a table whose structure is wrong (no header, a
column missing, two columns of one meaning, no row left) is an error.

*Quotes.* See :mod:`clipsonic_eval.csv_records`.

*Fields.* A row of more fields than columns is refused: an unquoted separator has cut a field, nobody knows which. So is
one with a field that begins with a blank, where hardly any other row (under a tenth) has such a one: a row without its
last field has just as many fields as columns when a comma of its caption cuts it.

*Missing.* Nothing, ``nan``, ``None``, ``null``, ``N/A``, ``<NA>`` and the like, in any case, are no value.

*Columns.* Names are compared without case, blanks and signs; what other tools write stands in ``ALIASES``.
"""

from __future__ import annotations

import codecs
import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.csv_records import Record, records, whole, without_odd_blanks
from clipsonic_eval.errors import UserError, listed, unknown_name
from clipsonic_eval.files import MAX_TEXT, open_regular
from clipsonic_eval.types import Skip

MISSING: Final = frozenset({"", "nan", "none", "null", "na", "n/a", "#n/a", "<na>", "nat"})
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "key": (
        "id", "ytid", "youtube_id", "youtubeid", "video_id", "audiocap_id", "clip_id", "audio_id", "sound_id",
        "sample_id", "item_id", "track_id", "uid", "uuid",
    ),
    "path": (
        "file", "filename", "file_name", "filepath", "file_path", "audio", "audio_path", "audio_file",
        "audio_filename", "wav", "wav_path", "wav_file", "video", "video_path", "video_file", "location",
    ),
    "image": ("image_path", "picture", "picture_path", "frame"),
    "start_s": (
        "start", "start_time", "start_second", "start_seconds", "start_sec", "start_time_s", "start_time_seconds",
        "begin", "begin_s", "begin_time", "onset",
    ),
    "end_s": (
        "end", "end_time", "end_second", "end_seconds", "end_sec", "end_time_s", "end_time_seconds", "stop", "stop_s",
        "stop_time", "offset",
    ),
    "duration_s": (
        "duration", "duration_second", "duration_seconds", "duration_sec", "dur", "length", "length_s",
        "length_seconds",
    ),
    "prompt": ("caption", "captions", "text", "description", "sentence", "raw_text", "raw_caption"),
    "label": ("class", "category", "class_name", "classname", "class_label", "label_name", "category_name"),
    "split": ("subset", "set", "partition"),
    "seed": (),
    "sha256": (),
    "query": (),
}  # fmt: skip
_MEANINGS: Final = {alias: meaning for meaning, others in ALIASES.items() for alias in (meaning, *others)}
_SEPARATORS: Final = ",;\t"
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        line: where it begins in the file, from 1 (of a parquet file: its number).
        values: text by meaning; a column that is missing or holds nothing has no entry.
    """

    line: int
    values: Mapping[str, str]

    def get(self, meaning: str) -> str | None:
        """Return a value, None where there is none."""
        return self.values.get(meaning)


@dataclass(frozen=True, slots=True)
class Table:
    """What a table holds.

    Attributes:
        path: of the file.
        columns: meanings that it has a column for.
        rows: the ones that were understood, in order.
        skipped: the others; the key is the row's, or ``line-7`` where it isn't known.
        notes: sentences about how it was read, for the screen.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    skipped: tuple[Skip, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Named:
    """A row whose fields have the names that the file gives them; with a ``problem`` it has none."""

    line: int
    values: Mapping[str, Any]
    problem: str = ""


def read_table(
    path: Path,
    columns: Sequence[str],
    *,
    required: Sequence[str | tuple[str, ...]],
    layouts: Sequence[tuple[str, ...]] = (),
    captions: bool = False,
    fix: str = "",
) -> Table:
    """Read a table of any format and encoding.

    Args:
        path: of the file; its contents say what it is, the suffix only where tabs and commas compete.
        columns: meanings (of ``ALIASES``) that the caller can use; further columns are noted as not read.
        required: meanings that every row must have a value of; of a tuple, at least one.
        layouts: what the columns are where the first row names none, one layout for each number of fields.
        captions: several prompts in one row (``caption_1`` to ``caption_5``, a list in jsonl) become rows of their own.
        fix: what to do where there is no such file, as the end of a sentence.

    Raises:
        UserError: no regular file, no text, no header, a column missing or misspelt, two of one meaning, or no row
            that can be used. All that is wrong with the header is said at once.
    """
    data = _bytes(path, fix)
    notes: list[str] = []
    if data.startswith(b"PAR1"):
        names, rows = _parquet(path)
    else:
        text, note = _decoded(path, data)
        notes += [note] if note else []
        if not text.strip():
            raise UserError(f"{path}: the file is empty; the first row must name the columns{_like(columns)}")
        if text.lstrip()[0] in "{[" and path.suffix.lower() not in (".csv", ".tsv"):
            names, rows = _json(path, text)
        else:
            names, rows = _separated(path, text, columns, required, layouts)
    if captions:
        names, rows = _one_prompt_a_row(names, rows)
    meanings, said = _header(path, names, columns, required)
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


# ---- bytes to text


def _bytes(path: Path, fix: str) -> bytes:
    with open_regular(path, fix=fix, empty=True) as stream:
        data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise UserError(f"{path}: larger than {MAX_TEXT} bytes; a table of this size is no list of clips, split it")
    return data


def _decoded(path: Path, data: bytes) -> tuple[str, str]:
    """Return text with line ends of one kind, and a note where the encoding had to be found out.

    Lines that aren't UTF-8 between others that are keep surrogates, by which their rows are known.
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


# ---- text to records


def _separated(
    path: Path,
    text: str,
    columns: Sequence[str],
    required: Sequence[str | tuple[str, ...]],
    layouts: Sequence[tuple[str, ...]],
) -> tuple[list[str], list[_Named]]:
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
    """Return what separates fields: by which the first line names most columns, else most rows have a known length."""

    def quality(separator: str) -> tuple[int, int, bool, int]:
        head = whole(lines[0], separator) or ()
        named = sum(_MEANINGS.get(_plain(name)) in columns for name in head)
        fitting = sum(len(whole(line, separator) or ()) in lengths for line in lines[:200]) if lengths else 0
        own = separator == "\t" and path.suffix.lower() == ".tsv" and "\t" in lines[0]
        return named, fitting, own, lines[0].count(separator)

    return max(_SEPARATORS, key=quality)


def _is_header(
    names: Sequence[str], columns: Sequence[str], required: Sequence[str | tuple[str, ...]], optional: bool
) -> bool:
    """Say whether a first row names columns: one known name will do where there must be a header, else two."""
    known = {_MEANINGS[_plain(name)] for name in names if _MEANINGS.get(_plain(name)) in columns}
    enough = all(known & set((need,) if isinstance(need, str) else need) for need in required)
    misspelt = any(_near(_plain(name), columns) for name in names)
    return enough or (len(known) >= 2 if optional else bool(known) or misspelt)


def _named(record: Record, names: Mapping[int, tuple[str, ...]]) -> _Named:
    if record.problem:
        return _Named(record.line, {}, record.problem)
    fields = list(record.fields)
    while len(fields) > max(names) and not fields[-1]:
        fields.pop()
    if len(names) > 1 and len(fields) not in names:
        return _Named(
            record.line, {}, f"{len(fields)} fields where {' or '.join(map(str, sorted(names)))} are expected"
        )
    columns = names[len(fields)] if len(fields) in names else next(iter(names.values()))
    if len(fields) > len(columns):
        problem = f"{len(fields)} fields, {len(columns)} columns; put fields that hold the separator into quotes"
        return _Named(record.line, {}, problem)
    if any(_is_surrogate(c) for field in fields for c in field):
        return _Named(record.line, {}, "is not in UTF-8 as the other lines are")
    return _Named(record.line, dict(zip(columns, fields, strict=False)))


# ---- other formats


def _parquet(path: Path) -> tuple[list[str], list[_Named]]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not readable as parquet ({str(error).splitlines()[0]})") from None
    return list(rows[0]) if rows else [], [_Named(number, row) for number, row in enumerate(rows, 1)]


def _json(path: Path, text: str) -> tuple[list[str], list[_Named]]:
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


def _json_line(number: int, line: str) -> _Named:
    try:
        return _object(number, json.loads(line))
    except (ValueError, RecursionError) as error:
        return _Named(number, {}, f"not readable as JSON ({getattr(error, 'msg', 'nested too deep')})")


def _object(number: int, value: Any) -> _Named:
    if isinstance(value, dict):
        return _Named(number, value)
    return _Named(number, {}, "expected an object with named fields")


def _one_prompt_a_row(names: list[str], rows: list[_Named]) -> tuple[list[str], list[_Named]]:
    """Return rows of one prompt each, where several columns (``caption_1``, ...) or a list hold several."""
    own = [name for name in names if _MEANINGS.get(_plain(name)) == "prompt"]
    numbered = [n for n in names if _MEANINGS.get(re.sub(r"_?\d+$", "", _plain(n))) == "prompt" and n not in own]
    if own:
        numbered = []
    elif not numbered:
        return names, rows
    into = own[0] if own else "prompt"
    result: list[_Named] = []
    for row in rows:
        found: list[Any] = [row.values.get(name) for name in numbered]
        several = row.values.get(into) if own else None
        found += [one for one in several if not isinstance(one, (list, dict))] if isinstance(several, list) else []
        held = [one for one in found if one is not None and not is_missing(str(one))]
        if row.problem or (own and not isinstance(several, list)):
            result.append(row)
        else:
            rest = {name: value for name, value in row.values.items() if name not in numbered}
            result += [_Named(row.line, {**rest, into: one}) for one in held or [None]]
    return [*(name for name in names if name not in numbered), *([] if own else [into])], result


# ---- names to meanings


def _plain(name: str) -> str:
    """Return a column's name without case, blanks and signs: ``Start (s)`` is ``start_s``, ``# YTID`` is ``ytid``."""
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")


def _near(plain: str, columns: Sequence[str]) -> str:
    """Return the meaning that a name nearly spells, "" if it is a known name or far from all."""
    if not plain or plain in _MEANINGS:
        return ""
    known = [alias for alias, meaning in _MEANINGS.items() if meaning in columns]
    near = [a for a in difflib.get_close_matches(plain, known, n=3, cutoff=0.75) if abs(len(a) - len(plain)) <= 2]
    return next((a for a in near if a in columns), near[0] if near else "")


def _header(
    path: Path, names: Sequence[str], columns: Sequence[str], required: Sequence[str | tuple[str, ...]]
) -> tuple[dict[str, str], list[str]]:
    """Return (meaning by name of a column that is read, notes).

    Raises:
        UserError: with all that is wrong with the columns.
    """
    by_meaning: dict[str, list[str]] = {}
    unread: list[str] = []
    for name in names:
        meaning = _MEANINGS.get(_plain(name))
        if meaning is not None and meaning in columns:
            by_meaning.setdefault(meaning, []).append(name)
        elif _plain(name):
            unread.append(name)
    if "key" in by_meaning:  # an id of its own may stand beside the one that is named key
        exact = [name for name in by_meaning["key"] if _plain(name) == "key"]
        if len(exact) == 1:
            unread += [name for name in by_meaning["key"] if name not in exact]
            by_meaning["key"] = exact
    wrong = [
        f"columns {' and '.join(repr(n) for n in found)} both mean '{meaning}', remove or rename all but one"
        for meaning, found in by_meaning.items()
        if len(found) > 1
    ]
    for name in unread:
        near = _near(_plain(name), columns)
        if near and _MEANINGS[near] not in by_meaning:
            wrong.append(f"unknown column '{name}'. Did you mean '{near}'?")
    needs: list[tuple[str, ...]] = [(need,) if isinstance(need, str) else need for need in required]
    absent = [need for need in needs if not any(meaning in by_meaning for meaning in need)]
    wrong += [f"column {' or '.join(repr(m) for m in need)} is missing; found: {', '.join(names)}" for need in absent]
    if wrong:
        raise UserError(f"{path}: {'; '.join(wrong)}")
    meanings = {found[0]: meaning for meaning, found in by_meaning.items()}
    other = [f"'{name}' as {meaning}" for name, meaning in meanings.items() if _plain(name) != meaning]
    notes = [f"{path}: read {', '.join(other)}"] if other else []
    notes += [f"{path}: columns not read: {', '.join(unread)}"] if unread else []
    return meanings, notes


def _understood(
    path: Path, meanings: Mapping[str, str], rows: Sequence[_Named], required: Sequence[str | tuple[str, ...]]
) -> Table:
    """Take the rows that have what is required, and say which others have gaps.

    Raises:
        UserError: there is none, with the reasons.
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


def _values(row: _Named, meanings: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return text by meaning of what isn't missing, and what is wrong with a value."""
    found: dict[str, str] = {}
    for name, meaning in meanings.items():
        value = row.values.get(name)
        if isinstance(value, (list, dict)):
            return found, f"'{name}' is a {'list' if isinstance(value, list) else 'mapping'} where one value is needed"
        text = "" if value is None else str(value).strip()
        if not is_missing(text):
            found[meaning] = text
    return found, ""


def is_missing(text: str) -> bool:
    """Say whether a cell holds nothing, or what programs write for nothing."""
    return text.strip().lower() in MISSING


def _lacking(
    row: _Named, values: Mapping[str, str], meanings: Mapping[str, str], required: Sequence[str | tuple[str, ...]]
) -> str:
    for need in required:
        asked = (need,) if isinstance(need, str) else need
        if not any(meaning in values for meaning in asked):
            written = [str(row.values[n]) for n, m in meanings.items() if m in asked and row.values.get(n) is not None]
            shown = next((f" ('{text}' means none)" for text in written if text.strip()), "")
            return f"has no {' or '.join(asked)}{shown}"
    return ""


def _gaps(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for each column that has a meaning for all rows and that some have and others haven't."""
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
