"""A small Synchformer in the layout of the published file, and its answers, by transformers' AST and torch's layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

WIDTH = 192
_SOUND = (  # transformers' names to those of the file
    (r"^layers\.(\d+)\.attention\.([qkv])_proj\.", r"encoder.layer.\1.attention.attention.\2."),
    (r"^layers\.(\d+)\.attention\.o_proj\.", r"encoder.layer.\1.attention.output.dense."),
    (r"^layers\.(\d+)\.mlp\.fc1\.", r"encoder.layer.\1.intermediate.dense."),
    (r"^layers\.(\d+)\.mlp\.fc2\.", r"encoder.layer.\1.output.dense."),
    (r"^layers\.(\d+)\.layernorm", r"encoder.layer.\1.layernorm"),
    (r"\.q\.", ".query."),
    (r"\.k\.", ".key."),
    (r"\.v\.", ".value."),
)


def _random(make: Callable[[], Any], seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make()
        for value in net.parameters():
            scale = 0.7 / value[0].numel() ** 0.5 if value.ndim > 1 and value.shape[0] > 1 else 0.2
            value.data.add_(scale * torch.randn_like(value))
    return net.eval()


def ast() -> Any:
    """transformers' AST as Synchformer has it, small."""
    from transformers import ASTConfig, ASTModel

    sizes = {"hidden_size": WIDTH, "num_attention_heads": 3, "num_hidden_layers": 2, "intermediate_size": 4 * WIDTH}
    return _random(lambda: ASTModel(ASTConfig(**sizes, max_length=66)), 0)


def layer(seed: int, *, heads: int = 3, eps: float = 1e-6) -> Any:
    """A pre-norm layer of torch."""
    options = {"activation": nn.GELU(), "layer_norm_eps": eps, "batch_first": True, "norm_first": True}
    return _random(lambda: nn.TransformerEncoderLayer(WIDTH, heads, 4 * WIDTH, 0.0, **options), seed)


