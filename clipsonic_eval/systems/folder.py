"""A folder of wavs as a system: anybody's outputs, ``<key>.wav`` each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.hashing import folder_sha256
from clipsonic_eval.media.audio import mono_at, read_audio
from clipsonic_eval.types import Query


@dataclass(frozen=True, slots=True)
class FolderOfWavsConfig:
    """Which folder.

    Attributes:
        folder: holds ``<key>.wav``.
        name: of the system; by default the folder's.
        sample_rate: Hz to deliver at; None: the rate of the first file.
    """

    folder: Path
    name: str | None = None
    sample_rate: int | None = None


class FolderOfWavs:
    """Answers a query with the file of its key; seeds change nothing."""

    def __init__(self, config: FolderOfWavsConfig) -> None:
        first = next(iter(sorted(config.folder.glob("*.wav"))), None)
        if first is None:
            raise UserError(f"{config.folder}: no .wav file here; a folder of outputs holds <key>.wav for each query")
        self.config = config
        self.name = config.name or config.folder.resolve().name
        self.sample_rate = config.sample_rate or read_audio(first).sample_rate

    def card(self) -> dict[str, Any]:
        """Return the hash of the folder's wavs."""
        return {"kind": "folder-of-wavs", "sha256": folder_sha256(self.config.folder, "*.wav")}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Read the files, mono, at the system's rate.

        Raises:
            MediaError: a query has no file, or it is not readable.
        """
        del seeds
        return [self._read(query) for query in queries]

    def _read(self, query: Query) -> Float32:
        path = self.config.folder / f"{query.key}.wav"
        if not path.is_file():
            raise MediaError(f"{path}: no such file; the folder has no output for '{query.key}'")
        return mono_at(read_audio(path), self.sample_rate)
