"""A folder as a notebook user has it: ``real/``, ``wavs/PD``, ``wavs/ZS``, ``test.csv``, all from the toy world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.toyworld.write import WorldConfig, write_world

N_TEST, N_REAL = 24, 36


def write_toy_folders(root: Path) -> Path:
    """Write reference sounds, two systems (ZS with more noise than PD) and their prompts."""
    write_world(
        WorldConfig(videos=0, pictures=0, pairs=0, val=0, test=N_TEST, val_reference=0, reference=N_REAL, workers=1),
        root,
    )
    (root / "reference").rename(root / "real")
    rng = np.random.default_rng(0)
    for system, noise in {"PD": 0.01, "ZS": 0.1}.items():
        folder = root / "wavs" / system
        folder.mkdir(parents=True)
        for path in sorted((root / "test").glob("*.mp4")):
            clip = read_audio(path, key=path.stem)
            samples = clip.mono() + noise * rng.standard_normal(clip.samples.shape[1])
            soundfile.write(folder / f"{clip.key}.wav", np.clip(samples, -1, 1), clip.sample_rate)
    return root
