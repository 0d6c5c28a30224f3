"""Training of the toy CLIP: images and captions of the web domain, InfoNCE, no offset of any kind.

Its geometry follows from how it is built and trained: at a low fixed temperature the loss asks for small differences of
cosines only, and a constant offset between the modalities does not change it. So most of the modality gap and of the
cone effect of random networks is still there when the images' classes are already linearly decodable (W. Liang et al.,
Mind the Gap, NeurIPS 2022).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipsonic_eval import toyworld
from clipsonic_eval.bfloat16 import chosen
from clipsonic_eval.encoders.toy.frontend import image_tensor
from clipsonic_eval.encoders.toy.network import ContrastiveNetwork
from clipsonic_eval.encoders.toy.tokenizer import START, Vocabulary
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import derive, stream
from clipsonic_eval.toyencoders.config import ToyClipConfig
from clipsonic_eval.toyencoders.data import RenderedPairs
from clipsonic_eval.toyencoders.geometry import geometry, intervals
from clipsonic_eval.toyencoders.training import drop_words, info_nce, optimise


def build(config: ToyClipConfig, vocabulary: int) -> ContrastiveNetwork:
    """Return the network with its initial weights, for a vocabulary of so many tokens."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.weights_seed, "", "instrument-clip-weights"))
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
