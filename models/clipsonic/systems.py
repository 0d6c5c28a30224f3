"""The systems that learn from unlabeled videos: IQ, ZS, PD and SD. One trained network; they differ in the query.

========  ============  =================================================================================
IQ        ImageQueried  the embedding of the query's picture: what the network was trained with
ZS        ZeroShot      the embedding of the query's text, put in its place as it is
PD        PriorGuided   a picture's embedding drawn from the text by a prior trained on image-caption pairs
SD        PriorGuided   the same with a prior trained on frames and captions of the videos (supervised)
real-mel  RealMel       no network: real sound through the front end and the vocoder, their own cost
========  ============  =================================================================================

Every system is built from one frozen configuration, and is a :class:`clipsonic_eval.systems.System`.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch

from clipsonic.conditions import normalised
from clipsonic.mel import MelFrontEnd
from clipsonic.model import MelDiffusion
from clipsonic.prior.model import DiffusionPrior
from clipsonic.system_config import MelSystemConfig, PriorGuidedConfig, RealMelConfig, check_space
from clipsonic.vocoders import VOCODERS, Vocoder, within_full_scale
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.video import query_picture
from clipsonic_eval.systems.controls import own_audio
from clipsonic_eval.types import Query

S = TypeVar("S", bound="MelSystem")
PEAK_RULE = "above 1: scaled to 1"


class MelSystem:
    """What the systems with a trained network share; a subclass says what a query is embedded as.

    Attributes:
        config: as given.
        model: the network.
        encoder: of the queries.
    """

    trained_on: ClassVar[Literal["image", "text"]]
    default_name: ClassVar[str]
    _loading: ClassVar[frozenset[str]] = frozenset({"model", "encoder", "encoder_weights", "precision", "device"})

    def __init__(self, config: MelSystemConfig) -> None:
        self.config = config
        device = resolve_device(config.device)
        self.model = MelDiffusion.load(config.model, device, precision=config.precision)
        self.encoder: Encoder = ENCODERS[config.encoder](config.encoder_weights, device=str(device))
        self._embedded: dict[tuple[object, ...], Float32] = {}
        condition = self.model.card["condition"]
        if condition["kind"] != self.trained_on:
            raise UserError(
                f"{config.model}: trained on {condition['kind']} conditions, but {type(self).__name__} needs a model "
                f"trained on {self.trained_on} conditions"
            )
        check_space(condition["space"], self.encoder.card, str(config.model))

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.config.name or self.default_name

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.model.sample_rate

    def card(self) -> dict[str, Any]:
        """Return everything that the results depend on."""
        return {
            "kind": type(self).__name__,
            "model": {
                key: self.model.card.get(key) for key in ("weights_sha256", "identity", "clips", "seed", "steps")
            },
            "encoder": self.encoder.card.short,
            "guidance": self.config.guidance,
            "steps": self.config.steps,
            "sampler": self.config.sampler,
            "precision": self.config.precision,
            "template": self.config.template,
            "candidates": 1,
            "vocoder": self.model.vocoder.card(),
            "peak": PEAK_RULE,
        }

    def variant(self: S, **changes: Any) -> S:
        """Return the same system with other settings; loaded networks and embedded queries are shared.

        Raises:
            ConfigError: a value is not accepted.
        """
        config = dataclasses.replace(self.config, **changes)
        if self._loading & changes.keys():
            return type(self)(config)
        other = copy.copy(self)
        other.config = config
        return other

    def with_guidance(self: S, guidance: float) -> S:
        """Return the same system at another guidance scale."""
        return self.variant(guidance=guidance)

    def conditions(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        """Return the embedding (b, d), of norm 1, that each query becomes; kept, so that asking again is free.

        Raises:
            MediaError: a query has no readable picture where one is needed.
        """
        wanted = [self._identity(query, seed) for query, seed in zip(queries, seeds, strict=True)]
        new = {key: i for i, key in enumerate(wanted) if key not in self._embedded}
        if new:
            rows = list(new.values())
            vectors = normalised(self._embed([queries[i] for i in rows], [seeds[i] for i in rows]))
            self._embedded.update(zip(new, vectors, strict=True))
        empty = np.zeros((0, self.model.condition_dim), np.float32)
        return np.stack([self._embedded[key] for key in wanted]) if wanted else empty

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Return one waveform per query; see :class:`clipsonic_eval.systems.System`."""
        if not queries:
            return []
        settings = self.config
        log_mel = self.model.generate_mel(
            self.conditions(queries, seeds), seeds, settings.guidance, settings.steps, settings.sampler
        )
        return list(self.model.vocode(log_mel, seeds))

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        """Return what the embedding of a query follows from."""
        raise NotImplementedError

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        raise NotImplementedError


