"""The network of the diffusion prior: the ``PriorTransformer`` of diffusers, its scale and its noise schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.seeds import derive

if TYPE_CHECKING:
    from diffusers import PriorTransformer


@dataclass(frozen=True, slots=True)
class PriorNetworkConfig:
    """Size of the transformer. Karlo's has 32 heads of 64, 20 layers and 77 text tokens, on 768-d embeddings.

    Attributes:
        heads: attention heads.
        head_dim: width of a head.
        layers: transformer blocks.
        text_tokens: hidden states of the text encoder that enter next to its pooled embedding; 0: the embedding alone.
    """

    heads: int = 4
    head_dim: int = 32
    layers: int = 2
    text_tokens: int = 0

    def __post_init__(self) -> None:
        if min(self.heads, self.head_dim, self.layers) < 1 or self.text_tokens < 0:
            raise ConfigError("prior network: heads, head_dim and layers must be at least 1, text_tokens not negative")


class TextConditions(NamedTuple):
    """Text conditions of a batch.

    Attributes:
        pooled: (b, d) text embeddings, L2-normalised times √d.
        tokens: (b, text_tokens, d) hidden states, or None where the network takes none.
        mask: (b, text_tokens) bool, true where there is text; None with ``tokens``.
    """

    pooled: torch.Tensor
    tokens: torch.Tensor | None = None
    mask: torch.Tensor | None = None

    def dropped(self, drop: torch.Tensor) -> TextConditions:
        """Return the conditions with the null condition (zeros) in the rows where ``drop`` (b,) bool is true."""
        pooled = self.pooled.masked_fill(drop[:, None], 0.0)
        if self.tokens is None or self.mask is None:
            return TextConditions(pooled)
        return TextConditions(pooled, self.tokens.masked_fill(drop[:, None, None], 0.0), self.mask | drop[:, None])

    def rows(self, rows: torch.Tensor | slice) -> TextConditions:
        """Return the conditions of some rows (b,) of the batch."""
        return TextConditions(*(None if part is None else part[rows] for part in self))  # type: ignore[arg-type]

    def to(self, device: torch.device) -> TextConditions:
        """Return the conditions on a device."""
        return TextConditions(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]


def build_network(config: PriorNetworkConfig, dim: int, seed: int) -> PriorTransformer:
    """Return a freshly initialised network.

    Args:
        config: its size.
        dim: d, the dimension of the embeddings.
        seed: of the run; decides the weights. No global random state is touched.
    """
    from diffusers import PriorTransformer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "", "prior-weights"))
        return PriorTransformer(
            num_attention_heads=config.heads,
            attention_head_dim=config.head_dim,
            num_layers=config.layers,
            embedding_dim=dim,
            num_embeddings=config.text_tokens,
            encoder_hid_proj_type="linear" if config.text_tokens else None,
        )


def set_scale(network: PriorTransformer, image: Float32) -> None:
    """Store ``clip_mean`` and ``clip_std`` of image embeddings, (n, d) or (n, k, d), in the network as constants.

    A dimension without variance gets deviation 1, so that it stays at its mean.
    """
    rows = image.reshape(-1, image.shape[-1]).astype(np.float64)
    std = rows.std(axis=0)
    std[std < 1e-8] = 1.0
    network.clip_mean = nn.Parameter(torch.tensor(rows.mean(axis=0)[None], dtype=torch.float32), requires_grad=False)
    network.clip_std = nn.Parameter(torch.tensor(std[None], dtype=torch.float32), requires_grad=False)


def standardised(network: PriorTransformer, image: torch.Tensor) -> torch.Tensor:
    """Return image embeddings (b, d) at the network's scale, the inverse of its ``post_process_latents``."""
    scaled: torch.Tensor = (image - network.clip_mean) / network.clip_std  # x_0 = (e − μ) / s, per dimension
    return scaled


def predict_x0(network: Callable[..., Any], x: torch.Tensor, t: torch.Tensor, texts: TextConditions) -> torch.Tensor:
    """Return the predicted clean embedding x̂_0 (b, d) of noisy embeddings x_t (b, d) at noise levels t (b,) or ()."""
    predicted: torch.Tensor = network(
        x, t, texts.pooled, encoder_hidden_states=texts.tokens, attention_mask=texts.mask
    ).predicted_image_embedding
    return predicted


def prior_scheduler(**settings: Any) -> Any:
    """Return the scheduler of unCLIP priors (x_0-prediction, cosine schedule), for training and ancestral sampling.

    Args:
        **settings: of ``DDPMScheduler`` that differ from those of priors trained here.
    """
    from diffusers import DDPMScheduler

    return DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        variance_type="fixed_small_log",
        timestep_spacing="linspace",
        **{"clip_sample_range": 5.0, **settings},
    )
