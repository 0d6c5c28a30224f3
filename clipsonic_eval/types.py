"""The types that flow through the harness: frozen dataclasses with NumPy inside.

``Clip -> Embeddings -> Score -> RunRecord`` (the last one in :mod:`clipsonic_eval.records`). Nothing travels without
its unit: audio carries its rate, embeddings carry the card of the encoder that made them, scores their signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Float32, FloatArray, IntArray
from clipsonic_eval.errors import ShapeError

Modality = Literal["audio", "text", "image"]


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of audio.

    Attributes:
        key: identity of the item everywhere (unique within a set).
        samples: (channels, n) float32 in [-1, 1].
        sample_rate: Hz.
        prompt: the text that it answers to, if any.
    """

    key: str
    samples: Float32
    sample_rate: int
    prompt: str | None = None

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ShapeError(
                f"clip '{self.key}': samples must be float32 of shape (channels, n), "
                f"got {self.samples.dtype} {self.samples.shape}"
            )

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1]) / self.sample_rate

    def mono(self) -> Float32:
        """Return the mean of the channels, (n,) float32."""
        mixed: Float32 = self.samples.mean(axis=0, dtype=np.float64).astype(np.float32)
        return mixed


@dataclass(frozen=True, slots=True)
class Query:
    """What a system is asked to sound like.

    Attributes:
        key: identity of the query; the output and every score of it carry the same key.
        prompt: the text query.
        image: a picture or a video (its centre frame counts) for image-queried systems.
        label: class name, where the data set has one.
    """

    key: str
    prompt: str
    image: Path | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """What makes an embedding space what it is; two that differ do not meet.

    Attributes:
        name: registry name of the encoder.
        weights_sha256: hash of the weight file.
        dim: width of an embedding.
        modalities: what it accepts.
        preprocessing: everything that is done to the input before the network, in the form of a signature fragment,
            e.g. ``rate:16k|mono:mean|resample:soxr-hq|win:0.96``.
        sample_rate: Hz of the audio it takes, if any.
        labels: class names, for encoders whose vectors are log-probabilities.
        licence: of the weights.
        source: where the weights come from.
        num: numerics version: raised when the same weights and settings give other vectors, and only then.
        world: the only material that its embeddings mean something on, e.g. ``toy``; "": sound at large.
    """

    name: str
    weights_sha256: str
    dim: int
    modalities: tuple[Modality, ...]
    preprocessing: str
    sample_rate: int | None = None
    labels: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    num: int = 1
    world: str = ""

    @property
    def short(self) -> str:
        """Name and the first eight hex digits of the weights, as printed in signatures."""
        return f"{self.name}+{self.weights_sha256[:8]}"


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of one modality in one space.

    Attributes:
        vectors: (n, d) floating point, finite.
        keys: the key of the *clip* of each row; rows of one clip are dependent.
        modality: audio, text or image.
        space: the encoder's card.
    """

    vectors: FloatArray
    keys: tuple[str, ...]
    modality: Modality
    space: EncoderCard

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.keys):
            raise ShapeError(
                f"embeddings must be (n, d) with n keys, got {self.vectors.shape} and {len(self.keys)} keys"
            )
        if not np.isfinite(self.vectors).all():
            row = int(np.flatnonzero(~np.isfinite(self.vectors).all(axis=1))[0])
            raise ShapeError(f"embedding of '{self.keys[row]}' is not finite; the audio or the encoder is broken")

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: IntArray) -> Embeddings:
        """Return the named rows, in that order."""
        return Embeddings(self.vectors[rows], tuple(self.keys[i] for i in rows), self.modality, self.space)


@dataclass(frozen=True, slots=True)
class Skip:
    """An item that was left out, and why."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that looks wrong with audio or embeddings.

    Attributes:
        check: which check found it, e.g. ``silence`` or ``duplicates``.
        severity: ``error`` (the numbers cannot be trusted) or ``warning`` (a person should look).
        keys: the items concerned, sorted; empty: the set as a whole.
        sentence: what is wrong and what to do, in one sentence.
    """

    check: str
    severity: Literal["error", "warning"]
    keys: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Score:
    """A number with everything that a reader needs to trust it.

    Attributes:
        metric: registry name.
        system: what was scored.
        value: the number, in ``unit``.
        ci: lower and upper end of the confidence interval at ``ci_level``, or None where none is defined.
        ci_method: how the interval was made, e.g. ``bootstrap-clip-bca-2000``.
        n: clips.
        n_rows: embedding rows.
        signature: everything that changes the value, see :mod:`clipsonic_eval.signature`.
        skipped: what this metric left out beside what its set did.
        per_clip: value by key, for metrics that are means over clips.
        influence: for statistics of sets, what each clip of the system does to the value, by key.
        reference_influence: the same of the clips of the reference.
        details: further numbers by name, for reading only.
    """

    metric: str
    system: str
    value: float
    ci: tuple[float, float] | None
    ci_method: str
    n: int
    n_rows: int
    unit: str
    higher_is_better: bool
    signature: str
    seed: int = 0
    ci_level: float = 0.95
    skipped: tuple[Skip, ...] = ()
    per_clip: Mapping[str, float] = field(default_factory=dict)
    influence: Mapping[str, float] = field(default_factory=dict)
    reference_influence: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)
