"""What a clip is described by while the audio model learns: its own frames, or its caption.

Convention, everywhere in this package: a condition is an L2-normalised embedding times sqrt(d), so that a coordinate
has about unit size; nothing is centred, since the offset between images and texts is what is being studied.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.arraytypes import Float32, FloatArray
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ShapeError, SpaceError, UserError
from clipsonic_eval.types import EncoderCard


class Clips(Protocol):
    """What is needed of a store of prepared clips (:class:`clipsonic_eval.clips.ClipStore`)."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Identities."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """The item that each clip was cut from; clips of one item are dependent."""
        ...

    @property
    def prompts(self) -> tuple[str | None, ...]:
        """Captions."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    @property
    def n_samples(self) -> int:
        """Length of every clip."""
        ...

    @property
    def image_embeddings(self) -> Float32 | None:
        """(n, k, d): k frames a clip."""
        ...

    @property
    def image_space(self) -> EncoderCard | None:
        """The encoder of the frames."""
        ...

    @property
    def content_hash(self) -> str:
        """Hash of everything in the store."""
        ...

    def __len__(self) -> int: ...

    def rows(self, split: str | None = None) -> NDArray[np.int64]:
        """Rows of a split; None: all."""
        ...

    def audio(self, rows: NDArray[np.int64]) -> Float32:
        """(b, n_samples) of the rows."""
        ...


@dataclass(frozen=True, slots=True)
class ConditionSpec:
    """Where conditions come from.

    Attributes:
        kind: ``image``: the frame embeddings of the store, a random frame of the clip in every step (IQ, ZS, PD, SD).
            ``text``: the captions of the store through the encoder's text tower (CLIP-TTA, CLAP-TTA).
        encoder: registry name.
        encoder_weights: weights other than the encoder's own default place.
    """

    kind: Literal["image", "text"] = "image"
    encoder: str = "toy-clip"
    encoder_weights: Path | None = None


def condition_array(store: Clips, spec: ConditionSpec) -> tuple[Float32, dict[str, Any]]:
    """Return every clip's embeddings and the card of their space.

    Args:
        store: prepared clips.
        spec: what they are conditioned on.

    Returns:
        (n, k, d) L2-normalised float32 (k = 1 for texts), and ``{"kind": ..., "space": EncoderCard as JSON}``.

    Raises:
        UserError: the store has no frames or a clip has no caption.
        SpaceError: the store's frames were embedded by another encoder than the one named.
    """
    vectors, card = _images(store, spec) if spec.kind == "image" else _texts(store, spec)
    return normalised(vectors), {"kind": spec.kind, "space": as_tree(card)}


def _images(store: Clips, spec: ConditionSpec) -> tuple[Float32, EncoderCard]:
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
        wanted = ENCODERS[spec.encoder](spec.encoder_weights).card
        if wanted.weights_sha256 != card.weights_sha256:
            raise SpaceError(
                f"the clips' frames were embedded by {card.short}, but {spec.encoder_weights} holds {wanted.short}; "
                "use the same weights or prepare the clips again"
            )
    return np.asarray(vectors, dtype=np.float32), card


def _texts(store: Clips, spec: ConditionSpec) -> tuple[Float32, EncoderCard]:
    missing = [key for key, prompt in zip(store.keys, store.prompts, strict=True) if not prompt]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(store)} clips have no caption (the first is '{missing[0]}'); a model conditioned "
            "on text needs one for each: give them in the manifest's prompt column"
        )
    encoder = ENCODERS[spec.encoder](spec.encoder_weights)
    unique = {prompt: row for row, prompt in enumerate(dict.fromkeys(p for p in store.prompts if p))}
    vectors = np.asarray(encoder.text(list(unique)), dtype=np.float32)
    rows = np.array([unique[p] for p in store.prompts if p])
    card: EncoderCard = encoder.card
    if dataclasses.is_dataclass(card) and vectors.shape != (len(unique), card.dim):
        raise ShapeError(f"encoder '{spec.encoder}' gave {vectors.shape} for {len(unique)} texts and dim {card.dim}")
    return vectors[rows][:, None], card


def normalised(vectors: FloatArray) -> Float32:
    """Return the vectors with L2 norm 1 along the last axis.

    Raises:
        ShapeError: one of them is zero or not finite.
    """
    norms = np.sqrt(np.einsum("...d,...d->...", vectors, vectors, dtype=np.float64))[..., None]
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise ShapeError("a condition embedding is zero or not finite; the encoder or its input is broken")
    result: Float32 = (vectors / norms.astype(vectors.dtype)).astype(np.float32, copy=False)
    return result
