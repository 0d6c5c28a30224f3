"""A small prior in the files of dalle2-pytorch, with random weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clipsonic.prior.dalle2 import Dalle2Prior

# as LAION publishes it, but for the sizes (768, 12, 12, 64 and 1000 there)
NET: dict[str, Any] = {
    "dim": 32, "depth": 2, "num_timesteps": 40, "max_text_len": 77, "num_time_embeds": 1, "num_image_embeds": 1,
    "num_text_embeds": 1, "dim_head": 40, "heads": 3, "ff_mult": 2, "norm_in": False, "norm_out": True,
    "attn_dropout": 0.05, "ff_dropout": 0.05, "final_proj": True, "normformer": True, "rotary_emb": True,
}  # fmt: skip
PRIOR: dict[str, Any] = {
    "clip": {"make": "openai", "model": "ViT-L/14"}, "image_embed_dim": 32, "image_size": 224, "image_channels": 3,
    "timesteps": 40, "sample_timesteps": 64, "cond_drop_prob": 0.0, "loss_type": "l2", "predict_x_start": True,
    "beta_schedule": "cosine", "condition_on_text_encodings": True,
}  # fmt: skip


def numbers(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Normal numbers of deviation 0.3, float32."""
    return torch.from_numpy(0.3 * np.random.default_rng(seed).standard_normal(shape)).float()


def weights_by_name(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Tensors of a network by name: random, seeded by the place of the name in the alphabet; gains around 1."""
    found = {name: numbers(shape, k) for k, (name, shape) in enumerate(sorted(shapes.items()))}
    return {name: value + 1.0 if name.endswith(".g") else value for name, value in found.items()}


def published_tensors() -> dict[str, torch.Tensor]:
    """All tensors of a published file: the network, the null condition, the schedule, a CLIP."""
    network = Dalle2Prior(
        embedding_dim=32, num_layers=2, num_attention_heads=3, attention_head_dim=40, ff_mult=2, num_timesteps=40
    )
    tensors = {name: value for name, value in network.state_dict().items() if not name.startswith("clip_")}
    freqs = tensors.pop("causal_transformer.freqs")
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    shapes |= {"null_text_embeds": (1, 1, 32), "null_image_embed": (1, 32)}
    found = weights_by_name(shapes)
    found |= {f"causal_transformer.layers.{k}.0.rotary_emb.freqs": freqs for k in range(2)}
    others = {"noise_scheduler.betas": torch.zeros(40), "clip.clip.ln_final.weight": torch.ones(8).half()}
    return {f"net.{name}": value for name, value in found.items()} | others


def write(folder: Path, **changes: Any) -> Path:
    """Write the settings and the tensors; ``changes`` of settings by name, of the network where they are its own."""
    folder.mkdir(parents=True, exist_ok=True)
    net = NET | {name: value for name, value in changes.items() if name in NET}
    prior = PRIOR | {name: value for name, value in changes.items() if name not in NET}
    (folder / "prior_config.json").write_text(json.dumps({"prior": {**prior, "net": net}, "train": {"lr": 1.1e-4}}))
    torch.save(published_tensors(), folder / "best.pth")
    return folder


def request() -> dict[str, torch.Tensor]:
    """What both networks are asked: noisy embeddings, steps, texts, hidden states, and where there is text."""
    mask = torch.arange(77)[None] < torch.tensor([9, 77])[:, None]
    return {
        "x": 3 * numbers((2, 32), 101),
        "t": torch.tensor([3, 39]),
        "text": torch.nn.functional.normalize(numbers((2, 32), 102), dim=1),
        "tokens": numbers((2, 77, 32), 103),
        "mask": mask,
    }


# the first four numbers of what the package predicts for the request, with these weights
PREDICTED = torch.tensor(
    [[-2.1571314, -2.2382147, 2.0089545, 2.4943092], [1.1554235, 1.7870742, -1.9254718, 0.1746783]]
)
