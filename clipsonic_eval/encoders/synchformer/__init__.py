"""Synchformer: how far sound and picture are apart, for ``desync``; rows of sounds and videos that it compares.

The weights are a download of your own: ``synchformer_state_dict.pth`` of
https://github.com/hkchengrex/MMAudio/releases/tag/v0.1, which av-benchmark uses (MIT). Without ``weights`` they are
looked for in torch.hub's folder.

Sounds are cut into segments of 0.64 s every 0.32 s, six rows each, and videos at 25 frames per second into segments of
the same length, eight rows each. Both begin at 0 s and end at ``seconds`` (8), at the earliest at 4.8 s: shorter sounds
are filled up with zeros, shorter videos with their last frame. 14 segments are compared at a time. A sound of 8 s has
144 rows (24 segments) of 768 numbers, 442 kB in memory and cache, and a video 192.

Source: V. Iashin et al., Synchformer: Efficient Synchronization from Sparse Cues, ICASSP 2024.
"""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("synchformer")
def load(weights: Path | None = None, *, device: str = "cpu", seconds: float = 8.0) -> Encoder:
    """Synchformer: segments of sounds and videos, and the offset between them in seconds."""
    from clipsonic_eval.encoders.synchformer.encoder import load_synchformer

    return load_synchformer(weights, device, seconds=seconds)
