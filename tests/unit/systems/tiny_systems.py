"""Small untrained models, priors, clips and queries on disk: contracts do not ask whether a system is any good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.model import MelDiffusion
from clipsonic.networks import NetworkConfig, build
from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import PriorNetworkConfig, build_network, set_scale
from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.types import Query

RATE, N = 16000, 5120
FRAMES = 32  # of a mel: 0.32 s
CLIP_DIM = 128


def unit(vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def write_model(folder: Path, kind: str, encoder: str = "toy-clip") -> Path:
    """Write an untrained model whose output does depend on its condition."""
    mel = MelConfig(mean=(-5.0,), std=(2.0,))
    options = {"channels": [32, 32], "blocks": 1, "embedding": 32, "heads": 0}
    network = build(NetworkConfig("unet1d", options), n_mels=mel.n_mels, frames=FRAMES, condition_dim=CLIP_DIM, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in network.parameters():
            if not bool(weights.any()):  # what starts at zero would hide the condition
                weights.copy_(0.05 * torch.randn(weights.shape, generator=generator))
    card = {
        "identity": "untrained",
        "log_mel_range": {"low": [-11.0] * mel.n_mels, "high": [1.0] * mel.n_mels},
        "condition": {"kind": kind, "space": as_tree(ENCODERS[encoder](None).card)},
    }
    return MelDiffusion(network, mel, DiffusionConfig(), card).save(folder)


def write_prior(folder: Path) -> Path:
    """Write an untrained prior with a scale."""
    network = build_network(PriorNetworkConfig(heads=2, head_dim=16, layers=1), CLIP_DIM, seed=0)
    set_scale(network, unit(np.random.default_rng(0).standard_normal((200, CLIP_DIM)) + 1.0))
    space = as_tree(ENCODERS["toy-clip"](None).card)
    return DiffusionPrior(network, {"space": space, "data": {"kind": "images"}}).save(folder)


def write_images(folder: Path, n: int = 12) -> Path:
    """Write image-caption pairs as a Parquet shard."""
    import io

    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    rng = np.random.default_rng(4)
    images = []
    for _ in range(n):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(buffer, "png")
        images.append(buffer.getvalue())
    table = {
        "key": [f"p{i}" for i in range(n)],
        "image": images,
        "caption": [f"a photo of {CLASSES[i % 3]}" for i in range(n)],
    }
    folder.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.table(table), folder / "shard-0000.parquet")
    return folder


CLASSES = ("a bell", "a dog", "rain")


def write_videos(folder: Path, n: int = 4) -> list[Query]:
    """Write videos of noise, each its own, and return a query for each."""
    queries = []
    for i in range(n):
        rng = np.random.default_rng(i)
        frames = np.repeat(rng.integers(0, 255, (1, 64, 64, 3), dtype=np.uint8), 3, axis=0)
        sound = (0.2 * rng.standard_normal(N)).astype(np.float32)
        write_video(folder / f"v{i}.mp4", frames, 10.0, sound, RATE)
        queries.append(Query(f"v{i}", f"{CLASSES[i % 3]} number {i}", folder / f"v{i}.mp4", CLASSES[i % 3]))
    return queries


def write_systems(root: Path) -> tuple[dict[str, tuple[str, dict[str, Any]]], list[Query]]:
    """Write everything; return spec and settings of every system by name, and the queries."""
    queries = write_videos(root / "videos")
    clips = PrepareConfig(duration_s=N / RATE, min_s=0.1, workers=0)
    prepare(Source(root / "videos"), root / "clips", clips)
    video = {"model": str(write_model(root / "video", "image")), "steps": 3}
    prior = {**video, "prior": str(write_prior(root / "prior")), "prior_steps": 4}
    images = {"images": str(write_images(root / "images"))}
    clip = {"model": str(write_model(root / "clip-tta", "text")), "steps": 3}
    clap = {"model": str(write_model(root / "clap-tta", "text", "toy-clap-condition")), "steps": 3}
    yard = {"duration_s": N / RATE}
    return {
        "IQ": ("clipsonic.systems:ImageQueried", video),
        "ZS": ("clipsonic.systems:ZeroShot", video),
        "PD": ("clipsonic.systems:PriorGuided", prior),
        "PD-best2": ("clipsonic.systems:PriorGuided", {**prior, "prior_candidates": 2, "name": "PD-best2"}),
        "mean-shift": ("paired_tta.systems:MeanShift", {**video, "pairs": images}),
        "CLIP-TTA": ("paired_tta.systems:ClipTTA", clip),
        "CLAP-TTA": ("paired_tta.systems:ClapTTA", clap),
        "retrieval": ("paired_tta.systems:Retrieval", {"clips": str(root / "clips")}),
        "real": ("clipsonic_eval.systems.controls:RealAudio", yard),
        "real-mel": ("paired_tta.systems:RealMel", yard),
        "noise": ("clipsonic_eval.systems.controls:Noise", yard),
    }, queries
