"""What every training of the toy encoders shares: the contrastive loss, the learning rate, unknown words."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clipsonic_eval.encoders.toy.tokenizer import BUCKETS, PAD


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Return the symmetric contrastive loss of matched rows of unit vectors, (n, d) each."""
    logits = a @ b.T / temperature
    target = torch.arange(len(a))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def rate_at(step: int, *, steps: int, warmup: int) -> float:
    """Return the learning rate's factor: linear warm-up, then a cosine down to a tenth."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def forget(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    """Replace one word in fifty by an unknown one, so that unknown words mean little to the text tower."""
    mask = torch.from_numpy(rng.random(tokens.shape) < 0.02) & (tokens != PAD)
    mask[:, 0] = False
    return torch.where(mask, torch.from_numpy(rng.integers(2, 2 + BUCKETS, tokens.shape)), tokens)
