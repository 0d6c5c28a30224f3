"""Queries from a csv: what is asked of every system."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.types import Query

_REQUIRED = ("key", "prompt")
_KNOWN = ("key", "prompt", "label", "image", "path")
_LONGEST_KEY = 200  # bytes; with the suffix and a temporary file's additions still a file name everywhere


def read_queries(path: Path) -> list[Query]:
    """Read queries from a csv with a header.

    Columns: ``key`` (identity; becomes the name of the output file), ``prompt``, and, where there are any, ``label``
    and ``image`` or ``path`` (a picture or a video, relative to the csv's folder). Other columns are left alone.
    Whether the files exist is found out when they are needed: the query is skipped then, the others go on.

    Raises:
        UserError: no such file, not a csv in UTF-8, a column is missing, a key is there twice or is no file name, a
            prompt is empty, or there is no row.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = list(reader)
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such file; give a csv with the columns key and prompt") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not readable as a csv in UTF-8 ({error})") from None
    _check_header(path, header)
    queries = [_query(path, number, row) for number, row in enumerate(rows, start=2)]
    if not queries:
        raise UserError(f"{path}: holds no query; the header must be followed by at least one row")
    check_keys(queries, where=str(path))
    return queries


def check_keys(queries: Iterable[Query], *, where: str = "queries") -> None:
    """Refuse keys that appear twice or cannot be the name of a file.

    Raises:
        UserError: so it is; names the first one.
    """
    seen: set[str] = set()
    for query in queries:
        key = query.key
        if not key or key.startswith(".") or len(key.encode()) > _LONGEST_KEY or any(c in "/\\\0\r\n" for c in key):
            raise UserError(
                f"{where}: key '{key}' cannot be the name of a file; keys are 1 to {_LONGEST_KEY} bytes without "
                "slashes and do not begin with a dot"
            )
        if key in seen:
            raise UserError(f"{where}: key '{key}' is there twice; every query needs a key of its own")
        seen.add(key)


def _check_header(path: Path, header: list[str]) -> None:
    for name in _REQUIRED:
        if name not in header:
            raise UserError(f"{path}: column '{name}' is missing; found: {', '.join(header) or 'an empty file'}")
    if "image" in header and "path" in header:
        raise UserError(f"{path}: has both columns 'image' and 'path'; keep the one that names the picture or video")
    for name in header:
        if name not in _KNOWN and name.lower() in _KNOWN:
            raise unknown_name(f"column in {path}", name, _KNOWN)


def _query(path: Path, line: int, row: dict[str, str | None]) -> Query:
    values = {name: (row.get(name) or "").strip() for name in _KNOWN}
    if not values["prompt"]:
        raise UserError(f"{path}: line {line} (key '{values['key']}') has no prompt; every query needs one")
    file = values["image"] or values["path"]
    return Query(values["key"], values["prompt"], path.parent / file if file else None, values["label"] or None)
