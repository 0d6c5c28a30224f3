"""Processes that decode ahead while the results are taken in order; a file that kills a process costs only itself."""

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
from clipsonic_eval.clips._work import Result, Task, work
from clipsonic_eval.types import Skip

_AHEAD = 4  # tasks per process that may wait: bounds the memory
_WORTH = 250  # tasks that repay the start of a process


def choose_workers(asked: int | None, n_tasks: int) -> int:
    """Return how many processes to start; 1 means none beside this one."""
    if asked is not None:
        return min(asked, max(1, n_tasks))
    return max(1, min(threads.cores(), n_tasks // _WORTH))


class Decoders:
    """Runs tasks; a context manager, since processes must end."""

    def __init__(self, n_workers: int) -> None:
        self._n = n_workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._renew()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the results in the order of the tasks; a long item gives several."""
        waiting: collections.deque[tuple[Task, Future[Result] | None]] = collections.deque()
        for task in tasks:
            waiting.append((task, self._submit(task)))
            if len(waiting) >= _AHEAD * self._n:
                yield from self._head(waiting)
        while waiting:
            yield from self._head(waiting)

    def _head(self, waiting: collections.deque[tuple[Task, Future[Result] | None]]) -> Iterator[Result]:
        task, future = waiting.popleft()
        result = self._result(task, future, waiting)
        yield result
        while result.following is not None:
            task = replace(task, window=result.following)
            result = self._result(task, self._submit(task), waiting)
            yield result

    def _result(
        self, task: Task, future: Future[Result] | None, waiting: collections.deque[tuple[Task, Future[Result] | None]]
    ) -> Result:
        if future is None:
            return work(task)
        try:
            return future.result()
        except BrokenProcessPool:
            result = self._alone(task)
        tasks = [t for t, _ in waiting]
        waiting.clear()
        waiting.extend((t, self._submit(t)) for t in tasks)
        return result

    def _alone(self, task: Task) -> Result:
        """Try a task with nobody beside it, so that a second death is its own doing."""
        self._renew()
        assert self._pool is not None
        try:
            return self._pool.submit(work, task).result()
        except BrokenProcessPool:
            self._renew()
            return Result(task.index, [], [Skip(task.item.key, "the decoder crashed on it, twice")])

    def _submit(self, task: Task) -> Future[Result] | None:
        if self._pool is None:
            return None
        try:
            return self._pool.submit(work, task)
        except BrokenProcessPool as error:  # found out while submitting: the same as on its result
            broken: Future[Result] = Future()
            broken.set_exception(error)
            return broken

    def _renew(self) -> None:
        if self._n == 1:
            return
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        # Not fork: the main process has torch's threads, and a forked lock may never open again.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context = multiprocessing.get_context(method)
        self._pool = ProcessPoolExecutor(self._n, mp_context=context, initializer=_begin)


def _begin() -> None:
    """Leave Ctrl-C to the main process, and end with it even if it is killed; one thread, as there are many of us."""
    threads.keep_one()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
