"""Training of the toy audio encoders: two CLAPs of different seeds and data, and the audio embedder for FAD."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clipsonic_eval.arraytypes import AnyArray, FloatArray
from clipsonic_eval.encoders.toy.frontend import log_mel
from clipsonic_eval.encoders.toy.network import AudioNetwork, ContrastiveNetwork
from clipsonic_eval.encoders.toy.tokenizer import Vocabulary
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import derive, stream
from clipsonic_eval.toyencoders.config import ToyAudioConfig, ToyClapConfig
from clipsonic_eval.toyencoders.data import RenderedPairs
from clipsonic_eval.toyencoders.training import drop_words, info_nce, optimise
from clipsonic_eval.toyworld import SOURCES

_GAIN_SPAN: Final = 0.5  # of the standardised log-mel: ±13 dB


def noisy_mels(waves: FloatArray, seed: int) -> FloatArray:
    """Return two log-mel spectrograms per sound: clean, and with white noise 0 to 30 dB below it.

    Args:
        waves: (n, 15360) float32 at 16 kHz.
        seed: of the noise.

    Returns:
        (n, 2, 1, 64, 96) float16, standardised.
    """
    n = len(waves)
    out = np.empty((n, 2, 1, 64, 96), np.float16)
    for start in range(0, n, 256):
        part = waves[start : start + 256]
        rng = stream(seed, str(start), "instrument-noise")
        rms = np.sqrt((part**2).mean(axis=1, keepdims=True))
        level = rms * 10 ** (-rng.uniform(0, 30, (len(part), 1)) / 20)
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        out[start : start + 256, 0] = log_mel(part)
        out[start : start + 256, 1] = log_mel(part + noise * level.astype(np.float32))
    return out


def _batches(mels: FloatArray, batch: int, rng: np.random.Generator) -> Iterator[tuple[AnyArray, Tensor]]:
    """Yield row numbers (b,) and log-mel spectrograms (b, 1, 64, 96), shifted in time and in level at random."""
    while True:
        rows = rng.choice(len(mels), min(batch, len(mels)), replace=False)
        x = torch.from_numpy(mels[rows, (rng.random(len(rows)) < 0.4).astype(int)]).float()
        x = torch.roll(x, int(rng.integers(-4, 5)), dims=3)
        gain = rng.uniform(-_GAIN_SPAN, _GAIN_SPAN, (len(rows), 1, 1, 1)).astype(np.float32)
        yield rows, x + torch.from_numpy(gain)


def fit_clap(
    data: RenderedPairs, words: Vocabulary, config: ToyClapConfig, progress: Progress = SILENT
) -> ContrastiveNetwork:
    """Build and train a toy CLAP."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "", "instrument-clap-weights"))
        net = ContrastiveNetwork(**config.network(len(words)))
    tokens = torch.from_numpy(np.stack([words.encode(c) for c in data.captions]))
    rng = stream(config.seed, "", "instrument-clap-batches")
    batches = _batches(noisy_mels(data.inputs, config.seed), config.batch, rng)

    def loss() -> Tensor:
        rows, x = next(batches)
        which = torch.from_numpy(rng.integers(0, tokens.shape[1], len(rows)))
        text = net.embed_text(drop_words(tokens[torch.from_numpy(rows), which], rng))
        return info_nce(net.embed_media(x), text, config.temperature)

    optimise(net, loss, config, "train a toy-clap", progress)
    return net


def fit_audio(data: RenderedPairs, config: ToyAudioConfig, progress: Progress = SILENT) -> AudioNetwork:
    """Build and train the audio embedder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "", "instrument-audio-weights"))
        net = AudioNetwork(**config.network)
    label = torch.from_numpy(data.labels)
    size = torch.from_numpy(data.sizes).float()
    count = torch.from_numpy(data.counts - 1)
    rng = stream(config.seed, "", "instrument-audio-batches")
    batches = _batches(noisy_mels(data.inputs, config.seed), config.batch, rng)

    def loss() -> Tensor:
        rows, x = next(batches)
        at = torch.from_numpy(rows)
        features = net.features(x)
        class_loss = F.cross_entropy(net.classes(features), label[at], label_smoothing=0.02)
        count_loss = F.cross_entropy(net.count(features), count[at])
        size_loss = F.mse_loss(net.size(features)[:, 0], size[at])
        # a small pull towards the origin keeps the scale of the features, and with it of FAD, moderate
        return class_loss + count_loss + 5 * size_loss + 1e-4 * features.square().sum(dim=1).mean()

    optimise(net, loss, config, "train toy-audio", progress)
    return net


@torch.inference_mode()
def clap_report(net: ContrastiveNetwork, words: Vocabulary, data: RenderedPairs) -> dict[str, Any]:
    """Return matched and shuffled cosines on held-out sounds, for audio captions and for full ones."""
    a = net.embed_media(torch.from_numpy(log_mel(data.inputs))).numpy()
    result: dict[str, Any] = {"n": len(a)}
    for column, style in enumerate(("audio", "full")):
        t = net.embed_text(torch.from_numpy(words.encode(data.column(column)))).numpy()
        result[f"matched_cosine_{style}"] = float((a * t).sum(axis=1).mean())
        result[f"shuffled_cosine_{style}"] = float((a * np.roll(t, 1, axis=0)).sum(axis=1).mean())
    prompts = net.embed_text(torch.from_numpy(words.encode([f"the sound of a {s}" for s in SOURCES]))).numpy()
    result["zero_shot_class"] = float(((a @ prompts.T).argmax(axis=1) == data.labels).mean())
    return result


@torch.inference_mode()
def audio_report(net: AudioNetwork, data: RenderedPairs) -> dict[str, Any]:
    """Return the accuracies of the heads on held-out sounds."""
    features = net.features(torch.from_numpy(log_mel(data.inputs)))
    error = net.size(features)[:, 0].numpy() - data.sizes
    return {
        "n": len(data.labels),
        "class_accuracy": float((net.classes(features).argmax(dim=1).numpy() == data.labels).mean()),
        "count_accuracy": float((net.count(features).argmax(dim=1).numpy() == data.counts - 1).mean()),
        "size_r2": float(1 - (error**2).mean() / data.sizes.var()),
        "feature_variance": float(features.var(dim=0).sum()),
    }
