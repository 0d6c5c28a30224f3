"""``toy-clap``: audio and texts of the toy world in one space; for evaluation only, never as a condition."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("toy-clap")
def load(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Load from a folder or a file; None: the frozen weights that come with the package."""
    from clipsonic_eval.encoders._toy.inference import load_pair

    return load_pair("toy-clap", weights, device, "audio")
