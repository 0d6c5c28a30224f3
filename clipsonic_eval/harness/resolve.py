"""Names to objects: metrics and encoders by their own names, and by the names of conventions (``fad/fadtk``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import encoders
from clipsonic_eval.arraytypes import Float32, Float64, UInt8
from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.encoders import Encoder, TextNote, text_notes
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.metrics import METRICS, ClipInfluence, ClipMetric, Inputs, Metric, PairMetric
from clipsonic_eval.types import Clip, EncoderCard

_OF_VIDEOS = ("video", "video_times", "offsets")
Encoders = Mapping[str, Encoder]  # by role, or by name
Conventions = Mapping[str, Convention]  # by name


def resolve_convention(name: str, more: Conventions | None = None) -> Convention | None:
    """Return the convention of a name; None if the name is that of a metric or an encoder.

    Args:
        name: only names of conventions contain a ``/``.
        more: conventions that are not registered, by name.

    Raises:
        UserError: there is no convention of that name.
    """
    if more and name in more:
        return more[name]
    return CONVENTIONS[name] if "/" in name else None


def resolve_metric(name: str, more: Conventions | None = None) -> Metric:
    """Return the metric of a name; for a convention: its metric under its name, role and scale.

    Args:
        name: of a metric (``fad``) or a convention (``fad/fadtk``).
        more: conventions that are not registered, by name.

    Raises:
        UserError: there is none of that name.
        ConfigError: it is a statistic of the modality gap.
    """
    convention = resolve_convention(name, more)
    metric = METRICS[name if convention is None else convention.metric]
    if isinstance(metric, PairMetric):
        raise ConfigError(
            f"{name} is a statistic of the modality gap, of embeddings in pairs; compute it with `clipsonic-eval gap`"
        )
    if convention is None:
        return metric
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


def metric_roles() -> dict[str, str]:
    """Return the roles of all metrics with the name of their default encoder, "" where there is none."""
    roles: dict[str, str] = {}
    for name in METRICS:
        card = METRICS[name].card
        if not isinstance(METRICS[name], PairMetric):  # whose sides are embedded already
            roles[card.role] = roles.get(card.role) or card.encoder
    return roles


def load_encoder(
    name: str,
    weights: Path | None = None,
    *,
    device: str = "cpu",
    conventions: Conventions | None = None,
    loaded: dict[tuple[Any, ...], Encoder] | None = None,
) -> Encoder:
    """Load an encoder, or the encoder of a convention together with the convention's preprocessing.

    Args:
        name: of an encoder (``vggish``) or of a convention (``fad/fadtk``), see ``clipsonic-eval ls``.
        weights: weight file; None: where the encoder keeps its own.
        device: ``auto``, ``cpu`` or ``cuda``; under torchrun ``cuda`` is the process's own GPU.
        conventions: not registered ones, by name.
        loaded: what was loaded before, and is loaded now; conventions that differ in preprocessing share an encoder.

    Raises:
        UserError: no encoder of that name, or its weights are missing.
    """
    device = str(resolve_device(device))
    convention = resolve_convention(name, conventions)
    options = dict(convention.options) if convention else {}
    plain = convention.encoder if convention else name
    loaded = {} if loaded is None else loaded
    identity = (plain, weights, *sorted(options.items()))
    if identity not in loaded:
        loaded[identity] = encoders.load_encoder(plain, weights, device=device, **options)
    return ConventionEncoder(loaded[identity], convention) if convention else loaded[identity]


class ConventionEncoder:
    """An encoder behind the preprocessing of a convention.

    Its card differs from the encoder's own, so that its embeddings are cached and compared as a space of their own.
    """

    def __init__(self, encoder: Encoder, convention: Convention) -> None:
        self._encoder = encoder
        self._preprocess = convention.preprocessing
        self._half = convention.store == "float16"
        own = encoder.card
        fields = [
            f"loadnum:{convention.num}",
            convention.preprocessing.signature,
            own.preprocessing,
            "store:float16" if self._half else "",
        ]
        self._card = dataclasses.replace(own, preprocessing="|".join(f for f in fields if f))

    @property
    def card(self) -> EncoderCard:
        """The encoder's card with the convention's steps in its preprocessing."""
        return self._card

    def audio(self, clips: Sequence[Clip]) -> Float32:
        """Embed clips, preprocessed as in the convention -> (rows, d) float32."""
        vectors = self._encoder.audio([self._preprocess(clip) for clip in clips])
        if not self._half:
            return vectors
        with np.errstate(over="ignore"):  # what float16 cannot hold becomes infinite and is refused as not finite
            return vectors.astype(np.float16).astype(np.float32)

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        """Return the key of each row of :meth:`audio`."""
        return self._encoder.audio_rows([self._preprocess(clip) for clip in clips])

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts -> (n, d) float32."""
        vectors = self._encoder.text(texts)
        return vectors.astype(np.float16).astype(np.float32) if self._half else vectors

    def text_notes(self, texts: Sequence[str]) -> list[TextNote]:
        """Return, per text, what the encoder does not read of it, as far as it says so."""
        return text_notes(self._encoder, texts)

    def image(self, images: Sequence[UInt8]) -> Float32:
        """Embed images, (height, width, 3) each -> (n, d) float32."""
        return self._encoder.image(images)

    def __getattr__(self, name: str) -> Any:
        """Return what only some encoders have: methods for videos."""
        if name in _OF_VIDEOS:
            return getattr(self._encoder, name)
        raise AttributeError(name)
