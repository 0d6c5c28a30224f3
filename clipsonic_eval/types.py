"""The types that flow through the library: frozen dataclasses that hold NumPy arrays.

``Clip -> Embeddings -> Score -> RunRecord`` (the last one in :mod:`clipsonic_eval.records`). Every number keeps what it
needs to be understood: audio its sample rate, embeddings the card of their encoder, a score its interval, n and
signature.
"""

from __future__ import annotations

import hashlib
import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clipsonic_eval.arraytypes import Float32, FloatArray, IntArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.formats import arrow, with_interval

Modality = Literal["audio", "text", "image"]
WITH_UNANSWERED = "value_with_unanswered"  # among a score's details: the value with unanswered queries counted


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound of one length and one sample rate.

    Attributes:
        key: identity of the clip, unique within a set; outputs, embeddings and scores carry the same key.
        samples: (channels, n) float32, full scale is [-1, 1].
        sample_rate: Hz.
        prompt: the text query that it answers, if any.
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
        """Duration in seconds."""
        return float(self.samples.shape[1]) / self.sample_rate

    def mono(self) -> Float32:
        """Return the mean of the channels, (n,) float32."""
        mixed: Float32 = self.samples.mean(axis=0, dtype=np.float64).astype(np.float32)
        return mixed


@dataclass(frozen=True, slots=True)
class Query:
    """A request to a text-to-audio (or image-to-audio) system.

    Attributes:
        key: identity of the query; the clip that answers it and every score of that clip carry the same key.
        prompt: the text query.
        image: path of an image or a video (its centre frame is taken), for image-queried systems.
        label: class name, where the data set has one.
        attributes: what else a metric compares its answer with, text by column name, e.g. ``{"count": "2"}``.
    """

    key: str
    prompt: str
    image: Path | None = None
    label: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """Identity of an embedding space: embeddings compare only if their encoders' cards agree.

    Attributes:
        name: registry name of the encoder.
        weights_sha256: SHA-256 of the weight file.
        dim: dimension of an embedding.
        modalities: the inputs that it accepts.
        preprocessing: everything between the input and the network, as a signature fragment, e.g.
            ``rate:16k|mono:mean|resample:soxr-hq|win:0.96`` (kHz, seconds).
        sample_rate: Hz of the audio that the network takes, if any.
        labels: class names, for classifiers whose vectors are log-probabilities.
        licence: of the weights.
        source: where the weights are published.
        num: numerics version: raised if and only if the same weights and settings give other vectors.
        world: the only data on which its embeddings mean something, e.g. ``toy``; "" for general audio.
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
        """Name and the first eight hex digits of the weights' hash, as printed in signatures."""
        return f"{self.name}+{self.weights_sha256[:8]}" if self.weights_sha256 else self.name


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of one modality in one embedding space.

    Attributes:
        vectors: (n, d) floating point, finite.
        keys: (n,) key of the *clip* of each row; rows (windows) of one clip are dependent, so resampling is per clip.
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

    def __repr__(self) -> str:
        n, d = self.vectors.shape
        clips = len(set(self.keys))
        rows = f"{n} rows of {clips} clips" if clips != n else f"{n} clips"
        return f"Embeddings({self.modality}, {rows}, d = {d}, {self.space.short})"

    @property
    def sha256(self) -> str:
        """SHA-256 over the keys and the vectors, hexadecimal: equal if and only if every bit is."""
        digest = hashlib.sha256("\0".join((self.vectors.dtype.str, *self.keys)).encode())
        digest.update(np.ascontiguousarray(self.vectors).data)
        return digest.hexdigest()

    def take(self, rows: IntArray) -> Embeddings:
        """Return the rows at these positions, (m,) int -> m rows in that order."""
        return Embeddings(self.vectors[rows], tuple(self.keys[i] for i in rows), self.modality, self.space)


ARRAY = "array"  # name on the card of embeddings that came as a plain array


