"""A folder of wavs as a system: the outputs of any other system, ``<key>.wav`` each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.hashing import folder_sha256
from clipsonic_eval.media.audio import mono_at, read_audio
from clipsonic_eval.types import Query


class FolderOfWavs:
    """A system that answers a query with the file of its key; seeds change nothing.

    Args:
        folder: holds ``<key>.wav``.
        name: name in tables; None: that of the folder.
        sample_rate: Hz of the output; None: that of the first file.
    """

    def __init__(self, folder: Path, *, name: str | None = None, sample_rate: int | None = None) -> None:
        first = next(iter(sorted(folder.glob("*.wav"))), None)
        if first is None:
            raise UserError(f"{folder}: no .wav file here; a folder of outputs holds <key>.wav for each query")
        self.folder = folder
        self.name = name or folder.resolve().name
        self.sample_rate = sample_rate or read_audio(first).sample_rate

    def card(self) -> dict[str, Any]:
        """Return the hash of the folder's wavs."""
        return {"kind": "folder-of-wavs", "sha256": folder_sha256(self.folder, "*.wav")}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Read one file per query, mono (n,) float32 at the system's sample rate.

        Raises:
            MediaError: a query has no file, or its file is not readable.
        """
        del seeds
        return [self._read(query) for query in queries]

    def _read(self, query: Query) -> Float32:
        path = self.folder / f"{query.key}.wav"
        if not path.is_file():
            raise MediaError(f"{path}: no such file; the folder has no output for '{query.key}'")
        return mono_at(read_audio(path), self.sample_rate)
