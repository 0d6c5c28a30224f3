"""Settings of a measurement of the modality gap, and the paired embeddings that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree, coerce
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.types import Embeddings, Finding, Score, Skip


@dataclass(frozen=True, slots=True)
class GapConfig:
    """A measurement of the modality gap.

    Attributes:
        source: prepared clips, a file of features, or a folder of ``<key>.wav``.
        prompts: table with key and prompt; None: the prompts of the prepared clips.
        encoder: of the prompts (and of the audio); None for features, which are embedded already.
        weights: weight file of the encoder.
        prior: by name, a file of predicted embeddings: npz with ``keys`` and ``vectors``.
        mean_shift: also score the text embeddings moved by the difference of the centroids, estimated on the other half
            of the items, unless ``prior`` brings a ``mean-shift``.
        space: name of the space of a file of features; None: the file's own.
        n_bootstrap: number of resamples.
        seed: of the resamples.
        tags: written into the record.
        device: of the encoder.
        cache: folder of embeddings by content; None: the user's cache folder.
    """

    source: Path
    prompts: Path | None = None
    encoder: str | None = None
    weights: Path | None = None
    prior: dict[str, Path] = field(default_factory=dict)
    mean_shift: bool = True
    space: str | None = None
    n_bootstrap: int = 2000
    seed: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    cache: Path | None = None

    def __post_init__(self) -> None:
        coerce(self)
        if self.n_bootstrap < 20:
            raise ConfigError("n_bootstrap must be at least 20, better 2000 and more")

    def identity(self) -> dict[str, object]:
        """Return what decides the result: the settings, and the files themselves instead of their paths."""
        paths = ("source", "prompts", "prior", "device", "cache")
        settings = {k: v for k, v in as_tree(self).items() if k not in paths}
        files = {"source": self.source, "prompts": self.prompts, **self.prior}
        inputs = {name: outputs.state_of(path) for name, path in files.items() if path is not None}
        return {**settings, "weights": outputs.state_of(self.weights), "inputs": inputs}


@dataclass(frozen=True, slots=True)
class Features:
    """Paired embeddings, by key.

    Attributes:
        image: (n, d) true embeddings that a prior predicts (for audio against text: those of the audio).
        text: (n, d) of the other side.
        prior: by name, (n, d) predictions in the image's place.
        skipped: items that have no counterpart or cannot be used.
        findings: of checks of the prompts and the audio.
        probes: scores of what probes read from the sides and the predictions, for the record.
    """

    image: Embeddings
    text: Embeddings
    prior: Mapping[str, Embeddings] = field(default_factory=dict)
    skipped: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()
    probes: tuple[Score, ...] = ()
