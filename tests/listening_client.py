"""What a listener's browser sends, without a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

from clipsonic_eval.listening.folder import ListeningFolder
from clipsonic_eval.listening.server import make_server


@contextlib.contextmanager
def running(folder: ListeningFolder, completion_url: str = "") -> Iterator[ThreadingHTTPServer]:
    """Run the server of a test in a thread, on a free port."""
    with make_server(folder, "127.0.0.1", 0, completion_url) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Client:
    """Sends messages to a server at a port of this machine.

    Args:
        port: of the server.
        plan: id that the messages name.
        session: 32 hexadecimal digits; by default random ones.
    """

    def __init__(self, port: int, plan: str, session: str | None = None) -> None:
        self.port, self.plan, self.session = port, plan, session or secrets.token_hex(16)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send one request over a connection of its own; return the status and the body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def post(self, path: str, **message: Any) -> tuple[int, dict[str, Any]]:
        """Send a message of the session; return the status and the answer."""
        body = json.dumps({"plan": self.plan, "session": self.session, **message}).encode()
        status, answer = self.request("POST", path, body)
        return status, json.loads(answer)

    def enter(self, **crowd: str) -> dict[str, Any]:
        """Begin or find the session, and go on under the name that the server gives it."""
        worker = {"platform": "prolific", "study": "s", "submission": "x", **crowd} if crowd else None
        status, found = self.post("/session", crowd=worker)
        assert status == 200, found
        self.session = found["session"]
        return found

    def answer(self, step: dict[str, Any], value: str = "", /, **changes: Any) -> tuple[int, dict[str, Any]]:
        """Answer a step of the list as the page would."""
        return self.post("/answer", **(answer_to(step, value) | changes))


def answer_to(step: dict[str, Any], value: str = "") -> dict[str, Any]:
    """Return the message that answers a step: by ``value`` or by something that its scale has."""
    n = len(step["clips"])
    values = [str(10 * i) for i in range(n)] if n > 2 else [value or ("left" if n == 2 else "2")]
    clock = "2026-01-01T12:00:00.000Z"
    return {
        "id": secrets.token_hex(16),
        "step": step["id"],
        "answers": values,
        "reason": "",
        "seconds": 3.25,
        "played": [1.0] * n,
        "clock": clock,
    }
