"""Training of the audio encoders: two CLAPs of different seeds and data, and the embedder for FAD."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clipsonic_eval.encoders.toy.frontend import log_mel
from clipsonic_eval.encoders.toy.network import AudioNetwork, ContrastiveNetwork
from clipsonic_eval.encoders.toy.tokenizer import Vocabulary
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import derive, stream
from clipsonic_eval.toyencoders.data import Sounds
from clipsonic_eval.toyencoders.loss import forget, info_nce, rate_at
from clipsonic_eval.toyworld import SOURCES

_GAIN_SPAN: Final = 0.5  # of the standardised log-mel: +-13 dB


@dataclass(frozen=True)
class ClapConfig:
    """How a toy CLAP is built and trained.

    Attributes:
        seed: of the sounds, the initial weights and the batches.
        sounds: number of training sounds, each with four captions.
        dim: of the shared space.
        widths: of the audio tower.
        text_width: of the text tower.
        text_layers: of the text tower.
        temperature: of InfoNCE, fixed; higher than CLIP's, so that matched cosines are high.
        steps: of training.
        batch: pairs of a step.
        lr: peak learning rate.
        warmup: steps.
        weight_decay: of AdamW.
        validation: held-out sounds.
    """

    seed: int = 11
    sounds: int = 8000
    dim: int = 128
    widths: tuple[int, ...] = (32, 64, 128)
    text_width: int = 64
    text_layers: int = 2
    temperature: float = 0.1
    steps: int = 600
    batch: int = 128
    lr: float = 1.5e-3
    warmup: int = 50
    weight_decay: float = 0.01
    validation: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 10:
            raise ConfigError(f"temperature must lie in (0, 10), got {self.temperature}")
        if min(self.sounds, self.steps, self.batch, self.validation) < 1:
            raise ConfigError("sounds, steps, batch and validation must be at least 1")


@dataclass(frozen=True)
class HearingConfig:
    """How the audio embedder is built and trained (heads for class, size and count on 64 features).

    Attributes:
        seed: of the sounds, the initial weights and the batches.
        sounds: number of training sounds.
        dim: of the features.
        widths: of the tower.
        steps: of training.
        batch: sounds of a step.
        lr: peak learning rate.
        warmup: steps.
        weight_decay: of AdamW.
        validation: held-out sounds.
    """

    seed: int = 31
    sounds: int = 8000
    dim: int = 64
    widths: tuple[int, ...] = (32, 64, 128)
    steps: int = 500
    batch: int = 128
    lr: float = 2e-3
    warmup: int = 50
    weight_decay: float = 0.05
    validation: int = 1000

    def __post_init__(self) -> None:
        if min(self.sounds, self.steps, self.batch, self.validation) < 1:
            raise ConfigError("sounds, steps, batch and validation must be at least 1")


def clap_sizes(config: ClapConfig, vocabulary: int) -> dict[str, Any]:
    """Return the arguments of a toy CLAP's network, as they also stand in the weight file."""
    return {
        "channels": 1,
        "widths": list(config.widths),
        "text_width": config.text_width,
        "text_layers": config.text_layers,
        "dim": config.dim,
        "vocabulary": vocabulary,
    }


def audio_sizes(config: HearingConfig) -> dict[str, Any]:
    """Return the arguments of the audio embedder's network, as they also stand in the weight file."""
    return {"widths": list(config.widths), "dim": config.dim, "classes": len(SOURCES)}


def noisy_mels(data: Sounds, seed: int) -> NDArray[np.float16]:
    """Return two log-mels of each sound, clean and with noise of 0 to 30 dB, (n, 2, 1, 64, 96)."""
    n = len(data.waves)
    out = np.empty((n, 2, 1, 64, 96), np.float16)
    for start in range(0, n, 256):
        waves = data.waves[start : start + 256]
        rng = stream(seed, str(start), "instrument-noise")
        level = np.sqrt((waves**2).mean(axis=1, keepdims=True)) * 10 ** (-rng.uniform(0, 30, (len(waves), 1)) / 20)
        noise = rng.standard_normal(waves.shape, dtype=np.float32)
        out[start : start + 256, 0] = log_mel(waves)
        out[start : start + 256, 1] = log_mel(waves + noise * level.astype(np.float32))
    return out


