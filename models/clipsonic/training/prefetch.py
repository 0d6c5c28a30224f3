"""Sound of the clips that are asked for next, read in the background while the network computes."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.arraytypes import Float32

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore

PART = 64  # clips that are read, and made log-mels of, together
BUFFER_MB = 256


class Prefetch:
    """Reads clips in parts, in the order in which they are expected, and holds at most ``buffer_mb`` of them.

    Reading ahead changes when a part is read, never what it holds; whoever asks for other rows than the expected ones
    gets those.

    Attributes:
        waited: seconds that callers have waited for sound so far.
    """

    def __init__(self, store: ClipStore, *, buffer_mb: float = BUFFER_MB) -> None:
        self.waited = 0.0
        self._store = store
        # a part of long clips may be larger than the buffer; then it is that one part
        self._most = max(1, int(buffer_mb * 2**20 / (4 * PART * store.n_samples)))
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="clips")
        self._expected: deque[NDArray[np.int64]] = deque()
        self._coming: deque[tuple[NDArray[np.int64], Future[Float32]]] = deque()

    def expect(self, rows: NDArray[np.int64]) -> None:
        """Begin to read the rows (b,), any number, of which :meth:`read` will be asked for in parts of ``PART``."""
        for _, future in self._coming:
            future.cancel()
        self._coming.clear()
        self._expected = deque(rows[start : start + PART] for start in range(0, len(rows), PART))
        self._fill()

    def read(self, rows: NDArray[np.int64]) -> Float32:
        """Return the sound of some clips, (b, n_samples)."""
        started = time.monotonic()
        if self._coming and np.array_equal(self._coming[0][0], rows):
            audio = self._coming.popleft()[1].result()
            self._fill()
        else:
            audio = self._store.audio(rows)
        self.waited += time.monotonic() - started
        return audio

    def _fill(self) -> None:
        while self._expected and len(self._coming) < self._most:
            part = self._expected.popleft()
            self._coming.append((part, self._reader.submit(self._store.audio, part)))
