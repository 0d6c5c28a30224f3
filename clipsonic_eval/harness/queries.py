"""Queries from a table: what is asked of every system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval.datasets import AUDIO_SUFFIXES, key_of, without_suffix
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import Progress
from clipsonic_eval.tables import Row, listed, read_table
from clipsonic_eval.types import Query, Skip

_COLUMNS = ("key", "prompt", "label", "image", "path")
_LONGEST_KEY = 200  # bytes; with the suffix and a temporary file's additions still a file name everywhere


@dataclass(frozen=True, slots=True)
class AskedQueries:
    """What a table of queries holds.

    Attributes:
        queries: the rows that were understood, with distinct keys.
        skipped: the others.
        notes: sentences about how the table was read.
    """

    queries: tuple[Query, ...]
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()

    def tell(self, progress: Progress) -> None:
        """Show the notes."""
        for note in self.notes:
            progress.note(note)


def read_queries(path: Path) -> AskedQueries:
    """Read queries from a table (see :mod:`clipsonic_eval.tables`).

    Columns: ``key`` (identity; becomes the name of the output file), ``prompt``, and, where there are any, ``label``
    and ``image`` or ``path`` (a picture or a video, relative to the table's folder). Without a key the name of the
    file makes it; a key that is the name of a media file loses its suffix. Other columns are noted as not read.
    Whether the files exist is found out when they are needed: the query is skipped then, the others go on.

    Raises:
        UserError: the table cannot be read, a column is missing, a key is there twice, or no row can be used.
    """
    mend = "give a table with the columns key and prompt"
    table = read_table(path, _COLUMNS, required=(("key", "path"), "prompt"), mend=mend)
    if {"image", "path"} <= set(table.columns):
        raise UserError(f"{path}: has both columns 'image' and 'path'; keep the one that names the picture or video")
    keys = _keys(table.rows)
    shortened = [said for row, key in zip(table.rows, keys, strict=True) if (said := row.get("key")) not in (None, key)]
    notes = list(table.notes)
    if shortened:
        notes.append(f"{path}: keys that are names of files were read without the suffix: {listed(shortened)}")
    queries: list[Query] = []
    skipped = list(table.skipped)
    for row, key in zip(table.rows, keys, strict=True):
        if problem := _problem(key):
            skipped.append(Skip(f"line-{row.line}", f"{path.name} line {row.line}: {problem}"))
        else:
            queries.append(_query(path.parent, key, row))
    if not queries:
        raise UserError(f"{path}: holds no row that can be used: {'; '.join(s.reason for s in skipped[:3])}")
    check_keys(queries, where=str(path))
    return AskedQueries(tuple(queries), tuple(skipped), tuple(notes))


def check_keys(queries: Iterable[Query], *, where: str = "queries") -> None:
    """Refuse keys that appear twice or cannot be the name of a file.

    Raises:
        UserError: so it is; names the first one.
    """
    seen: set[str] = set()
    for query in queries:
        if problem := _problem(query.key):
            raise UserError(f"{where}: {problem}")
        if query.key in seen:
            raise UserError(f"{where}: key '{query.key}' is there twice; every query needs a key of its own")
        seen.add(query.key)


def _problem(key: str) -> str:
    """Say why a key cannot be the name of a file, "" if it can."""
    if not key or key.startswith(".") or len(key.encode()) > _LONGEST_KEY or any(c in "/\\\0\r\n" for c in key):
        return (
            f"key '{key}' cannot be the name of a file; keys are 1 to {_LONGEST_KEY} bytes without slashes and do not "
            "begin with a dot"
        )
    return ""


def _keys(rows: Sequence[Row]) -> list[str]:
    """Return the keys; names of media files lose their suffix, unless two keys would become one."""
    said = [row.get("key") or key_of(Path(row.values["path"].rsplit("/", 1)[-1])) for row in rows]
    short = [without_suffix(key) for key in said]
    return short if len(set(short)) == len(set(said)) else said


def _query(folder: Path, key: str, row: Row) -> Query:
    file = row.get("image") or row.get("path")
    if file is not None and Path(file).suffix.lower() in AUDIO_SUFFIXES:
        file = None  # a list of sounds: nothing to look at
    return Query(key, row.values["prompt"], None if file is None else folder / file, row.get("label"))
