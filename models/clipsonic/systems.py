"""The CLIPSonic systems, trained on unlabeled videos: IQ, ZS, PD and SD. One network; they differ in its condition.

======  ============  =============================================================================================
IQ      ImageQueried  image-queried: the CLIP embedding of the query's image, as in training
ZS      ZeroShot      zero-shot modality transfer: the CLIP embedding of the query's text in place of an image's
PD      PriorGuided   pretrained diffusion prior: an image embedding drawn from the text, by a prior trained on
                      image-caption pairs of the web
SD      PriorGuided   supervised diffusion prior: the same, by a prior trained on frames and captions of the videos
======  ============  =============================================================================================

Every system is built from one frozen configuration, and is a :class:`clipsonic_eval.systems.System`.

Source: Dong et al., CLIPSonic: Text-to-Audio Synthesis with Unlabeled Videos and Pretrained Language-Vision Models,
WASPAA 2023 (arXiv 2306.09635).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch

from clipsonic.conditions import embed_frames, embed_texts, frames_of_query, normalised
from clipsonic.model import MelDiffusion
from clipsonic.networks import set_execution
from clipsonic.prior.model import DiffusionPrior
from clipsonic.system_config import MelSystemConfig, PriorGuidedConfig, check_space
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.video import query_frames
from clipsonic_eval.stages import stage
from clipsonic_eval.types import Query

_StepEnd = Callable[[int, int, torch.Tensor], torch.Tensor]  # see clipsonic.samplers
S = TypeVar("S", bound="MelSystem")
PEAK_RULE = "above 1: scaled to 1"


class MelSystem:
    """Base of the systems with a trained network, conditioned on the embedding of the query's text.

    A subclass may override what a query is embedded as, :meth:`_embed`, and what that depends on, :meth:`_identity`.

    Attributes:
        config: the settings.
        model: the audio model.
        encoder: of the queries.
    """

    trained_on: ClassVar[Literal["image", "text"]]
    default_name: ClassVar[str]
    default_encoder: ClassVar[str] = "toy-clip"
    _loading: ClassVar[frozenset[str]] = frozenset(
        {"model", "encoder", "encoder_weights", "vocoder", "precision", "device", "compile", "channels_last"}
    )

    def __init__(self, config: MelSystemConfig) -> None:
        self.config = config
        device = resolve_device(config.device)
        self.model = MelDiffusion.load(config.model, device, precision=config.precision, vocoder=config.vocoder)
        self.model.frames_of(config.duration_s)  # refuses a duration before the encoder is loaded
        set_execution(self.model.executed, compiled=config.compile, channels_last=config.channels_last)
        name = config.encoder or self.default_encoder
        self.encoder = load_encoder(name, config.encoder_weights, device=str(device))
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
        """Name in tables."""
        return self.config.name or self.default_name

    @property
    def sample_rate(self) -> int:
        """Sample rate of the output, Hz."""
        return self.model.sample_rate

    def card(self) -> dict[str, Any]:
        """Return everything the results depend on."""
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
            **self.config.unusual(),
        }

    def variant(self: S, **changes: Any) -> S:
        """Return the same system with other settings; loaded networks and embedded queries are shared.

        Raises:
            ConfigError: a value is not accepted.
        """
        config = dataclasses.replace(self.config, **changes)
        self.model.frames_of(config.duration_s)
        if self._loading & changes.keys():
            return type(self)(config)
        other = copy.copy(self)
        other.config = config
        return other

    def with_guidance(self: S, guidance: float) -> S:
        """Return the same system at another scale of classifier-free guidance."""
        return self.variant(guidance=guidance)

    def conditions(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        """Return the condition embedding of each query; kept, so that asking again is free.

        Args:
            queries: b queries.
            seeds: b seeds.

        Returns:
            (b, d) float32 of L2 norm 1; (b, k, d) of queries of several frames, for a model that attends to them.

        Raises:
            MediaError: a query has no readable image where one is needed.
        """
        wanted = [self._identity(query, seed) for query, seed in zip(queries, seeds, strict=True)]
        new = {key: i for i, key in enumerate(wanted) if key not in self._embedded}
        if new:
            rows = list(new.values())
            vectors = normalised(self._embed([queries[i] for i in rows], [seeds[i] for i in rows]))
            self._embedded.update(zip(new, vectors, strict=True))
        empty = np.zeros((0, self.model.condition_dim), np.float32)
        return np.stack([self._embedded[key] for key in wanted]) if wanted else empty

    def forget(self) -> None:
        """Forget the embedded queries, so that the next request embeds its own again."""
        self._embedded.clear()

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Generate one waveform (n,) float32 in [-1, 1] per query; see :class:`clipsonic_eval.systems.System`."""
        if not queries:
            return []
        log_mel = self.log_mel(self.conditions(queries, seeds), seeds)
        return list(self.model.vocode(log_mel, seeds))

    def log_mel(self, conditions: Float32, seeds: Sequence[int], step_end: _StepEnd | None = None) -> torch.Tensor:
        """Generate one log-mel spectrogram per condition (b, d) and seed, (b, n_mels, frames) float32 in nats.

        ``step_end`` sees every step, see :func:`clipsonic.samplers.sample`.
        """
        settings = self.config
        return self.model.generate_mel(
            conditions,
            seeds,
            settings.guidance,
            settings.steps,
            settings.sampler,
            spacing=settings.spacing,
            guidance_interval=settings.guidance_interval,
            frames=self.model.frames_of(settings.duration_s),
            step_end=step_end,
        )

    def prompts(self, queries: Sequence[Query]) -> list[str]:
        """Return the prompts of queries in the template."""
        return [self.config.template.replace("{}", query.prompt) for query in queries]

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        """Return everything the embedding of a query depends on."""
        del seed
        return ("text", self.config.template, query.prompt)

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        """Return the embeddings of queries, (b, d) of any norm."""
        del seeds
        return embed_texts(self.encoder, self.prompts(queries))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _ImageQueriedConfig(MelSystemConfig):
    """Settings of :class:`ImageQueried`.

    Attributes:
        frames: of a query's video, spread over it, for models that were trained on several; None: as many as in
            training. An image is one frame.
    """

    frames: int | None = None


