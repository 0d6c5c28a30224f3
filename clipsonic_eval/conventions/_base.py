"""What a convention is, and the registry of conventions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from clipsonic_eval.media.preprocessing import AudioPreprocessing
from clipsonic_eval.registry import Registry


@dataclass(frozen=True, slots=True)
class Convention:
    """How one tool computes one metric.

    Attributes:
        name: ``metric/tool``.
        title: one line for listings.
        metric: registry name of our metric.
        encoder: registry name of the encoder.
        options: keyword arguments of its loader.
        preprocessing: of the audio before the encoder.
        store: number type in which the tool stores embeddings; ``float16`` rounds them.
        scale: the tool prints this multiple of the metric.
        source: tool and commit that were read.
        not_reproduced: what else the tool does and this does not, with the reason; "" if nothing is known.
        num: numerics version of the preprocessing: raised if and only if the same audio gives other samples.
    """

    name: str
    title: str
    metric: str
    encoder: str
    options: dict[str, Any] = field(default_factory=dict)
    preprocessing: AudioPreprocessing = field(default_factory=AudioPreprocessing)
    store: Literal["float32", "float16"] = "float32"
    scale: float = 1.0
    source: str = ""
    not_reproduced: str = ""
    num: int = 1

    @property
    def summary(self) -> str:
        """Title, metric, encoder and source; on a second line what of the tool is not reproduced, if anything."""
        beyond = f"\nnot reproduced: {self.not_reproduced}" if self.not_reproduced else ""
        return f"{self.title} ({self.metric} on {self.encoder}; {self.source}){beyond}"


CONVENTIONS: Registry[Convention] = Registry(
    "convention", "clipsonic_eval.conventions", accepts=lambda thing: isinstance(thing, Convention)
)
