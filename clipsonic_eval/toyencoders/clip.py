"""Training of the toy CLIP: pictures and captions of the web domain, InfoNCE, no offset of any kind.

Its geometry comes from the way it is built and trained: at a low fixed temperature the loss asks for small differences
of cosines only and is blind to a constant offset between the modalities, so most of the gap and of the cone with
which random networks start is still there when the pictures' classes are already linearly readable.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval import threads, toyworld
from clipsonic_eval.bfloat16 import chosen
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders.toy.frontend import image_tensor
from clipsonic_eval.encoders.toy.network import ContrastiveNetwork
from clipsonic_eval.encoders.toy.tokenizer import START, Vocabulary
from clipsonic_eval.encoders.toy.weights import as_stored, save
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import derive, stream
from clipsonic_eval.toyencoders.data import Pictures, pictures
from clipsonic_eval.toyencoders.geometry import TARGETS, geometry, intervals
from clipsonic_eval.toyencoders.loss import forget, info_nce, rate_at


@dataclass(frozen=True)
class ClipConfig:
    """How a toy CLIP is built and trained.

    Attributes:
        seed: of the pictures, the initial weights and the batches.
        pictures: number of training pictures, each with four captions.
        dim: of the shared space.
        widths: of the image tower.
        text_width: of the text tower.
        text_layers: of the text tower.
        temperature: of InfoNCE, fixed (CLIP's learnt one ends at 0.01).
        steps: of training.
        batch: pairs of a step.
        lr: peak learning rate (linear warm-up, then cosine to a tenth).
        text_lr: of the text tower in units of ``lr``.
        warmup: steps.
        weight_decay: of AdamW.
        validation: held-out pictures per domain.
        locked_projections: keep the two final norms and linear projections as they were drawn. Where they move, the
            two cones turn towards each other (measured, see ``reports/toy_encoders``).
        start_std: initial standard deviation of the start token's embedding (words: 0.02). What all texts share at
            the start is the text tower's cone.
    """

    seed: int = 1
    pictures: int = 24000
    dim: int = 128
    widths: tuple[int, ...] = (64, 128)
    text_width: int = 64
    text_layers: int = 2
    temperature: float = 0.015
    steps: int = 1000
    batch: int = 256
    lr: float = 2e-3
    text_lr: float = 0.3
    warmup: int = 50
    weight_decay: float = 0.01
    validation: int = 2000
    locked_projections: bool = True
    start_std: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 10:
            raise ConfigError(f"temperature must lie in (0, 10), got {self.temperature}")
        if min(self.pictures, self.steps, self.batch, self.validation) < 1:
            raise ConfigError("pictures, steps, batch and validation must be at least 1")


def _shift(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift the batch by up to three pixels and change its contrast picture by picture."""
    dy, dx = rng.integers(-3, 4, 2)
    gain = torch.from_numpy(rng.uniform(0.8, 1.2, (len(x), 1, 1, 1)).astype(np.float32))
    return torch.roll(x, (int(dy), int(dx)), dims=(2, 3)) * gain


def _sizes(config: ClipConfig, vocabulary: int) -> dict[str, Any]:
    """Return the arguments of the network, as they also stand in the weight file."""
    return {
        "channels": 3,
        "widths": list(config.widths),
        "text_width": config.text_width,
        "text_layers": config.text_layers,
        "dim": config.dim,
        "vocabulary": vocabulary,
    }


def build(config: ClipConfig, words: int) -> ContrastiveNetwork:
    """Return the network with its initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "", "instrument-clip-weights"))
        net = ContrastiveNetwork(**_sizes(config, words))
        with torch.no_grad():
            net.text.words.weight[START] *= config.start_std / 0.02
        return net


def fit(
    net: ContrastiveNetwork, data: Pictures, words: Vocabulary, config: ClipConfig, progress: Progress = SILENT
) -> list[float]:
    """Train in place; return the loss of every step."""
    tokens = torch.from_numpy(np.stack([words.encode(c) for c in data.captions]))
    if config.locked_projections:
        for part in (net.sense_norm, net.sense_projection, net.text.norm, net.text_projection):
            part.requires_grad_(False)
    text = [p for n, p in net.named_parameters() if n.startswith("text")]
    sense = [p for n, p in net.named_parameters() if not n.startswith("text")]
    optimiser = torch.optim.AdamW(
        [{"params": sense, "scale": 1.0}, {"params": text, "scale": config.text_lr}],
        lr=config.lr,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
    )
    chosen("bf16", "cpu", "the training of toy-clip")  # part of its recipe: taken everywhere, said where it costs
    rng = stream(config.seed, "", "instrument-clip-batches")
    net.train()
    net.sense = net.sense.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    losses = []
    for step in progress.track(range(config.steps), label="train toy-clip"):
        rows = rng.choice(len(data.pixels), min(config.batch, len(data.pixels)), replace=False)
        for group in optimiser.param_groups:
            group["lr"] = config.lr * group["scale"] * rate_at(step, steps=config.steps, warmup=config.warmup)
        which = torch.from_numpy(rng.integers(0, tokens.shape[1], len(rows)))
        x = _shift(image_tensor(data.pixels[rows]), rng).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            a = net.embed_media(x)
        b = net.embed_text(forget(tokens[torch.from_numpy(rows), which], rng))
        loss = info_nce(a, b, config.temperature)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if step % 100 == 99:
            progress.note(f"step {step + 1}: loss {np.mean(losses[-100:]):.3f}")
    net.eval()
    return losses


@torch.inference_mode()
def measure(net: ContrastiveNetwork, words: Vocabulary, data: Pictures) -> dict[str, Any]:
    """Return the geometry of held-out pictures with their first captions, with intervals of its main numbers."""
    rows = range(0, len(data.pixels), 250)
    image = torch.cat([net.embed_media(image_tensor(data.pixels[k : k + 250])) for k in rows]).numpy()
    text = net.embed_text(torch.from_numpy(words.encode([c[0] for c in data.captions]))).numpy()
    prompts = net.embed_text(torch.from_numpy(words.encode([f"a photo of a {s}" for s in toyworld.SOURCES]))).numpy()
    values = geometry(
        image,
        text,
        label=np.array([s.label for s in data.scenes]),
        size=np.array([s.size for s in data.scenes]),
        count=np.array([s.count for s in data.scenes]),
        class_text=prompts,
    )
    return {
        "n": len(image),
        **{k: round(v, 4) for k, v in values.items()},
        "ci95": {k: [round(e, 4) for e in ends] for k, ends in intervals(image, text).items()},
    }


def validation_sets(config: ClipConfig, progress: Progress = SILENT) -> dict[str, Pictures]:
    """Render the held-out pictures of both domains (streams of their own)."""
    return {
        domain: pictures(
            config.validation,
            seed=config.seed,
            purpose="instrument-validation",
            domain=domain,
            captions=1,
            progress=progress,
        )
        for domain in ("web", "video")
    }


def store_clip(net: ContrastiveNetwork, words: Vocabulary, config: ClipConfig, out: Path, card: dict[str, Any]) -> Path:
    """Write ``toy-clip.safetensors`` and its card into a folder; return the weight file."""
    network = {"kind": "pair-image", "shape": _sizes(config, len(words)), "vocabulary": list(words.known)}
    path = out / "toy-clip.safetensors"
    tree = as_tree(config)
    save(path, net.state_dict(), network, {"config": tree, "config_hash": config_hash(tree), **card})
    return path


@threads.networks()
def train_clip(config: ClipConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Render the pictures, train a toy CLIP, measure it on held-out pictures and write it.

    Args:
        config: how.
        out: folder for ``toy-clip.safetensors`` and ``toy-clip.json`` (the card, with the geometry reached).
        progress: rendering and training report to it.

    Returns:
        The weight file; ``ENCODERS["toy-clip"](out)`` loads it.
    """
    data = pictures(config.pictures, seed=config.seed, progress=progress)
    words = Vocabulary.of(c for captions in data.captions for c in captions)
    net = build(config, len(words))
    started = time.monotonic()
    losses = fit(net, data, words, config, progress)
    seconds = time.monotonic() - started
    net.load_state_dict(as_stored(net.state_dict()))
    reached = {domain: measure(net, words, held) for domain, held in validation_sets(config, progress).items()}
    card = {
        "command": "clipsonic-eval toy-encoders train --only toy-clip",
        "loss": round(float(np.mean(losses[-50:])), 4),
        "train_seconds": round(seconds, 1),
        "targets": TARGETS,
        "geometry": reached,
    }
    return store_clip(net, words, config, out, card)
