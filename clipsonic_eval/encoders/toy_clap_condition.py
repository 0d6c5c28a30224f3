"""``toy-clap-condition``: a second CLAP of other data and another seed, which conditions CLAP-TTA.

A system must never be scored by the encoder that conditions it.
"""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("toy-clap-condition")
def load(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Load from a folder or a file; None: the frozen weights that come with the package."""
    from clipsonic_eval.encoders._toy.inference import load_pair

    return load_pair("toy-clap-condition", weights, device, "audio")
