"""``toy-audio``: 64 features of toy-world audio for FAD; ``toy-audio-classes``: log-probabilities of its classes."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("toy-audio")
def load(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Load the features from a folder or a file; None: the frozen weights that come with the package."""
    from clipsonic_eval.encoders._toy.inference import load_hearing

    return load_hearing("toy-audio", weights, device, classes=False)


@ENCODERS.register("toy-audio-classes")
def load_classes(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Load the class head of the same file; card.labels names the columns."""
    from clipsonic_eval.encoders._toy.inference import load_hearing

    return load_hearing("toy-audio-classes", weights, device, classes=True)
