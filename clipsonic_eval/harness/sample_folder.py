"""The folder of a system's samples: ``<key>.wav``, ``samples.csv``, ``system.json`` and ``skipped.csv``.

Beside them ``metadata.csv`` says the same to others: ``load_dataset("audiofolder", data_dir=folder)`` of the datasets
package reads it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import filenames, hashing
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.files import write_csv, write_json
from clipsonic_eval.harness.sample_shares import Share
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.types import Query, Skip

_COLUMNS = ("key", "file", "prompt", "label", "seed", "sha256", "query", "peak")
_FOR_OTHERS = ("key", "prompt", "label")


class SampleFolder:
    """A claimed folder of samples, written query by query.

    Args:
        folder: with or without samples of an earlier, interrupted job of the same system.
        card: contents of ``system.json``; its sample rate (Hz) is that of the wavs.
        share: of the job.

    Attributes:
        skipped: queries without a sample, with the reason.
    """

    def __init__(self, folder: Path, card: Mapping[str, Any], share: Share) -> None:
        self.skipped = list(share.unread)
        self._folder = folder
        self._share = share
        self._sample_rate = int(card["sample_rate"])
        self._tables = share.tables(folder)
        self._rows = _by_key(share.sampled(folder))
        if not share.is_whole:
            mine = {query.key for query in share.mine}
            self._rows = {key: row for key, row in self._rows.items() if key in mine}
        share.begin(folder)
        write_json(folder / filenames.SYSTEM, card)
        self._written = time.monotonic()

    def holds(self, query: Query, seed: int) -> bool:
        """Return whether an earlier job wrote the sample of this very query and seed, and it is unchanged."""
        row = self._rows.get(query.key)
        if row is None or row["seed"] != str(seed) or row["query"] != _fingerprint(query):
            return False
        path = self._folder / row["file"]
        return path.is_file() and hashing.file_sha256(path) == row["sha256"]

    def write(self, query: Query, seed: int, samples: Float32) -> None:
        """Write the sample of a query, (n,) float32, as a 32-bit float wav.

        A ``peak`` of 1 in the table says that a system which divides by a peak above full scale has done so.
        """
        path = self._folder / f"{query.key}.wav"
        write_wav(path, samples, self._sample_rate)
        self._rows[query.key] = {
            "key": query.key,
            "file": path.name,
            "prompt": query.prompt,
            "label": query.label or "",
            "seed": str(seed),
            "sha256": hashing.file_sha256(path),
            "query": _fingerprint(query),
            "peak": f"{np.abs(samples).max(initial=0.0):.6g}",
            **query.attributes,
        }

    def skip(self, skip: Skip) -> None:
        """Note a query without a sample, and remove an older one of its key: it answers another prompt or image."""
        self.skipped.append(skip)
        stale = self._rows.pop(skip.key, None)
        if stale is not None:
            (self._folder / stale["file"]).unlink(missing_ok=True)

    def write_table(self, *, every_s: float = 0.0) -> None:
        """Write ``samples.csv`` and ``metadata.csv``, but not again within ``every_s`` seconds."""
        if time.monotonic() - self._written >= every_s:
            _write_tables(self._tables, self._rows)
            self._written = time.monotonic()

    def finish(self) -> int:
        """Write what was skipped, and join the tables of all shares if none is missing.

        Returns:
            Shares that are not done.
        """
        _write_skipped(self._tables, self.skipped)
        waiting = self._share.end(self._folder)
        if not waiting and not self._share.is_whole:
            skipped = self._share.skipped(self._folder)
            without = {skip.key for skip in skipped}
            rows = _by_key(self._share.sampled(self._folder))
            _write_tables(self._folder, {key: row for key, row in rows.items() if key not in without})
            _write_skipped(self._folder, skipped)
        if not waiting:
            self._share.clear(self._folder)
        return waiting


def _write_tables(folder: Path, by_key: Mapping[str, Mapping[str, str]]) -> None:
    rows = [by_key[key] for key in sorted(by_key)]
    columns = (*_COLUMNS, *sorted({name for row in rows for name in row} - set(_COLUMNS)))
    write_csv(folder / filenames.SAMPLES, columns, rows)
    for_others = [{"file_name": row["file"], **{n: row[n] for n in _FOR_OTHERS}} for row in rows]
    write_csv(folder / filenames.METADATA, ("file_name", *_FOR_OTHERS), for_others)


def _write_skipped(folder: Path, skipped: Sequence[Skip]) -> None:
    """Write ``skipped.csv``, or remove an old one."""
    path = folder / filenames.SKIPPED
    path.unlink(missing_ok=True)
    if skipped:
        write_csv(path, ("key", "reason"), [(s.key, s.reason) for s in skipped])


def _fingerprint(query: Query) -> str:
    """Return 12 hex digits that change with the prompt or the bytes of the image."""
    image = ""
    if query.image is not None and query.image.is_file():
        image = hashing.file_sha256(query.image)
    return hashing.config_hash([query.prompt, image])


def _by_key(rows: Sequence[Mapping[str, str]]) -> dict[str, dict[str, str]]:
    return {row["key"]: dict(row) for row in rows if row.keys() >= set(_COLUMNS)}
