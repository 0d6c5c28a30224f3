"""Train all toy encoders, or one encoder of it, into a folder of weights and cards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    ClapConfig,
    HearingConfig,
    audio_sizes,
    clap_report,
    clap_sizes,
    fit_clap,
    fit_hearing,
    hearing_report,
)
from clipsonic_eval.toyencoders.clip import ClipConfig, train_clip
from clipsonic_eval.toyencoders.data import Sounds, sounds
from clipsonic_eval.toyworld import SOURCES

NAMES: Final[tuple[str, ...]] = ("toy-clip", "toy-clap", "toy-clap-condition", "toy-audio")


@dataclass(frozen=True)
class ToyEncodersConfig:
    """The four trainings.

    Attributes:
        clip: of toy-clip.
        clap: of toy-clap, which scores.
        clap_condition: of toy-clap-condition, which conditions CLAP-TTA: another seed, so other data and weights.
        audio: of toy-audio (and its class head, toy-audio-classes).
    """

    clip: ClipConfig = field(default_factory=ClipConfig)
    clap: ClapConfig = field(default_factory=ClapConfig)
    clap_condition: ClapConfig = field(default_factory=lambda: ClapConfig(seed=12))
    audio: HearingConfig = field(default_factory=HearingConfig)


def _held_out(config: ClapConfig | HearingConfig, progress: Progress) -> Sounds:
    return sounds(
        config.validation,
        seed=config.seed,
        purpose="instrument-validation-sounds",
        domain="video",
        captions=2,
        progress=progress,
    )


def _card(name: str, config: ClapConfig | HearingConfig, reached: dict[str, Any], seconds: float) -> dict[str, Any]:
    tree = as_tree(config)
    return {
        "command": f"clipsonic-eval toy-encoders train --only {name}",
        "config": tree,
        "config_hash": config_hash(tree),
        "train_seconds": round(seconds, 1),
        "held_out_video_domain": {k: v if isinstance(v, int) else round(v, 4) for k, v in reached.items()},
    }


@threads.networks()
def train_clap(name: str, config: ClapConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Train one toy CLAP and write ``<name>.safetensors`` and its card; return the weight file."""
    data = sounds(config.sounds, seed=config.seed, progress=progress)
    words = Vocabulary.of(c for captions in data.captions for c in captions)
    started = time.monotonic()
    net = fit_clap(data, words, config, progress)
    seconds = time.monotonic() - started
    net.load_state_dict(as_stored(net.state_dict()))
    network = {"kind": "pair-audio", "shape": clap_sizes(config, len(words)), "vocabulary": list(words.known)}
    card = _card(name, config, clap_report(net, words, _held_out(config, progress)), seconds)
    path = out / f"{name}.safetensors"
    save(path, net.state_dict(), network, card)
    return path


@threads.networks()
def train_hearing(config: HearingConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Train the audio embedder and write ``toy-audio.safetensors`` and its card; return the weight file."""
    data = sounds(config.sounds, seed=config.seed, captions=0, progress=progress)
    started = time.monotonic()
    net = fit_hearing(data, config, progress)
    seconds = time.monotonic() - started
    net.load_state_dict(as_stored(net.state_dict()))
    network = {"kind": "hearing", "shape": audio_sizes(config), "labels": list(SOURCES)}
    path = out / "toy-audio.safetensors"
    save(
        path,
        net.state_dict(),
        network,
        _card("toy-audio", config, hearing_report(net, _held_out(config, progress)), seconds),
    )
    return path


def train(
    config: ToyEncodersConfig,
    out: Path,
    *,
    only: str | None = None,
    progress: Progress = SILENT,
    overwrite: bool = False,
) -> list[Path]:
    """Train the toy encoders from scratch.

    Args:
        config: of the four trainings.
        out: folder for the weights and cards.
        only: the name of one encoder; None: all.
        progress: every stage reports to it.
        overwrite: replace what was trained in ``out`` with other settings.

    Returns:
        The weight files.

    Raises:
        UserError: there is no encoder of that name, or ``out`` holds something else.
    """
    if only is not None and only not in NAMES:
        raise unknown_name("toy encoder", only, NAMES)
    with outputs.claim(out, "toy-encoders train", as_tree(config), overwrite=overwrite):
        return _train(config, out, NAMES if only is None else (only,), progress)


def _train(config: ToyEncodersConfig, out: Path, names: Sequence[str], progress: Progress) -> list[Path]:
    done = []
    for name in names:
        progress.note(f"{name}: training")
        if name == "toy-clip":
            done.append(train_clip(config.clip, out, progress))
        elif name == "toy-audio":
            done.append(train_hearing(config.audio, out, progress))
        else:
            clap = config.clap if name == "toy-clap" else config.clap_condition
            done.append(train_clap(name, clap, out, progress))
    return done
