"""The server of a listening test: the page, the sounds, one POST per answer.

It listens on this machine alone unless told otherwise. Only files that the test lists are given, by their name alone. A
request that changes something is JSON of at most 16 KiB; an answer is acknowledged once it is on the disk, and may be
sent as often as it takes. No address of a listener is written anywhere.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import parse_json
from clipsonic_eval.listening import sessions
from clipsonic_eval.listening.database import AnswerDatabase
from clipsonic_eval.listening.folder import ListeningFolder
from clipsonic_eval.listening.page import page

_LARGEST_BODY: Final = 16 << 10
_TIMEOUT_S: Final = 30.0  # of a connection that sends nothing
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "wav": "audio/wav",
    "jpg": "image/jpeg",
    "json": "application/json",
}
_IDENTITY = re.compile(r"[0-9a-f]{32}")
_WORKER = ("platform", "worker", "study", "submission")


class _ProblemError(Exception):
    """An answer that is no success: its status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def make_server(folder: ListeningFolder, host: str, port: int, completion_url: str = "") -> ThreadingHTTPServer:
    """Return a server that is bound to its port and not yet running.

    Args:
        folder: of the test.
        host: address to listen on.
        port: 0: any free one.
        completion_url: where workers of a crowd platform return to; ``{code}`` in it becomes their code.

    Raises:
        UserError: the port is taken, or the database cannot be used.
    """
    handler = type("_HandlerOfTest", (_Handler,), {"served": _Test(folder, completion_url)})
    try:
        return _Server((host, port), handler)
    except OSError as error:
        raise UserError(f"{host}:{port}: cannot be listened on ({error.strerror}); choose another --port") from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave it at that where a browser went away in the middle of a request."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Test:
    """What requests are answered with."""

    def __init__(self, folder: ListeningFolder, completion_url: str) -> None:
        self.folder, self.plan, self.completion_url = folder, folder.plan, completion_url
        self.database = AnswerDatabase(folder.root, folder.plan.id)
        self.page = page(folder).encode()
        self.files = frozenset(folder.files.values())

    def session(self, message: dict[str, Any]) -> dict[str, Any]:
        """Begin a session, or find it again."""
        worker = message.get("crowd")
        if worker is not None and not (
            isinstance(worker, dict)
            and all(isinstance(worker.get(name), str) and len(worker[name]) <= 200 for name in _WORKER)
        ):
            raise _ProblemError(HTTPStatus.BAD_REQUEST, "the parameters of the crowd platform are not texts")
        session, number, crowd = self.database.enter(_session(message), worker)
        return {
            "session": session,
            "listener": number,
            "steps": sessions.steps(self.folder, number),
            "answered": self.database.answered(session),
            "crowd": crowd,
        }

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Store an answer that the listener's list asks for."""
        session, identity = _session(message), message.get("id")
        number = self._number(session)
        if not isinstance(identity, str) or not _IDENTITY.fullmatch(identity):
            raise _ProblemError(HTTPStatus.BAD_REQUEST, "the answer has no id")
        sessions.accepted(self.plan, session, number, message, time="")
        return {"stored": self.database.add(session, message["step"], identity, message)}

    def finish(self, message: dict[str, Any]) -> dict[str, Any]:
        """End a session whose list is answered."""
        session = _session(message)
        wanted = {step["id"] for step in sessions.steps(self.folder, self._number(session))}
        left = wanted - set(self.database.answered(session))
        if left:
            raise _ProblemError(HTTPStatus.CONFLICT, f"{len(left)} questions are not answered yet; load the page again")
        code = self.database.finish(session)
        return {"code": code, "link": self.completion_url.replace("{code}", code) if code else ""}

    def _number(self, session: str) -> int:
        number = self.database.number(session)
        if number is None:
            raise _ProblemError(HTTPStatus.NOT_FOUND, "this session is not known here; load the page again")
        return number


def _session(message: dict[str, Any]) -> str:
    session = message.get("session")
    if not isinstance(session, str) or not sessions.SESSION.fullmatch(session):
        raise _ProblemError(HTTPStatus.BAD_REQUEST, "a session is named by 32 hexadecimal digits")
    return session


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "listening-test", ""
    timeout = _TIMEOUT_S
    served: _Test

    def do_GET(self) -> None:
        """Give the page or a file of the test."""
        path = self.path.partition("?")[0]
        name = path.removeprefix("/clips/")
        if path in ("/", "/index.html"):
            self._send(HTTPStatus.OK, "html", self.served.page, "no-store")
        elif path.startswith("/clips/") and name in self.served.files:
            data = self.served.folder.path(name).read_bytes()
            self._send(HTTPStatus.OK, name.rpartition(".")[2], data, "private, max-age=86400, immutable")
        else:
            self._tell(HTTPStatus.NOT_FOUND, {"error": "there is nothing here"})

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def do_POST(self) -> None:
        """Take a message of the page."""
        actions = {"/session": self.served.session, "/answer": self.served.answer, "/finish": self.served.finish}
        try:
            message = self._message()
            if self.path not in actions:
                raise _ProblemError(HTTPStatus.NOT_FOUND, "there is nothing here")
            if message.get("plan") != self.served.plan.id:
                raise _ProblemError(HTTPStatus.CONFLICT, "this page belongs to another test; load it again")
            self._tell(HTTPStatus.OK, actions[self.path](message))
        except _ProblemError as problem:
            self._tell(problem.status, {"error": str(problem)})
        except UserError as error:
            self._tell(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except sqlite3.Error as error:  # a full disk, a lock that is held: the page tries again
            self._tell(HTTPStatus.SERVICE_UNAVAILABLE, {"error": f"the answer could not be stored ({error})"})

    def _message(self) -> dict[str, Any]:
        """Read the body of a request: JSON, of a stated and limited size."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()) or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            raise _ProblemError(HTTPStatus.LENGTH_REQUIRED, "a message states its length")
        if len(length) > 6 or int(length) > _LARGEST_BODY:
            self.close_connection = True
            raise _ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a message has at most {_LARGEST_BODY} bytes")
        body = self.rfile.read(int(length))
        # no other site can send this type without asking first, and is not answered
        if self.headers.get_content_type() != "application/json":
            raise _ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a message is application/json")
        try:
            message = parse_json(body.decode())
        except ValueError:
            raise _ProblemError(HTTPStatus.BAD_REQUEST, "the message is not JSON") from None
        if not isinstance(message, dict):
            raise _ProblemError(HTTPStatus.BAD_REQUEST, "a message is an object")
        return message

    def _tell(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        self._send(status, "json", json.dumps(value, ensure_ascii=False).encode(), "no-store")

    def _send(self, status: HTTPStatus, kind: str, data: bytes, cache: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _TYPES[kind])
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", cache)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: a log of requests is a list of addresses."""