class PromptEmbedded:
    """What of a :class:`MelSystem` is its own where the condition is the embedding of the query's text."""

    config: MelSystemConfig
    encoder: Encoder

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        del seed
        return ("text", self.config.template, query.prompt)

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        del seeds
        return self.encoder.text(self.prompts(queries))

    def prompts(self, queries: Sequence[Query]) -> list[str]:
        """Return the queries' texts, put into the template."""
        return [self.config.template.replace("{}", query.prompt) for query in queries]


class ImageQueried(MelSystem):
    """IQ: conditioned on the query's picture, or the centre frame of its video."""

    trained_on = "image"
    default_name = "IQ"

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        del seed
        if query.image is None:
            raise MediaError(f"query '{query.key}': has no picture; {self.name} needs one in column `image` or `path`")
        return ("image", query.image)

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        del seeds
        return self.encoder.image([query_picture(query.image) for query in queries if query.image is not None])


class ZeroShot(PromptEmbedded, MelSystem):
    """ZS: the text's embedding in the place of a picture's, across the modality gap."""

    trained_on = "image"
    default_name = "ZS"


class PriorGuided(PromptEmbedded, MelSystem):
    """PD and SD: conditioned on a picture's embedding that the prior draws from the text."""

    trained_on = "image"
    default_name = "PD"
    _loading = MelSystem._loading | {"prior"}
    config: PriorGuidedConfig

    def __init__(self, config: PriorGuidedConfig) -> None:
        super().__init__(config)
        self.prior = DiffusionPrior.load(config.prior, self.model.device)
        check_space(self.prior.card["space"], self.encoder.card, str(config.prior))

    def card(self) -> dict[str, Any]:
        """Return everything that the results depend on."""
        sampling = self.config.prior_sampling()
        return {**super().card(), "candidates": sampling["candidates"], "prior": self.prior.identity(**sampling)}

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        return ("prior", self.config.template, query.prompt, seed, *self.config.prior_sampling().values())

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        prompts = self.prompts(queries)
        tokens = None
        if self.prior.text_tokens:
            tokens = self.encoder.text_tokens(prompts)  # type: ignore[attr-defined]
        return self.prior.sample(self.encoder.text(prompts), seeds, tokens=tokens, **self.config.prior_sampling())


class RealMel:
    """The sound of the query's own video, through log-mel and vocoder."""

    def __init__(self, config: RealMelConfig) -> None:
        self.config = config
        self.name = config.name
        self.sample_rate = config.mel.sample_rate
        self._front_end = MelFrontEnd(config.mel)
        self._vocoder: Vocoder = VOCODERS[config.vocoder](config.mel)

    def card(self) -> dict[str, Any]:
        """Return front end, vocoder and length."""
        own = {"kind": "real-mel", "duration_s": self.config.duration_s}
        return {**own, "vocoder": self._vocoder.card(), "peak": PEAK_RULE}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Return each query's own sound as the vocoder renders its log-mel.

        Raises:
            UserError: a query names no file, one without readable sound, or one too short for a frame.
        """
        return [self._rendered(query, seed) for query, seed in zip(queries, seeds, strict=True)]

    def _rendered(self, query: Query, seed: int) -> Float32:
        samples = own_audio(query, self.sample_rate, self.config.duration_s)
        log_mel = self._front_end.log_mel(torch.from_numpy(samples)[None])
        rendered: Float32 = within_full_scale(self._vocoder(log_mel, [seed]))[0].numpy()
        return rendered
