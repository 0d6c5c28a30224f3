"""Encoders: audio, text and images to embeddings. A module or sub-package each; this package is scanned.

A new encoder is one file here, or one sub-package where it has a network and a front end of its own, or an entry point
of the group ``clipsonic_eval.encoders`` in another distribution. It registers a loader under its name::

    @ENCODERS.register("my-encoder")
    def load(weights: Path | None = None, *, device: str = "cpu") -> Encoder: ...

The loader gives an object with a card and the modalities that the card names; :class:`EncoderBase` refuses all others.
Torch is imported inside the loader, so that listing encoders stays fast. The first line of the module's docstring is
what ``clipsonic-eval ls encoders`` shows.
"""

from clipsonic_eval.encoders._base import (
    ENCODERS,
    Encoder,
    EncoderBase,
    TextNote,
    image_square,
    load_encoder,
    text_notes,
)

__all__ = ["ENCODERS", "Encoder", "EncoderBase", "TextNote", "image_square", "load_encoder", "text_notes"]
