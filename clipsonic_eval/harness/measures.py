"""What an evaluation computes: metrics by their own names, and by the names of conventions (``fad/fadtk``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clipsonic_eval.arraytypes import Float32, Float64, UInt8
from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.encoders import Encoder, TextNote, text_notes
from clipsonic_eval.metrics import METRICS, ClipInfluence, ClipMetric, Inputs, Metric, gap
from clipsonic_eval.types import Clip, EncoderCard


def convention_named(name: str, more: Mapping[str, Convention] | None = None) -> Convention | None:
    """Return the convention of a name, None if the name is a metric's own.

    Args:
        name: of a metric or convention; only conventions have a ``/`` in theirs.
        more: conventions that are not registered, by name.

    Raises:
        UserError: there is no convention of that name.
    """
    if more and name in more:
        return more[name]
    return CONVENTIONS[name] if "/" in name else None


def measure(name: str, more: Mapping[str, Convention] | None = None) -> Metric:
    """Return the metric of a name; a convention's has its own name and role, and the tool's scale.

    Raises:
        UserError: there is none of that name.
    """
    convention = convention_named(name, more)
    if convention is None:
        return METRICS[name]
    metric = METRICS[convention.metric]
    scale = convention.scale
    fields = [metric.card.signature, *([] if scale == 1 else [f"scale:{scale:g}"])]
    card = dataclasses.replace(metric.card, name=name, role=name, signature="|".join(fields))
    if isinstance(metric, ClipMetric):
        own = metric.per_clip
        return dataclasses.replace(metric, card=card, per_clip=lambda x: {k: scale * v for k, v in own(x).items()})
    value, replicates = metric.value, metric.replicates

    def scaled(systems: Sequence[Inputs], n: int, seed: int) -> Float64:
        return scale * replicates(systems, n, seed)

    return dataclasses.replace(
        metric,
        card=card,
        value=lambda x: scale * value(x),
        replicates=scaled,
        lowest=scale * metric.lowest,
        highest=scale * metric.highest,
        influence=None if metric.influence is None else _scaled_influence(metric.influence, scale),
    )


def _scaled_influence(influence: Callable[[Inputs], ClipInfluence], scale: float) -> Callable[[Inputs], ClipInfluence]:
    def scaled(inputs: Inputs) -> ClipInfluence:
        found = influence(inputs)
        system, reference = ({k: scale * v for k, v in side.items()} for side in (found.system, found.reference))
        return ClipInfluence(system, reference)

    return scaled


def biased_in_n(name: str) -> bool:
    """Say whether values of a metric compare at equal n only, by the name that a record gives it.

    The name is a metric's, a convention's (that of a step to one begins with its metric's), a gap statistic's, or that
    of two halves of the reference. A name that nobody here knows counts as unbiased.
    """
    if name in CONVENTIONS:
        name = CONVENTIONS[name].metric
    elif name not in METRICS:
        name = name.partition("/")[0].removesuffix("_halves")
    return name in gap.BIASED_IN_N or (name in METRICS and METRICS[name].card.biased_in_n)


class Convened:
    """An encoder that hears what a convention lets it hear.

    Its card is another than the encoder's own, so that its embeddings are cached and compared as a space of their own.
    """

    def __init__(self, encoder: Encoder, convention: Convention) -> None:
        self._encoder = encoder
        self._loading = convention.loading
        self._half = convention.store == "float16"
        own = encoder.card
        fields = [
            f"loadnum:{convention.num}",
            convention.loading.signature,
            own.preprocessing,
            "store:float16" if self._half else "",
        ]
        self._card = dataclasses.replace(own, preprocessing="|".join(f for f in fields if f))

    @property
    def card(self) -> EncoderCard:
        """The encoder's card with the convention's steps in its preprocessing."""
        return self._card

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips as the convention loads them."""
        vectors = self._encoder.audio([self._loading(clip) for clip in clips])
        if not self._half:
            return vectors
        with np.errstate(over="ignore"):  # what float16 cannot hold becomes infinite and is refused as not finite
            return vectors.astype(np.float16).astype(np.float32)

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the key of each row of :meth:`audio`."""
        return self._encoder.audio_rows([self._loading(clip) for clip in clips])

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts."""
        vectors = self._encoder.text(texts)
        return vectors.astype(np.float16).astype(np.float32) if self._half else vectors

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return by text what the encoder does not read of it, as far as it says so."""
        return text_notes(self._encoder, texts)

    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed images."""
        return self._encoder.image(images)