class ImageQueried(MelSystem):
    """IQ, image-queried: conditioned on the query's image, or frames of its video (mostly the centre one)."""

    trained_on = "image"
    default_name = "IQ"
    config: _ImageQueriedConfig

    def __init__(self, config: _ImageQueriedConfig) -> None:
        super().__init__(config)
        self._frames()

    def card(self) -> dict[str, Any]:
        """Return everything the results depend on."""
        frames = self._frames()
        return {**super().card(), **({"frames": frames} if frames > 1 else {})}

    def _frames(self) -> int:
        """Return how many frames of a video make a query."""
        return frames_of_query(self.model.card["condition"], self.config.frames)

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        del seed
        if query.image is None:
            raise MediaError(f"query '{query.key}': has no image; {self.name} needs one in column `image` or `path`")
        return ("image", query.image, self._frames())

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        del seeds
        count = self._frames()
        with stage("condition"):
            frames = [query_frames(query.image, count) for query in queries if query.image is not None]
            return embed_frames(self.encoder, frames, self.model.card["condition"])


class ZeroShot(MelSystem):
    """ZS, zero-shot: the text embedding in place of an image embedding, across the modality gap."""

    trained_on = "image"
    default_name = "ZS"


class PriorGuided(MelSystem):
    """PD and SD: conditioned on an image embedding that a diffusion prior draws from the text."""

    trained_on = "image"
    default_name = "PD"
    _loading = MelSystem._loading | {"prior"}
    config: PriorGuidedConfig

    def __init__(self, config: PriorGuidedConfig) -> None:
        super().__init__(config)
        self.prior = DiffusionPrior.load(config.prior, self.model.device)
        self.prior.check_guidance(config.prior_guidance)
        check_space(self.prior.card["space"], self.encoder.card, str(config.prior))
        for name in ["text_projected"] * self.prior.raw_text + ["text_tokens"] * (self.prior.text_tokens > 0):
            if not hasattr(self.encoder, name):
                raise UserError(f"{config.prior}: needs an encoder with {name}, which {self.encoder.card.name} lacks")

    def card(self) -> dict[str, Any]:
        """Return everything the results depend on."""
        sampling = self.config.prior_sampling()
        return {**super().card(), "candidates": sampling["candidates"], "prior": self.prior.identity(**sampling)}

    def _identity(self, query: Query, seed: int) -> tuple[object, ...]:
        return ("prior", self.config.template, query.prompt, seed, *self.config.prior_sampling().values())

    def _embed(self, queries: Sequence[Query], seeds: Sequence[int]) -> Float32:
        prompts, sampling = self.prompts(queries), self.config.prior_sampling()
        guided_by_text = self.prior.null_is_a_text and sampling["guidance"] != 1.0
        with stage("condition"):
            text, tokens = self._texts(prompts)
            empty = self._texts([""]) if guided_by_text else None
        with stage("prior"):
            return self.prior.sample(text, seeds, tokens=tokens, empty=empty, **sampling)

    def _texts(self, texts: Sequence[str]) -> tuple[Float32, tuple[Any, Any] | None]:
        """Return embeddings (b, d) and hidden states of texts as the prior takes them."""
        encoder: Any = self.encoder
        embed = encoder.text_projected if self.prior.raw_text else encoder.text
        return embed(texts), encoder.text_tokens(texts) if self.prior.text_tokens else None
