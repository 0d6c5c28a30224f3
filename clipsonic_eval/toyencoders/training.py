"""What all trainings of the toy encoders share: contrastive loss, learning rate, unknown words, the loop, the files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders.toy.tokenizer import BUCKETS, PAD
from clipsonic_eval.encoders.toy.weights import as_stored, save
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import Progress


class _Settings(Protocol):
    """The settings of a training that its loop reads."""

    @property
    def steps(self) -> int:
        """Number of steps."""
        ...

    @property
    def lr(self) -> float:
        """Peak learning rate."""
        ...

    @property
    def warmup(self) -> int:
        """Steps of the linear warm-up."""
        ...

    @property
    def weight_decay(self) -> float:
        """Of AdamW."""
        ...


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Return the symmetric contrastive loss (InfoNCE) of matched pairs.

    Args:
        a: (n, d) unit vectors.
        b: (n, d) unit vectors, row by row the partners of ``a``.
        temperature: divides the cosines.

    Source: A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021, fig. 3.
    """
    logits = a @ b.T / temperature  # cos(a_i, b_j) / τ
    target = torch.arange(len(a))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def lr_factor(step: int, *, steps: int, warmup: int) -> float:
    """Return the factor of the learning rate: linear warm-up, then a half cosine from 1 down to a tenth."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def drop_words(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    """Replace one word in fifty by an unknown one, token ids (n, 32) -> (n, 32).

    So unknown words come to mean little to the text tower.
    """
    mask = torch.from_numpy(rng.random(tokens.shape) < 0.02) & (tokens != PAD)
    mask[:, 0] = False
    return torch.where(mask, torch.from_numpy(rng.integers(2, 2 + BUCKETS, tokens.shape)), tokens)


def optimise(
    net: torch.nn.Module,
    loss: Callable[[], Tensor],
    settings: _Settings,
    label: str,
    progress: Progress,
    groups: Sequence[dict[str, Any]] = (),
) -> list[float]:
    """Train a network in place by AdamW, and round its weights as they are stored: what is measured is what ships.

    Args:
        net: what is trained.
        loss: draws a batch and returns its loss, a scalar.
        settings: steps, learning rate, warm-up, weight decay.
        label: for the progress bar.
        progress: counts the steps.
        groups: parameters with a ``scale`` of the learning rate; by default all parameters with scale 1.

    Returns:
        The loss of every step.
    """
    groups = groups or [{"params": list(net.parameters()), "scale": 1.0}]
    optimiser = torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.98), weight_decay=settings.weight_decay)
    net.train()
    losses = []
    for step in progress.track(range(settings.steps), label=label):
        for group in optimiser.param_groups:
            group["lr"] = settings.lr * group["scale"] * lr_factor(step, steps=settings.steps, warmup=settings.warmup)
        value = loss()
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(float(value.detach()))
        if step % 100 == 99:
            progress.note(f"step {step + 1}: loss {np.mean(losses[-100:]):.3f}")
    net.eval()
    net.load_state_dict(as_stored(net.state_dict()))
    return losses


def store(
    out: Path, name: str, net: torch.nn.Module, network: Mapping[str, Any], config: Any, card: Mapping[str, Any]
) -> Path:
    """Write the weights of a trained encoder and its card into a folder.

    Args:
        out: folder.
        name: of the encoder, and of the files.
        net: the trained network.
        network: kind, sizes and vocabulary, see :func:`~clipsonic_eval.encoders.toy.weights.save`.
        config: of the training.
        card: measurements.

    Returns:
        The weight file.
    """
    tree, path = as_tree(config), out / f"{name}.safetensors"
    command = f"clipsonic-eval toy-encoders train --only {name}"
    stated = {"command": command, "config": tree, "config_hash": config_hash(tree)}
    save(path, net.state_dict(), network, {**stated, **card})
    return path
