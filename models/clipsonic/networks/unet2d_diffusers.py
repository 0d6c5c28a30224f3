"""The 2-D U-Nets of diffusers on the mel spectrogram as an image, conditioned by class embedding or cross-attention."""

from __future__ import annotations

from typing import Any, Literal

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from clipsonic.networks import NETWORKS, with_null
from clipsonic_eval.errors import ConfigError


def _common(channels: tuple[int, ...], blocks: int, groups: int, sample_size: tuple[int, int]) -> dict[str, Any]:
    return {
        "sample_size": sample_size,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": channels,
        "layers_per_block": blocks,
        "norm_num_groups": groups,
        "resnet_time_scale_shift": "scale_shift",
    }


def _class_unet(common: dict[str, Any], attention: int, head_dim: int, dropout: float) -> nn.Module:
    """Return a U-Net whose condition is added to the timestep embedding; attention at the lowest levels."""
    from diffusers import UNet2DModel

    plain = len(common["block_out_channels"]) - attention
    return UNet2DModel(
        **common,
        down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",) * attention,
        up_block_types=("AttnUpBlock2D",) * attention + ("UpBlock2D",) * plain,
        attention_head_dim=head_dim,
        class_embed_type="identity",
        dropout=dropout,
    )


def _cross_unet(common: dict[str, Any], attention: int, head_dim: int, condition_dim: int) -> nn.Module:
    """Return a U-Net that attends to a sequence of conditions, at its lowest levels."""
    from diffusers import UNet2DConditionModel

    channels = common["block_out_channels"]
    plain = len(channels) - attention
    return UNet2DConditionModel(
        **common,
        down_block_types=("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * attention,
        up_block_types=("CrossAttnUpBlock2D",) * attention + ("UpBlock2D",) * plain,
        attention_head_dim=tuple(max(1, c // head_dim) for c in channels),
        cross_attention_dim=channels[-1],
        encoder_hid_dim=condition_dim,
    )


@NETWORKS.register("unet2d-diffusers")
class UNet2DDiffusers(ModelMixin, ConfigMixin):
    """See the module; interface in :mod:`clipsonic.networks`.

    Args:
        n_mels: mel bands.
        frames: of a mel spectrogram.
        condition_dim: dimension of a condition embedding.
        channels: width of each level; every level after the first halves both axes.
        blocks: residual blocks per level on the way down (one more on the way up).
        attention: how many of the lowest levels have attention.
        head_dim: channels of one attention head.
        conditioning: ``class``: the condition is added to the timestep embedding and acts by scale and shift in every
            residual block (as in Improved DDPM; ``UNet2DModel``). ``cross-attention``: the network attends to one
            condition or several (``UNet2DConditionModel``), a set without an order.
        dropout: in the residual blocks (``class`` only).
        groups: groups of the group normalisation.
    """

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
        channels = tuple(channels)
        if not channels or any(c % groups for c in channels):
            raise ConfigError(f"network.options: channels {channels} must be multiples of groups {groups}")
        if not 0 <= attention <= len(channels):
            raise ConfigError(f"network.options: attention must be between 0 and {len(channels)} levels")
        for name, size in (("mel bands", n_mels), ("frames", frames)):
            if size % 2 ** (len(channels) - 1):
                raise ConfigError(
                    f"network: {size} {name} cannot be halved {len(channels) - 1} times; use fewer levels"
                )
        self.takes_several = conditioning == "cross-attention"
        self.frames_multiple = 2 ** (len(channels) - 1)
        common = _common(channels, blocks, groups, (n_mels, frames))
        self.null_condition = nn.Parameter(torch.zeros(condition_dim))
        width = 4 * channels[0]
        if conditioning == "class":
            self.condition: nn.Module | None = nn.Sequential(
                nn.Linear(condition_dim, width), nn.SiLU(), nn.Linear(width, width)
            )
            self.unet = _class_unet(common, attention, head_dim, dropout)
        else:
            self.condition = None
            self.unet = _cross_unet(common, attention, head_dim, condition_dim)

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, cond: torch.Tensor, drop: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Predict v (b, n_mels, frames); see :mod:`clipsonic.networks`."""
        cond = with_null(cond, self.null_condition, drop)
        extra: dict[str, Any]
        if self.condition is not None:
            extra = {"class_labels": self.condition(cond)}
        else:
            extra = {"encoder_hidden_states": cond if cond.ndim == 3 else cond[:, None]}
        v: torch.Tensor = self.unet(x[:, None], t, return_dict=False, **extra)[0]
        return v[:, 0]
