"""Sessions and answers of a running test in SQLite, on the disk before anybody is told so.

``answers.sqlite`` holds sessions by a random id or, of a crowd platform, by a keyed hash of the id there. That id
itself stands only in ``payment.sqlite``, beside the completion code and never beside an answer; delete the file once
everybody is paid. Both have a write-ahead log that is synchronised with every transaction. A step of a session has one
answer: the first stands, a different one that comes later is kept in a table of its own.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hmac
import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from clipsonic_eval.errors import UserError

ANSWERS: Final = "answers.sqlite"
PAYMENT: Final = "payment.sqlite"
_WAIT_S = 10.0  # for another writer
_GIVEN_UP = datetime.timedelta(hours=2)  # without an answer: the list may be given to another listener
_NETWORK: Final = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "gpfs",
    "ceph",
    "beegfs",
    "fuse.sshfs",
    "9p",
    "afs",
)
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
    session TEXT PRIMARY KEY, number INTEGER NOT NULL, crowd INTEGER NOT NULL, began TEXT NOT NULL, last TEXT NOT NULL,
    finished TEXT
);
CREATE TABLE IF NOT EXISTS answers (
    session TEXT NOT NULL, step TEXT NOT NULL, id TEXT NOT NULL, time TEXT NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (session, step)
);
CREATE TABLE IF NOT EXISTS later (id TEXT PRIMARY KEY, session TEXT, step TEXT, time TEXT, message TEXT);
"""
_PAYMENT: Final = """
CREATE TABLE IF NOT EXISTS payment (
    code TEXT PRIMARY KEY, platform TEXT NOT NULL, worker TEXT NOT NULL, study TEXT NOT NULL, submission TEXT NOT NULL,
    began TEXT NOT NULL, finished TEXT
);
"""
Stored = Literal["new", "again", "later"]


