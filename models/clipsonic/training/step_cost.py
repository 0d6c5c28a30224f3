"""The processor time of a training step, compared between configurations in one process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from clipsonic.conditions import condition_array
from clipsonic.training import audio_setup, loop
from clipsonic.training.config import AudioTrainingConfig
from clipsonic_eval.clips import ClipStore

_BLOCK, _BLOCKS = 5, 8  # steps in a row, and how often the configurations take turns


def step_seconds(base: AudioTrainingConfig, variant: AudioTrainingConfig) -> tuple[float, float]:
    """Return the processor time of one training step of two configurations, taken in turns on one thread, seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            takers = [_stepper(config, Path(folder) / str(i)) for i, config in enumerate((base, variant))]
            for take in takers:
                take()  # the first step builds kernels
            durations = np.array([[_timed(take) for take in takers] for _ in range(_BLOCKS)])
    finally:
        torch.set_num_threads(threads)
    base_s, variant_s = durations.min(axis=0)  # other work only lengthens
    return float(base_s), float(variant_s)


def _stepper(config: AudioTrainingConfig, folder: Path) -> Callable[[], None]:
    store = ClipStore.open(config.clips)
    conditions, _ = condition_array(store, config.condition)
    task, _ = audio_setup.prepare(store, config, conditions)
    return loop.take_steps_of(task, config.train, folder, _BLOCK)


def _timed(take: Callable[[], None]) -> float:
    started = time.process_time()
    take()
    return (time.process_time() - started) / _BLOCK
