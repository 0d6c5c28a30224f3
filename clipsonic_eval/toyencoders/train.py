"""Train the toy encoders from scratch, all or one of them, into a folder of weights and cards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from clipsonic_eval import outputs, threads
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders.toy.tokenizer import Vocabulary
from clipsonic_eval.encoders.toy.weights import as_stored, save
from clipsonic_eval.errors import unknown_name
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.toyencoders.audio import (
    ToyAudioConfig,
    ToyClapConfig,
    audio_report,
    clap_report,
    fit_audio,
    fit_clap,
)
from clipsonic_eval.toyencoders.clip import ToyClipConfig, train_clip
from clipsonic_eval.toyencoders.data import RenderedPairs, sounds
from clipsonic_eval.toyworld import SOURCES


@dataclass(frozen=True)
class ToyEncodersConfig:
    """The four trainings.

    Attributes:
        clip: of toy-clip.
        clap: of toy-clap, which scores.
        clap_condition: of toy-clap-condition, which conditions CLAP-TTA: another seed, so other data and weights.
        audio: of toy-audio (and its class head, toy-audio-classes).
    """

    clip: ToyClipConfig = field(default_factory=ToyClipConfig)
    clap: ToyClapConfig = field(default_factory=ToyClapConfig)
    clap_condition: ToyClapConfig = field(default_factory=lambda: ToyClapConfig(seed=12))
    audio: ToyAudioConfig = field(default_factory=ToyAudioConfig)


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
def train_clap(name: str, config: ToyClapConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Train one toy CLAP and write ``<name>.safetensors`` and its card; return the weight file."""
    data = sounds(config.sounds, seed=config.seed, progress=progress)
    words = Vocabulary.of(caption for captions in data.captions for caption in captions)
    started = time.monotonic()
    net = fit_clap(data, words, config, progress)
    seconds = time.monotonic() - started
    net.load_state_dict(as_stored(net.state_dict()))
    network = {"kind": "pair-audio", "shape": config.network(len(words)), "vocabulary": list(words.known)}
    path = out / f"{name}.safetensors"
    save(
        path,
        net.state_dict(),
        network,
        _card(name, config, clap_report(net, words, _held_out(config, progress)), seconds),
    )
    return path


@threads.networks()
def train_audio(config: ToyAudioConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Train the audio embedder and write ``toy-audio.safetensors`` and its card; return the weight file."""
    data = sounds(config.sounds, seed=config.seed, captions=0, progress=progress)
    started = time.monotonic()
    net = fit_audio(data, config, progress)
    seconds = time.monotonic() - started
    net.load_state_dict(as_stored(net.state_dict()))
    network = {"kind": "hearing", "shape": config.network, "labels": list(SOURCES)}
    path = out / "toy-audio.safetensors"
    save(
        path,
        net.state_dict(),
        network,
        _card("toy-audio", config, audio_report(net, _held_out(config, progress)), seconds),
    )
    return path


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


def _card(name: str, config: ToyClapConfig | ToyAudioConfig, reached: dict[str, Any], seconds: float) -> dict[str, Any]:
    tree = as_tree(config)
    return {
        "command": f"clipsonic-eval toy-encoders train --only {name}",
        "config": tree,
        "config_hash": config_hash(tree),
        "train_seconds": round(seconds, 1),
        "held_out_video_domain": {k: v if isinstance(v, int) else round(v, 4) for k, v in reached.items()},
    }
