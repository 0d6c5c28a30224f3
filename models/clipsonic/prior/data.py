"""Image-caption pairs as pairs of embeddings: what a prior learns from and what mean-shift measures.

From pictures (``shard-*.parquet`` with the columns ``key``, ``image``, ``caption``, as web collections come), or from
the frames of prepared clips with a csv of captions (in-domain). Pictures are embedded once and kept in a file whose
name is the hash of the shards and of the encoder.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic.conditions import Clips, ConditionSpec, condition_array, normalised
from clipsonic_eval import atomic
from clipsonic_eval.arrays import read_npz
from clipsonic_eval.arraytypes import AnyArray, Float32, Float64, UInt8
from clipsonic_eval.datasets import refuse_duplicates
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import ConfigError, MediaError, UserError
from clipsonic_eval.files import require_regular
from clipsonic_eval.hashing import config_hash, file_sha256
from clipsonic_eval.media.video import opened_picture
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.tables import read_table
from clipsonic_eval.types import EncoderCard

_BATCH = 256


@dataclass(frozen=True, slots=True)
class PairSource:
    """Where image-caption pairs come from: either ``pictures``, or ``clips``.

    Attributes:
        pictures: folder of ``shard-*.parquet``.
        clips: folder of prepared clips with frame embeddings.
        captions: for ``clips``: a csv with the columns key and caption, where key is the clip's or its source's; None:
            the clips' own prompts. Clips without a caption are left out.
        split: for ``clips``: only those of this split; None: all.
        cache: for ``pictures``: where embeddings are kept; None: ``embeddings`` in the folder of the pictures.
    """

    pictures: Path | None = None
    clips: Path | None = None
    captions: Path | None = None
    split: str | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        if (self.pictures is None) == (self.clips is None):
            raise ConfigError("image-caption pairs come either from `pictures` or from `clips`; give one of the two")
        if self.pictures is not None and (self.captions is not None or self.split is not None):
            raise ConfigError("`captions` and `split` belong to `clips`; pictures carry their captions in their shards")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Embedded image-caption pairs.

    Attributes:
        text: (n, d) float32 of norm 1.
        image: (n, k, d) float32 of norm 1, k pictures per caption.
        captions: the texts themselves.
        sources: what each pair was taken from; pairs of one source are dependent.
        space: the encoder's card.
        content: hash of pictures and captions.
        kind: ``pictures`` or ``clips``.
    """

    text: Float32
    image: Float32
    captions: tuple[str, ...]
    sources: tuple[str, ...]
    space: EncoderCard
    content: str
    kind: str

    def __len__(self) -> int:
        return len(self.captions)

    def means(self) -> tuple[Float64, Float64]:
        """Return the mean text and the mean image embedding, (d,) each, not normalised."""
        image = self.image.reshape(-1, self.image.shape[-1])
        return self.text.mean(axis=0, dtype=np.float64), image.mean(axis=0, dtype=np.float64)


def load_pairs(
    source: PairSource, encoder: str, encoder_weights: Path | None = None, *, progress: Progress = SILENT
) -> Pairs:
    """Embed image-caption pairs, or read the embeddings that an earlier call kept.

    Raises:
        UserError: there is nothing, or it is not what it should be; the message names the file.
        SpaceError: the clips' frames were embedded by another encoder.
    """
    loaded: Encoder = ENCODERS[encoder](encoder_weights)
    if source.pictures is not None:
        return _from_pictures(source.pictures, source.cache, loaded, progress)
    from clipsonic_eval.clips import ClipStore

    assert source.clips is not None
    store: Clips = ClipStore.open(source.clips)
    spec = ConditionSpec("image", encoder, encoder_weights)
    return pairs_of_clips(store, read_captions(source.captions, progress), spec, split=source.split)


def read_captions(path: Path | None, progress: Progress = SILENT) -> dict[str, str] | None:
    """Return captions by key from a csv with the columns key and caption; None for None.

    Raises:
        UserError: no such file, or a column is missing.
    """
    if path is None:
        return None
    table = read_table(
        path, ("key", "prompt"), required=("key", "prompt"), mend="give a csv with the columns key and caption"
    )
    for sentence in (*table.notes, *(skip.reason for skip in table.skipped)):
        progress.note(sentence)
    refuse_duplicates((row.values["key"] for row in table.rows), str(path))
    return {row.values["key"]: row.values["prompt"] for row in table.rows}


