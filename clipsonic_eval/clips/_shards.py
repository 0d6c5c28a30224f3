"""Shards of prepared clips: one Arrow IPC file each, and a JSON sidecar that is written last.

A shard with a sidecar is complete to the byte: the sidecar holds the hash of the Arrow file and of itself, and every
clip holds its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.atomic import replacing
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import file_sha256, seal, unsealed

TEXTS = ("key", "source", "prompt", "label", "split")


@dataclass(frozen=True, slots=True)
class StoredClip:
    """One clip as it is stored.

    Attributes:
        texts: key, source (key of the item), prompt, label, split.
        start_s: where it begins in its file, seconds.
        valid_s: seconds of audio; zeros follow.
        audio: (n_samples,) float32.
        image: (k, d) float32 embeddings of its frames, None for audio alone.
    """

    texts: tuple[str | None, ...]
    start_s: float
    valid_s: float
    audio: Float32
    image: Float32 | None

    def digest(self) -> bytes:
        """Return the SHA-256 of the clip's texts, times, audio and embeddings, 32 bytes."""
        head = json.dumps([*self.texts, self.start_s, self.valid_s], separators=(",", ":"))
        whole = hashlib.sha256(head.encode() + b"\0")
        for part in (self.audio, self.image):
            if part is not None:
                whole.update(np.ascontiguousarray(part, "<f4").data)
        return whole.digest()


class ShardWriter:
    """Appends batches of clips to a shard."""

    def __init__(self, sink: Any, n_samples: int, image_shape: tuple[int, int] | None) -> None:
        import pyarrow as pa

        fields = [pa.field(name, pa.string()) for name in TEXTS]
        fields += [pa.field("start_s", pa.float64()), pa.field("valid_s", pa.float64())]
        fields += [pa.field("sha256", pa.binary(32)), pa.field("audio", pa.list_(pa.float32(), n_samples))]
        if image_shape is not None:
            fields.append(pa.field("image", pa.list_(pa.float32(), image_shape[0] * image_shape[1])))
        self._schema = pa.schema(fields)
        self._writer = pa.ipc.new_file(sink, self._schema)

    def write(self, clips: Sequence[StoredClip]) -> None:
        """Write clips as one record batch; nothing for no clips."""
        import pyarrow as pa

        if not clips:
            return
        columns = [pa.array([c.texts[i] for c in clips], pa.string()) for i in range(len(TEXTS))]
        columns += [pa.array([getattr(c, name) for c in clips], pa.float64()) for name in ("start_s", "valid_s")]
        columns.append(pa.array([c.digest() for c in clips], pa.binary(32)))
        for name in self._schema.names[len(columns) :]:
            block = np.stack([getattr(c, name).reshape(-1) for c in clips])
            columns.append(pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), block.shape[1]))
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """The files of shard ``number`` of a folder."""

    folder: Path
    number: int

    @property
    def arrow(self) -> Path:
        """The clips."""
        return self.folder / "shards" / f"{self.number:05d}.arrow"

    @property
    def sidecar(self) -> Path:
        """JSON that says that the clips are complete, and what was skipped."""
        return self.arrow.with_suffix(".json")

    def read(self) -> dict[str, Any] | None:
        """Return the sidecar's contents; None unless the shard is there with as many bytes as it should have."""
        try:
            found = unsealed(read_json(self.sidecar))
            return found if self.arrow.stat().st_size == found["bytes"] else None
        except (UserError, OSError, ValueError, KeyError, TypeError):
            return None

    def verified(self) -> dict[str, Any] | None:
        """Return the sidecar's contents; None unless the shard is there and intact to the byte."""
        found = self.read()
        try:
            return found if found is not None and file_sha256(self.arrow) == found["arrow_sha256"] else None
        except (UserError, KeyError):
            return None

    def remove(self) -> None:
        """Remove the shard, sidecar first."""
        self.sidecar.unlink(missing_ok=True)
        self.arrow.unlink(missing_ok=True)

    @contextlib.contextmanager
    def writing(self, n_samples: int, image_shape: tuple[int, int] | None) -> Iterator[ShardWriter]:
        """Yield a writer; the shard takes its place when the block ends well."""
        import pyarrow as pa

        self.sidecar.unlink(missing_ok=True)
        with replacing(self.arrow) as temporary, pa.OSFile(str(temporary), "wb") as sink:
            writer = ShardWriter(sink, n_samples, image_shape)
            try:
                yield writer
            finally:
                writer.close()

    def commit(self, summary: Mapping[str, Any]) -> None:
        """Write the sidecar of a shard that was just written, which makes the shard complete."""
        written = {"bytes": self.arrow.stat().st_size, "arrow_sha256": file_sha256(self.arrow)}
        write_json(self.sidecar, seal({**summary, **written}))


def read_batches(path: Path) -> list[Any]:
    """Map a shard into memory and return its record batches; their columns are views of the file.

    Raises:
        ValueError: no Arrow file, or offsets and texts in it are impossible; numbers are not looked at.
    """
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:  # the map outlives the handle as long as a batch refers to it
        reader = pa.ipc.open_file(source)
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
    for batch in batches:
        batch.validate(full=True)  # a wild offset would be followed out of the file
    return batches


def texts_sha256(batches: Sequence[Any]) -> str:
    """Return the hash of what is read of all clips at once: texts, times and the clips' own hashes."""
    digest = hashlib.sha256()
    for name in (*TEXTS, "start_s", "valid_s"):
        column = [value for batch in batches for value in batch.column(name).to_pylist()]
        digest.update(json.dumps([name, column], separators=(",", ":")).encode())
    for batch in batches:
        digest.update(b"".join(batch.column("sha256").to_pylist()))
    return digest.hexdigest()


def matrix(batch: Any, column: str) -> Float32:
    """Return a fixed-size list column as (clips, width) float32 without copying; read-only."""
    array = batch.column(column)
    flat: Float32 = array.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(len(array), array.type.list_size)
