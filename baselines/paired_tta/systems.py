"""What IQ, ZS, PD and SD are compared with: supervised systems, and two cheap ways over the modality gap.

==========  =========  ====================================================================================
CLIP-TTA    ClipTTA    the same network, trained on text-audio pairs with CLIP's text embeddings
CLAP-TTA    ClapTTA    the same with CLAP's text embeddings (not the CLAP that scores)
mean-shift  MeanShift  ZS with the difference of the two centroids added to the text's embedding
retrieval   Retrieval  no generation: the sound of the training clip whose frame is nearest to the text
==========  =========  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic.conditions import ConditionSpec, condition_array, normalised
from clipsonic.prior.data import PairSource, load_pairs
from clipsonic.system_config import MelSystemConfig
from clipsonic.systems import MelSystem, PromptEmbedded
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.types import Query


class ClipTTA(PromptEmbedded, MelSystem):
    """CLIP-TTA: a network trained on the CLIP text embeddings of captions, queried with the same."""

    trained_on = "text"
    default_name = "CLIP-TTA"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClapTTAConfig(MelSystemConfig):
    """:class:`clipsonic.systems.MelSystemConfig` with the CLAP that conditions."""

    encoder: str = "toy-clap-condition"


class ClapTTA(PromptEmbedded, MelSystem):
    """CLAP-TTA: a network trained on the CLAP text embeddings of captions, queried with the same."""

    trained_on = "text"
    default_name = "CLAP-TTA"

    def __init__(self, config: ClapTTAConfig) -> None:
        super().__init__(config)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanShiftConfig(MelSystemConfig):
    """A video-trained network and the pairs on which the shift is measured.

    Attributes:
        pairs: image-caption pairs for training, the ones that the prior of PD learns from.
    """

    pairs: PairSource


class MeanShift(PromptEmbedded, MelSystem):
    """ZS with ``text + (mean image - mean text)``, L2-normalised again: the cheapest way over the gap.

    The two means are those of the L2-normalised embeddings of the *training* pairs, unweighted, not normalised
    themselves.
    """

    trained_on = "image"
    default_name = "mean-shift"
    _loading = MelSystem._loading | {"pairs"}
    config: MeanShiftConfig

    def __init__(self, config: MeanShiftConfig) -> None:
        super().__init__(config)
        pairs = load_pairs(config.pairs, config.encoder, config.encoder_weights)
        mean_text, mean_image = pairs.means()
        self.shift = mean_image - mean_text
        self._pairs = {"kind": pairs.kind, "sha256": pairs.content, "n": len(pairs)}

    def card(self) -> dict[str, Any]:
        """Return everything that the results depend on."""
        length = round(float(np.linalg.norm(self.shift)), 4)
        return {
            **super().card(),
            "pairs": self._pairs,
            "shift_length": length,
            "scale": "l2-normalised after the shift",
        }

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        return ("shifted", *super()._identity(query, seed))

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        return normalised(normalised(super()._embed(queries, seeds)) + self.shift)


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """Where the answers come from.

    Attributes:
        clips: folder of prepared clips with frame embeddings: the training videos.
        split: only clips of this split; None: all.
        name: of the system.
        encoder: of the texts; the frames must have been embedded by the same.
        encoder_weights: weights other than the encoder's own default place.
        template: how a prompt is put before it is embedded; ``{}`` stands for it.
    """

    clips: Path
    split: str | None = None
    name: str = "retrieval"
    encoder: str = "toy-clip"
    encoder_weights: Path | None = None
    template: str = "{}"

    def __post_init__(self) -> None:
        if self.template.count("{}") != 1:
            raise ConfigError(f"template '{self.template}' must hold {{}} once, where the prompt goes")


class Retrieval:
    """The sound of the training clip whose middle frame has the highest cosine to the text; seeds change nothing."""

    def __init__(self, config: RetrievalConfig) -> None:
        from clipsonic_eval.clips import ClipStore

        self.config = config
        self.name = config.name
        self._store = ClipStore.open(config.clips)
        self.sample_rate = self._store.sample_rate
        self._encoder: Encoder = ENCODERS[config.encoder](config.encoder_weights)
        frames, _ = condition_array(self._store, ConditionSpec("image", config.encoder, config.encoder_weights))
        self._rows = self._store.rows(config.split)
        if not len(self._rows):
            raise UserError(f"{config.clips}: no clips of split '{config.split}' to retrieve from")
        self._frames = frames[self._rows, self._store.centre]

    def card(self) -> dict[str, Any]:
        """Return encoder and collection."""
        return {
            "kind": type(self).__name__,
            "encoder": self._encoder.card.short,
            "template": self.config.template,
            "clips": self._store.content_hash,
            "n_clips": len(self._rows),
        }

    def nearest(self, queries: Sequence[Query]) -> NDArray[np.int64]:
        """Return the row in the store of each query's clip; of equally near ones the first."""
        texts = self._encoder.text([self.config.template.replace("{}", query.prompt) for query in queries])
        return self._rows[np.argmax(normalised(texts) @ self._frames.T, axis=1)]

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Return the sounds of the nearest clips."""
        del seeds
        return list(self._store.audio(self.nearest(queries))) if queries else []
