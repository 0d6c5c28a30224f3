"""Small encoders of the toy world: toy-clip, toy-clap, toy-clap-condition, toy-audio.

The heads of toy-audio are encoders too: toy-audio-classes, toy-audio-count, toy-audio-size. Trained from scratch by
``clipsonic-eval toy-encoders train``; the frozen weights come with the package. They embed toy worlds only (``world``
on their cards). ``toy-clap-condition`` has other training data and another seed than ``toy-clap``: a system must never
be scored by the encoder that conditions it.
"""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("toy-clip")
def load_clip(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Toy CLIP: images and texts in one space, calibrated to the geometry of real CLIP."""
    from clipsonic_eval.encoders.toy.encoder import load_contrastive

    return load_contrastive("toy-clip", weights, device, "image")


@ENCODERS.register("toy-clap")
def load_clap(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Toy CLAP: audio and texts in one space; for evaluation only, never as a condition."""
    from clipsonic_eval.encoders.toy.encoder import load_contrastive

    return load_contrastive("toy-clap", weights, device, "audio")


@ENCODERS.register("toy-clap-condition")
def load_clap_condition(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Toy CLAP of other training data and another seed, which conditions CLAP-TTA."""
    from clipsonic_eval.encoders.toy.encoder import load_contrastive

    return load_contrastive("toy-clap-condition", weights, device, "audio")


@ENCODERS.register("toy-audio")
def load_audio(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Toy audio embedder for FAD: 64 features per window of 0.96 s."""
    from clipsonic_eval.encoders.toy.encoder import load_toy_audio

    return load_toy_audio("toy-audio", weights, device, "features")


@ENCODERS.register("toy-audio-classes")
def load_audio_classes(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Toy audio classifier: log-probabilities of the 12 sound sources per window of 0.96 s."""
    from clipsonic_eval.encoders.toy.encoder import load_toy_audio

    return load_toy_audio("toy-audio-classes", weights, device, "classes")


@ENCODERS.register("toy-audio-count")
def load_audio_count(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Toy audio classifier: log-probabilities of 1, 2 or 3 events per window of 0.96 s."""
    from clipsonic_eval.encoders.toy.encoder import load_toy_audio

    return load_toy_audio("toy-audio-count", weights, device, "count")


@ENCODERS.register("toy-audio-size")
def load_audio_size(weights: Path | None = None, *, device: str = "cpu") -> Encoder:
    """Toy audio regressor: size of the sound source, 0 (small, high) to 1 (big, low), per window of 0.96 s."""
    from clipsonic_eval.encoders.toy.encoder import load_toy_audio

    return load_toy_audio("toy-audio-size", weights, device, "size")
