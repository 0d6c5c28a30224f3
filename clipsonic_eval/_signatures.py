"""What type checkers and editors see of the metrics' functions; at run time they are made in ``metric_functions``.

Arguments that are audio, texts or labels may be arrays, :class:`~clipsonic_eval.types.Embeddings`, folders or tables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from numpy.typing import ArrayLike

from clipsonic_eval._arguments import StrPath
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.types import Embeddings, Score

Audio = ArrayLike | Embeddings | os.PathLike[str]
Texts = ArrayLike | Embeddings | Mapping[str, str] | Sequence[str] | os.PathLike[str]
Labels = Mapping[str, str] | Mapping[str, float] | Sequence[str | float] | StrPath


class _AgainstReference(Protocol):
    """A statistic of a system's clips and a reference set."""

    def __call__(
        self,
        reference: Audio,
        system: Audio,
        *,
        encoder: str | Encoder | None = None,
        weights: StrPath | None = None,
        device: str = "cpu",
        cache: StrPath | None = None,
        n_boot: int = 2000,
        seed: int = 0,
    ) -> Score: ...


class _OfNeighbours(Protocol):
    """A statistic of the k-nearest-neighbour balls of a system's clips and a reference set."""

    def __call__(
        self,
        reference: Audio,
        system: Audio,
        *,
        k: int = 5,
        encoder: str | Encoder | None = None,
        weights: StrPath | None = None,
        device: str = "cpu",
        cache: StrPath | None = None,
        n_boot: int = 2000,
        seed: int = 0,
    ) -> Score: ...


class _Alone(Protocol):
    """A statistic of a system's clips alone."""

    def __call__(
        self,
        system: Audio,
        *,
        encoder: str | Encoder | None = None,
        weights: StrPath | None = None,
        device: str = "cpu",
        cache: StrPath | None = None,
        n_boot: int = 2000,
        seed: int = 0,
    ) -> Score: ...


class _AgainstPrompts(Protocol):
    """A mean over clips, each compared with its prompt."""

    def __call__(
        self,
        system: Audio,
        *,
        prompts: Texts,
        encoder: str | Encoder | None = None,
        weights: StrPath | None = None,
        device: str = "cpu",
        cache: StrPath | None = None,
        n_boot: int = 2000,
        seed: int = 0,
    ) -> Score: ...


class _AgainstLabels(Protocol):
    """A mean over clips, each compared with its class, or another attribute of its query."""

    def __call__(
        self,
        system: Audio,
        *,
        labels: Labels,
        encoder: str | Encoder | None = None,
        weights: StrPath | None = None,
        device: str = "cpu",
        cache: StrPath | None = None,
        n_boot: int = 2000,
        seed: int = 0,
    ) -> Score: ...


class _AgainstReal(Protocol):
    """A mean over clips, each compared with the real audio of its query."""

    def __call__(
        self,
        system: Audio,
        *,
        real: Audio,
        encoder: str | Encoder | None = None,
        weights: StrPath | None = None,
        device: str = "cpu",
        cache: StrPath | None = None,
        n_boot: int = 2000,
        seed: int = 0,
    ) -> Score: ...


fad: _AgainstReference
fad_inf: _AgainstReference
fad_per_clip: _AgainstReference
kad: _AgainstReference
kid: _AgainstReference
precision: _OfNeighbours
recall: _OfNeighbours
density: _OfNeighbours
coverage: _OfNeighbours
diversity: _Alone
inception_score: _Alone
clap_score: _AgainstPrompts
class_accuracy: _AgainstLabels
count_accuracy: _AgainstLabels
size_error: _AgainstLabels
kl: _AgainstReal
kl_reverse: _AgainstReal
