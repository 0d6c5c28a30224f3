"""The parent's side of a worker: start it, ask it, and find out why it died."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from clipsonic_eval.errors import UserError

_LINES = 2000  # characters of stderr that are searched for the reason of a death
_PATIENCE_S = 5.0  # with a worker that was told to end
_CACHES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")  # of compiled networks


class WorkerError(UserError):
    """Why a case could not be measured, one sentence."""


class WorkerProcess:
    """A running worker.

    Args:
        process: with pipes for stdin and stdout.
        errors: the file that its stderr goes to.
    """

    def __init__(self, process: subprocess.Popen[str], errors: IO[bytes]) -> None:
        self._process, self._errors = process, errors
        self._started_ns = time.perf_counter_ns()

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Load a target; the answer holds ``load_ns``, from nothing: interpreter, imports, weights.

        Args:
            request: see :meth:`clipsonic_eval.bench.cases.Case.request`.

        Raises:
            WorkerError: it cannot be loaded.
        """
        return {**self.ask("load", **request), "load_ns": time.perf_counter_ns() - self._started_ns}

    def ask(self, do: str, **told: Any) -> dict[str, Any]:
        """Send a command and return its answer.

        Raises:
            WorkerError: the worker answered with an error, or died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: its answer is missing too
            self._process.stdin.write(json.dumps({"do": do, **told}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(self._cause_of_death())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _cause_of_death(self) -> str:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return "killed by the system, most likely for want of memory; take a smaller batch or a shorter length"
        if code < 0:
            return f"the process ended by signal {signal.Signals(-code).name}"
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - _LINES))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"the process ended with code {code} ({lines[-1] if lines else 'it said nothing'})"


@contextlib.contextmanager
def started(variables: Mapping[str, str] | None = None) -> Iterator[WorkerProcess]:
    """Start a worker in a fresh process with empty caches of compiled networks, and end it with the block.

    Args:
        variables: of its environment, besides ours.
    """
    place = tempfile.TemporaryDirectory(prefix="clipsonic-bench-", ignore_cleanup_errors=True)
    with place as folder, tempfile.TemporaryFile() as errors:
        caches = {name: str(Path(folder) / name.lower()) for name in _CACHES}
        paths = os.pathsep.join(path for path in sys.path if path)  # the worker imports what we would
        process = subprocess.Popen(
            [sys.executable, "-m", "clipsonic_eval.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONPATH": paths, **caches, **(variables or {})},
        )
        try:
            yield WorkerProcess(process, errors)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End a worker: by the end of its input, so that its own helpers (compilers) end with it, else by force."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdout is not None:
            process.stdout.close()
