"""Prepared clips, read: memory-mapped, so that a set larger than memory can be trained on by several processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.clips._finish import EMBEDDINGS
from clipsonic_eval.clips._plan import SCHEMA_VERSION
from clipsonic_eval.clips._shards import ShardPlace, matrix, read_batches
from clipsonic_eval.errors import UserError
from clipsonic_eval.types import Clip, EncoderCard

Rows = NDArray[np.integer[Any]]


class ClipStore:
    """A folder of prepared clips, opened with :meth:`open`.

    Travels to other processes as its path; each of them maps the same files.

    Attributes:
        folder: where it lies.
        keys: key of each clip.
        sources: key of the item that each clip was cut from; clips of one item are dependent.
        prompts: text of each clip or None.
        labels: class name of each clip or None.
        splits: part of the data set of each clip or None.
        start_s: (n,) float64, where each clip begins in its file, seconds.
        valid_s: (n,) float64, seconds of sound in each clip; zeros follow.
        sample_rate: of the sound, Hz.
        n_samples: samples per clip.
        image_space: card of the encoder of the pictures, None for sound alone.
        content_hash: of all clips; equal for equal clips, however they were dealt to shards.
        info: contents of ``clips.json``.
    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder = folder
        self.info = info
        self.sample_rate = int(info["sample_rate"])
        self.n_samples = int(info["n_samples"])
        self.content_hash = str(info["content_hash"])
        self.image_space = _card(info["encoder"])
        batches = [b for s in range(info["n_shards"]) for b in read_batches(ShardPlace(folder, s).arrow)]
        self.keys: tuple[str, ...] = _column(batches, "key")
        self.sources: tuple[str, ...] = _column(batches, "source")
        self.prompts: tuple[str | None, ...] = _column(batches, "prompt")
        self.labels: tuple[str | None, ...] = _column(batches, "label")
        self.splits: tuple[str | None, ...] = _column(batches, "split")
        self.start_s = np.array(_column(batches, "start_s"), np.float64)
        self.valid_s = np.array(_column(batches, "valid_s"), np.float64)
        self._sound = [matrix(b, "audio") for b in batches]
        self._ends = np.cumsum([len(b) for b in batches])

    @classmethod
    def open(cls, folder: Path) -> ClipStore:
        """Open a finished folder.

        Raises:
            UserError: no clips there, not finished, of another version, or damaged.
        """
        path = folder / "clips.json"
        if not path.is_file():
            unfinished = (folder / "plan.json").is_file()
            mend = "run the same prepare command again" if unfinished else "make one with: clipsonic-eval prepare"
            raise UserError(f"{folder}: {'not finished' if unfinished else 'no folder of prepared clips'}; {mend}")
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            if info["schema_version"] != SCHEMA_VERSION:
                raise UserError(f"{path}: written by another version of this program; prepare the clips again")
            store = cls(folder, info)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder}: damaged ({str(error).splitlines()[0]}); prepare the clips again") from None
        if len(store) == 0:
            raise UserError(f"{folder}: holds no clips; skipped.csv says why")
        return store

    def __len__(self) -> int:
        return len(self.keys)

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return ClipStore.open, (self.folder,)

    @property
    def centre(self) -> int:
        """Which of the pictures of a clip is the middle one."""
        return int(self.info["frames_per_clip"]) // 2

    @property
    def image_embeddings(self) -> NDArray[np.float32] | None:
        """(n, k, d) float32 of k pictures per clip, mapped and read-only; None for sound alone."""
        if self.image_space is None:
            return None
        mapped: NDArray[np.float32] = np.load(self.folder / EMBEDDINGS, mmap_mode="r")
        return mapped

    def audio(self, rows: Rows) -> NDArray[np.float32]:
        """Return a copy of the sound of some clips.

        Args:
            rows: (b,) integers in [0, n), in any order.

        Returns:
            (b, n_samples) float32.

        Raises:
            IndexError: a row that is not there.
        """
        rows = np.asarray(rows)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows must lie in [0, {len(self)}), got {rows.min()} to {rows.max()}")
        out = np.empty((len(rows), self.n_samples), np.float32)
        for i, (row, batch) in enumerate(zip(rows, np.searchsorted(self._ends, rows, side="right"), strict=True)):
            block = self._sound[batch]
            out[i] = block[row - (self._ends[batch] - len(block))]
        return out

    def clip(self, row: int) -> Clip:
        """Return one clip without the zeros at its end."""
        n = min(self.n_samples, max(1, round(float(self.valid_s[row]) * self.sample_rate)))
        return Clip(self.keys[row], self.audio(np.array([row]))[:, :n], self.sample_rate, self.prompts[row])

    def rows(self, split: str | None = None) -> NDArray[np.int64]:
        """Return the rows of a split; None: all."""
        chosen = [i for i, name in enumerate(self.splits) if split is None or name == split]
        return np.array(chosen, np.int64)


def _column(batches: list[Any], name: str) -> tuple[Any, ...]:
    return tuple(value for batch in batches for value in batch.column(name).to_pylist())


def _card(tree: dict[str, Any] | None) -> EncoderCard | None:
    if tree is None:
        return None
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in tree.items()}
    return EncoderCard(**fields)
