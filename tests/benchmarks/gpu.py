"""What the audio model at the paper's scale costs on this machine's GPU: ``tox run -e bench-gpu``.

The network is that of ``vggsound.yaml`` (2-D U-Net, 64 x 400 mels, 4 s of audio), untrained, since what it costs
does not depend on training. Its condition comes from the toy CLIP, which needs no download.

    python tests/benchmarks/gpu.py OUT [options of `clipsonic-eval bench`]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.model import MelDiffusion
from clipsonic.networks import NetworkConfig, build
from clipsonic_eval.cli import main
from clipsonic_eval.config import as_tree, read_yaml
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.presets import presets

PAPER = presets()["vggsound"]
FRAMES = 400
DEFAULT = ["--grid", "precision=fp32,bf16", "--grid", "compile=false,true", "--grid", "batch=1,8", "--set",
           "channels_last=true", "--processes", "1", "--calls", "40"]  # fmt: skip


def write_untrained(folder: Path, network: Mapping[str, Any], frames: int = FRAMES) -> Path:
    """Write a model folder of a freshly initialised network, conditioned on toy CLIP's images."""
    card = load_encoder("toy-clip").card
    mel = MelConfig(mean=(-5.0,), std=(2.0,))
    made = build(NetworkConfig(**network), n_mels=mel.n_mels, frames=frames, condition_dim=card.dim, seed=0)
    own = {"identity": "untrained", "condition": {"kind": "image", "space": as_tree(card)}}
    return MelDiffusion(made, mel, DiffusionConfig(), own).save(folder)


def command(model: Path, out: Path, options: Sequence[str], device: str = "cuda") -> list[str]:
    """Return the words of the command that measures a model."""
    settings = ["--set", f"model={model}", "--set", f"device={device}"]
    return ["bench", "paper-scale=clipsonic.systems:ZeroShot", *settings, *options, "--out", str(out)]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    place = Path(sys.argv[1])
    folder = place.with_name(f"{place.name}-model")
    if not (folder / "model_index.json").exists():
        write_untrained(folder, read_yaml(PAPER)["network"])
    main(command(folder, place, sys.argv[2:] or DEFAULT))
