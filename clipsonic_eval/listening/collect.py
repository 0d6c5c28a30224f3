"""Answers from the database of the server and from files of the page without one, as one list."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_csv
from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.database import ANSWERS, AnswerDatabase
from clipsonic_eval.listening.folder import ListeningFolder
from clipsonic_eval.listening.sessions import SESSION, accepted
from clipsonic_eval.types import Skip


class _Message(NamedTuple):
    source: str
    session: str
    number: int
    time: str
    content: dict[str, Any]


def collect(folder: ListeningFolder, files: Sequence[Path]) -> tuple[list[Answer], list[Skip]]:
    """Return all answers of a test.

    Args:
        folder: of the test; its database is read if there is one, while the server runs too.
        files: that listeners saved (the page without a server), and folders of such files.

    Returns:
        (answers, what was left out): files of other tests, answers that the lists do not ask for, and second answers to
        one question, of which the first by time stands.
    """
    skipped: list[Skip] = []
    messages = [*_of_database(folder), *_of_files(folder, files, skipped)]
    first: dict[tuple[str, str], _Message] = {}
    answers: list[Answer] = []
    for one in sorted(messages, key=lambda message: message.time):
        key = (one.session, str(one.content.get("step")))
        where = f"{one.source}, step {key[1][:20]} of session {one.session[:8]}"
        if key in first:
            kept = first[key]
            same = "the same" if kept.content.get("id") == one.content.get("id") else "another one"
            skipped.append(Skip(where, f"{where}: a second answer, {same} as in {kept.source}; the first stands"))
            continue
        try:
            answers += accepted(folder.plan, one.session, one.number, one.content, one.time)
        except UserError as error:
            skipped.append(Skip(where, f"{where}: {error}"))
        else:
            first[key] = one
    return answers, skipped


def _of_database(folder: ListeningFolder) -> Iterator[_Message]:
    if not (folder.root / ANSWERS).exists():
        return
    database = AnswerDatabase(folder.root, folder.plan.id)
    for table in ("answers", "later"):
        for session, number, _, time, content in database.rows(table):
            yield _Message(ANSWERS, session, number, time, content)


def _of_files(folder: ListeningFolder, files: Sequence[Path], skipped: list[Skip]) -> Iterator[_Message]:
    listed = [one for file in files for one in (sorted(file.glob("*.json")) if file.is_dir() else [file])]
    for file in listed:
        try:
            tree = read_json(file, fix="give the file that the page saved")
            yield from _of_tree(folder, file, tree)
        except UserError as error:
            skipped.append(Skip(file.name, str(error)))


def _of_tree(folder: ListeningFolder, file: Path, tree: Any) -> list[_Message]:
    """Return what a file holds.

    Raises:
        UserError: it is no file of answers, or of another plan.
    """
    wanted = {"plan": str, "session": str, "listener": int, "answers": list}
    if not isinstance(tree, dict) or not all(isinstance(tree.get(name), kind) for name, kind in wanted.items()):
        raise UserError(f"{file}: no answers of a listening test; give the file that the page saved")
    if tree["plan"] != folder.plan.id:
        raise UserError(
            f"{file}: answers of plan {tree['plan'][:40]}, not of {folder.plan.id}; give the folder of that test"
        )
    if not SESSION.fullmatch(tree["session"]) or not 0 <= tree["listener"] < 1_000_000:
        raise UserError(f"{file}: its session or listener is none that the page writes; was the file edited?")
    messages = [content for content in tree["answers"] if isinstance(content, dict)]
    return [_Message(file.name, tree["session"], tree["listener"], _time(file, one), one) for one in messages]


def _time(file: Path, content: dict[str, Any]) -> str:
    """Return the time by the listener's clock, UTC."""
    try:
        found = datetime.datetime.fromisoformat(str(content.get("clock")))
    except ValueError:
        raise UserError(f"{file}: an answer without the time of its clock; was the file edited?") from None
    return found.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds")


def write_payment(folder: ListeningFolder, path: Path) -> int:
    """Write who came from a crowd platform, with completion codes and without answers; return their number."""
    columns = ("platform", "worker", "study", "submission", "code", "began", "finished")
    rows = AnswerDatabase(folder.root, folder.plan.id).payments() if (folder.root / ANSWERS).exists() else []
    write_csv(path, columns, rows)
    return len(rows)
