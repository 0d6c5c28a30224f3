"""A small MERT in the files of its published folder, made of transformers' HuBERT, which it equals without DeepNorm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders._frames import FrameEncoder
from clipsonic_eval.encoders.mert import weights

DIM, LAYERS = 24, 3
NAME = "mert-v1-95m"
SETTINGS: dict[str, Any] = {
    "hidden_size": DIM,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "conv_dim": [12] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "conv_bias": False,
    "feat_extract_norm": "group",
    "feat_proj_layer_norm": True,
    "do_stable_layer_norm": False,
    "layer_norm_eps": 1e-5,
}
PUBLISHED = {
    "model_type": "mert_model",
    "architectures": ["MERTModel"],
    "auto_map": {"AutoModel": "modeling_MERT.MERTModel"},
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "sample_rate": 24000,
    "feature_extractor_cqt": False,
    "attention_relax": -1.0,
    "deepnorm": False,
}
POSITIONS = "encoder.pos_conv_embed.conv"


def hubert(**settings: Any) -> Any:
    """transformers' HuBERT of these settings, with weights of a size that keeps sounds apart."""
    from transformers import HubertConfig, HubertModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = HubertModel(HubertConfig(**{**SETTINGS, **settings}, attn_implementation="eager")).eval()
        for value in net.parameters():
            value.data += (
                0.2 * torch.randn_like(value) / max(1.0, float(value[0].numel() if value.ndim > 1 else 1)) ** 0.5
            )
    return net.requires_grad_(requires_grad=False)


def published_tensors(net: Any) -> dict[str, torch.Tensor]:
    """The tensors by the names in ``pytorch_model.bin``."""
    weight = f"{POSITIONS}.parametrizations.weight.original"
    renamed = {f"{weight}0": f"{POSITIONS}.weight_g", f"{weight}1": f"{POSITIONS}.weight_v"}
    return {renamed.get(name, name): value.clone() for name, value in net.state_dict().items()}


def write(folder: Path, *, net: Any = None, pickled: bool = True, **settings: Any) -> Path:
    """Write config, front end and tensors, pickled with the published names or as safetensors with later ones."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {key: value for key, value in settings.items() if key in SETTINGS}
    net = hubert(**known) if net is None else net
    (folder / "config.json").write_text(json.dumps({**SETTINGS, **PUBLISHED, **settings}))
    front = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "sampling_rate": 24000}
    (folder / "preprocessor_config.json").write_text(json.dumps(front))
    if pickled:
        torch.save(published_tensors(net), folder / "pytorch_model.bin")
    else:
        save_file(net.state_dict(), folder / "model.safetensors")
    return folder


def load(folder: Path, **options: Any) -> FrameEncoder:
    """Load it as MERT-v1-95M, whose sizes are checked."""
    with pytest.MonkeyPatch.context() as patch:
        small = weights.MODELS[NAME]._replace(dim=DIM, layers=LAYERS)
        patch.setitem(weights.MODELS, NAME, small)
        encoder: FrameEncoder = ENCODERS[NAME](folder, **options)
    return encoder
