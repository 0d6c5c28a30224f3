"""The training task of the diffusion prior: x_0-prediction of image embeddings from text embeddings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from clipsonic.prior.data import Pairs
from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import TextConditions, build_network, predict_x0, prior_scheduler, set_scale, standardised
from clipsonic.training.batches import ALL_ROWS, batch_rows, held_out_split, step_generator
from clipsonic.training.config import PriorTrainingConfig
from clipsonic.training.loop import Network
from clipsonic.training.noise_levels import LossByNoiseLevel
from clipsonic_eval.arraytypes import Bool, Float32, Float64, IntArray
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.seeds import derive

if TYPE_CHECKING:
    from diffusers import PriorTransformer

TokensOf = Callable[[list[str]], tuple[Float32, Bool]]


class PriorTask:
    """The prior's :class:`clipsonic.training.loop.TrainingTask`: mean squared error of x_0 at the standardised scale.

    Args:
        config: of the training.
        network: the transformer, on its device.
        pairs: embedded image-caption pairs.
        tokens_of: hidden states (b, text_tokens, d) and mask (b, text_tokens) of captions, for networks that take them.

    Attributes:
        training_rows: (n_train,) int64 rows of the pairs.
        held_out: (n_val,) int64 rows for the validation loss.
        device: of the network.
        by_level: losses of the training items by noise level since the last row of the log.
    """

    label = "prior"

    def __init__(
        self,
        config: PriorTrainingConfig,
        network: PriorTransformer,
        pairs: Pairs,
        tokens_of: TokensOf | None = None,
    ) -> None:
        self.config = config
        self.module: nn.Module = network
        self._network = network
        self.device = next(network.parameters()).device
        self.by_level = LossByNoiseLevel(self.device)
        self._captions = pairs.captions
        self._tokens_of = tokens_of
        self._text = torch.from_numpy(pairs.text) * math.sqrt(pairs.text.shape[1])  # c = √d e / |e|
        self._image = torch.from_numpy(pairs.image)
        self._scheduler = prior_scheduler()
        training, held_out = held_out_split(pairs.sources, config.train.validation, config.train.seed)
        self.training_rows, self.held_out = torch.from_numpy(training), torch.from_numpy(held_out)

    @property
    def waited(self) -> float:
        """Seconds spent waiting for data: none, the pairs are in memory."""
        return 0.0

    def begin(self, step: int, shares: Sequence[slice]) -> None:
        """Read nothing ahead: the pairs are in memory."""

    def loss(self, network: Network, step: int, rows: slice) -> torch.Tensor:
        """Return the loss of a step's batch, a scalar: random images, noise levels, noise and dropped texts."""
        train = self.config.train
        generator = step_generator(train.seed, step, "prior-noise", self.device)
        batch = self.training_rows[batch_rows(len(self.training_rows), train.batch_size, step, train.seed)]
        losses, t = self._losses(network, batch, generator, rows, dropout=self.config.condition_dropout)
        self.by_level.add(losses, t, len(self._scheduler))
        return losses.mean()

    def validation_loss(self, network: Network) -> float | None:
        """Return the loss of the held-out pairs at fixed noise levels and noise, with every text present."""
        if not len(self.held_out):
            return None
        generator = step_generator(self.config.train.seed, 0, "prior-validation", self.device)
        return float(self._losses(network, self.held_out, generator, ALL_ROWS, dropout=0.0)[0].mean())

    def _losses(
        self, network: Network, batch: torch.Tensor, generator: torch.Generator, rows: slice, *, dropout: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return losses (b,) and noise levels (b,) of some rows of a batch; the random is drawn for the whole batch."""
        n, device, dim = len(batch), self.device, self._image.shape[-1]
        image = torch.randint(self._image.shape[1], (n,), generator=generator, device=device)
        # t = ⌊(i + U) T / n⌋, U ~ Uniform[0, 1): stratified, which lowers the variance of the gradient
        shift = torch.rand(1, generator=generator, device=device)
        t = ((torch.arange(n, device=device) + shift) / n * len(self._scheduler)).long().clamp(max=999)
        drop = torch.rand(n, generator=generator, device=device) < dropout
        eps = torch.randn(n, dim, generator=generator, device=device)
        batch, image, t, drop, eps = (part[rows] for part in (batch, image, t, drop, eps))
        x0 = standardised(self._network, self._image[batch, image.cpu()].to(device))
        x_t = self._scheduler.add_noise(x0, eps, t)  # x_t = α_t x_0 + σ_t ε
        predicted = predict_x0(network, x_t, t, self._texts(batch).dropped(drop)).float()
        return (predicted - x0).square().mean(dim=1), t  # |x̂_0 − x_0|² / d

    def _texts(self, batch: torch.Tensor) -> TextConditions:
        pooled = self._text[batch]
        if self._tokens_of is None:
            return TextConditions(pooled).to(self.device)
        hidden, mask = self._tokens_of([self._captions[i] for i in batch.tolist()])
        conditions = TextConditions(pooled, torch.from_numpy(hidden).float(), torch.from_numpy(mask).bool())
        return conditions.to(self.device)


def prepare(config: PriorTrainingConfig, pairs: Pairs, parent: DiffusionPrior | None = None) -> PriorTask:
    """Initialise the network and measure the scale of the image embeddings on the training pairs.

    Args:
        config: of the training.
        pairs: embedded image-caption pairs.
        parent: finished prior whose weights and scale the run starts from.

    Raises:
        ConfigError: the encoder offers no hidden states, or there is no such device.
    """
    device = resolve_device(config.device)
    network = build_network(config.network, pairs.text.shape[1], config.train.seed).to(device)
    task = PriorTask(config, network, pairs, _tokens_of(config))
    set_scale(network, pairs.image[task.training_rows.numpy()])
    if parent is not None:
        network.load_state_dict(parent.network.state_dict())  # the scale belongs to the weights
    network.to(device)
    return task


def _tokens_of(config: PriorTrainingConfig) -> TokensOf | None:
    if not config.network.text_tokens:
        return None
    found = getattr(load_encoder(config.encoder, config.encoder_weights), "text_tokens", None)
    if found is None:
        raise ConfigError(
            f"network.text_tokens is {config.network.text_tokens}, but encoder '{config.encoder}' offers no hidden "
            "states of texts; set it to 0"
        )
    tokens: TokensOf = found
    return tokens


def held_out_cosines(prior: DiffusionPrior, pairs: Pairs, rows: IntArray, seed: int) -> dict[str, Any]:
    """Measure how near the draws of a prior come to the true image embeddings of held-out pairs.

    Args:
        prior: the trained prior.
        pairs: embedded image-caption pairs.
        rows: (n,) the held-out ones.
        seed: of the draws.

    Returns:
        n, the settings of the draw, and mean cosines to the image of the pair: of the text (``text_cosine``), of the
        draw (``prior_cosine``), of the draw with both centred on the mean image (``prior_centred_cosine``), and the
        distance between the centroids of draws and images.
    """
    sampling: dict[str, Any] = {"steps": 25, "guidance": 2.0, "candidates": 1}
    text, image = pairs.text[rows].astype(np.float64), pairs.image[rows, 0].astype(np.float64)
    seeds = [derive(seed, str(row), "prior-held-out") for row in rows]
    drawn = prior.sample(pairs.text[rows], seeds, **sampling).astype(np.float64)
    centre = pairs.means()[1]
    numbers = {
        "text_cosine": _mean_cosine(text, image),
        "prior_cosine": _mean_cosine(drawn, image),
        "prior_centred_cosine": _mean_cosine(drawn - centre, image - centre),
        "centroid_distance": float(np.linalg.norm(drawn.mean(axis=0) - image.mean(axis=0))),
    }
    return {"n": len(rows), **sampling, **{name: round(value, 4) for name, value in numbers.items()}}


def _mean_cosine(a: Float64, b: Float64) -> float:
    """Return the mean cosine of paired vectors (n, d)."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(axis=1) / np.maximum(norms, 1e-12)))  # a·b / (|a| |b|)
