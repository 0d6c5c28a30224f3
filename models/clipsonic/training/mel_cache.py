"""Log-mel spectrograms of clips on disk: computed once, mapped into memory by every process of every later training.

The folder holds parts of 1,024 clips, whose name has the hash of clips and mel layout. A part is written as a whole, so
that a killed job goes on where it was; each log-mel carries its SHA-256, which is checked when it is first read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from clipsonic_eval import atomic
from clipsonic_eval.arrays import read_npy
from clipsonic_eval.arraytypes import Float32, IntArray
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Progress

PART_CLIPS: Final = 1024
_AGAIN: Final = "remove it, and the same training computes it again"


class MelCache:
    """Log-mels of n clips in the files of one folder.

    Args:
        folder: of all caches.
        name: hash of what the log-mels follow from.
        shape: n, mel bands and frames.
    """

    def __init__(self, folder: Path, name: str, shape: tuple[int, int, int]) -> None:
        self._stem, self._n = folder / f"mels-{name}", shape[0]
        self._entry = np.dtype([("mel", "<f4", shape[1:]), ("sha256", "u1", (32,))])
        self._parts: list[Any] = []
        self._checked = np.zeros(self._n, np.bool_)

    def fill(
        self,
        compute: Callable[[IntArray], Float32],
        *,
        share: tuple[int, int] = (0, 1),
        progress: Progress = SILENT,
    ) -> None:
        """Write the parts that are missing.

        Args:
            compute: returns the log-mels of rows (b,), (b, n_mels, frames).
            share: this process's number and how many processes there are; each writes every so many-th part.
            progress: shows a bar, and notes about parts that were damaged.
        """
        numbers = range(share[0], -(-self._n // PART_CLIPS), share[1])
        for number in progress.track(numbers, label="log-mels"):
            if not self._is_there(number, progress):
                with atomic.replacing(self._path(number)) as temporary:
                    np.save(temporary, self._part(number, compute))

    def open(self) -> None:
        """Map all parts.

        Raises:
            UserError: one is missing or damaged.
        """
        self._parts = [self._mapped(number) for number in range(-(-self._n // PART_CLIPS))]

    def read(self, rows: IntArray) -> torch.Tensor:
        """Return a copy of the log-mels of rows (b,), (b, n_mels, frames) float32, nats.

        Raises:
            UserError: one does not match its hash.
        """
        found = np.empty((len(rows), *self._entry["mel"].shape), np.float32)
        for i, row in enumerate(rows.tolist()):
            entry = self._parts[row // PART_CLIPS][row % PART_CLIPS]
            found[i] = entry["mel"]
            if not self._checked[row]:
                if _sha256(found[i]) != entry["sha256"].tobytes():
                    raise UserError(
                        f"{self._path(row // PART_CLIPS)}: damaged, a log-mel does not match its sha256; {_AGAIN}"
                    )
                self._checked[row] = True
        return torch.from_numpy(found)

    def _path(self, number: int) -> Path:
        return self._stem.with_name(f"{self._stem.name}-{number:05d}.npy")

    def _rows(self, number: int) -> IntArray:
        return np.arange(number * PART_CLIPS, min(self._n, (number + 1) * PART_CLIPS))

    def _part(self, number: int, compute: Callable[[IntArray], Float32]) -> Any:
        rows = self._rows(number)
        part = np.zeros(len(rows), self._entry)
        for start in range(0, len(rows), 64):
            block = slice(start, start + 64)
            part["mel"][block] = compute(rows[block])
        for entry in part:
            entry["sha256"] = np.frombuffer(_sha256(entry["mel"]), np.uint8)
        return part

    def _is_there(self, number: int, progress: Progress) -> bool:
        if not self._path(number).exists():
            return False
        try:
            self._mapped(number)
        except UserError as error:
            progress.note(f"{error}: it is computed again")
            return False
        return True

    def _mapped(self, number: int) -> Any:
        part = read_npy(self._path(number), fix=_AGAIN, mapped=True)
        if part.dtype != self._entry or part.shape != self._rows(number).shape:
            raise UserError(f"{self._path(number)}: holds other log-mels than its name says; {_AGAIN}")
        return part


def _sha256(mel: Float32) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(mel, "<f4").data).digest()
