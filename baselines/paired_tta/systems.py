"""What CLIPSonic is compared with: supervised text-to-audio, and the cheap ways over the modality gap.

================  =========================================================================================
``ClipTTA``       the same network, trained on text-audio pairs, conditioned on CLIP's text embedding
``ClapTTA``       the same with CLAP's text embedding (not the CLAP that scores)
``MeanShift``     the video network; text embedding plus the difference of the two modalities' centroids
``Retrieval``     no generation: the sound of the training video whose frame is nearest to the text
================  =========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic.conditions import normalised
from clipsonic.prior_data import PairSource, load_pairs
from clipsonic.systems import Conditioned, SystemConfig
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import ConfigError, SpaceError, UserError
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.types import Query


class ClipTTA(Conditioned):
    """CLIP-TTA: trained with ``condition.kind: text`` on pairs, asked in the same way."""

    usual_name = "CLIP-TTA"
    condition_kind = "text"

    def conditions(self, queries: Sequence[Query], seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return text embeddings."""
        del seeds
        return self.text_embeddings(queries)


class ClapTTA(ClipTTA):
    """CLAP-TTA: as CLIP-TTA; its configuration names a CLAP as encoder, another one than the one that scores."""

    usual_name = "CLAP-TTA"


@dataclass(frozen=True, slots=True)
class MeanShiftConfig(SystemConfig):
    """:class:`clipsonic.systems.SystemConfig` with the pairs on which the centroids are measured.

    Attributes:
        pairs: image-caption pairs, the ones that the prior was trained on (required).
    """

    pairs: PairSource | None = None


class MeanShift(Conditioned):
    """Mean-shift: the text's embedding moved by (mean image - mean text) and brought back to norm 1.

    The cheapest way over the gap: it closes the distance of the centroids and knows nothing about the single picture.
    """

    usual_name = "mean-shift"

    def __init__(self, config: MeanShiftConfig) -> None:
        super().__init__(config)
        if config.pairs is None:
            raise ConfigError("setting 'pairs' is required: image-caption pairs, e.g. pairs.pictures=FOLDER")
        pairs = load_pairs(config.pairs, config.encoder, config.encoder_weights)
        images = pairs.image.mean(axis=1, dtype=np.float64)
        self.shift: NDArray[np.float64] = images.mean(axis=0) - pairs.text.mean(axis=0, dtype=np.float64)
        self._pairs = {"kind": pairs.kind, "sha256": pairs.content, "n": len(pairs)}

    def conditions(self, queries: Sequence[Query], seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return moved text embeddings."""
        del seeds
        return normalised(self.text_embeddings(queries) + self.shift)

    def card(self) -> dict[str, Any]:
        """Return everything that a sound depends on, the pairs included."""
        return {**super().card(), "pairs": self._pairs}


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """Which clips are searched.

    Attributes:
        clips: prepared clips of the training videos, with frame embeddings.
        encoder: registry name of their encoder.
        encoder_weights: weights other than the encoder's own default place.
        name: what tables call it.
    """

    clips: Path
    encoder: str = "toy-clip"
    encoder_weights: Path | None = None
    name: str = "retrieval"


class Retrieval:
    """Retrieval: the sound of the training clip whose centre frame has the highest cosine to the text."""

    def __init__(self, config: RetrievalConfig) -> None:
        self.name = config.name
        self._store = ClipStore.open(config.clips)
        self._encoder: Encoder = ENCODERS[config.encoder](config.encoder_weights)
        images, space = self._store.image_embeddings, self._store.image_space
        if images is None or space is None:
            raise UserError(f"{config.clips}: these clips have no frame embeddings; prepare them with an image encoder")
        if space.weights_sha256 != self._encoder.card.weights_sha256:
            raise SpaceError(
                f"{config.clips}: the frames were embedded by {space.short}, the texts would be by "
                f"{self._encoder.card.short}; name the same encoder"
            )
        self._images = normalised(np.asarray(images)[:, images.shape[1] // 2])

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._store.sample_rate

    def card(self) -> dict[str, Any]:
        """Return the clips and the encoder."""
        return {
            "kind": type(self).__name__,
            "clips": config_hash(self._store.content_hash),
            "encoder": self._encoder.card.short,
        }

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        """Return the nearest clip's sound for each query; ties go to the first clip."""
        del seeds
        cosine = self._encoder.text([q.prompt for q in queries]) @ self._images.T
        return list(self._store.audio(cosine.argmax(axis=1)))
