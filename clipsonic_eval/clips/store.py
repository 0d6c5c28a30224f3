"""Reads prepared clips, memory-mapped, so that several processes can train on a set larger than memory.

Nothing damaged is used. Opening checks ``clips.json`` and what is read of all clips at once (texts, times, the clips'
hashes). The embeddings are checked on first access, and a clip's audio when it is first read: that costs each process
one SHA-256 of every clip that it reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval import filenames
from clipsonic_eval.arrays import read_npy
from clipsonic_eval.arraytypes import Float32, IntArray
from clipsonic_eval.clips._captions import read_captions
from clipsonic_eval.clips._plan import SCHEMA_VERSION
from clipsonic_eval.clips._shards import ShardFiles, StoredClip, matrix, read_batches, texts_sha256
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, MediaError, UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.hashing import file_sha256, unsealed
from clipsonic_eval.types import Clip, EncoderCard

_AGAIN: Final = "the same prepare command makes anew what is damaged"


class ClipStore:
    """A folder of prepared clips, opened with :meth:`open`.

    Pickled as its path; each process maps the same files.

    Attributes:
        folder: of the clips.
        keys: key of each clip.
        sources: key of the item that each clip was cut from; clips of one item are dependent.
        prompts: text of each clip or None.
        captions: all texts of each clip: several for items that have them, else its prompt, or none.
        labels: class name of each clip or None.
        splits: part of the data set of each clip or None.
        start_s: (n,) float64, where each clip begins in its file, seconds.
        valid_s: (n,) float64, seconds of audio in each clip; zeros follow.
        sample_rate: of the audio, Hz.
        n_samples: samples per clip.
        image_space: card of the encoder of the frames, None for audio alone.
        content_hash: of all clips; equal for equal clips, whatever the shards.
        info: contents of ``clips.json``.
    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder = folder
        self.info = info
        self.sample_rate = int(info["sample_rate"])
        self.n_samples = int(info["n_samples"])
        self.content_hash = str(info["content_hash"])
        self.image_space = None if info["encoder"] is None else resolve(EncoderCard, info["encoder"])
        batches = [b for s in range(info["n_shards"]) for b in read_batches(ShardFiles(folder, s).arrow)]
        self.keys: tuple[str, ...] = _column(batches, "key")
        self.sources: tuple[str, ...] = _column(batches, "source")
        self.prompts: tuple[str | None, ...] = _column(batches, "prompt")
        self.labels: tuple[str | None, ...] = _column(batches, "label")
        self.splits: tuple[str | None, ...] = _column(batches, "split")
        self.start_s = np.array(_column(batches, "start_s"), np.float64)
        self.valid_s = np.array(_column(batches, "valid_s"), np.float64)
        several = read_captions(folder, info["captions_sha256"])
        alone = [(prompt,) if prompt else () for prompt in self.prompts]
        self.captions = tuple(several.get(s, own) for s, own in zip(self.sources, alone, strict=True))
        if texts_sha256(batches) != info["texts_sha256"]:
            raise ValueError("texts or times in its shards do not match their sha256")
        self._digests: tuple[bytes, ...] = _column(batches, "sha256")
        self._audio = [matrix(b, "audio") for b in batches]
        self._image = [matrix(b, "image") for b in batches] if self.image_space else []
        self._ends = np.cumsum([len(b) for b in batches])
        self._checked = np.zeros(len(self.keys), np.bool_)
        self._embeddings: Float32 | None = None

    @classmethod
    def open(cls, folder: Path, option: str = "") -> ClipStore:
        """Open a finished folder.

        Args:
            folder: of the clips.
            option: with which a command names it, for the message where it holds none.

        Raises:
            UserError: no clips there, not finished, of another version, or damaged.
        """
        path = folder / filenames.CLIPS
        if not path.is_file():
            unfinished = (folder / filenames.PLAN).is_file()
            other = f", or name another with {option}" if option else ""
            make = f"make one with: clipsonic-eval prepare{other}"
            fix = "run the same prepare command again" if unfinished else make
            raise UserError(f"{folder}: {'not finished' if unfinished else 'no folder of prepared clips'}; {fix}")
        try:
            info = read_json(path, fix=_AGAIN)
            if not isinstance(info, dict) or info.get("schema_version") != SCHEMA_VERSION:
                raise UserError(f"{path}: written by another version of this program; prepare the clips again")
            store = cls(folder, unsealed(info))
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            raise UserError(f"{folder}: damaged ({str(error).splitlines()[0]}); {_AGAIN}") from None
        if len(store) == 0:
            raise UserError(f"{folder}: holds no clips; skipped.csv says why")
        return store

    def __len__(self) -> int:
        return len(self.keys)

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return ClipStore.open, (self.folder,)

    @property
    def centre(self) -> int:
        """Index of the middle one of a clip's frames."""
        return int(self.info["frames_per_clip"]) // 2

    @property
    def image_embeddings(self) -> Float32 | None:
        """Image embeddings of k frames per clip, (n, k, d) float32, mapped and read-only; None for audio alone.

        Raises:
            MediaError: the file is damaged.
        """
        if self.image_space is None:
            return None
        if self._embeddings is None:
            path = self.folder / filenames.EMBEDDINGS
            if file_sha256(path, MediaError) != self.info["embeddings_sha256"]:
                raise MediaError(f"{path}: damaged, its bytes do not match their sha256; {_AGAIN}")
            self._embeddings = read_npy(path, MediaError, fix=_AGAIN, mapped=True)
        return self._embeddings

    def audio(self, rows: IntArray) -> Float32:
        """Return a copy of the audio of some clips.

        Args:
            rows: (b,) integers in [0, n), in any order.

        Returns:
            (b, n_samples) float32 in [-1, 1].

        Raises:
            IndexError: a row that is not there.
            MediaError: a clip is damaged.
        """
        rows = np.asarray(rows)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows must lie in [0, {len(self)}), got {rows.min()} to {rows.max()}")
        out = np.empty((len(rows), self.n_samples), np.float32)
        for i, (row, batch) in enumerate(zip(rows, np.searchsorted(self._ends, rows, side="right"), strict=True)):
            block = self._audio[batch]
            within = int(row - (self._ends[batch] - len(block)))
            out[i] = block[within]
            self._check(int(row), int(batch), within)
        return out

    def _check(self, row: int, batch: int, within: int) -> None:
        """Check a clip against its hash, once."""
        if self._checked[row]:
            return
        texts = (self.keys[row], self.sources[row], self.prompts[row], self.labels[row], self.splits[row])
        times = float(self.start_s[row]), float(self.valid_s[row])
        image = self._image[batch][within] if self._image else None
        if StoredClip(texts, *times, self._audio[batch][within], image).digest() != self._digests[row]:
            raise MediaError(
                f"{self.folder}: clip '{self.keys[row]}' is damaged, its bytes do not match their sha256; {_AGAIN}"
            )
        self._checked[row] = True

    def clip(self, row: int) -> Clip:
        """Return one clip, (1, n) float32, without the zeros at its end."""
        n = min(self.n_samples, max(1, round(float(self.valid_s[row]) * self.sample_rate)))
        return Clip(self.keys[row], self.audio(np.array([row]))[:, :n], self.sample_rate, self.prompts[row])

    def rows(self, split: str | None = None) -> NDArray[np.int64]:
        """Return the indices of the clips of a split, (m,) int64; None: all.

        Raises:
            UserError: no clip is of that split.
        """
        chosen = [i for i, name in enumerate(self.splits) if split is None or name == split]
        if not chosen:
            known = ", ".join(sorted({name for name in self.splits if name})) or "none; take all of them by split=null"
            raise UserError(
                f"{self.folder}: none of the {len(self)} clips is of split '{split}'; their splits: {known}"
            )
        return np.array(chosen, np.int64)


def _column(batches: list[Any], name: str) -> tuple[Any, ...]:
    return tuple(value for batch in batches for value in batch.column(name).to_pylist())
