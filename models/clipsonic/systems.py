"""The systems IQ, ZS, PD and SD: one network, learnt from unlabelled videos, asked in different ways.

==================  =======================================================================================
``ImageQueried``    IQ: the CLIP image embedding of the query's picture, as in training; the upper bound
``ZeroShot``        ZS: the CLIP *text* embedding in its place; what the modality gap costs
``PriorGuided``     PD, SD: an image embedding that a diffusion prior draws from the text embedding
``RealMel``         yardstick: the query's own sound through mel and vocoder; what any of them can reach at best
==================  =======================================================================================

Source: Dong et al. 2023 (arXiv 2306.09635), section 3.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from clipsonic.mel import MelFrontEnd
from clipsonic.model import MelDiffusion
from clipsonic.prior import DiffusionPrior, PriorSettings
from clipsonic.training.audio import device_named
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import ConfigError, SpaceError, UserError
from clipsonic_eval.media.audio import mono_at, read_audio
from clipsonic_eval.media.video import query_picture
from clipsonic_eval.seeds import derive
from clipsonic_eval.types import EncoderCard, Query


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """How a conditional system samples.

    Attributes:
        model: folder of the trained audio model.
        encoder: registry name of the encoder of the queries.
        encoder_weights: weights other than the encoder's own default place.
        guidance: w of ``uncond + w (cond - uncond)``; 1 is none.
        steps: of the sampler.
        sampler: a name in :data:`clipsonic.samplers.SAMPLERS`.
        name: what tables call it; None: the system's usual name.
        device: ``auto``: a GPU if there is one.
        batch_size: sounds drawn together; does not change them.
    """

    model: Path
    encoder: str = "toy-clip"
    encoder_weights: Path | None = None
    guidance: float = 2.0
    steps: int = 20
    sampler: str = "dpm-solver++"
    name: str | None = None
    device: str = "auto"
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.guidance < 0 or self.steps < 1 or self.batch_size < 1:
            raise ConfigError("guidance must not be negative; steps and batch_size must be at least 1")


@dataclass(frozen=True, slots=True)
class PriorGuidedConfig(SystemConfig):
    """:class:`SystemConfig` with a prior.

    Attributes:
        prior: folder of the trained prior (required).
        prior_settings: its steps, guidance and candidates.
    """

    prior: Path | None = None
    prior_settings: PriorSettings = field(default_factory=PriorSettings)


class Conditioned:
    """What the systems share: the loaded network, the encoder, and the embeddings of queries already seen.

    Subclasses say what a query's condition is.
    """

    usual_name = "conditioned"
    condition_kind = "image"

    def __init__(self, config: SystemConfig) -> None:
        self.config = config
        device = device_named(config.device)
        self.model = MelDiffusion.load(config.model, device)
        self.encoder: Encoder = ENCODERS[config.encoder](config.encoder_weights, device=str(device))
        self._guidance = config.guidance
        self._seen: dict[tuple[str, str], NDArray[np.float32]] = {}
        _check_space(self.model, self.encoder.card, config, self.condition_kind)

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.config.name or self.usual_name

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.model.sample_rate

    def with_guidance(self, guidance: float) -> Self:
        """Return the same system at another guidance scale; network and embeddings are shared, not loaded again."""
        other = copy.copy(self)
        other._guidance = guidance
        return other

    def card(self) -> dict[str, Any]:
        """Return everything that a sound depends on."""
        return {
            "kind": type(self).__name__,
            "model_sha256": self.model.card["weights_sha256"],
            "model_identity": self.model.card.get("identity"),
            "train_seed": self.model.card.get("seed"),
            "train_steps": self.model.card.get("steps"),
            "encoder": self.encoder.card.short,
            "guidance": self._guidance,
            "steps": self.config.steps,
            "sampler": self.config.sampler,
        }

    def conditions(self, queries: Sequence[Query], seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return the embedding that stands for each query, (n, d) of norm 1."""
        raise NotImplementedError

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        """Return one waveform per query; see :class:`clipsonic_eval.systems.System`."""
        sounds = self.model.generate_audio(
            self.conditions(queries, seeds),
            seeds,
            self._guidance,
            self.config.steps,
            self.config.sampler,
            batch_size=self.config.batch_size,
        )
        return list(sounds)

    def text_embeddings(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Return the embeddings of the prompts, (n, d) of norm 1."""
        return self._remembered("text", [q.prompt for q in queries], self.encoder.text)

    def image_embeddings(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Return the embeddings of the pictures, (n, d) of norm 1.

        Raises:
            UserError: a query has no picture, or it cannot be read.
        """
        for query in queries:
            if query.image is None:
                raise UserError(f"query '{query.key}' has no picture; give a column image or path in the queries")
        return self._remembered(
            "image",
            [str(q.image) for q in queries],
            lambda paths: self.encoder.image([query_picture(Path(p)) for p in paths]),
        )

    def _remembered(
        self, kind: str, items: Sequence[str], embed: Callable[[list[str]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        new = list(dict.fromkeys(i for i in items if (kind, i) not in self._seen))
        if new:
            for item, row in zip(new, embed(new), strict=True):
                self._seen[kind, item] = row
        return np.stack([self._seen[kind, item] for item in items])


class ImageQueried(Conditioned):
    """IQ: the picture's embedding, as in training."""

    usual_name = "IQ"

    def conditions(self, queries: Sequence[Query], seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return image embeddings."""
        del seeds
        return self.image_embeddings(queries)


class ZeroShot(Conditioned):
    """ZS: the text's embedding where the network expects a picture's."""

    usual_name = "ZS"

    def conditions(self, queries: Sequence[Query], seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return text embeddings."""
        del seeds
        return self.text_embeddings(queries)


class PriorGuided(Conditioned):
    """PD and SD, by what their prior was trained on: an image embedding drawn from the text's."""

    usual_name = "PD"

    def __init__(self, config: PriorGuidedConfig) -> None:
        super().__init__(config)
        if config.prior is None:
            raise ConfigError("setting 'prior' is required: the folder of a trained prior")
        self.prior = DiffusionPrior.load(config.prior, device_named(config.device))
        self.prior_settings = config.prior_settings
        _check_prior_space(self.prior, self.encoder.card)

    def conditions(self, queries: Sequence[Query], seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return drawn image embeddings; a draw depends on its query's prompt and seed."""
        own = [derive(seed, "", "prior") for seed in seeds]
        return self.prior.sample(self.text_embeddings(queries), own, self.prior_settings)

    def card(self) -> dict[str, Any]:
        """Return everything that a sound depends on, the prior included."""
        return {**super().card(), "prior": self.prior.identity(self.prior_settings)}


@dataclass(frozen=True, slots=True)
class RealMelConfig:
    """Which model's mel and vocoder the real sound goes through.

    Attributes:
        model: folder of the trained audio model.
        name: what tables call it.
    """

    model: Path
    name: str = "real-mel"


class RealMel:
    """The query's own sound through log-mel and the vocoder: what the representation itself costs."""

    def __init__(self, config: RealMelConfig) -> None:
        self.name = config.name
        self._model = MelDiffusion.load(config.model)
        self._front_end = MelFrontEnd(self._model.mel)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._model.sample_rate

    def card(self) -> dict[str, Any]:
        """Return the mel layout."""
        mel = self._model.mel
        return {"kind": type(self).__name__, "mel": f"{mel.n_mels}x{self._model.frames}", "hop": mel.hop}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        """Return each query's own sound, cut or filled to the model's length, through mel and back."""
        length = self._model.frames * self._model.mel.hop
        sounds = np.zeros((len(queries), length), np.float32)
        for row, query in enumerate(queries):
            if query.image is None:
                raise UserError(f"query '{query.key}' names no video; give a column path in the queries")
            own = mono_at(read_audio(query.image, key=query.key), self.sample_rate)[:length]
            sounds[row, : len(own)] = own
        log_mel = self._front_end.log_mel(torch.from_numpy(sounds)).cpu()
        return list(self._model.vocoder(log_mel, seeds).numpy())


def _check_space(model: MelDiffusion, card: EncoderCard, config: SystemConfig, kind: str) -> None:
    """Refuse queries of another space than the network was trained in."""
    trained = model.card.get("condition", {})
    if trained.get("kind", kind) != kind:
        raise UserError(
            f"{config.model}: was trained on {trained['kind']} conditions, but this system gives it {kind}s; "
            "choose the system that fits the model"
        )
    space = trained.get("space", {})
    if space.get("weights_sha256", card.weights_sha256) != card.weights_sha256:
        raise SpaceError(
            f"{config.model}: was trained on embeddings of {space['name']}+{space['weights_sha256'][:8]}, but the "
            f"queries would be embedded by {card.short}; give the same encoder and encoder_weights"
        )


def _check_prior_space(prior: DiffusionPrior, card: EncoderCard) -> None:
    space = prior.card.get("space", {})
    if space.get("weights_sha256", card.weights_sha256) != card.weights_sha256:
        raise SpaceError(
            f"the prior was trained on embeddings of {space['name']}+{space['weights_sha256'][:8]}, but the texts are "
            f"embedded by {card.short}; use the prior of this encoder"
        )
