"""Synchformer: a transformer over segments of video, one over segments of sound, and one over both for the offset.

Sources: V. Iashin et al., Synchformer: Efficient Synchronization from Sparse Cues, ICASSP 2024; the towers are
Motionformer with divided attention (G. Bertasius et al., ICML 2021) and AST (Y. Gong et al., Interspeech 2021). Tensor
names as in av-benchmark's ``synchformer_state_dict.pth``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FRAMES, PLACES = 8, 14 * 14  # patches of a segment of video in time, and in space
BANDS, COLUMNS = 12, 6  # patches of a segment of sound in frequency, and in time
OFFSETS: Final = 21  # classes, from -2 to 2 s
TOWER_HEAD, JOINT_HEAD = 64, 96  # width of a head of attention
_TOKENS: Final = 1 + 14 * FRAMES + 1 + 14 * COLUMNS


class Depths(NamedTuple):
    """Sizes of the network.

    Attributes:
        width: of all transformers.
        video: layers over segments of video.
        sound: layers over segments of sound.
        joint: layers over both.
    """

    width: int
    video: int
    sound: int
    joint: int


def _attend(q: Tensor, k: Tensor, v: Tensor, head: int) -> Tensor:
    """Attend with heads of a width: (b, n, w), (b, m, w), (b, m, w) -> (b, n, w)."""
    q, k, v = (x.unflatten(-1, (-1, head)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class _Divided(nn.Module):
    """Attention of patches within their frame, or within their place; the class token attends to all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, *, in_time: bool) -> Tensor:
        b, _, width = x.shape
        parts = self.qkv(x).chunk(3, dim=-1)
        first = _attend(parts[0][:, :1], parts[1], parts[2], TOWER_HEAD)

        def grouped(y: Tensor) -> Tensor:
            patches = y[:, 1:].reshape(b, FRAMES, PLACES, width)
            return (patches.transpose(1, 2) if in_time else patches).flatten(0, 1)

        q, k, v = (grouped(y) for y in parts)
        each = len(q) // b  # the class token's key and value stand before those of every group
        k, v = (
            torch.cat([y[:, :1].repeat_interleave(each, dim=0), z], dim=1) for y, z in ((parts[1], k), (parts[2], v))
        )
        found = _attend(q, k, v, TOWER_HEAD).unflatten(0, (b, each))
        rest = (found.transpose(1, 2) if in_time else found).flatten(1, 2)
        out: Tensor = self.proj(torch.cat([first, rest], dim=1))
        return out


class _VideoBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, eps=1e-6) for _ in range(3))
        self.attn, self.timeattn = _Divided(width), _Divided(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.timeattn(self.norm3(x), in_time=True)
        x = x + self.attn(self.norm1(x), in_time=False)
        out: Tensor = x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))
        return out


class _Aggregate(nn.TransformerEncoderLayer):
    """Several rows to one: (b, n, w) -> (b, w), what a class token before them becomes in one layer."""

    def __init__(self, width: int) -> None:
        heads = width // TOWER_HEAD
        gelu = nn.GELU()
        super().__init__(width, heads, 4 * width, 0.0, gelu, layer_norm_eps=1e-6, batch_first=True, norm_first=True)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))

    def pooled(self, x: Tensor) -> Tensor:
        rows: Tensor = super().forward(torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1))
        return rows[:, 0]


class _Projection(nn.Module):
    def __init__(self, proj: nn.Module) -> None:
        super().__init__()
        self.proj = proj


class _Video(nn.Module):
    """Segments (b, 3, 16, 224, 224) -> (b, 8, width)."""

    def __init__(self, sizes: Depths) -> None:
        super().__init__()
        width = sizes.width
        self.patch_embed = _Projection(nn.Conv2d(3, width, 16, stride=16))  # of images; not used
        self.patch_embed_3d = _Projection(nn.Conv3d(3, width, (2, 16, 16), stride=(2, 16, 16)))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + PLACES, width))
        self.temp_embed = nn.Parameter(torch.zeros(1, FRAMES, width))
        self.blocks = nn.ModuleList(_VideoBlock(width) for _ in range(sizes.video))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.spatial_attn_agg = _Aggregate(width)

    def forward(self, frames: Tensor) -> Tensor:
        patches = self.patch_embed_3d.proj(frames).flatten(3).permute(0, 2, 3, 1)  # (b, 8, 196, width)
        patches = patches + self.pos_embed[:, None, 1:] + self.temp_embed[:, :, None]
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(frames), -1, -1)
        x = torch.cat([first, patches.flatten(1, 2)], dim=1)
        for block in self.blocks:
            x = block(x)
        rows = self.norm(x[:, 1:]).reshape(len(frames) * FRAMES, PLACES, -1)
        return self.spatial_attn_agg.pooled(rows).unflatten(0, (-1, FRAMES))


