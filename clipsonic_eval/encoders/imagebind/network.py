"""ImageBind's towers for sounds, texts and vision: pre-norm transformers with a projection.

Source: R. Girdhar et al., ImageBind: One Embedding Space To Bind Them All, CVPR 2023; tensor names as in
``imagebind_huge.pth``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MODALITIES: Final = ("vision", "text", "audio")
HEAD_WIDTH: Final = {"vision": 80, "text": 64, "audio": 64}  # of attention
PLACES: Final = 77  # tokens of a text
_PATCHES: Final = {"vision": 16 * 16, "audio": 12 * 19}
_EPS: Final = 1e-6


class TowerSizes(NamedTuple):
    """Sizes of one tower.

    Attributes:
        width: of the transformer.
        blocks: of the transformer.
        tokens: of the vocabulary; 0 for other towers than that of texts.
    """

    width: int
    blocks: int
    tokens: int = 0


class _Positions(nn.Module):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))


class _VisionStem(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        convolution = nn.Conv3d(3, width, (2, 14, 14), stride=(2, 14, 14), bias=False)
        self.proj = nn.Sequential(nn.Identity(), convolution)  # first: an image becomes two frames

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return patches


class _AudioStem(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, 16, stride=10, bias=False)
        self.norm_layer = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.norm_layer(self.proj(x).flatten(2).transpose(1, 2))
        return patches


class _Patches(nn.Module):
    """Pairs of frames (b, 3, 2, 224, 224) or spectrograms (b, 1, 128, 204) -> tokens (b, n, width), the class first."""

    def __init__(self, modality: str, width: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.rgbt_stem = (_VisionStem if modality == "vision" else _AudioStem)(width)
        self.pos_embedding_helper = _Positions(1 + _PATCHES[modality], width)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), self.rgbt_stem(x)], dim=1)
        return tokens + self.pos_embedding_helper.pos_embed


class _Tokens(nn.Module):
    """Tokens (b, 77) -> (b, 77, width)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(tokens, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, PLACES, width))

    def forward(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.token_embedding(ids)
        return embedded + self.pos_embed


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, *, bias_kv: bool) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width, eps=_EPS), nn.LayerNorm(width, eps=_EPS)
        self.attn = nn.MultiheadAttention(width, heads, add_bias_kv=bias_kv, batch_first=True)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = self.norm_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        y = F.gelu(self.mlp["fc1"](self.norm_2(x)))
        out: Tensor = x + self.mlp["fc2"](y)
        return out


class _Trunk(nn.Module):
    def __init__(self, modality: str, sizes: TowerSizes) -> None:
        super().__init__()
        first = nn.LayerNorm(sizes.width, eps=_EPS) if modality == "vision" else nn.Identity()
        heads = sizes.width // HEAD_WIDTH[modality]
        self.pre_transformer_layer = nn.Sequential(first)
        bias_kv = modality == "audio"
        self.blocks = nn.ModuleList(_Block(sizes.width, heads, bias_kv=bias_kv) for _ in range(sizes.blocks))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.pre_transformer_layer(x)
        for block in self.blocks:
            x = block(x, mask)
        return x


class ImageBind(nn.Module):
    """Three towers into one space of unit vectors.

    Args:
        towers: sizes by modality.
        dim: of the space.
    """

    def __init__(self, towers: dict[str, TowerSizes], dim: int) -> None:
        super().__init__()
        self.dim, self.tokens = dim, towers["text"].tokens
        self.modality_preprocessors = nn.ModuleDict(
            {
                name: _Tokens(sizes.tokens, sizes.width) if name == "text" else _Patches(name, sizes.width)
                for name, sizes in towers.items()
            }
        )
        self.modality_trunks = nn.ModuleDict({name: _Trunk(name, sizes) for name, sizes in towers.items()})
        self.modality_heads = nn.ModuleDict({name: _head(name, sizes.width, dim) for name, sizes in towers.items()})

    def vision(self, frames: Tensor) -> Tensor:
        """Embed images (b, 3, 224, 224) or pairs of frames (b, 3, 2, 224, 224) -> (b, dim) unit vectors."""
        pairs = frames if frames.ndim == 5 else frames[:, :, None].expand(-1, -1, 2, -1, -1)
        return self._first("vision", pairs)

    def audio(self, spectrograms: Tensor) -> Tensor:
        """Embed spectrograms (b, 1, 128, 204) -> (b, dim) unit vectors."""
        return self._first("audio", spectrograms)

    def text(self, ids: Tensor) -> Tensor:
        """Embed tokens (b, 77), read at the end token, the highest one -> (b, dim) unit vectors."""
        later = torch.full((PLACES, PLACES), -torch.inf, device=ids.device).triu(1)
        x = self.modality_trunks["text"](self.modality_preprocessors["text"](ids), later)
        return F.normalize(self.modality_heads["text"](x[torch.arange(len(x)), ids.argmax(dim=1)]), dim=-1)

    def _first(self, name: str, x: Tensor) -> Tensor:
        x = self.modality_trunks[name](self.modality_preprocessors[name](x), None)
        return F.normalize(self.modality_heads[name](x[:, 0]), dim=-1)


def _head(modality: str, width: int, dim: int) -> nn.Module:
    norm, projection = nn.LayerNorm(width, eps=_EPS), nn.Linear(width, dim, bias=False)
    if modality == "text":
        return _TextHead(nn.Sequential(norm, projection))
    return nn.Sequential(norm, nn.Identity(), projection)  # second: takes the class token


class _TextHead(nn.Module):
    def __init__(self, proj: nn.Sequential) -> None:
        super().__init__()
        self.proj = proj

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.proj(x)
        return projected
