"""Image-caption pairs from Parquet shards, as web collections come: columns ``key``, ``image``, ``caption``.

Images are embedded once; the embeddings are kept in a file whose name is the hash of the shards and of the encoder.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic.conditions import normalised
from clipsonic_eval import atomic
from clipsonic_eval.arrays import read_npz
from clipsonic_eval.arraytypes import AnyArray, Float32, UInt8
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.files import require_regular
from clipsonic_eval.hashing import config_hash, file_sha256
from clipsonic_eval.media.video import opened_image
from clipsonic_eval.progress import SILENT, Progress

_BATCH = 256
_COLUMNS = ("key", "image", "caption")


def find_shards(folder: Path) -> list[Path]:
    """Return the shards of a folder, sorted.

    Raises:
        UserError: there are none.
    """
    shards = sorted(folder.glob("shard-*.parquet"))
    if not shards:
        raise UserError(f"{folder}: no shard-*.parquet here; images come in Parquet files with key, image and caption")
    return shards


def column(shards: list[Path], name: str) -> tuple[str, ...]:
    """Return one column of text over all shards.

    Raises:
        UserError: a shard is damaged, or lacks a column.
    """
    return tuple(value for shard in shards for value in _column(shard, name))


def embeddings(
    shards: list[Path], cache: Path, encoder: Encoder, n: int, *, progress: Progress = SILENT
) -> tuple[Float32, Float32]:
    """Embed the pairs of all shards, or read the embeddings that an earlier call kept.

    Args:
        shards: see :func:`find_shards`.
        cache: folder for the embeddings.
        encoder: with an image and a text tower.
        n: pairs in the shards.
        progress: shows a bar; notes damaged embeddings, which are made again.

    Returns:
        (n, d) text and (n, d) image embeddings, float32 of L2 norm 1.

    Raises:
        UserError: a shard is damaged.
        MediaError: an image is not readable.
    """
    card = encoder.card
    name = config_hash([content_hash(shards), card.name, card.weights_sha256, card.preprocessing])
    path = cache / f"pairs-{name}.npz"
    kept = _kept(path, (n, card.dim), progress)
    if kept is None:
        _embed(shards, encoder, n, path, progress)
        kept = read_npz(path)
    return kept["text"], kept["image"]


def content_hash(shards: list[Path]) -> str:
    """Return the hash of the shards' bytes."""
    return config_hash([file_sha256(shard) for shard in shards])


def _kept(path: Path, shape: tuple[int, int], progress: Progress) -> dict[str, AnyArray] | None:
    """Return embeddings that an earlier call kept; None if there are none or they are damaged, which is noted."""
    if not path.exists():
        return None
    try:
        kept = read_npz(path)
        if [kept[side].shape for side in ("text", "image")] != [shape, shape]:
            raise UserError(f"{path}: not the embeddings of {shape[0]} pairs")
    except (UserError, KeyError) as error:
        progress.note(f"{error}; the pairs are embedded again")
        return None
    return kept


def _embed(shards: list[Path], encoder: Encoder, n: int, path: Path, progress: Progress) -> None:
    texts: list[Float32] = []
    images: list[Float32] = []
    total = -(-n // _BATCH)
    for keys, encoded, captions in progress.track(_batches(shards), label="embedding pairs", total=total):
        images.append(encoder.image([_decoded(data, key) for data, key in zip(encoded, keys, strict=True)]))
        texts.append(encoder.text(captions))
    with atomic.replacing(path) as temporary:
        np.savez(temporary, text=normalised(np.concatenate(texts)), image=normalised(np.concatenate(images)))


def _parquet(shard: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    require_regular(shard)
    try:
        file = pyarrow.parquet.ParquetFile(shard, page_checksum_verification=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{shard}: not readable as Parquet ({str(error).splitlines()[0]}); make it again") from None
    missing = set(_COLUMNS) - set(file.schema_arrow.names)
    if missing:
        found = ", ".join(file.schema_arrow.names)
        raise UserError(f"{shard}: column '{min(missing)}' is missing; found: {found}")
    return file


def _column(shard: Path, name: str) -> list[str]:
    with _damage_named(shard):
        values: list[str] = _parquet(shard).read(columns=[name]).column(name).to_pylist()
        return values


@contextlib.contextmanager
def _damage_named(shard: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise UserError(f"{shard}: damaged ({str(error).splitlines()[0]}); make it again") from None


def _batches(shards: list[Path]) -> Iterator[tuple[list[str], list[Any], list[str]]]:
    """Yield keys, encoded images and captions of up to 256 rows."""
    for shard in shards:
        batches = _parquet(shard).iter_batches(batch_size=_BATCH, columns=list(_COLUMNS))
        while True:
            with _damage_named(shard):
                batch = next(batches, None)
                columns = {} if batch is None else batch.to_pydict()
            if not columns:
                break
            yield columns["key"], columns["image"], columns["caption"]


def _decoded(data: Any, key: str) -> UInt8:
    """Decode an image (height, width, 3) uint8 from its bytes, bare or in the ``{"bytes": ...}`` of Hugging Face."""
    raw = data.get("bytes") if isinstance(data, dict) else data
    if not isinstance(raw, bytes):
        raise MediaError(f"image '{key}': holds no bytes; remove its row from the shards")
    with opened_image(io.BytesIO(raw), f"image '{key}'") as picture:
        return np.asarray(picture.convert("RGB"))