class AnswerDatabase:
    """The database of one test; every method is one transaction and may be called from any thread.

    Args:
        root: folder of the test, on a disk of this machine.
        plan: id of the plan.

    Raises:
        UserError: the folder lies on a network file system, or the database is damaged or of another plan.
    """

    def __init__(self, root: Path, plan: str) -> None:
        kind = _file_system(root)
        if kind in _NETWORK:
            raise UserError(
                f"{root}: lies on a network file system ({kind}), where SQLite loses answers; use a local disk"
            )
        self._answers, self._payment = root / ANSWERS, root / PAYMENT
        try:
            for path, tables in ((self._answers, _TABLES), (self._payment, _PAYMENT)):
                with contextlib.closing(_connect(path)) as database:
                    database.execute("PRAGMA journal_mode = WAL")
                    database.executescript(tables)
            with _transaction(self._answers) as database:
                about = [("plan", plan), ("secret", secrets.token_hex(32))]
                database.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", about)
                known = dict(database.execute("SELECT name, value FROM about"))
        except sqlite3.DatabaseError as error:
            raise UserError(f"{root}: its answers cannot be opened ({error}); restore {ANSWERS} from a copy") from None
        if known["plan"] != plan:
            raise UserError(
                f"{self._answers}: answers of plan {known['plan']}, not of {plan}; use the folder of that plan"
            )
        self._secret = known["secret"].encode()

    def enter(self, session: str, worker: Mapping[str, str] | None) -> tuple[str, int, bool]:
        """Begin or find a session.

        Args:
            session: random, 32 hexadecimal digits; of a worker his own earlier one is taken.
            worker: ``platform``, ``worker``, ``study`` and ``submission`` of a crowd platform.

        Returns:
            (session, number of the listener, whether it is a worker's).
        """
        if worker is not None:
            session = self._keyed("session", worker["platform"], worker["study"], worker["worker"])[:32]
        now = _now()
        with _transaction(self._answers) as database:
            found = database.execute("SELECT number, crowd FROM sessions WHERE session = ?", (session,)).fetchone()
            number, crowd = found or (_free_number(database), worker is not None)
            if not found:
                row = (session, number, crowd, now, now)
                database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, NULL)", row)
        if worker is not None:
            payment = (
                self.code(session),
                *(worker[name] for name in ("platform", "worker", "study", "submission")),
                now,
            )
            with _transaction(self._payment) as database:
                database.execute("INSERT OR IGNORE INTO payment VALUES (?, ?, ?, ?, ?, ?, NULL)", payment)
        return session, number, bool(crowd)

    def number(self, session: str) -> int | None:
        """Return the number of a session's listener, None where there is no such session."""
        with _transaction(self._answers) as database:
            found = database.execute("SELECT number FROM sessions WHERE session = ?", (session,)).fetchone()
        return None if found is None else int(found[0])

    def answered(self, session: str) -> list[str]:
        """Return the steps that have an answer."""
        with _transaction(self._answers) as database:
            rows = database.execute("SELECT step FROM answers WHERE session = ? ORDER BY rowid", (session,))
            return [step for (step,) in rows]

    def add(self, session: str, step: str, identity: str, message: Mapping[str, Any]) -> Stored:
        """Store an answer.

        Args:
            session: that it belongs to.
            step: of its list.
            identity: drawn by the page; a message that is sent again has the same.
            message: as it came.

        Returns:
            ``new``; ``again`` if the same message was stored before; ``later`` if another one was, which stands.
        """
        text = json.dumps(message, ensure_ascii=False, sort_keys=True)
        now = _now()
        with _transaction(self._answers) as database:
            row = (session, step, identity, now, text)
            if database.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", row).rowcount:
                database.execute("UPDATE sessions SET last = ? WHERE session = ?", (now, session))
                return "new"
            where = (session, step)
            (first,) = database.execute("SELECT id FROM answers WHERE session = ? AND step = ?", where).fetchone()
            if first == identity:
                return "again"
            database.execute("INSERT OR IGNORE INTO later VALUES (?, ?, ?, ?, ?)", (identity, session, step, now, text))
            return "later"

    def finish(self, session: str) -> str:
        """Note that a session is complete; return its completion code, "" where it is of no crowd platform."""
        now = _now()
        with _transaction(self._answers) as database:
            database.execute("UPDATE sessions SET finished = ? WHERE session = ? AND finished IS NULL", (now, session))
            (crowd,) = database.execute("SELECT crowd FROM sessions WHERE session = ?", (session,)).fetchone()
        if not crowd:
            return ""
        code = self.code(session)
        with _transaction(self._payment) as database:
            database.execute("UPDATE payment SET finished = ? WHERE code = ? AND finished IS NULL", (now, code))
        return code

    def code(self, session: str) -> str:
        """Return the completion code of a session: ten letters and digits that say nothing about it."""
        digest = bytes.fromhex(self._keyed("code", session))
        return base64.b32encode(digest).decode()[:10]

    def rows(self, table: Literal["answers", "later"]) -> list[tuple[str, int, str, str, dict[str, Any]]]:
        """Return (session, number, step, time, message) of every answer, in the order in which they came."""
        columns = "session, number, step, time, message"
        query = f"SELECT {columns} FROM {table} JOIN sessions USING (session) ORDER BY {table}.rowid"  # noqa: S608
        with _transaction(self._answers) as database:
            return [(*row, json.loads(text)) for *row, text in database.execute(query)]

    def sessions(self) -> list[tuple[str, int, str, str | None]]:
        """Return (session, number, began, finished) of every session."""
        with _transaction(self._answers) as database:
            return list(database.execute("SELECT session, number, began, finished FROM sessions ORDER BY rowid"))

    def payments(self) -> list[tuple[str, ...]]:
        """Return (platform, worker, study, submission, code, began, finished) of every worker, without answers."""
        columns = "platform, worker, study, submission, code, began, coalesce(finished, '')"
        with _transaction(self._payment) as database:
            return list(database.execute(f"SELECT {columns} FROM payment ORDER BY rowid"))  # noqa: S608

    def _keyed(self, *parts: str) -> str:
        return hmac.new(self._secret, "\0".join(parts).encode(), "sha256").hexdigest()


def _free_number(database: sqlite3.Connection) -> int:
    """Return the least number that no listener has: none who finished, or answered or began lately."""
    since = (datetime.datetime.now(datetime.timezone.utc) - _GIVEN_UP).isoformat()
    rows = database.execute("SELECT number FROM sessions WHERE finished IS NOT NULL OR last > ?", (since,))
    taken = {number for (number,) in rows}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    database.execute("PRAGMA synchronous = FULL")
    return database


@contextlib.contextmanager
def _transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection within a transaction that is on the disk when the block is left."""
    with contextlib.closing(_connect(path)) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a folder lies on, "" where it cannot be told."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place = folder.resolve()
    mounts = [(Path(parts[1].replace("\\040", " ")), parts[2]) for line in lines if len(parts := line.split()) > 2]
    holding = [(len(mount.parts), kind) for mount, kind in mounts if place.is_relative_to(mount)]
    return max(holding, default=(0, ""))[1]
