"""Image-caption pairs as pairs of embeddings: the training data of a diffusion prior, and of the mean-shift baseline.

From images with captions in Parquet shards, as web collections come (the pretrained prior), or from the frames of
prepared clips and their captions (the supervised, in-domain prior).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipsonic.conditions import ConditionSpec, condition_array, normalised
from clipsonic.prior import shards as parquet
from clipsonic_eval import threads
from clipsonic_eval.arraytypes import Float32, Float64
from clipsonic_eval.datasets import refuse_duplicates
from clipsonic_eval.encoders import Encoder, load_encoder
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.tables import read_table
from clipsonic_eval.types import EncoderCard

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore

_BATCH = 256


@dataclass(frozen=True, slots=True)
class PairSource:
    """Source of image-caption pairs: either ``images`` or ``clips``.

    Attributes:
        images: folder of ``shard-*.parquet``.
        clips: folder of prepared clips with frame embeddings.
        captions: for ``clips``: a csv with the columns key and caption, where key is that of the clip or of its source
            video; None: the prompts of the clips. Clips without a caption are left out.
        split: for ``clips``: only those of this split; None: all.
        cache: for ``images``: folder for their embeddings; None: ``embeddings`` next to the shards.
    """

    images: Path | None = None
    clips: Path | None = None
    captions: Path | None = None
    split: str | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        if (self.images is None) == (self.clips is None):
            raise ConfigError("image-caption pairs come either from `images` or from `clips`; give one of the two")
        if self.images is not None and (self.captions is not None or self.split is not None):
            raise ConfigError("`captions` and `split` belong to `clips`; images carry their captions in their shards")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Embedded image-caption pairs.

    Attributes:
        text: (n, d) float32, L2 norm 1.
        image: (n, k, d) float32, L2 norm 1: k images per caption.
        captions: n texts.
        sources: n keys of what each pair was taken from; pairs of one source are dependent.
        space: card of the encoder.
        content: hash of images and captions.
        kind: ``images`` or ``clips``.
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
        """Return the mean text and the mean image embedding, (d,) float64 each, not normalised."""
        image = self.image.reshape(-1, self.image.shape[-1])
        return self.text.mean(axis=0, dtype=np.float64), image.mean(axis=0, dtype=np.float64)


@threads.networks()
def load_pairs(
    source: PairSource, encoder: str, encoder_weights: Path | None = None, *, progress: Progress = SILENT
) -> Pairs:
    """Embed image-caption pairs, or read the embeddings that an earlier call kept.

    Args:
        source: images or clips.
        encoder: registry name of an encoder with an image and a text tower, such as CLIP.
        encoder_weights: weights other than the encoder's default.
        progress: shows bars and notes.

    Raises:
        UserError: there are no pairs, or a file cannot be used; the message names it.
        SpaceError: the frames of the clips were embedded by another encoder.
    """
    if source.images is not None:
        return _pairs_of_images(source.images, source.cache, load_encoder(encoder, encoder_weights), progress)
    from clipsonic_eval.clips import ClipStore

    assert source.clips is not None
    store = ClipStore.open(source.clips, "--set data.clips=FOLDER")
    spec = ConditionSpec("image", encoder, encoder_weights)
    return pairs_of_clips(store, read_captions(source.captions, progress), spec, split=source.split)


def _pairs_of_images(folder: Path, cache: Path | None, encoder: Encoder, progress: Progress) -> Pairs:
    shards = parquet.find_shards(folder)
    captions, keys = parquet.column(shards, "caption"), parquet.column(shards, "key")
    text, image = parquet.embeddings(shards, cache or folder / "embeddings", encoder, len(captions), progress=progress)
    content = parquet.content_hash(shards)
    return Pairs(text, image[:, None], captions, keys, encoder.card, content, "images")


def read_captions(path: Path | None, progress: Progress = SILENT) -> dict[str, str] | None:
    """Return captions by key from a csv with the columns key and caption; None for None.

    Raises:
        UserError: the file or a column is missing, or a key is there twice.
    """
    if path is None:
        return None
    table = read_table(
        path, ("key", "prompt"), required=("key", "prompt"), fix="give a csv with the columns key and caption"
    )
    for sentence in (*table.notes, *(skip.reason for skip in table.skipped)):
        progress.note(sentence)
    refuse_duplicates((row.values["key"] for row in table.rows), str(path))
    return {row.values["key"]: row.values["prompt"] for row in table.rows}


def pairs_of_clips(
    store: ClipStore, captions: dict[str, str] | None, spec: ConditionSpec, *, split: str | None = None
) -> Pairs:
    """Pair the frames of clips with each of their captions; clips without one are left out.

    Args:
        store: prepared clips with frame embeddings.
        captions: by key of the clip or of its source video; None: those of the store.
        spec: the encoder, as a condition on images names it.
        split: only clips of this split; None: all.

    Raises:
        UserError: no clip has a caption.
    """
    image, _ = condition_array(store, spec)
    own = store.captions
    if captions is not None:
        given = (captions.get(k) or captions.get(s) for k, s in zip(store.keys, store.sources, strict=True))
        own = tuple((caption,) if caption else () for caption in given)
    rows = [i for i in store.rows(split).tolist() for _ in own[i]]
    if not rows:
        fix = (
            "prepare them with --prompts CSV" if captions is None else "the csv's key column must hold the clips' keys"
        )
        raise UserError(
            f"none of the {len(store)} clips has a caption (the first key is '{store.keys[0]}', split: {split}); {fix}"
        )
    texts = tuple(text for i in dict.fromkeys(rows) for text in own[i])
    sources = tuple(store.sources[i] for i in rows)
    encoder = load_encoder(spec.encoder, spec.encoder_weights)
    space = store.image_space
    assert space is not None
    content = config_hash([store.content_hash, [store.keys[i] for i in rows], texts])
    return Pairs(_embedded_texts(encoder, texts), image[rows], texts, sources, space, content, "clips")


def _embedded_texts(encoder: Encoder, texts: tuple[str, ...]) -> Float32:
    """Return the text embeddings, (n, d) of L2 norm 1; equal texts are embedded once."""
    unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    distinct = list(unique)
    batches = [encoder.text(distinct[i : i + _BATCH]) for i in range(0, len(distinct), _BATCH)]
    return normalised(np.concatenate(batches)[[unique[text] for text in texts]])
