"""A small ImageBind in the layout of the published file; transformers' CLIP has its towers of vision and text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from unit.encoders import clip_folder

DIM, AUDIO, HEADS = 24, 128, 2
_PUBLISHED = (  # transformers' names to those of ImageBind
    (r"^(vision|text)_model\.encoder\.layers\.", r"modality_trunks.\1.blocks."),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"\.layer_norm([12])\.", r".norm_\1."),
    (r"^vision_model\.pre_layrnorm\.", "modality_trunks.vision.pre_transformer_layer.0."),
    (r"^vision_model\.post_layernorm\.", "modality_heads.vision.0."),
    (r"^visual_projection\.", "modality_heads.vision.2."),
    (r"^text_model\.final_layer_norm\.", "modality_heads.text.proj.0."),
    (r"^text_projection\.", "modality_heads.text.proj.1."),
    (r"^text_model\.embeddings\.token_embedding\.", "modality_preprocessors.text.token_embedding."),
)


def clip() -> Any:
    """transformers' CLIP with ImageBind's towers of vision and text, small, weights random."""
    from transformers import CLIPConfig, CLIPModel

    size = len(clip_folder.vocabulary())
    shared = {"num_hidden_layers": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-6}
    ends = {"bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": 1, "vocab_size": size}
    sizes = {"hidden_size": 160, "num_attention_heads": 2, "intermediate_size": 640}
    vision = {**sizes, "image_size": 224, "patch_size": 14}
    text = {"hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 512, **ends}
    config = CLIPConfig(projection_dim=DIM, text_config={**shared, **text}, vision_config={**shared, **vision})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = CLIPModel(config).eval()
        for value in net.parameters():
            value.data.add_((0.5 / value[0].numel() ** 0.5 if value.ndim > 1 else 0.1) * torch.randn_like(value))
    return net


def audio() -> dict[str, torch.Tensor]:
    """Tensors of a tower for sounds of one block, random."""
    shapes = {
        "preprocessors.audio.cls_token": (1, 1, AUDIO),
        "preprocessors.audio.rgbt_stem.proj.weight": (AUDIO, 1, 16, 16),
        "preprocessors.audio.pos_embedding_helper.pos_embed": (1, 229, AUDIO),
        "trunks.audio.blocks.0.attn.bias_k": (1, 1, AUDIO),
        "trunks.audio.blocks.0.attn.bias_v": (1, 1, AUDIO),
        "heads.audio.2.weight": (DIM, AUDIO),
    }
    linear = {"attn.in_proj_": 3 * AUDIO, "attn.out_proj.": AUDIO, "mlp.fc1.": 4 * AUDIO}
    for name, width in linear.items():
        shapes[f"trunks.audio.blocks.0.{name}weight"] = (width, AUDIO)
        shapes[f"trunks.audio.blocks.0.{name}bias"] = (width,)
    shapes["trunks.audio.blocks.0.mlp.fc2.weight"] = (AUDIO, 4 * AUDIO)
    shapes["trunks.audio.blocks.0.mlp.fc2.bias"] = (AUDIO,)
    norms = ["preprocessors.audio.rgbt_stem.norm_layer", "heads.audio.0"]
    norms += [f"trunks.audio.blocks.0.norm_{i}" for i in "12"]
    shapes |= {f"{name}.{what}": (AUDIO,) for name in norms for what in ("weight", "bias")}
    rng = torch.Generator().manual_seed(1)
    found = {}
    for name, shape in sorted(shapes.items()):
        scale = 1 / float(np.prod(shape[1:])) ** 0.5 if len(shape) > 1 and "token" not in name else 0.3
        found[f"modality_{name}"] = scale * torch.randn(shape, generator=rng)
    return found


def tensors() -> dict[str, torch.Tensor]:
    """Everything that the published file holds, other modalities as one tensor each."""
    found = {}
    state = dict(clip().state_dict())
    for tower in ("vision", "text"):
        for k in range(2):
            own = f"{tower}_model.encoder.layers.{k}.self_attn"
            for what in ("weight", "bias"):
                parts = [state.pop(f"{own}.{p}_proj.{what}") for p in "qkv"]
                found[f"modality_trunks.{tower}.blocks.{k}.attn.in_proj_{what}"] = torch.cat(parts)
    kernel = state.pop("vision_model.embeddings.patch_embedding.weight")  # of an image; of two equal frames in halves
    frames = torch.randn(kernel.shape, generator=torch.Generator().manual_seed(2)) * 0.02
    found["modality_preprocessors.vision.rgbt_stem.proj.1.weight"] = torch.stack([kernel - frames, frames], dim=2)
    found["modality_preprocessors.vision.cls_token"] = state.pop("vision_model.embeddings.class_embedding")[None, None]
    for tower, name in (("vision", "pos_embedding_helper.pos_embed"), ("text", "pos_embed")):
        places = state.pop(f"{tower}_model.embeddings.position_embedding.weight")
        found[f"modality_preprocessors.{tower}.{name}"] = places[None]
    for name in [n for n in state if not n.endswith(("position_ids", "logit_scale"))]:
        own = name
        for pattern, published in _PUBLISHED:
            own = re.sub(pattern, published, own)
        found[own] = state[name]
    found |= audio()
    found["modality_preprocessors.text.mask"] = torch.full((77, 77), -torch.inf).triu(1)
    found["modality_postprocessors.audio.1.log_logit_scale"] = torch.tensor(3.0)
    for other in ("depth", "thermal", "imu"):
        found[f"modality_heads.{other}.0.weight"] = torch.ones(8)
    return {name: value.contiguous().clone() for name, value in found.items()}


def write(folder: Path) -> Path:
    """Write the weights, and CLIP's tokenizer beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "imagebind_huge.pth"
    torch.save(tensors(), path)
    clip_folder.write_tokenizer(folder)
    return path


