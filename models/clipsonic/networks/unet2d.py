"""diffusers' 2-D U-Nets on the mel as a one-channel picture: the default at the paper's scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from clipsonic.networks import NETWORKS, with_null
from clipsonic_eval.errors import ConfigError


@dataclass(frozen=True, slots=True)
class UNet2DOptions:
    """Options of :class:`UNet2D`.

    Attributes:
        channels: width of each level; every level after the first halves both axes.
        blocks: residual blocks of a level on the way down (one more on the way up).
        attention: how many of the lowest levels have attention.
        head_dim: channels of one attention head.
        conditioning: ``class``: the condition is added to the time embedding and acts by scale and shift in every
            residual block (Improved DDPM's way; ``UNet2DModel``). ``cross-attention``: the condition is a sequence
            of length 1 (``UNet2DConditionModel``), so that a model can later attend to more than one vector.
        dropout: in the residual blocks (``class`` only).
        groups: groups of the group normalisation.
    """

    channels: tuple[int, ...] = (128, 256, 384, 512)
    blocks: int = 2
    attention: int = 2
    head_dim: int = 64
    conditioning: Literal["class", "cross-attention"] = "class"
    dropout: float = 0.0
    groups: int = 32

    def __post_init__(self) -> None:
        if not self.channels or any(c % self.groups for c in self.channels):
            raise ConfigError(f"network.options: channels {self.channels} must be multiples of groups {self.groups}")
        if not 0 <= self.attention <= len(self.channels):
            raise ConfigError(f"network.options: attention must be between 0 and {len(self.channels)} levels")


def _class_unet(options: UNet2DOptions, sample_size: tuple[int, int]) -> nn.Module:
    from diffusers import UNet2DModel

    plain = len(options.channels) - options.attention
    return UNet2DModel(
        sample_size=sample_size,
        in_channels=1,
        out_channels=1,
        block_out_channels=options.channels,
        layers_per_block=options.blocks,
        down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",) * options.attention,
        up_block_types=("AttnUpBlock2D",) * options.attention + ("UpBlock2D",) * plain,
        attention_head_dim=options.head_dim,
        resnet_time_scale_shift="scale_shift",
        class_embed_type="identity",
        dropout=options.dropout,
        norm_num_groups=options.groups,
    )


def _cross_unet(options: UNet2DOptions, sample_size: tuple[int, int], condition_dim: int) -> nn.Module:
    from diffusers import UNet2DConditionModel

    plain = len(options.channels) - options.attention
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=1,
        out_channels=1,
        block_out_channels=options.channels,
        layers_per_block=options.blocks,
        down_block_types=("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * options.attention,
        up_block_types=("CrossAttnUpBlock2D",) * options.attention + ("UpBlock2D",) * plain,
        attention_head_dim=tuple(max(1, c // options.head_dim) for c in options.channels),
        cross_attention_dim=options.channels[-1],
        encoder_hid_dim=condition_dim,
        resnet_time_scale_shift="scale_shift",
        norm_num_groups=options.groups,
    )


@NETWORKS.register("unet2d")
class UNet2D(ModelMixin, ConfigMixin):
    """See the module; interface in :mod:`clipsonic.networks`."""

    Options = UNet2DOptions

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(  # noqa: PLR0913, PLR0917 -- diffusers' ConfigMixin records exactly these
        self,
        n_mels: int,
        frames: int,
        condition_dim: int,
        channels: tuple[int, ...] = (128, 256, 384, 512),
        blocks: int = 2,
        attention: int = 2,
        head_dim: int = 64,
        conditioning: Literal["class", "cross-attention"] = "class",
        dropout: float = 0.0,
        groups: int = 32,
    ) -> None:
        super().__init__()
        options = UNet2DOptions(tuple(channels), blocks, attention, head_dim, conditioning, dropout, groups)
        for name, size in (("mel bands", n_mels), ("frames", frames)):
            if size % 2 ** (len(channels) - 1):
                raise ConfigError(
                    f"network: {size} {name} cannot be halved {len(channels) - 1} times; use fewer levels"
                )
        self.null_condition = nn.Parameter(torch.zeros(condition_dim))
        width = 4 * channels[0]
        if conditioning == "class":
            self.condition: nn.Module | None = nn.Sequential(
                nn.Linear(condition_dim, width), nn.SiLU(), nn.Linear(width, width)
            )
            self.unet = _class_unet(options, (n_mels, frames))
        else:
            self.condition = None
            self.unet = _cross_unet(options, (n_mels, frames), condition_dim)

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, cond: torch.Tensor, drop: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Predict v; see :mod:`clipsonic.networks`."""
        cond = with_null(cond, self.null_condition, drop)
        extra: dict[str, Any]
        if self.condition is not None:
            extra = {"class_labels": self.condition(cond)}
        else:
            extra = {"encoder_hidden_states": cond[:, None]}
        v: torch.Tensor = self.unet(x[:, None], t, return_dict=False, **extra)[0]
        return v[:, 0]
