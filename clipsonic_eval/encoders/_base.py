"""What an encoder is, the registry of encoders, and how one comes into memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from clipsonic_eval import licences
from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.errors import ConfigError, ShapeError, UserError
from clipsonic_eval.media.squares import Square
from clipsonic_eval.registry import Registry
from clipsonic_eval.types import Clip, EncoderCard, Modality


class Encoder(Protocol):
    """What an encoder offers; a modality that is not on its card raises UserError.

    Results do not depend on how items are batched, and no call changes global state. An encoder that cuts or replaces
    parts of a text also has a method ``text_notes(texts) -> list[TextNote]``. One that takes videos has two more:
    ``video_times(duration_s) -> list[float]``, the times in seconds of the frames that it wants, and
    ``video(videos) -> (n, d)``, which embeds videos, each as a sequence of those frames. One that compares sounds with
    videos in time has ``offsets(sound, video) -> (k,)``, in seconds, of the rows of one clip and one video. One whose
    front end begins with a :class:`clipsonic_eval.media.squares.Square` has it as ``image_square``: whoever decodes may
    send that alone.
    """

    @property
    def card(self) -> EncoderCard:
        """Identity of the embedding space."""
        ...

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips of any rate and any number of channels, resampled as the card says.

        Returns:
            (rows, d) float32, one or several rows per clip, in the order of :meth:`audio_rows`.
        """
        ...

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip key of each row that :meth:`audio` gives for these clips, length ``rows``."""
        ...

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts.

        Returns:
            (n, d) float32, L2-normalised where the space is a cosine space.
        """
        ...

    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed RGB images, each (height, width, 3) uint8 of any size.

        Returns:
            (n, d) float32, L2-normalised where the space is a cosine space.
        """
        ...


class TextNote(NamedTuple):
    """What an encoder does not read of one text.

    Attributes:
        unknown: words that are not in its vocabulary, in their order.
        cut: whether the text is longer than the encoder reads.
    """

    unknown: tuple[str, ...] = ()
    cut: bool = False


class EncoderBase:
    """An encoder without any modality: each method raises UserError. A subclass overrides what its card names."""

    def __init__(self, card: EncoderCard) -> None:
        self._card = card

    @property
    def card(self) -> EncoderCard:
        """Identity of the embedding space."""
        return self._card

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips -> (rows, d) float32."""
        raise self._unsupported("audio")

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the clip key of each row of :meth:`audio`."""
        raise self._unsupported("audio")

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) float32."""
        raise self._unsupported("text")

    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed RGB images -> (n, d) float32."""
        raise self._unsupported("image")

    def _unsupported(self, modality: Modality) -> UserError:
        able = ", ".join(self._card.modalities)
        return UserError(f"encoder '{self._card.name}' does not take {modality}; it takes {able}: choose another")


def check_image(image: UInt8) -> None:
    """Refuse an array that is no RGB image.

    Raises:
        ShapeError: not (height, width, 3) uint8, or empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ShapeError(f"images must be uint8 of shape (height, width, 3), got {image.dtype} {image.shape}")


ENCODERS: Registry[Callable[..., Any]] = Registry("encoder", "clipsonic_eval.encoders", accepts=callable)


def load_encoder(name: str, weights: str | Path | None = None, *, device: str = "cpu", **options: Any) -> Encoder:
    """Load an encoder by its registered name.

    Args:
        name: see ``clipsonic-eval ls encoders``.
        weights: file or folder; None: the encoder's own default place.
        device: where its networks run, ``cpu`` or ``cuda``.
        options: further arguments of its loader, such as ``hop_s`` of VGGish.

    Raises:
        UserError: no encoder of that name.
        ConfigError: an option that the encoder does not take, or a value that is not allowed.
        WeightsError: the weights are missing, damaged, unsafe or those of another network.

    Examples:
        >>> encoder = load_encoder("toy-clap")  # its weights come with the package
        >>> encoder.card.dim, encoder.card.modalities
        (128, ('audio', 'text'))
        >>> encoder.text(["the sound of a bell", "two dogs"]).shape
        (2, 128)
        >>> load_encoder("toy-clap", hop_s=1)
        Traceback (most recent call last):
        clipsonic_eval.errors.ConfigError: toy-clap: no option 'hop_s'; there are none
    """
    load = ENCODERS[name]
    taken = inspect.signature(load).parameters.values()
    if not any(p.kind is p.VAR_KEYWORD for p in taken):
        known = sorted({p.name for p in taken} - {"weights", "device"})
        if unknown := sorted(set(options) - set(known)):
            raise ConfigError(f"{name}: no option '{unknown[0]}'; there are {', '.join(known) or 'none'}")
    encoder: Encoder = load(None if weights is None else Path(weights), device=device, **options)
    if encoder.card.source.startswith("https://"):  # others' weights; ours come with the package
        licences.tell(encoder.card.name, encoder.card.licence, encoder.card.source)
    return encoder


def image_square(encoder: Encoder) -> Square | None:
    """Return the square that an encoder's front end begins with, None where it does not say.

    Examples:
        >>> image_square(load_encoder("toy-clip"))
        Square(side=48, long_side='round', edge='floor')
    """
    return getattr(encoder, "image_square", None)


def text_notes(encoder: Encoder, texts: Sequence[str]) -> list[TextNote]:
    """Return what an encoder does not read of each text, as far as it says so.

    Examples:
        >>> text_notes(load_encoder("toy-clap"), ["a bell and a zebra"])
        [TextNote(unknown=('zebra',), cut=False)]
    """
    notes: Callable[[Sequence[str]], list[TextNote]] | None = getattr(encoder, "text_notes", None)
    return notes(texts) if notes is not None else [TextNote() for _ in texts]
