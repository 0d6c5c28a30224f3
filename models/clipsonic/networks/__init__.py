"""Denoising networks: one file each; the folder is scanned.

A network is a diffusers ``ModelMixin`` with ``save_pretrained`` / ``from_pretrained`` and one call::

    network(x (b, n_mels, frames), t (b,), cond (b, d), drop (b,) bool | None) -> v (b, n_mels, frames)

``cond`` is the L2-normalised embedding times sqrt(d), without centring. Rows where ``drop`` is true see the network's
own learnt null condition instead, which is how classifier-free guidance is trained and asked for.

A file registers its class, which carries ``Options``, a frozen dataclass of what the configuration may set, and takes
``(n_mels, frames, condition_dim, **options)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.registry import Registry

NETWORKS: Registry[Any] = Registry("network", "clipsonic.networks")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Which network, and what of its options differs from the defaults."""

    name: str = "unet1d"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the data decides about a network: mel bands, frames of a clip, width of the condition."""

    n_mels: int
    frames: int
    condition_dim: int


def resolved_options(config: NetworkConfig) -> dict[str, Any]:
    """Return all options of a network, defaults included.

    Raises:
        UserError: no network of that name.
        ConfigError: an option that it does not have, or a value of the wrong kind.
    """
    options: dict[str, Any] = as_tree(
        resolve(NETWORKS[config.name].Options, config.options, where=f"network.options ({config.name})")
    )
    return options


def build(config: NetworkConfig, sizes: Sizes, seed: int) -> nn.Module:
    """Return a freshly initialised network; its weights depend on the seed only, and no global state is touched."""
    options = resolved_options(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = NETWORKS[config.name](
            n_mels=sizes.n_mels, frames=sizes.frames, condition_dim=sizes.condition_dim, **options
        )
    return network


def timestep_features(t: torch.Tensor, width: int) -> torch.Tensor:
    """Return sinusoidal features of t in 0 .. 1000, (b, width) float32, periods from 2 pi to 2 pi 10,000."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=t.device, dtype=torch.float32) * (-9.210340371976184 / half))
    angles = t.float()[:, None] * rates[None]
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def with_null(cond: torch.Tensor, null: torch.Tensor, drop: torch.Tensor | None) -> torch.Tensor:
    """Return the conditions (b, d) with the null condition (d,) in the rows that ``drop`` marks."""
    if drop is None:
        # the null's gradient must exist in every step, or data-parallel training waits for it
        return cond + 0.0 * null
    return torch.where(drop[:, None], null[None].to(cond.dtype), cond)
