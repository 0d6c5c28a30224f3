"""Processes that decode ahead, in order; an item that takes a process's time, memory or life costs only itself.

A thread for each process hands it one item at a time and waits for the answer within a limit. A process that dies or
is late is replaced and the item tried once more, alone in a new process; after that it is left out by name.
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import queue
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from clipsonic_eval import lifetime, threads
from clipsonic_eval.clips import _inside
from clipsonic_eval.clips._decoding import Decoded, DecodeTask, decode, longest_s
from clipsonic_eval.errors import UserError
from clipsonic_eval.types import Skip

_QUEUED = 4  # tasks per process that may wait: bounds the memory
_TASKS_PER_WORKER = 250  # fewer do not repay the start of a process
_TRIES = 2
_START_S = 300.0  # for a process to start, on a machine that swaps


def choose_workers(asked: int | None, n_tasks: int, whole: int = 0) -> int:
    """Return how many processes to start; 0: decode in this process.

    Args:
        asked: by the user.
        n_tasks: to do.
        whole: tasks of the whole job: of a large one the last shard, too, is decoded within the limits.
    """
    if asked is not None:
        return min(asked, n_tasks)
    return min(threads.cores(), max(n_tasks // _TASKS_PER_WORKER, int(whole >= _TASKS_PER_WORKER)))


_Queue = collections.deque[tuple[DecodeTask, Future[Decoded] | None]]


class Decoders:
    """Runs decoding tasks; a context manager, since processes must end.

    Args:
        n_workers: processes; 0: tasks run in this process, without limits of time and memory.
        limit_gib: memory that a task may take.
    """

    def __init__(self, n_workers: int, limit_gib: float) -> None:
        self._n = n_workers
        self._limit_gib = limit_gib
        self._idle: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        self._all: set[_Child] = set()
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    def __enter__(self) -> Self:
        if self._n:
            self._threads = ThreadPoolExecutor(self._n, thread_name_prefix="decode")
            for _ in range(self._n):
                self._idle.put(None)  # starts with its first task
        return self

    def __exit__(self, *exc: object) -> None:
        self._closed = True
        for child in tuple(self._all):
            child.end()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for child in tuple(self._all):  # started meanwhile
            child.end()
        _inside.close()

    def run(self, tasks: Iterable[DecodeTask]) -> Iterator[tuple[DecodeTask, Decoded]]:
        """Yield tasks with their results, in the order of the tasks; a long item gives several."""
        waiting: _Queue = collections.deque()
        for task in tasks:
            waiting.append((task, self._submit(task)))
            if len(waiting) >= _QUEUED * self._n:
                yield from self._results_of_first(waiting)
        while waiting:
            yield from self._results_of_first(waiting)

    def _results_of_first(self, waiting: _Queue) -> Iterator[tuple[DecodeTask, Decoded]]:
        """Take the first task from the queue and yield its results, window after window."""
        task, future = waiting.popleft()
        result = future.result() if future is not None else decode(task)
        yield task, result
        while result.next_window is not None:
            task = replace(task, window=result.next_window)
            future = self._submit(task)
            result = future.result() if future is not None else decode(task)
            yield task, result

    def _submit(self, task: DecodeTask) -> Future[Decoded] | None:
        """Submit a task; None where there are no processes and it is decoded when it is its turn."""
        return None if self._threads is None else self._threads.submit(self._decode, task)

    def _decode(self, task: DecodeTask) -> Decoded:
        """Decode a task in a process, or say why two processes could not."""
        child, why = self._idle.get(), ""
        try:
            for _ in range(_TRIES):
                if self._closed:
                    break
                child = child or self._start()
                answer = child.decode(task)
                if isinstance(answer, Decoded):
                    return answer
                if isinstance(answer, OSError):
                    raise answer
                why = answer
                self._all.discard(child)
                child = None
        finally:
            self._idle.put(child)
        return Decoded([], [Skip(task.item.key, f"{why}, twice")], over_limit=True)

    def _start(self) -> _Child:
        child = _Child(self._limit_gib)
        self._all.add(child)
        return child


class _Child:
    """A process that decodes one task at a time. Its temporary files go with it, however it ends."""

    def __init__(self, limit_gib: float) -> None:
        # Not fork: the main process has torch's threads, and a forked lock may never open again.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        self._connection, theirs = context.Pipe()
        self._folder = Path(tempfile.mkdtemp(prefix="clipsonic-eval-"))
        arguments = (theirs, limit_gib, self._folder)
        self._process = context.Process(target=_serve, args=arguments, name="decode", daemon=True)
        self._process.start()
        theirs.close()  # so that its end is seen here when the process is gone
        try:
            ready = self._connection.poll(_START_S)
            if ready:
                self._connection.recv()
        except (EOFError, OSError):
            ready = False
        if not ready:
            self._process.join(1.0)
            why = _how_it_ended(self._process.exitcode)
            self.end()
            raise UserError(
                f"a decoder process did not start ({why}); run the same command again to continue, with fewer "
                "--workers, or --workers 0 to decode in this process"
            )

    def decode(self, task: DecodeTask) -> Decoded | OSError | str:
        """Return the result of a task, or an error of this machine; else end the process and return the reason."""
        limit_s = task.config.item_limit_s + 2 * longest_s(task.config)
        try:
            self._connection.send(task)
            if self._connection.poll(limit_s):
                result: Decoded | OSError = self._connection.recv()
                return result
            why = f"decoding it takes more than {limit_s:g} s (item_limit_s allows more)"
        except (EOFError, OSError):
            self._process.join(1.0)
            why = f"the decoder crashes on it ({_how_it_ended(self._process.exitcode)})"
        self.end()
        return why

    def end(self) -> None:
        """End the process, whatever it does, and remove what it left behind."""
        self._process.kill()
        self._process.join()
        shutil.rmtree(self._folder, ignore_errors=True)


def _how_it_ended(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _serve(connection: Connection, limit_gib: float, folder: Path) -> None:
    """Answer tasks until the main process closes the connection; temporary files lie in ``folder``."""
    import av  # noqa: F401 (so that no item's time goes into it)

    tempfile.tempdir = str(folder)
    _initialise(limit_gib, folder)
    try:
        connection.send(None)  # ready: the limit of time begins with the task
        while True:
            task = connection.recv()
            answer: Decoded | OSError
            try:
                answer = decode(task)
            except OSError as error:  # of this machine, not of the item: the job stops, and is continued later
                answer = error
            connection.send(answer)
    except (EOFError, OSError):
        os._exit(0)


def _initialise(limit_gib: float, folder: Path) -> None:
    """Leave Ctrl-C to the main process, end with it even if it is killed, use one thread, and bound the memory."""
    threads.keep_one()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lifetime.end_with_parent(lambda: shutil.rmtree(folder, ignore_errors=True))
    _bound_memory(limit_gib)


def _bound_memory(limit_gib: float) -> None:
    """Let this process take at most so much memory beyond what it has, on systems that can say so."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + int(limit_gib * 2**30)
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    except (ImportError, OSError, ValueError):
        return