def pairs_of_clips(
    store: Clips, captions: dict[str, str] | None, spec: ConditionSpec, *, split: str | None = None
) -> Pairs:
    """Pair the frames of clips that have a caption with it.

    Args:
        store: prepared clips with frame embeddings.
        captions: by the clip's key or its source's; None: the store's own prompts.
        spec: the encoder, as a condition on images names it.
        split: only clips of this split; None: all.

    Raises:
        UserError: no clip has a caption.
    """
    image, _ = condition_array(store, spec)
    own = list(store.prompts)
    if captions is not None:
        own = [captions.get(k) or captions.get(s) for k, s in zip(store.keys, store.sources, strict=True)]
    rows = [i for i in store.rows(split).tolist() if own[i]]
    if not rows:
        raise UserError(
            f"none of the {len(store)} clips has a caption (the first key is '{store.keys[0]}', split: {split}); "
            "the csv's key column must hold the clips' keys"
        )
    texts = tuple(str(own[i]) for i in rows)
    sources = tuple(store.sources[i] for i in rows)
    encoder: Encoder = ENCODERS[spec.encoder](spec.encoder_weights)
    space = store.image_space
    assert space is not None
    content = config_hash([store.content_hash, [store.keys[i] for i in rows], texts])
    return Pairs(_embedded_texts(encoder, texts), image[rows], texts, sources, space, content, "clips")


def _embedded_texts(encoder: Encoder, texts: tuple[str, ...]) -> Float32:
    unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    names = list(unique)
    parts = [encoder.text(names[i : i + _BATCH]) for i in range(0, len(names), _BATCH)]
    return normalised(np.concatenate(parts)[[unique[text] for text in texts]])


def _from_pictures(folder: Path, cache: Path | None, encoder: Encoder, progress: Progress) -> Pairs:
    shards = sorted(folder.glob("shard-*.parquet"))
    if not shards:
        raise UserError(
            f"{folder}: no shard-*.parquet here; pictures come in Parquet files with key, image and caption"
        )
    content = config_hash([file_sha256(shard) for shard in shards])
    card = encoder.card
    name = config_hash([content, card.name, card.weights_sha256, card.preprocessing])
    path = (cache or folder / "embeddings") / f"pairs-{name}.npz"
    captions = tuple(text for shard in shards for text in _column(shard, "caption"))
    keys = tuple(key for shard in shards for key in _column(shard, "key"))
    kept = _kept(path, (len(captions), card.dim), progress)
    if kept is None:
        _embed(shards, encoder, len(captions), path, progress)
        kept = read_npz(path)
    return Pairs(kept["text"], kept["image"][:, None], captions, keys, card, content, "pictures")


def _kept(path: Path, shape: tuple[int, int], progress: Progress) -> dict[str, AnyArray] | None:
    """Return embeddings that an earlier call kept; None where there are none, or damaged ones, which are named."""
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
    for keys, pictures, captions in progress.track(_batches(shards), label="embedding pairs", total=total):
        images.append(encoder.image([_decoded(p, k) for p, k in zip(pictures, keys, strict=True)]))
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
    missing = {"key", "image", "caption"} - set(file.schema_arrow.names)
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
    for shard in shards:
        batches = _parquet(shard).iter_batches(batch_size=_BATCH, columns=["key", "image", "caption"])
        while True:
            with _damage_named(shard):
                batch = next(batches, None)
                columns = {} if batch is None else batch.to_pydict()
            if not columns:
                break
            yield columns["key"], columns["image"], columns["caption"]


def _decoded(data: Any, key: str) -> UInt8:
    """Decode a picture's bytes, bare or in the ``{"bytes": ...}`` of Hugging Face's datasets."""
    raw = data.get("bytes") if isinstance(data, dict) else data
    if not isinstance(raw, bytes):
        raise MediaError(f"picture '{key}': holds no bytes; remove its row from the shards")
    with opened_picture(io.BytesIO(raw), f"picture '{key}'") as picture:
        return np.asarray(picture.convert("RGB"))
