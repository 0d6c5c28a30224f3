"""A pool of processes that decode ahead, in order; a file that kills a process costs only itself."""

from __future__ import annotations

import collections
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Self

from clipsonic_eval import threads
from clipsonic_eval.clips._decoding import Decoded, DecodeTask, decode
from clipsonic_eval.types import Skip

_QUEUED = 4  # tasks per process that may wait: bounds the memory
_TASKS_PER_WORKER = 250  # fewer do not repay the start of a process


def choose_workers(asked: int | None, n_tasks: int) -> int:
    """Return how many processes to start; 1: decode in this process."""
    if asked is not None:
        return min(asked, max(1, n_tasks))
    return max(1, min(threads.cores(), n_tasks // _TASKS_PER_WORKER))


_Queue = collections.deque[tuple[DecodeTask, Future[Decoded] | None]]


class Decoders:
    """A pool that runs decoding tasks; a context manager, since processes must end."""

    def __init__(self, n_workers: int) -> None:
        self._n = n_workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, tasks: Iterable[DecodeTask]) -> Iterator[tuple[DecodeTask, Decoded]]:
        """Yield tasks with their results, in the order of the tasks; a long item gives several."""
        queue: _Queue = collections.deque()
        for task in tasks:
            queue.append((task, self._submit(task)))
            if len(queue) >= _QUEUED * self._n:
                yield from self._results_of_first(queue)
        while queue:
            yield from self._results_of_first(queue)

    def _results_of_first(self, queue: _Queue) -> Iterator[tuple[DecodeTask, Decoded]]:
        """Take the first task from the queue and yield its results, window after window."""
        task, future = queue.popleft()
        result = self._wait_for(task, future, queue)
        yield task, result
        while result.next_window is not None:
            task = replace(task, window=result.next_window)
            result = self._wait_for(task, self._submit(task), queue)
            yield task, result

    def _wait_for(self, task: DecodeTask, future: Future[Decoded] | None, queue: _Queue) -> Decoded:
        """Return the result of a task; where its process died, of a second try, and submit the queue again."""
        if future is None:
            return decode(task)
        try:
            return future.result()
        except BrokenProcessPool:
            result = self._retry_alone(task)
        tasks = [t for t, _ in queue]
        queue.clear()
        queue.extend((t, self._submit(t)) for t in tasks)
        return result

    def _retry_alone(self, task: DecodeTask) -> Decoded:
        """Run a task in a fresh pool without any other, so that a second death is its own doing."""
        self._start()
        assert self._pool is not None
        try:
            return self._pool.submit(decode, task).result()
        except BrokenProcessPool:
            self._start()
            return Decoded([], [Skip(task.item.key, "the decoder crashed on it, twice")])

    def _submit(self, task: DecodeTask) -> Future[Decoded] | None:
        """Submit a task; None where there are no processes and it is decoded when it is its turn."""
        if self._pool is None:
            return None
        try:
            return self._pool.submit(decode, task)
        except BrokenProcessPool as error:  # found while submitting: the same as on its result
            broken: Future[Decoded] = Future()
            broken.set_exception(error)
            return broken

    def _start(self) -> None:
        """Start the processes, in place of those that may have died."""
        if self._n == 1:
            return
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        # Not fork: the main process has torch's threads, and a forked lock may never open again.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context = multiprocessing.get_context(method)
        self._pool = ProcessPoolExecutor(self._n, mp_context=context, initializer=_initialise)


def _initialise() -> None:
    """Leave Ctrl-C to the main process, end with it even if it is killed, and use one thread per process."""
    threads.keep_one()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
