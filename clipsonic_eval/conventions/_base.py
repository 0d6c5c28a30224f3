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
        title: one line for people.
        metric: registry name of the metric of ours that is computed.
        encoder: registry name of the encoder.
        options: keyword arguments of its loader.
        loading: what is done to the sound before it.
        store: embeddings as kept by the tool: ``float16`` rounds them.
        scale: the tool prints this many times the metric.
        source: tool, commit and file where it was read.
        num: numerics version of the loading: raised when the same sound is loaded as other samples, and only then.
        not_reproduced: what the tool does beyond this and ours does not, with the reason; "" if nothing is known.
    """

    name: str
    title: str
    metric: str
    encoder: str
    options: dict[str, Any] = field(default_factory=dict)
    loading: AudioPreprocessing = field(default_factory=AudioPreprocessing)
    store: Literal["float32", "float16"] = "float32"
    scale: float = 1.0
    source: str = ""
    not_reproduced: str = ""
    num: int = 1

    @property
    def summary(self) -> str:
        """What it computes and from where, and on a second line what of the tool is not reproduced, if anything."""
        beyond = f"\nnot reproduced: {self.not_reproduced}" if self.not_reproduced else ""
        return f"{self.title} ({self.metric} on {self.encoder}; {self.source}){beyond}"


CONVENTIONS: Registry[Convention] = Registry(
    "convention", "clipsonic_eval.conventions", accepts=lambda thing: isinstance(thing, Convention)
)
