"""Prepared clips read from their shards beside what the full-size network of VGGSound consumes in training.

A step of the network is timed on two clips: its time grows in proportion to the batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from unit.clipsonic.fakes import FakeStore

from clipsonic.training import audio_setup, loop
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.mel_source import MelSource
from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.config import apply_sets, resolve
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.presets import read_training
from clipsonic_eval.types import EncoderCard

CLIPS, BATCH, SECONDS, RATE = 512, 64, 4, 16000
GROUP = "training: clips read, or taken a step with, by the network of `vggsound`; per clip"
VIT_L_14 = EncoderCard("clip-vit-l-14", "ab" * 32, 768, ("image", "text"), "size:224")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for number in range(CLIPS):
        noise = 0.1 * rng.standard_normal(SECONDS * RATE)
        write_wav(folder / "wavs" / f"{number:03d}.wav", noise.astype(np.float32), RATE)
    settings = PrepareConfig(duration_s=SECONDS, image_encoder=None, workers=0)
    prepare(Source(folder / "wavs"), folder / "clips", settings)
    return ClipStore.open(folder / "clips")


def vggsound(*sets: str) -> AudioTrainingConfig:
    tree = read_training(Path("vggsound"))
    found = apply_sets({key: tree[key] for key in tree.keys() - {"trainer", "out", "split"}}, sets)
    config: AudioTrainingConfig = resolve(AudioTrainingConfig, found)
    return config


@pytest.mark.parametrize("who", ["ours: audio from shards, log-mels computed", "ours: log-mels from the disk cache"])
def test_clips_are_read(benchmark: Any, who: str, store: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("mels") if "cache" in who else None
    source = MelSource(store, vggsound().mel, cache_mb=0, folder=folder, readers=2)
    order = torch.randperm(CLIPS, generator=torch.Generator().manual_seed(0))

    def epoch() -> None:
        source.expect(order.split(BATCH))
        for batch in order.split(BATCH):
            source(batch)

    benchmark.group = GROUP
    benchmark.extra_info |= {"who": who, "units": CLIPS, "note": "hashes checked in the first round"}
    benchmark.pedantic(epoch, rounds=4)


def test_the_network_consumes_clips(benchmark: Any, tmp_path: Path) -> None:
    sets = ("train.batch_size=2", "train.validation=0", "train.precision=auto", "mel_cache_mb=64")
    clips: Any = FakeStore(n=2, n_samples=SECONDS * RATE, space=VIT_L_14)
    config = vggsound(*sets)
    task, _ = audio_setup.prepare(clips, config, clips.image_embeddings)
    take = loop.take_steps_of(task, config.train, tmp_path, 1)
    benchmark.group = GROUP
    benchmark.extra_info |= {"who": "a training step of the full-size network", "units": 2}
    benchmark.pedantic(take, rounds=2)