def as_embeddings(
    vectors: ArrayLike | Embeddings,
    name: str = "array",
    *,
    modality: Modality = "audio",
    keys: Sequence[str] | None = None,
    labels: Sequence[str] = (),
) -> Embeddings:
    """Return an array as embeddings of an unnamed encoder; embeddings pass through unchanged.

    Args:
        vectors: (n, d) numbers: an array, nested lists, or a tensor on the CPU. Rows are clips unless ``keys`` repeat.
        name: of the argument, for error messages.
        modality: of the vectors.
        keys: (n,) key of the clip of each row; None: rows are numbered, so that row i of two arrays is one pair.
        labels: (d,) class names, where the columns are log-probabilities of classes.

    Raises:
        ShapeError: the input is not a finite, two-dimensional array of numbers, or the keys are not n.

    Example:
        >>> as_embeddings([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
        Embeddings(audio, 3 clips, d = 2, array)
    """
    if isinstance(vectors, Embeddings):
        return vectors
    array = _numbers(vectors, name)
    if array.ndim != 2 or 0 in array.shape:
        hint = "; x[None] makes a vector an array of one row" if array.ndim == 1 and len(array) else ""
        raise ShapeError(f"{name}: needs an array of shape (n, d), one embedding per row, got {array.shape}{hint}")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise ShapeError(
            f"{name}: {len(bad)} of {len(array)} rows hold NaN or infinity, the first is row {bad[0]}; leave them out"
        )
    named = tuple(f"{i:08d}" for i in range(len(array))) if keys is None else tuple(map(str, keys))
    if len(named) != len(array):
        raise ShapeError(f"{name}: {len(named)} keys for {len(array)} rows; give the key of each row's clip")
    card = EncoderCard(ARRAY, "", array.shape[1], ("audio", "text", "image"), "", labels=tuple(labels))
    return Embeddings(array, named, modality, card)


def _numbers(values: ArrayLike, name: str) -> FloatArray:
    if isinstance(values, str | bytes | os.PathLike):
        raise ShapeError(f"{name}: '{values!s}' is no array of shape (n, d); embed the folder first (ce.embed)")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors on a GPU or with a gradient
        why = str(error).partition(" The requested")[0].rstrip(".")  # NumPy goes on about shapes
        raise ShapeError(f"{name}: not readable as an array of shape (n, d): {why}") from None
    if array.dtype.kind not in "fiub":
        raise ShapeError(f"{name}: needs an array of real numbers of shape (n, d), got one of {array.dtype}")
    floating: FloatArray = array if array.dtype.kind == "f" else array.astype(np.float64)
    return floating


@dataclass(frozen=True, slots=True)
class Skip:
    """A clip or row that was left out, and why."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that a check found in audio or embeddings.

    Attributes:
        check: the check, e.g. ``silence`` or ``duplicates``.
        severity: ``error`` (the numbers cannot be trusted) or ``warning`` (look at the clips).
        keys: of the clips concerned, sorted; empty: the set as a whole.
        sentence: the problem and the fix in one sentence.
    """

    check: str
    severity: Literal["error", "warning"]
    keys: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True, repr=False)
class Score:
    """A metric's value for one system, with its confidence interval and everything that changes the number.

    ``float(score)`` is the value; ``score.per_clip`` has the values by key for metrics that are means over clips.

    Attributes:
        metric: registry name.
        system: name of the system.
        value: in ``unit``.
        ci: lower and upper end of the confidence interval at ``ci_level``; None where none is defined.
        ci_method: how the interval was computed, e.g. ``bootstrap-clip-bca-2000``.
        n: number of clips.
        n_rows: number of embedding rows (windows).
        unit: of the value.
        higher_is_better: direction of the metric.
        signature: everything that changes the value, see :mod:`clipsonic_eval.signature`; two values compare only if
            their signatures agree, n aside.
        seed: of the bootstrap.
        ci_level: nominal coverage of the interval.
        skipped: clips that this metric left out, beside those that could not be read at all.
        per_clip: value by key, for metrics that are means over clips.
        influence: for statistics of sets, first-order effect of each clip of the system on the value, by key.
        reference_influence: the same for the clips of the reference set.
        details: further numbers by name, for reading only.
        by_seed: value by training seed, where ``value`` is the mean over several runs (records of kind ``pooled``).

    Example:
        >>> score = Score("fad", "PD", 1.234, (1.1, 1.4), "bootstrap", 50, 50, "squared distance", False, "fad|n:50")
        >>> score
        fad of PD: 1.23 [1.10, 1.40], n = 50
        >>> float(score)
        1.234
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
    by_seed: Mapping[str, float] = field(default_factory=dict)

    @property
    def seed_std(self) -> float | None:
        """Standard deviation over training seeds (n - 1); None with fewer than two."""
        return float(np.std(list(self.by_seed.values()), ddof=1)) if len(self.by_seed) > 1 else None

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        of = f" of {self.system}" if self.system else ""
        return f"{self.metric}{of}: {with_interval(self.value, self.ci)}, n = {self.n}"

    def _repr_html_(self) -> str:
        """Return the score as an HTML table, for notebooks."""
        rows = {
            f"{self.metric} {arrow(self.higher_is_better)}": with_interval(self.value, self.ci),
            "system": self.system,
            "n": f"{self.n} clips" if self.n == self.n_rows else f"{self.n} clips, {self.n_rows} rows",
            "unit": self.unit,
            "interval": f"{self.ci_level:.0%} {self.ci_method}" if self.ci else self.ci_method,
            "signature": self.signature,
        }
        cells = (f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in rows.items() if v)
        return f"<table>{''.join(cells)}</table>"
