"""Train the toy encoders from scratch, all or one of them, into a folder of weights and cards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval import outputs, threads
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import unknown_name
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.toyencoders import audio, clip
from clipsonic_eval.toyencoders.config import ToyAudioConfig, ToyClapConfig, ToyClipConfig, ToyEncodersConfig
from clipsonic_eval.toyencoders.data import RenderedPairs, images, sounds
from clipsonic_eval.toyencoders.geometry import TARGETS
from clipsonic_eval.toyencoders.training import store


def train(
    config: ToyEncodersConfig,
    out: Path,
    *,
    only: str | None = None,
    progress: Progress = SILENT,
    overwrite: bool = False,
) -> list[Path]:
    """Train the toy encoders.

    Args:
        config: of the four trainings.
        out: folder for the weights and cards.
        only: the name of one encoder; None: all.
        progress: of all stages.
        overwrite: replace what was trained in ``out`` with other settings.

    Returns:
        The weight files.

    Raises:
        UserError: there is no encoder of that name, or ``out`` holds something else.
    """
    trainings: Final[Mapping[str, Callable[[Path, Progress], Path]]] = {
        "toy-clip": partial(train_clip, config.clip),
        "toy-clap": partial(train_clap, "toy-clap", config.clap),
        "toy-clap-condition": partial(train_clap, "toy-clap-condition", config.clap_condition),
        "toy-audio": partial(train_audio, config.audio),
    }
    if only is not None and only not in trainings:
        raise unknown_name("toy encoder", only, trainings)
    done = []
    with outputs.claim(out, "toy-encoders train", as_tree(config), overwrite=overwrite):
        for name in trainings if only is None else (only,):
            progress.note(f"{name}: training")
            done.append(trainings[name](out, progress))
    return done


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
    words = data.vocabulary()
    net = clip.build(config, len(words))
    started = time.monotonic()
    losses = clip.fit(net, data, words, config, progress)
    seconds = time.monotonic() - started
    held_out = partial(
        images, config.validation, seed=config.seed, purpose="instrument-validation", captions=1, progress=progress
    )
    card = {
        "loss": round(float(np.mean(losses[-50:])), 4),
        "train_seconds": round(seconds, 1),
        "targets": TARGETS,
        "geometry": {
            "web": clip.measure(net, words, held_out(domain="web")),
            "video": clip.measure(net, words, held_out(domain="video")),
        },
    }
    network = {"kind": "pair-image", "shape": config.network(len(words)), "vocabulary": list(words.known)}
    return store(out, "toy-clip", net, network, config, card)


@threads.networks()
def train_clap(name: str, config: ToyClapConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Train one toy CLAP and write ``<name>.safetensors`` and its card; return the weight file."""
    data = sounds(config.sounds, seed=config.seed, progress=progress)
    words = data.vocabulary()
    started = time.monotonic()
    net = audio.fit_clap(data, words, config, progress)
    seconds = time.monotonic() - started
    card = _card(seconds, audio.clap_report(net, words, _held_out(config, progress)))
    network = {"kind": "pair-audio", "shape": config.network(len(words)), "vocabulary": list(words.known)}
    return store(out, name, net, network, config, card)


@threads.networks()
def train_audio(config: ToyAudioConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Train the audio embedder and write ``toy-audio.safetensors`` and its card; return the weight file."""
    data = sounds(config.sounds, seed=config.seed, captions=0, progress=progress)
    started = time.monotonic()
    net = audio.fit_audio(data, config, progress)
    seconds = time.monotonic() - started
    card = _card(seconds, audio.audio_report(net, _held_out(config, progress)))
    network = {"kind": "hearing", "shape": config.network, "labels": list(config.labels)}
    return store(out, "toy-audio", net, network, config, card)


def _held_out(config: ToyClapConfig | ToyAudioConfig, progress: Progress) -> RenderedPairs:
    """Render held-out sounds of the video domain, with an audio caption and a full one each."""
    return sounds(
        config.validation,
        seed=config.seed,
        purpose="instrument-validation-sounds",
        domain="video",
        captions=2,
        progress=progress,
    )


def _card(seconds: float, reached: Mapping[str, Any]) -> dict[str, Any]:
    rounded = {k: v if isinstance(v, int) else round(v, 4) for k, v in reached.items()}
    return {"train_seconds": round(seconds, 1), "held_out_video_domain": rounded}
