"""Denoising networks: one file each; the folder is scanned.

A network is a diffusers ``ModelMixin`` with ``save_pretrained`` / ``from_pretrained`` and one call::

    network(x (b, n_mels, frames), t (b,), cond (b, d), drop (b,) bool | None) -> v (b, n_mels, frames)

``cond`` is the L2-normalised condition embedding times √d, without centring. Rows where ``drop`` is true get the
network's own learnt null condition instead, which classifier-free guidance is trained and sampled with.

A network whose weights are bfloat16 or float16 takes x in that precision, ``cond`` in any, and returns v in it.

A network that also takes other numbers of frames than it was built for says of what they must be multiples, in an
attribute ``frames_multiple``.

A network that attends to its conditions also takes several per item, (b, k, d), and says so by a true attribute
``takes_several``.

A file registers its class, whose constructor takes ``n_mels``, ``frames`` and ``condition_dim``, which the data decide,
and then its options, the keys of ``network.options``, with type hints and defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from clipsonic_eval.config import as_tree, resolve_arguments
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.registry import Registry
from clipsonic_eval.seeds import derive

NETWORKS: Registry[Any] = Registry("network", "clipsonic.networks")
_GIVEN = ("n_mels", "frames", "condition_dim")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Name of a network, and the options that differ from its defaults."""

    name: str = "unet1d"
    options: Mapping[str, Any] = field(default_factory=dict)


def resolved_options(config: NetworkConfig) -> dict[str, Any]:
    """Return all options of a network, defaults included, as JSON-serialisable values.

    Raises:
        UserError: no network of that name.
        ConfigError: an option that it does not have, or a value of the wrong type.

    Example:
        >>> resolved_options(NetworkConfig("unet1d", {"channels": [64, 128]}))["channels"]
        [64, 128]
    """
    network = NETWORKS[config.name].__init__
    where = f"network.options ({config.name})"
    chosen = resolve_arguments(network, config.options, where=where, given=_GIVEN)
    parameters = inspect.signature(network).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    options: dict[str, Any] = as_tree({**defaults, **chosen})
    return options


def build(config: NetworkConfig, *, n_mels: int, frames: int, condition_dim: int, seed: int) -> Any:
    """Return a freshly initialised network.

    Args:
        config: which network.
        n_mels: mel bands.
        frames: of a mel spectrogram.
        condition_dim: d, the dimension of a condition embedding.
        seed: of the run; decides the weights. No global random state is touched.
    """
    options = resolved_options(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "", "weights"))
        return NETWORKS[config.name](n_mels=n_mels, frames=frames, condition_dim=condition_dim, **options)


def set_execution(network: Any, *, compiled: bool = False, channels_last: bool = False) -> None:
    """Choose how a network is executed, in place. Results move by float32 rounding: other kernels, other order of sums.

    Args:
        network: one of this package.
        compiled: by ``torch.compile``; the first call of each shape of input takes seconds to minutes.
        channels_last: keep images with their channels last, which suits the tensor cores of GPUs.

    Raises:
        ConfigError: channels last for a network without 2-D convolutions.
    """
    if channels_last:
        if not any(weight.ndim == 4 for weight in network.parameters()):
            raise ConfigError(
                f"channels_last: orders the axes of images, and {type(network).__name__} has no 2-D convolution; leave "
                "it out"
            )
        network.to(memory_format=torch.channels_last)
    if compiled:
        network.compile()


def timestep_features(t: torch.Tensor, width: int) -> torch.Tensor:
    """Return sinusoidal features of t (b,) in 0 … 1000, (b, width) float32, periods from 2π to 2π · 10,000 steps.

    Source: Vaswani et al. 2017, section 3.5, with cosines first.
    """
    half = width // 2
    rates = torch.exp(torch.arange(half, device=t.device, dtype=torch.float32) * (-9.210340371976184 / half))
    angles = t.float()[:, None] * rates[None]  # t · 10000^(−i / (width / 2))
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def with_null(cond: torch.Tensor, null: torch.Tensor, drop: torch.Tensor | None) -> torch.Tensor:
    """Return conditions, (b, d) or (b, k, d), with the null (d,) in the rows where ``drop`` (b,) bool is true.

    They have the precision of the null condition, which is a weight of the network.
    """
    cond = cond.to(null.dtype)
    if drop is None:
        # the null's gradient must exist in every step, or data-parallel training waits for it
        return cond + 0.0 * null
    return torch.where(drop.view(-1, *(1,) * (cond.ndim - 1)), null, cond)