def _batches(
    mels: NDArray[np.float16], batch: int, steps: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Yield row numbers and log-mels, shifted in time and in level at random."""
    for _ in range(steps):
        rows = rng.choice(len(mels), min(batch, len(mels)), replace=False)
        x = torch.from_numpy(mels[rows, (rng.random(len(rows)) < 0.4).astype(int)]).float()
        x = torch.roll(x, int(rng.integers(-4, 5)), dims=3)
        gain = rng.uniform(-_GAIN_SPAN, _GAIN_SPAN, (len(rows), 1, 1, 1)).astype(np.float32)
        yield rows, x + torch.from_numpy(gain)


def _descend(
    net: torch.nn.Module,
    batches: Iterator[tuple[NDArray[np.int64], Tensor]],
    loss_of: Callable[[NDArray[np.int64], Tensor], Tensor],
    config: ClapConfig | HearingConfig,
    label: str,
    progress: Progress,
) -> list[float]:
    """Train in place; return the loss of every step."""
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.lr, betas=(0.9, 0.98), weight_decay=config.weight_decay)
    net.train()
    losses = []
    for step, (rows, x) in enumerate(progress.track(batches, label=label, total=config.steps)):
        for group in optimiser.param_groups:
            group["lr"] = config.lr * rate_at(step, steps=config.steps, warmup=config.warmup)
        loss = loss_of(rows, x)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if step % 100 == 99:
            progress.note(f"step {step + 1}: loss {np.mean(losses[-100:]):.3f}")
    net.eval()
    return losses


def fit_clap(data: Sounds, words: Vocabulary, config: ClapConfig, progress: Progress = SILENT) -> ContrastiveNetwork:
    """Build and train a toy CLAP."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "", "instrument-clap-weights"))
        net = ContrastiveNetwork(**clap_sizes(config, len(words)))
    tokens = torch.from_numpy(np.stack([words.encode(c) for c in data.captions]))
    rng = stream(config.seed, "", "instrument-clap-batches")

    def loss_of(rows: NDArray[np.int64], x: Tensor) -> Tensor:
        which = torch.from_numpy(rng.integers(0, tokens.shape[1], len(rows)))
        text = net.embed_text(forget(tokens[torch.from_numpy(rows), which], rng))
        return info_nce(net.embed_media(x), text, config.temperature)

    batches = _batches(noisy_mels(data, config.seed), config.batch, config.steps, rng)
    _descend(net, batches, loss_of, config, "train a toy-clap", progress)
    return net


def fit_hearing(data: Sounds, config: HearingConfig, progress: Progress = SILENT) -> AudioNetwork:
    """Build and train the audio embedder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "", "instrument-audio-weights"))
        net = AudioNetwork(**audio_sizes(config))
    label = torch.tensor([s.label for s in data.scenes])
    size = torch.tensor([s.size for s in data.scenes], dtype=torch.float32)
    count = torch.tensor([s.count - 1 for s in data.scenes])

    def loss_of(rows: NDArray[np.int64], x: Tensor) -> Tensor:
        at = torch.from_numpy(rows)
        features = net.features(x)
        named = F.cross_entropy(net.classes(features), label[at], label_smoothing=0.02)
        counted = F.cross_entropy(net.count(features), count[at])
        sized = F.mse_loss(net.size(features)[:, 0], size[at])
        # A small pull towards the origin keeps the scale of the features, and with it the scale of FAD, moderate.
        return named + counted + 5 * sized + 1e-4 * features.square().sum(dim=1).mean()

    rng = stream(config.seed, "", "instrument-audio-batches")
    batches = _batches(noisy_mels(data, config.seed), config.batch, config.steps, rng)
    _descend(net, batches, loss_of, config, "train toy-audio", progress)
    return net


@torch.inference_mode()
def clap_report(net: ContrastiveNetwork, words: Vocabulary, data: Sounds) -> dict[str, Any]:
    """Return matched and shuffled cosines on held-out sounds, for audio captions and for full ones."""
    a = net.embed_media(torch.from_numpy(log_mel(data.waves))).numpy()
    result: dict[str, Any] = {"n": len(a)}
    for column, style in enumerate(("audio", "full")):
        t = net.embed_text(torch.from_numpy(words.encode([c[column] for c in data.captions]))).numpy()
        result[f"matched_cosine_{style}"] = float((a * t).sum(axis=1).mean())
        result[f"shuffled_cosine_{style}"] = float((a * np.roll(t, 1, axis=0)).sum(axis=1).mean())
    prompts = net.embed_text(torch.from_numpy(words.encode([f"the sound of a {s}" for s in SOURCES]))).numpy()
    label = np.array([s.label for s in data.scenes])
    result["zero_shot_class"] = float(((a @ prompts.T).argmax(axis=1) == label).mean())
    return result


@torch.inference_mode()
def hearing_report(net: AudioNetwork, data: Sounds) -> dict[str, Any]:
    """Return the accuracies of the heads on held-out sounds."""
    features = net.features(torch.from_numpy(log_mel(data.waves)))
    label = np.array([s.label for s in data.scenes])
    count = np.array([s.count - 1 for s in data.scenes])
    size = np.array([s.size for s in data.scenes])
    error = net.size(features)[:, 0].numpy() - size
    return {
        "n": len(label),
        "class_accuracy": float((net.classes(features).argmax(dim=1).numpy() == label).mean()),
        "count_accuracy": float((net.count(features).argmax(dim=1).numpy() == count).mean()),
        "size_r2": float(1 - (error**2).mean() / size.var()),
        "feature_variance": float(features.var(dim=0).sum()),
    }
