"""Text, JSON and CSV files: how they are read and how they are written.

Files that others made are opened by one rule: regular files only, of a known size, before a byte is read. A named pipe
without a writer blocks whoever opens it, and a link to ``/dev/zero`` never ends; both pass for files by their names. So
every reader calls :func:`require_regular` first. Texts and JSON are bounded in size and in depth.

Writes are atomic (:mod:`clipsonic_eval.atomic`). Tables that people made are read by :mod:`clipsonic_eval.tables`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from clipsonic_eval.atomic import replacing
from clipsonic_eval.errors import UserError

MAX_TEXT: Final = 1 << 30  # bytes of a text: the largest records hold values of every clip
_KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_regular(path: Path, error: type[UserError] = UserError, *, fix: str = "", empty: bool = False) -> int:
    """Raise unless a path is a regular file once links are followed; nothing is opened.

    Args:
        path: of the file.
        error: class of the exception.
        fix: what to do about a file that is not there, as the end of a sentence.
        empty: an empty file is accepted.

    Returns:
        Its size in bytes.

    Raises:
        UserError: (as ``error``) no such file, a folder, a pipe, a socket, a device, or empty.
    """
    end = f"; {fix}" if fix else ""
    try:
        state = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise error(f"{path}: no such file{end}") from None
    except (OSError, ValueError) as problem:  # a ring of links, no permission, a name with a zero byte
        raise error(f"{path}: cannot be read ({getattr(problem, 'strerror', None) or problem}){end}") from None
    if stat.S_ISDIR(state.st_mode):
        raise error(f"{path}: is a folder where a file is needed{end}")
    if not stat.S_ISREG(state.st_mode):
        kind = next((name for is_it, name in _KINDS if is_it(state.st_mode)), "something else")
        raise error(f"{path}: is {kind}, and only regular files are read; write its contents to a file first")
    if state.st_size == 0 and not empty:
        raise error(f"{path}: the file is empty; fetch it again")
    return state.st_size


def open_regular(
    path: Path, error: type[UserError] = UserError, *, fix: str = "", empty: bool = False
) -> io.BufferedReader:
    """Open a regular file for reading bytes; arguments and errors as in :func:`require_regular`."""
    require_regular(path, error, fix=fix, empty=empty)
    try:
        return path.open("rb")
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from None


def read_text(
    path: Path, error: type[UserError] = UserError, *, fix: str = "", limit: int = MAX_TEXT, empty: bool = True
) -> str:
    """Read a UTF-8 text file, with or without a byte order mark.

    Raises:
        UserError: (as ``error``) see :func:`require_regular`; larger than ``limit`` bytes, or not UTF-8.
    """
    size = require_regular(path, error, fix=fix, empty=empty)
    if size > limit:
        raise error(f"{path}: {size} bytes, but a text of at most {limit} is read here; is it another file?")
    with open_regular(path, error, empty=empty) as stream:
        data = stream.read(limit)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise error(f"{path}: not readable as a text in UTF-8{f'; {fix}' if fix else ''}") from None


def read_json(path: Path, error: type[UserError] = UserError, *, fix: str = "") -> Any:
    """Read JSON whose numbers are all finite.

    Args:
        path: of the file.
        error: class of the exception.
        fix: what to do about a file that is missing or not JSON, as the end of a sentence.

    Raises:
        UserError: (as ``error``) see :func:`require_regular`; not JSON, nested too deep, or it holds NaN, an
            infinity, or a number beyond any type.
    """
    text = read_text(path, error, fix=fix)
    end = f"; {fix}" if fix else ""
    try:
        return parse_json(text)
    except ValueError as problem:
        raise error(f"{path}: not readable as JSON ({str(problem)[:120]}){end}") from None


def parse_json(text: str) -> Any:
    """Parse JSON whose numbers are all finite.

    Raises:
        ValueError: not JSON, nested too deep, or it holds NaN, an infinity, or a number beyond any type.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no finite number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is beyond a float")
    return value


def finite_number(text: str) -> float:
    """Parse the number in a cell of a table.

    Raises:
        ValueError: not a number, or not finite; the message is a sentence.

    Example:
        >>> finite_number("0.5")
        0.5
    """
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]!r} is no finite number")
    return value


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8 with the line ends of the text."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: keys in the order given, two spaces, newline at the end.

    Raises:
        ValueError: a number is NaN or infinite.
        TypeError: a value is not of JSON's types.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object] | Sequence[object]]) -> None:
    """Write a table atomically; see :func:`csv_text`."""
    write_text(path, csv_text(columns, rows))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object] | Sequence[object]]) -> str:
    r"""Return a table as CSV: a header, then one line per row.

    Args:
        columns: names, in order.
        rows: values by column name (a missing one is empty), or values in the order of the columns. None becomes an
            empty field; floats keep the shortest digits that read back exactly.

    Raises:
        ValueError: a row has a name that is no column, or not as many values as there are columns.

    Example:
        >>> csv_text(["key", "value"], [{"key": "dog", "value": 0.5}, ("a, b", None)])
        'key,value\ndog,0.5\n"a, b",\n'
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(_fields(columns, row) for row in rows)
    return stream.getvalue()


def _fields(columns: Sequence[str], row: Mapping[str, object] | Sequence[object]) -> Sequence[object]:
    if isinstance(row, Mapping):
        if unknown := row.keys() - set(columns):
            raise ValueError(f"a row has values for {sorted(unknown)}, which are no columns; known: {list(columns)}")
        return [row.get(name) for name in columns]
    if len(row) != len(columns):
        raise ValueError(f"a row has {len(row)} values for {len(columns)} columns")
    return row


def read_csv(path: Path, error: type[UserError] = UserError, *, fix: str = "") -> list[dict[str, str]]:
    """Read a table that :func:`write_csv` wrote; rows with other numbers of fields than the header are left out.

    Args:
        path: of the file.
        error: class of the exception.
        fix: what to do about a file that cannot be read, as the end of a sentence.

    Raises:
        UserError: (as ``error``) see :func:`require_regular`; not readable as CSV.
    """
    reader = csv.DictReader(io.StringIO(read_text(path, error, fix=fix), newline=""))
    try:
        return [row for row in reader if None not in row and None not in row.values()]
    except csv.Error as problem:
        raise error(f"{path}: not readable as csv ({problem}){f'; {fix}' if fix else ''}") from None