def tensors() -> dict[str, Tensor]:
    """Everything in the file."""
    rng = torch.Generator().manual_seed(5)

    def drawn(*shape: int, scale: float = 0.3) -> Tensor:
        return scale * torch.randn(shape, generator=rng)

    found: dict[str, Tensor] = {}
    for name, value in ast().state_dict().items():
        own = name
        for pattern, published in _SOUND:
            own = re.sub(pattern, published, own)
        found[f"afeat_extractor.ast.{own}"] = value
    for place, seed in (("afeat_extractor.freq_attn_agg", 1), ("vfeat_extractor.spatial_attn_agg", 2)):
        found |= {f"{place}.{name}": value for name, value in layer(seed).state_dict().items()}
        found[f"{place}.cls_token"] = drawn(1, 1, WIDTH)
    video = "vfeat_extractor"
    found[f"{video}.cls_token"] = drawn(1, 1, WIDTH)
    found[f"{video}.pos_embed"], found[f"{video}.temp_embed"] = drawn(1, 197, WIDTH), drawn(1, 8, WIDTH)
    for name, kernel in (("patch_embed", (3, 16, 16)), ("patch_embed_3d", (3, 2, 16, 16))):
        found[f"{video}.{name}.proj.weight"] = drawn(WIDTH, *kernel, scale=0.03)
        found[f"{video}.{name}.proj.bias"] = drawn(WIDTH)
    block = f"{video}.blocks.0"
    linear = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "timeattn.qkv": (3, 1), "timeattn.proj": (1, 1)}
    linear |= {"mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
    for name, (out, into) in linear.items():
        found[f"{block}.{name}.weight"] = drawn(out * WIDTH, into * WIDTH, scale=(1 / into / WIDTH) ** 0.5)
        found[f"{block}.{name}.bias"] = drawn(out * WIDTH)
    norms = [*(f"{block}.norm{i}" for i in "123"), f"{video}.norm"]
    norms += [f"transformer.{name}" for name in ("vis_in_lnorm", "aud_in_lnorm", "ln_f")]
    for name in norms:
        found[f"{name}.weight"], found[f"{name}.bias"] = 1 + drawn(WIDTH), drawn(WIDTH)
    for name in ("vproj", "aproj"):
        found[f"{name}.weight"], found[f"{name}.bias"] = drawn(WIDTH, WIDTH, scale=WIDTH**-0.5), drawn(WIDTH)
    found["transformer.OFF_tok"], found["transformer.MOD_tok"] = drawn(1, 1, WIDTH), drawn(1, 1, WIDTH)
    found["transformer.pos_emb_cfg.pos_emb"] = drawn(1, 198, WIDTH)
    found["transformer.off_head.weight"], found["transformer.off_head.bias"] = drawn(21, WIDTH), drawn(21)
    found |= _joint()
    return {name: value.contiguous().clone() for name, value in found.items()}


def _joint() -> dict[str, Tensor]:
    state = layer(3, heads=2, eps=1e-5).state_dict()
    found = {}
    for what in ("weight", "bias"):
        parts = state[f"self_attn.in_proj_{what}"].chunk(3)
        found |= {f"attn.{name}.{what}": part for name, part in zip(("query", "key", "value"), parts, strict=True)}
        found[f"attn.proj.{what}"] = state[f"self_attn.out_proj.{what}"]
        names = (("ln1", "norm1"), ("ln2", "norm2"), ("mlp.0", "linear1"), ("mlp.2", "linear2"))
        found |= {f"{own}.{what}": state[f"{theirs}.{what}"] for own, theirs in names}
    return {f"transformer.blocks.0.{name}": value for name, value in found.items()}


def write(folder: Path) -> Path:
    """Write the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "synchformer_state_dict.pth"
    torch.save(tensors(), path)
    return path


def _pooled(rows: Tensor, place: str, seed: int) -> Tensor:
    token = tensors()[f"{place}.cls_token"].expand(len(rows), -1, -1)
    found: Tensor = layer(seed)(torch.cat([token, rows], dim=1))[:, 0]
    return found


@torch.inference_mode()
def sound(mels: Tensor) -> Tensor:
    """Rows of segments of sound, (b, 128, 66) -> (b, 6, 192)."""
    patches = ast()(mels.transpose(1, 2)).last_hidden_state[:, 2:].reshape(len(mels), 12, 6, WIDTH)
    columns = [_pooled(patches[:, :, t], "afeat_extractor.freq_attn_agg", 1) for t in range(6)]
    return torch.stack(columns, dim=1)


@torch.inference_mode()
def video(frames: Tensor) -> Tensor:
    """Rows of segments of video, (b, 3, 16, 224, 224) -> (b, 8, 192); attention to all patches under a mask."""
    w = {k.removeprefix("vfeat_extractor."): v for k, v in tensors().items()}
    kernel = w["patch_embed_3d.proj.weight"].flatten(1)
    x = frames.unfold(2, 2, 2).unfold(3, 16, 16).unfold(4, 16, 16)  # (b, 3, 8, 14, 14, 2, 16, 16)
    patches = x.permute(0, 2, 3, 4, 1, 5, 6, 7).flatten(4) @ kernel.T + w["patch_embed_3d.proj.bias"]
    patches = patches.reshape(len(frames), 8, 196, WIDTH) + w["temp_embed"].unsqueeze(2) + w["pos_embed"][:, None, 1:]
    first = (w["cls_token"] + w["pos_embed"][:, :1]).expand(len(frames), -1, -1)
    x = torch.cat([first, patches.reshape(len(frames), -1, WIDTH)], dim=1)
    frame, place = torch.arange(8).repeat_interleave(196), torch.arange(196).repeat(8)

    def norm(y: Tensor, name: str) -> Tensor:
        return nn.functional.layer_norm(y, (WIDTH,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    def linear(y: Tensor, name: str) -> Tensor:
        return nn.functional.linear(y, w[f"blocks.0.{name}.weight"], w[f"blocks.0.{name}.bias"])

    def attended(y: Tensor, name: str, group: Tensor) -> Tensor:
        seen = torch.ones(1569, 1569, dtype=torch.bool)
        seen[1:, 1:] = group[:, None] == group[None, :]
        q, k, v = (z.reshape(*z.shape[:2], 3, 64).transpose(1, 2) for z in linear(y, f"{name}.qkv").chunk(3, dim=-1))
        scores = (q @ k.transpose(2, 3) / 8).masked_fill(~seen, -torch.inf).softmax(dim=-1)
        return linear((scores @ v).transpose(1, 2).flatten(2), f"{name}.proj")

    x = x + attended(norm(x, "blocks.0.norm3"), "timeattn", place)
    x = x + attended(norm(x, "blocks.0.norm1"), "attn", frame)
    x = x + linear(nn.functional.gelu(linear(norm(x, "blocks.0.norm2"), "mlp.fc1")), "mlp.fc2")
    rows = norm(x[:, 1:], "norm").reshape(len(frames), 8, 196, WIDTH)
    return torch.stack([_pooled(rows[:, t], "vfeat_extractor.spatial_attn_agg", 2) for t in range(8)], dim=1)


@torch.inference_mode()
def logits(shown: Tensor, heard: Tensor) -> Tensor:
    """Logits of the offsets, (b, 112, 192) and (b, 84, 192) -> (b, 21)."""
    w = tensors()

    def norm(y: Tensor, name: str) -> Tensor:
        own = f"transformer.{name}"
        return nn.functional.layer_norm(y, (WIDTH,), w[f"{own}.weight"], w[f"{own}.bias"])

    def linear(y: Tensor, name: str) -> Tensor:
        return nn.functional.linear(y, w[f"{name}.weight"], w[f"{name}.bias"])

    tokens = [w[f"transformer.{name}_tok"].expand(len(shown), -1, -1) for name in ("OFF", "MOD")]
    v, a = norm(linear(shown, "vproj"), "vis_in_lnorm"), norm(linear(heard, "aproj"), "aud_in_lnorm")
    x = torch.cat([tokens[0], v, tokens[1], a], dim=1) + w["transformer.pos_emb_cfg.pos_emb"]
    x = norm(layer(3, heads=2, eps=1e-5)(x), "ln_f")
    return linear(x[:, 0], "transformer.off_head")
