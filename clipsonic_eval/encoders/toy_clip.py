"""``toy-clip``: pictures and texts of the toy world in one space, calibrated to the geometry of real CLIP."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("toy-clip")
def load(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Load from a folder or a file; None: the frozen weights that come with the package."""
    from clipsonic_eval.encoders._toy.inference import load_pair

    return load_pair("toy-clip", weights, device, "image")
