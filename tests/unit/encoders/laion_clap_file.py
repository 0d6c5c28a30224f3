"""A small CLAP in the layout of LAION's published files, with random weights."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

WORDS = 300
_BACK = (  # transformers' names to laion_clap's
    (r"^text_model\.", "text_branch."),
    (r"^audio_model\.audio_encoder\.", "audio_branch."),
    (r"\.batch_norm\.", ".bn0."),
    (r"(blocks\.\d+)\.attention\.output\.dense\.", r"\1.attn.proj."),
    (r"(blocks\.\d+)\.attention\.self\.", r"\1.attn."),
    (r"(blocks\.\d+)\.intermediate\.dense\.", r"\1.mlp.fc1."),
    (r"(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"_projection\.linear1\.", "_projection.0."),
    (r"_projection\.linear2\.", "_projection.2."),
)


def network(*, fusion: bool = False, width: int = 16, seed: int = 0) -> Any:
    """transformers' ClapModel, small, weights and statistics random."""
    from transformers import ClapConfig, ClapModel

    audio = {
        "patch_embeds_hidden_size": width,
        "depths": [1, 2, 1, 1],
        "num_attention_heads": [1, 1, 2, 2],
        "hidden_size": 8 * width,
        "enable_fusion": fusion,
        "fusion_type": "aff_2d",
    }
    text = {
        "vocab_size": WORDS,
        "hidden_size": 64,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "max_position_embeddings": 80,
        "layer_norm_eps": 1e-5,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ClapModel(
            ClapConfig(
                audio_config={**audio, "projection_dim": 24},
                text_config={**text, "projection_dim": 24},
                projection_dim=24,
            )
        )
        for name, value in net.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(-30 if "batch_norm" in name else 0, 0.3)
            elif name.endswith("running_var"):
                value.uniform_(200, 400) if "batch_norm" in name else value.uniform_(0.5, 2)
            elif value.is_floating_point() and value.ndim:
                value.add_(0.1 * torch.randn_like(value))
    return net.eval()


def tensors(net: Any) -> dict[str, torch.Tensor]:
    """The state dict as LAION publishes it, what belongs to the training included."""
    found: dict[str, torch.Tensor] = {}
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in net.state_dict().items():
        if name.startswith("logit_scale") or name.endswith(
            ("relative_position_index", "position_ids", "token_type_ids")
        ):
            continue
        new = name
        for pattern, replacement in _BACK:
            new = re.sub(pattern, replacement, new)
        split = re.fullmatch(r"(audio_branch.*\.attn)\.(query|key|value)\.(weight|bias)", new)
        if split:
            parts.setdefault(f"{split[1]}.qkv.{split[3]}", {})[split[2]] = value
        else:
            found[new] = value.clone()
    found |= {name: torch.cat([p["query"], p["key"], p["value"]]) for name, p in parts.items()}
    found |= {
        "logit_scale_a": torch.tensor(2.6),
        "logit_scale_t": torch.tensor(2.6),
        "text_branch.embeddings.position_ids": torch.arange(80)[None],
        "audio_branch.head.weight": torch.ones(3, 3),
        "audio_branch.tscam_conv.bias": torch.ones(3),
        "audio_branch.spectrogram_extractor.stft.conv_real.weight": torch.ones(2),
        "audio_branch.logmel_extractor.melW": torch.ones(2),
        "audio_branch.layers.0.blocks.0.attn.relative_position_index": torch.ones(2, 2, dtype=torch.long),
        "audio_branch.layers.0.blocks.0.attn_mask": torch.ones(2),
        "text_transform.sequential.0.weight": torch.ones(2),
        "audio_transform.sequential.3.bias": torch.ones(2),
    }
    return {f"module.{name}": value for name, value in found.items()}


def write(path: Path, net: Any, *, protocol: int = 4) -> Path:
    """Write a checkpoint as LAION's training does: NumPy's numbers among the state, pickle protocol 4."""
    held = {"epoch": 15, "name": "run", "best": np.float64(0.9014), "state_dict": tensors(net), "optimizer": {"lr": 1}}
    torch.save(held, path, pickle_protocol=protocol)
    return path


def write_tokenizer(folder: Path, *, words: int = WORDS) -> Path:
    """Write a small byte-level vocabulary in the files of RoBERTa's."""
    from tokenizers import ByteLevelBPETokenizer

    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = ByteLevelBPETokenizer()
    lines = ["the sound of a dog barking", "rain on a roof", "a bell rings twice", "the sea and the wind"] * 3
    trained.train_from_iterator(lines, vocab_size=words, min_frequency=1, special_tokens=specials)
    folder.mkdir(parents=True, exist_ok=True)
    held = json.loads(trained.to_str())["model"]
    vocabulary = dict(held["vocab"])
    for k in range(words - len(vocabulary)):
        vocabulary[f"filler{k}"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    merges = [m if isinstance(m, str) else " ".join(m) for m in held["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return folder