class _SoundLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        parts = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        output = nn.ModuleDict({"dense": nn.Linear(width, width)})
        self.attention = nn.ModuleDict({"attention": nn.ModuleDict(parts), "output": output})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, 4 * width)})
        self.output = nn.ModuleDict({"dense": nn.Linear(4 * width, width)})
        self.layernorm_before, self.layernorm_after = (nn.LayerNorm(width, eps=1e-12) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        parts, output = self.attention["attention"], self.attention["output"]
        assert isinstance(parts, nn.ModuleDict)
        assert isinstance(output, nn.ModuleDict)
        y = self.layernorm_before(x)
        x = x + output["dense"](_attend(parts["query"](y), parts["key"](y), parts["value"](y), TOWER_HEAD))
        hidden = F.gelu(self.intermediate["dense"](self.layernorm_after(x)))
        out: Tensor = x + self.output["dense"](hidden)
        return out


class _SoundEmbeddings(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.distillation_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 2 + BANDS * COLUMNS, width))
        self.patch_embeddings = nn.ModuleDict({"projection": nn.Conv2d(1, width, 16, stride=10)})

    def forward(self, mels: Tensor) -> Tensor:
        patches = self.patch_embeddings["projection"](mels[:, None]).flatten(2).transpose(1, 2)
        first = torch.cat([self.cls_token, self.distillation_token], dim=1).expand(len(mels), -1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embeddings


class _Sound(nn.Module):
    """Segments (b, 128, 66) -> (b, 6, width)."""

    def __init__(self, sizes: Depths) -> None:
        super().__init__()
        layers = nn.ModuleList(_SoundLayer(sizes.width) for _ in range(sizes.sound))
        self.ast = nn.ModuleDict(
            {
                "embeddings": _SoundEmbeddings(sizes.width),
                "encoder": nn.ModuleDict({"layer": layers}),
                "layernorm": nn.LayerNorm(sizes.width, eps=1e-12),
            }
        )
        self.freq_attn_agg = _Aggregate(sizes.width)

    def forward(self, mels: Tensor) -> Tensor:
        x: Tensor = self.ast["embeddings"](mels)
        encoder = self.ast["encoder"]
        assert isinstance(encoder, nn.ModuleDict)
        for layer in encoder["layer"].children():
            x = layer(x)
        rows = self.ast["layernorm"](x)[:, 2:].unflatten(1, (BANDS, COLUMNS)).transpose(1, 2)  # (b, 6, 12, width)
        return self.freq_attn_agg.pooled(rows.flatten(0, 1)).unflatten(0, (-1, COLUMNS))


class _JointBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value", "proj")})
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y, parts = self.ln1(x), self.attn
        x = x + parts["proj"](_attend(parts["query"](y), parts["key"](y), parts["value"](y), JOINT_HEAD))
        out: Tensor = x + self.mlp(self.ln2(x))
        return out


class _Positions(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.pos_emb = nn.Parameter(torch.zeros(1, _TOKENS, width))


class _Joint(nn.Module):
    """Rows of 14 segments of video (b, 112, width) and of sound (b, 84, width) -> logits of offsets (b, 21)."""

    def __init__(self, sizes: Depths) -> None:
        super().__init__()
        width = sizes.width
        self.vis_in_lnorm, self.aud_in_lnorm, self.ln_f = (nn.LayerNorm(width) for _ in range(3))
        self.OFF_tok, self.MOD_tok = (nn.Parameter(torch.zeros(1, 1, width)) for _ in range(2))
        self.pos_emb_cfg = _Positions(width)
        self.blocks = nn.Sequential(*(_JointBlock(width) for _ in range(sizes.joint)))
        self.off_head = nn.Linear(width, OFFSETS)

    def forward(self, video: Tensor, sound: Tensor) -> Tensor:
        offset, between = (token.expand(len(video), -1, -1) for token in (self.OFF_tok, self.MOD_tok))
        x = torch.cat([offset, self.vis_in_lnorm(video), between, self.aud_in_lnorm(sound)], dim=1)
        x = self.ln_f(self.blocks(x + self.pos_emb_cfg.pos_emb))
        logits: Tensor = self.off_head(x[:, 0])
        return logits


class SynchformerNetwork(nn.Module):
    """Both towers and what compares them."""

    def __init__(self, sizes: Depths) -> None:
        super().__init__()
        self.width = sizes.width
        self.vfeat_extractor, self.afeat_extractor = _Video(sizes), _Sound(sizes)
        self.vproj, self.aproj = nn.Linear(sizes.width, sizes.width), nn.Linear(sizes.width, sizes.width)
        self.transformer = _Joint(sizes)

    def video(self, frames: Tensor) -> Tensor:
        """Embed segments of video, (b, 3, 16, 224, 224) -> (b, 8, width)."""
        rows: Tensor = self.vfeat_extractor(frames)
        return rows

    def sound(self, mels: Tensor) -> Tensor:
        """Embed segments of sound, (b, 128, 66) -> (b, 6, width)."""
        rows: Tensor = self.afeat_extractor(mels)
        return rows

    def compare(self, video: Tensor, sound: Tensor) -> Tensor:
        """Return the logits of the offsets, (b, 21), of 14 segments: (b, 112, width) and (b, 84, width)."""
        logits: Tensor = self.transformer(self.vproj(video), self.aproj(sound))
        return logits
