"""The two sides of a comparison as a user names them: paths, glob patterns, pins and hashes, or records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from clipsonic_eval import records
from clipsonic_eval.errors import UserError
from clipsonic_eval.history.store import History, record_files
from clipsonic_eval.records import RunRecord

Side = str | os.PathLike[str] | RunRecord | Sequence[str | os.PathLike[str] | RunRecord]


def read_side(given: Side, history: History | None = None) -> tuple[str, tuple[RunRecord, ...]]:
    """Return the name and the records of a side.

    Args:
        given: a record; a run folder, ``record.json``, a folder that holds several runs, or a glob pattern; with a
            history also a pin, the first digits of a hash, or ``latest``; or several of these.
        history: where pins and hashes are looked up, before paths.

    Raises:
        UserError: there is no such run or reference, or a record cannot be read.
    """
    several = [given] if isinstance(given, str | os.PathLike | RunRecord) else list(given)
    named = [_name(one) for one in several]
    return ", ".join(named), tuple(record for one in several for record in _read(one, history))


def _name(one: str | os.PathLike[str] | RunRecord) -> str:
    if isinstance(one, RunRecord):
        return str(one.provenance.get("created") or one.kind)
    return os.fspath(one)


def _read(one: str | os.PathLike[str] | RunRecord, history: History | None) -> tuple[RunRecord, ...]:
    if isinstance(one, RunRecord):
        return (one,)
    text = os.fspath(one)
    if history is not None:
        try:
            return history.resolve(text)
        except UserError:
            if not Path(text).exists() and not record_files(text):
                raise
    found = record_files(text)
    if not found:
        what = "no record.json here or below" if Path(text).exists() else "no such run"
        raise UserError(f"{text}: {what}; give a folder that `evaluate` or `bench` wrote, or a pin with --history")
    return tuple(map(records.read, found))
