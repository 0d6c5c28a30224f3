"""Reads what training will ask for next, in the background, while the network computes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from clipsonic_eval.arraytypes import IntArray


class Prefetch:
    """Loads rows in the order in which they will be asked for, across the ends of batches.

    Reading ahead changes when something is read, never what it holds. Threads suffice: copies out of a mapped file and
    its hashes run without Python's lock.

    Args:
        load: returns what belongs to rows (b,), a tensor (b, …).
        most: rows that are held or being read; no further part is begun beyond.
        readers: parts that are read at the same time.

    Attributes:
        waited: seconds that callers have waited so far.
    """

    def __init__(self, load: Callable[[IntArray], torch.Tensor], *, most: int, readers: int = 1) -> None:
        self.waited = 0.0
        self._load, self._most = load, most
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="clips")
        self._expected: Iterator[IntArray] = iter(())
        self._coming: deque[tuple[IntArray, Future[torch.Tensor]]] = deque()

    def expect(self, parts: Iterable[IntArray]) -> None:
        """Begin to load parts, rows (b,) each, for which :meth:`read` will be called in this order."""
        for _, future in self._coming:
            future.cancel()
        self._coming.clear()
        self._expected = iter(parts)
        self._fill()

    def read(self, rows: IntArray) -> torch.Tensor:
        """Return what belongs to rows (b,), (b, …); other rows than the expected ones are loaded at once."""
        started = time.monotonic()
        if self._coming and np.array_equal(self._coming[0][0], rows):
            found = self._coming.popleft()[1].result()
            self._fill()
        else:
            found = self._load(rows)
        self.waited += time.monotonic() - started
        return found

    def _fill(self) -> None:
        held = sum(len(rows) for rows, _ in self._coming)
        while not self._coming or held < self._most:
            part = next(self._expected, None)
            if part is None:
                return
            self._coming.append((part, self._readers.submit(self._load, part)))
            held += len(part)
