"""Baselines and controls for IQ, ZS, PD and SD: supervised systems, cheap bridges of the modality gap, resynthesis.

==========  =========  ==============================================================================================
CLIP-TTA    ClipTTA    the same network, trained on text-audio pairs with CLIP text embeddings (supervised)
CLAP-TTA    ClapTTA    the same with CLAP text embeddings, of another CLAP than the one that scores
mean-shift  MeanShift  ZS with the difference of the modality centroids added to the text embedding
retrieval   Retrieval  no generation: the audio of the training clip whose frame is nearest to the text
real-mel    RealMel    no network: real audio through mel spectrogram and vocoder, the cost of these two
==========  =========  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clipsonic.conditions import ConditionSpec, condition_array, embed_texts, normalised
from clipsonic.mel import MelConfig, MelFrontEnd
from clipsonic.prior.data import PairSource, load_pairs
from clipsonic.system_config import MelSystemConfig, check_template
from clipsonic.systems import PEAK_RULE, MelSystem
from clipsonic.vocoders import Vocoder, make_vocoder, waveforms
from clipsonic_eval.arraytypes import Float32, IntArray
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.systems.controls import own_audio
from clipsonic_eval.types import Query


class ClipTTA(MelSystem):
    """CLIP-TTA: a network trained on, and queried with, the CLIP text embeddings of captions."""

    trained_on = "text"
    default_name = "CLIP-TTA"


class ClapTTA(MelSystem):
    """CLAP-TTA: a network trained on, and queried with, the CLAP text embeddings of captions."""

    trained_on = "text"
    default_name = "CLAP-TTA"
    default_encoder = "toy-clap-condition"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanShiftConfig(MelSystemConfig):
    """Settings of mean-shift.

    Attributes:
        pairs: image-caption pairs on which the shift is measured, those that the prior of PD is trained on.
        fraction: of the difference of the centroids that is added; 0 is ZS, 1 the whole of it.
    """

    pairs: PairSource
    fraction: float = 1.0


class MeanShift(MelSystem):
    """ZS with the centroid difference added to the text embedding: the cheapest bridge of the modality gap.

    The two means are those of the L2-normalised embeddings of the *training* pairs, unweighted, not normalised
    themselves; the shifted embedding is L2-normalised again.
    """

    trained_on = "image"
    default_name = "mean-shift"
    _loading = MelSystem._loading | {"pairs"}
    config: MeanShiftConfig

    def __init__(self, config: MeanShiftConfig) -> None:
        super().__init__(config)
        pairs = load_pairs(config.pairs, config.encoder or self.default_encoder, config.encoder_weights)
        mean_text, mean_image = pairs.means()
        self.shift = config.fraction * (mean_image - mean_text)  # λΔ = λ (μ_image − μ_text)
        self._pairs = {"kind": pairs.kind, "sha256": pairs.content, "n": len(pairs)}

    def card(self) -> dict[str, Any]:
        """Return everything the results depend on."""
        length = round(float(np.linalg.norm(self.shift)), 4)
        return {
            **super().card(),
            "pairs": self._pairs,
            "fraction": self.config.fraction,
            "shift_length": length,
            "scale": "l2-normalised after the shift",
        }

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        return ("shifted", *super()._identity(query, seed))

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        text = normalised(super()._embed(queries, seeds))
        return normalised(text + self.shift)  # (e + λΔ) / |e + λΔ|


class Retrieval:
    """The audio of the training clip whose middle frame has the highest cosine to the text; seeds change nothing.

    Args:
        clips: folder of prepared clips with frame embeddings: the training videos.
        split: only clips of this split; None: all.
        name: name in tables.
        encoder: of the texts; the frames must have been embedded by the same.
        encoder_weights: weights other than the encoder's default.
        template: prompt template, ``{}`` stands for the prompt.
    """

    def __init__(
        self,
        clips: Path,
        *,
        split: str | None = None,
        name: str = "retrieval",
        encoder: str = "toy-clip",
        encoder_weights: Path | None = None,
        template: str = "{}",
    ) -> None:
        from clipsonic_eval.clips import ClipStore

        check_template(template)
        self.name = name
        self._template = template
        self._store = ClipStore.open(clips)
        self.sample_rate = self._store.sample_rate
        self._encoder = load_encoder(encoder, encoder_weights)
        frames, _ = condition_array(self._store, ConditionSpec("image", encoder, encoder_weights))
        self._rows = self._store.rows(split)
        self._frames = frames[self._rows, self._store.centre]

    def card(self) -> dict[str, Any]:
        """Return encoder and collection."""
        return {
            "kind": type(self).__name__,
            "encoder": self._encoder.card.short,
            "template": self._template,
            "clips": self._store.content_hash,
            "n_clips": len(self._rows),
        }

    def nearest(self, queries: Sequence[Query]) -> IntArray:
        """Return the row in the store of each query's clip, (b,) int64; of equally near ones the first."""
        texts = embed_texts(self._encoder, [self._template.replace("{}", query.prompt) for query in queries])
        cosines = normalised(texts) @ self._frames.T  # (b, n)
        return self._rows[np.argmax(cosines, axis=1)]

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Return the audio of the nearest clips, (n,) float32 each."""
        del seeds
        return list(self._store.audio(self.nearest(queries))) if queries else []


class RealMel:
    """The audio of the query's own video, resynthesised from its log-mel spectrogram by the vocoder.

    Args:
        name: name in tables.
        mel: layout of the mel spectrogram; None: the default.
        vocoder: settings of :func:`clipsonic.vocoders.make_vocoder`; None: Griffin-Lim's defaults.
        duration_s: seconds; longer audio is cut at the end, shorter audio zero-padded. None: as it is, less a remainder
            shorter than a hop.
    """

    def __init__(
        self,
        *,
        name: str = "real-mel",
        mel: MelConfig | None = None,
        vocoder: Mapping[str, Any] | None = None,
        duration_s: float | None = None,
    ) -> None:
        if duration_s is not None and duration_s <= 0:
            raise ConfigError("duration_s must be above 0")
        mel = mel or MelConfig()
        self.name = name
        self.sample_rate = mel.sample_rate
        self._duration_s = duration_s
        self._front_end = MelFrontEnd(mel)
        self._vocoder: Vocoder = make_vocoder(mel, vocoder or {})

    def card(self) -> dict[str, Any]:
        """Return front end, vocoder and length."""
        own = {"kind": "real-mel", "duration_s": self._duration_s}
        return {**own, "vocoder": self._vocoder.card(), "peak": PEAK_RULE}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Return the resynthesised audio of each query, (n,) float32 in [-1, 1].

        Raises:
            UserError: a query names no file, one without readable audio, or one too short for a frame.
        """
        return [self._resynthesised(query, seed) for query, seed in zip(queries, seeds, strict=True)]

    def _resynthesised(self, query: Query, seed: int) -> Float32:
        samples = own_audio(query, self.sample_rate, self._duration_s)
        log_mel = self._front_end.log_mel(torch.from_numpy(samples)[None])
        audio: Float32 = waveforms(self._vocoder, log_mel, [seed])[0].numpy()
        return audio