def sound_vector(spectrogram: np.ndarray) -> np.ndarray:
    """The tower for sounds restated in NumPy at double precision: (128, 204) -> unit vector (24,)."""
    w = {k.removeprefix("modality_"): v.numpy().astype(np.float64) for k, v in audio().items()}

    def norm(x: np.ndarray, name: str, eps: float = 1e-6) -> np.ndarray:
        scaled = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    kernel = w["preprocessors.audio.rgbt_stem.proj.weight"].reshape(AUDIO, -1)
    patches = [spectrogram[y : y + 16, x : x + 16].ravel() for y in range(0, 113, 10) for x in range(0, 189, 10)]
    rows = norm(np.stack(patches) @ kernel.T, "preprocessors.audio.rgbt_stem.norm_layer", 1e-5)
    x = np.concatenate([w["preprocessors.audio.cls_token"][0], rows])
    x = x + w["preprocessors.audio.pos_embedding_helper.pos_embed"][0]
    block = "trunks.audio.blocks.0"
    y = norm(x, f"{block}.norm_1")
    q, k, v = np.split(y @ w[f"{block}.attn.in_proj_weight"].T + w[f"{block}.attn.in_proj_bias"], 3, axis=1)
    k, v = (np.concatenate([a, w[f"{block}.attn.bias_{n}"][0]]) for a, n in ((k, "k"), (v, "v")))
    q, k, v = (a.reshape(len(a), HEADS, -1) for a in (q, k, v))
    scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(AUDIO / HEADS)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = np.einsum("hij,jhd->ihd", scores / scores.sum(axis=-1, keepdims=True), v).reshape(len(x), AUDIO)
    x = x + mixed @ w[f"{block}.attn.out_proj.weight"].T + w[f"{block}.attn.out_proj.bias"]
    h = torch.from_numpy(norm(x, f"{block}.norm_2") @ w[f"{block}.mlp.fc1.weight"].T + w[f"{block}.mlp.fc1.bias"])
    h = (h * (1 + torch.erf(h / 2**0.5)) / 2).numpy()
    x = x + h @ w[f"{block}.mlp.fc2.weight"].T + w[f"{block}.mlp.fc2.bias"]
    found = w["heads.audio.2.weight"] @ norm(x[0], "heads.audio.0")
    return found / np.linalg.norm(found)
