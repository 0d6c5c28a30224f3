"""Training of the toy CLIP: images and captions of the web domain, InfoNCE, no offset of any kind.

Its geometry follows from how it is built and trained: at a low fixed temperature the loss asks for small differences of
cosines only, and a constant offset between the modalities does not change it. So most of the modality gap and of the
cone effect of random networks is still there when the images' classes are already linearly decodable (W. Liang et al.,
Mind the Gap, NeurIPS 2022).
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
from clipsonic_eval.toyencoders.data import RenderedPairs, images
from clipsonic_eval.toyencoders.geometry import TARGETS, geometry, intervals
from clipsonic_eval.toyencoders.training import drop_words, info_nce, optimise


@dataclass(frozen=True)
class ToyClipConfig:
    """Network and training of a toy CLIP.

    Attributes:
        seed: of the images, the initial weights and the batches.
        images: number of training images, each with four captions.
        dim: of the shared space.
        widths: of the image tower.
        text_width: of the text tower.
        text_layers: of the text tower.
        temperature: of InfoNCE, fixed (CLIP's learnt one ends at 0.01).
        steps: of training.
        batch: pairs per step.
        lr: peak learning rate (linear warm-up, then cosine to a tenth).
        text_lr: of the text tower in units of ``lr``.
        warmup: steps.
        weight_decay: of AdamW.
        validation: held-out images per domain.
        locked_projections: freeze the two final norms and linear projections at their initial values. Where they are
            trained, the two cones turn towards each other (measured, see ``reports/toy_encoders``).
        start_std: initial standard deviation of the start token's embedding (words: 0.02). What all texts share at
            the start is the text tower's cone.
    """

    seed: int = 1
    images: int = 24000
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
        if min(self.images, self.steps, self.batch, self.validation) < 1:
            raise ConfigError("images, steps, batch and validation must be at least 1")

    def network(self, vocabulary: int) -> dict[str, Any]:
        """Return the arguments of the network, as they also stand in the weight file."""
        return {
            "channels": 3,
            "widths": list(self.widths),
            "text_width": self.text_width,
            "text_layers": self.text_layers,
            "dim": self.dim,
            "vocabulary": vocabulary,
        }


def build(config: ToyClipConfig, vocabulary: int) -> ContrastiveNetwork:
    """Return the network with its initial weights, for a vocabulary of so many tokens."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "", "instrument-clip-weights"))
        net = ContrastiveNetwork(**config.network(vocabulary))
        with torch.no_grad():
            net.text.words.weight[START] *= config.start_std / 0.02
        return net


def fit(
    net: ContrastiveNetwork,
    data: RenderedPairs,
    words: Vocabulary,
    config: ToyClipConfig,
    progress: Progress = SILENT,
) -> list[float]:
    """Train in place; return the loss of every step."""
    tokens = torch.from_numpy(np.stack([words.encode(c) for c in data.captions]))
    if config.locked_projections:
        for part in (net.sense_norm, net.sense_projection, net.text.norm, net.text_projection):
            part.requires_grad_(False)
    text = [p for name, p in net.named_parameters() if name.startswith("text")]
    image = [p for name, p in net.named_parameters() if not name.startswith("text")]
    chosen("bf16", "cpu", "the training of toy-clip")  # part of its recipe: used everywhere, warned of where it costs
    rng = stream(config.seed, "", "instrument-clip-batches")
    net.sense = net.sense.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss() -> Tensor:
        rows = rng.choice(len(data.inputs), min(config.batch, len(data.inputs)), replace=False)
        which = torch.from_numpy(rng.integers(0, tokens.shape[1], len(rows)))
        x = _augmented(image_tensor(data.inputs[rows]), rng).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            a = net.embed_media(x)
        b = net.embed_text(drop_words(tokens[torch.from_numpy(rows), which], rng))
        return info_nce(a, b, config.temperature)

    groups = [{"params": image, "scale": 1.0}, {"params": text, "scale": config.text_lr}]
    return optimise(net, loss, config, "train toy-clip", progress, groups)


def _augmented(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift a batch (b, 3, 48, 48) by up to three pixels and change the contrast per image."""
    dy, dx = rng.integers(-3, 4, 2)
    gain = torch.from_numpy(rng.uniform(0.8, 1.2, (len(x), 1, 1, 1)).astype(np.float32))
    return torch.roll(x, (int(dy), int(dx)), dims=(2, 3)) * gain


@torch.inference_mode()
def measure(net: ContrastiveNetwork, words: Vocabulary, data: RenderedPairs) -> dict[str, Any]:
    """Return the geometry of held-out images with their first captions, with intervals of its main numbers."""
    rows = range(0, len(data.inputs), 250)
    image = torch.cat([net.embed_media(image_tensor(data.inputs[k : k + 250])) for k in rows]).numpy()
    text = net.embed_text(torch.from_numpy(words.encode(data.column(0)))).numpy()
    prompts = net.embed_text(torch.from_numpy(words.encode([f"a photo of a {s}" for s in toyworld.SOURCES]))).numpy()
    values = geometry(image, text, label=data.labels, size=data.sizes, count=data.counts, class_text=prompts)
    return {
        "n": len(image),
        **{k: round(v, 4) for k, v in values.items()},
        "ci95": {k: [round(e, 4) for e in ends] for k, ends in intervals(image, text).items()},
    }


@threads.networks()
def train_clip(config: ToyClipConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Render the images, train a toy CLIP, measure it on held-out images and write it.

    Args:
        config: network and training.
        out: folder for ``toy-clip.safetensors`` and ``toy-clip.json`` (the card, with the geometry reached).
        progress: of rendering and training.

    Returns:
        The weight file; ``load_encoder("toy-clip", out)`` loads it.
    """
    data = images(config.images, seed=config.seed, progress=progress)
    words = Vocabulary.of(caption for captions in data.captions for caption in captions)
    net = build(config, len(words))
    started = time.monotonic()
    losses = fit(net, data, words, config, progress)
    seconds = time.monotonic() - started
    net.load_state_dict(as_stored(net.state_dict()))
    purpose = "instrument-validation"
    held_out = {
        "web": images(
            config.validation, seed=config.seed, purpose=purpose, domain="web", captions=1, progress=progress
        ),
        "video": images(
            config.validation, seed=config.seed, purpose=purpose, domain="video", captions=1, progress=progress
        ),
    }
    tree = as_tree(config)
    card = {
        "config": tree,
        "config_hash": config_hash(tree),
        "command": "clipsonic-eval toy-encoders train --only toy-clip",
        "loss": round(float(np.mean(losses[-50:])), 4),
        "train_seconds": round(seconds, 1),
        "targets": TARGETS,
        "geometry": {domain: measure(net, words, data) for domain, data in held_out.items()},
    }
    network = {"kind": "pair-image", "shape": config.network(len(words)), "vocabulary": list(words.known)}
    path = out / "toy-clip.safetensors"
    save(path, net.state_dict(), network, card)
    return path
