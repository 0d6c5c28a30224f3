"""Conditions of the audio model: embeddings of a clip's frames (CLIP), or of its caption (CLIP or CLAP).

Convention throughout this package: a condition is an L2-normalised embedding times √d, so that its coordinates have
about unit size. Nothing is centred: the offset between image and text embeddings, the modality gap, is under study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clipsonic_eval import threads
from clipsonic_eval.arraytypes import Float32, FloatArray, UInt8
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders import Encoder, load_encoder
from clipsonic_eval.errors import ConfigError, ShapeError, SpaceError, UserError
from clipsonic_eval.stages import stage
from clipsonic_eval.types import EncoderCard

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore


@dataclass(frozen=True, slots=True)
class ConditionSpec:
    """Source of the conditions.

    Attributes:
        kind: ``image``: the frame embeddings of the clips, a random frame of the clip in every step (IQ, ZS, PD, SD).
            ``text``: the captions of the clips through the text tower of the encoder, a random one of the clip in every
            step where it has several (CLIP-TTA, CLAP-TTA).
        encoder: registry name.
        encoder_weights: weights other than the encoder's default.
        frames: what a clip with several frames is conditioned on. ``random``: one of them, drawn anew in every step;
            ``mean``: their mean; ``several``: in every step from one to all of them, for a network that attends to its
            conditions, which can then be queried with any of these numbers.
        noise: standard deviation σ of Gaussian noise on the conditions in training, in units of their own length:
            c ← √d (c + σ z) / |c + σ z|. It blurs the gap between image and text (Nukrai et al. 2022, CapDec).
    """

    kind: Literal["image", "text"] = "image"
    encoder: str = "toy-clip"
    encoder_weights: Path | None = None
    frames: Literal["random", "mean", "several"] = "random"
    noise: float = 0.0

    def __post_init__(self) -> None:
        if self.kind == "text" and self.frames == "mean":
            raise ConfigError("condition.frames mean is of the frames of a video; leave it out where kind is text")
        if self.noise < 0:
            raise ConfigError(f"condition: noise must not be negative, got {self.noise:g}")


def condition_array(store: ClipStore, spec: ConditionSpec) -> tuple[Float32, dict[str, Any]]:
    """Return the condition embeddings of every clip, and the card of their space.

    Args:
        store: prepared clips.
        spec: source of the conditions.

    Returns:
        (n, k, d) float32 of L2 norm 1, k frames or captions per clip (1 for the mean of the frames), and
        ``{"kind": …, "space": card as JSON}``; for all frames of a clip also ``frames`` and their number ``n_frames``.

    Raises:
        UserError: the store has no frame embeddings, or a clip has no caption.
        SpaceError: the frames were embedded by another encoder than the one named.
    """
    vectors, card = _of_frames(store, spec) if spec.kind == "image" else _of_captions(store, spec)
    found = {"kind": spec.kind, "space": as_tree(card)}
    if spec.kind == "image" and spec.frames != "random":
        assert store.image_embeddings is not None
        found |= {"frames": spec.frames, "n_frames": int(store.image_embeddings.shape[1])}
    return normalised(vectors), found


def frames_of_query(condition: Mapping[str, Any], asked: int | None = None) -> int:
    """Return how many frames of a video a model is queried with.

    Args:
        condition: of the model's card.
        asked: by the user; None: as many as a clip of the training had, or one where it was trained on single frames.

    Raises:
        ConfigError: the model takes one frame, or none was asked for.
    """
    if asked is not None and (asked < 1 or (asked > 1 and "frames" not in condition)):
        raise ConfigError(
            f"frames {asked}: this model was trained on single frames and takes one; train with condition.frames mean "
            "or several for more"
            if asked > 1
            else f"frames must be at least 1, got {asked}"
        )
    return int(condition.get("n_frames", 1)) if asked is None else asked


def condition_of_frames(frames: Sequence[FloatArray], condition: Mapping[str, Any]) -> Float32:
    """Return the conditions of queries of several frames as the model was trained with them.

    Args:
        frames: of each query the embeddings (k, d) of its frames, of any norm; a single one stands for any number.
        condition: of the model's card.

    Returns:
        (b, d), or (b, k, d) for a model that attends to several, of L2 norm 1.

    Raises:
        ShapeError: queries have different numbers of frames, or several for a model that takes one.
    """
    rule, most = condition.get("frames"), max(len(rows) for rows in frames)
    unit = [normalised(rows) for rows in frames]
    if rule == "mean":
        return normalised(np.stack([rows.mean(axis=0) for rows in unit]))
    if any(len(rows) not in (1, most) for rows in unit) or (most > 1 and rule is None):
        allowed = "one image" if rule is None else "the same number of images"
        raise ShapeError(f"this model takes {allowed} per item, got {sorted({len(rows) for rows in frames})}")
    if rule is None:
        return np.concatenate(unit)
    # attention to one frame k times is attention to the frame
    return np.stack([np.broadcast_to(rows, (most, rows.shape[1])) for rows in unit])


def _of_frames(store: ClipStore, spec: ConditionSpec) -> tuple[Float32, EncoderCard]:
    vectors, card = store.image_embeddings, store.image_space
    if vectors is None or card is None:
        raise UserError(
            "these clips have no frame embeddings; prepare them again from videos with the image encoder "
            f"'{spec.encoder}'"
        )
    if card.name != spec.encoder:
        raise SpaceError(
            f"the clips' frames were embedded by '{card.name}', but the condition asks for '{spec.encoder}'; "
            "name the same encoder or prepare the clips again"
        )
    if spec.encoder_weights is not None:
        wanted = load_encoder(spec.encoder, spec.encoder_weights).card
        if wanted.weights_sha256 != card.weights_sha256:
            raise SpaceError(
                f"the clips' frames were embedded by {card.short}, but {spec.encoder_weights} holds {wanted.short}; "
                "use the same weights or prepare the clips again"
            )
    frames = np.asarray(vectors, dtype=np.float32)
    return (normalised(frames).mean(axis=1, keepdims=True) if spec.frames == "mean" else frames), card


def _of_captions(store: ClipStore, spec: ConditionSpec) -> tuple[Float32, EncoderCard]:
    missing = [key for key, captions in zip(store.keys, store.captions, strict=True) if not captions]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(store)} clips have no caption (the first is '{missing[0]}'); a model conditioned "
            "on text needs one for each: prepare them with --prompts CSV (columns key, prompt)"
        )
    encoder = load_encoder(spec.encoder, spec.encoder_weights)
    unique = {text: row for row, text in enumerate(dict.fromkeys(c for several in store.captions for c in several))}
    with threads.networks():
        vectors = np.asarray(encoder.text(list(unique)), dtype=np.float32)
    most = max(
        len(several) for several in store.captions
    )  # fewer are repeated, so that each step draws among them, the first ones a little more often
    rows = np.array([[unique[several[j % len(several)]] for j in range(most)] for several in store.captions])
    card = encoder.card
    if vectors.shape != (len(unique), card.dim):
        raise ShapeError(f"encoder '{spec.encoder}' gave {vectors.shape} for {len(unique)} texts and dim {card.dim}")
    return vectors[rows], card


def embed_frames(encoder: Encoder, frames: Sequence[Sequence[UInt8]], condition: Mapping[str, Any]) -> Float32:
    """Return the conditions (b, d) or (b, k, d) of queries of images, each of one or several.

    See :func:`condition_of_frames`.
    """
    if not frames:
        return np.zeros((0, encoder.card.dim), np.float32)
    vectors = encoder.image([frame for of_query in frames for frame in of_query])
    ends = np.cumsum([len(of_query) for of_query in frames])
    return condition_of_frames(np.split(vectors, ends[:-1]), condition)


def embed_texts(encoder: Encoder, texts: Sequence[str]) -> Float32:
    """Embed the texts of a request, (b, d) float32 of any norm; a stage of the request."""
    with stage("condition"):
        return encoder.text(texts)


def normalised(vectors: FloatArray) -> Float32:
    """Return vectors, (n, d) or (n, k, d), divided by their L2 norms, float32.

    Raises:
        ShapeError: one of them is zero or not finite.

    Example:
        >>> normalised(np.array([[3.0, 4.0]]))
        array([[0.6, 0.8]], dtype=float32)
    """
    norms = np.sqrt(np.einsum("...d,...d->...", vectors, vectors, dtype=np.float64))[..., None]  # |e| = √(Σ e_i²)
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise ShapeError("a condition embedding is zero or not finite; the encoder or its input is broken")
    result: Float32 = (vectors / norms.astype(vectors.dtype)).astype(np.float32, copy=False)
    return result
