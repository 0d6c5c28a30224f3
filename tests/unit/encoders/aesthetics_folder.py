"""A small Audiobox Aesthetics in the files of the published folder, and its answers, by transformers' WavLM."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

AXES = ("CE", "CU", "PC", "PQ")
LAYERS = 2
_PUBLISHED = (  # transformers' names to those of audiobox_aesthetics
    (r"^masked_spec_embed$", "mask_emb"),
    (r"^feature_extractor\.conv_layers\.(\d)\.conv\.", r"feature_extractor.conv_layers.\1.0."),
    (r"^feature_extractor\.conv_layers\.0\.layer_norm\.", "feature_extractor.conv_layers.0.2."),
    (r"^feature_projection\.projection\.", "post_extract_proj."),
    (r"^feature_projection\.layer_norm\.", "layer_norm."),
    (r"^encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original0$", "encoder.pos_conv.0.weight_g"),
    (r"^encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original1$", "encoder.pos_conv.0.weight_v"),
    (r"^encoder\.pos_conv_embed\.conv\.bias$", "encoder.pos_conv.0.bias"),
    (r"\.attention\.gru_rel_pos_linear\.", ".self_attn.grep_linear."),
    (r"\.attention\.gru_rel_pos_const$", ".self_attn.grep_a"),
    (r"\.attention\.rel_attn_embed\.", ".self_attn.relative_attention_bias."),
    (r"\.attention\.", ".self_attn."),
    (r"(layers\.\d+)\.layer_norm\.", r"\1.self_attn_layer_norm."),
    (r"\.feed_forward\.intermediate_dense\.", ".fc1."),
    (r"\.feed_forward\.output_dense\.", ".fc2."),
)


def wavlm() -> Any:
    """transformers' WavLM in float32 with random weights; sizes apart from the published one's, all else as there."""
    from transformers import WavLMConfig, WavLMModel

    config = WavLMConfig(
        hidden_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=48,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        num_buckets=32,
        max_bucket_distance=800,
        attn_implementation="eager",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = WavLMModel(config).eval()
        for value in net.parameters():
            scale = float((2 / value[0].numel()) ** 0.5) if value.ndim > 1 else 0.2
            value.data.add_(scale * torch.randn_like(value))
    return net


def heads(*, norm: bool = True, dropout: bool = False) -> nn.ModuleDict:
    """Heads of three layers, numbered as published."""

    def layers() -> list[nn.Module]:
        found: list[nn.Module] = []
        for _ in range(2):
            found += [nn.Linear(32, 32), *([nn.LayerNorm(32)] if norm else []), nn.GELU()]
            found += [nn.Dropout()] if dropout else []
        return [*found, nn.Linear(32, 1)]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.ModuleDict({axis: nn.Sequential(*layers()) for axis in AXES}).eval()


def write(folder: Path, *, norm: bool = True, dropout: bool = False, **settings: Any) -> Path:
    """Write config.json and model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, value in wavlm().state_dict().items():
        own = name
        for pattern, published in _PUBLISHED:
            own = re.sub(pattern, published, own)
        tensors[f"wavlm_model.{own}"] = value.contiguous()
    tensors |= {f"proj_layer.{name}": value for name, value in heads(norm=norm, dropout=dropout).state_dict().items()}
    rng = torch.Generator().manual_seed(2)
    tensors |= {f"layer_weights.{axis}": torch.randn(LAYERS + 1, generator=rng) for axis in AXES}
    save_file(tensors, folder / "model.safetensors")
    config = {
        "freeze_encoder": True,
        "normalize_embed": True,
        "nth_layer": LAYERS + 1,
        "output_dim": 1,
        "precision": "32",
        "proj_act_fn": "gelu",
        "proj_dropout": 0.1 if dropout else 0,
        "proj_ln": norm,
        "proj_num_layer": 3,
        "target_transform": {axis: {"mean": 5.0 + i, "std": 1.5 - 0.2 * i} for i, axis in enumerate(AXES)},
        "use_weighted_layer_sum": True,
    }
    (folder / "config.json").write_text(json.dumps(config | settings))
    return folder


@torch.inference_mode()
def points(folder: Path, wave: np.ndarray) -> np.ndarray:
    """Points of one window of 10 s that holds a sound (n,), from the files and transformers' network -> (4,)."""
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    net, window = wavlm(), torch.zeros(1, 160000)
    window[0, : len(wave)] = torch.from_numpy(wave)
    states: list[torch.Tensor] = []
    net.encoder.dropout.register_forward_hook(lambda *found: states.append(found[-1]))
    for layer in net.encoder.layers:
        layer.register_forward_hook(lambda *found: states.append(found[-1][0]))
    frames, _ = net.feature_projection(net.feature_extractor(window).transpose(1, 2))
    used = torch.arange(frames.shape[1])[None] * 320 < len(wave)
    with warnings.catch_warnings():  # transformers mixes types of masks
        warnings.simplefilter("ignore")
        net.encoder(frames, attention_mask=used)
    own, found = heads(norm=config["proj_ln"], dropout=config["proj_dropout"] > 0), []
    for axis in AXES:
        weights = torch.softmax(tensors[f"layer_weights.{axis}"], dim=0)
        mixed = sum(w * state for w, state in zip(weights, states, strict=True))[0, used[0]].mean(dim=0)
        scale = config["target_transform"][axis]
        found.append(float(own[axis](mixed / mixed.norm())) * scale["std"] + scale["mean"])
    return np.array(found)
