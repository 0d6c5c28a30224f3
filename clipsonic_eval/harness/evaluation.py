"""What an evaluation holds between embedding and scoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clipsonic_eval.encoders import Encoder
from clipsonic_eval.harness.embed import EmbeddedSet
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.material import Material
from clipsonic_eval.harness.unanswered import Unanswered
from clipsonic_eval.metrics import Metric
from clipsonic_eval.types import Embeddings, Skip

SHUFFLED = "shuffled"
NOISE = "noise"
REFERENCE = "reference"
TRAINING = "training"
PROMPTS = "prompts"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All embeddings of an evaluation.

    Attributes:
        measures: metrics by the name that they are computed under.
        sets: by system, the ones with usable audio.
        reference: if a metric needs one.
        text: embeddings of the prompts by role, where a metric needs them.
        skipped: by set.
        training: what the systems were trained on, if it was given.
        unanswered: by system, the queries without a usable output.
        encoders: by role.
    """

    config: EvaluateConfig
    material: Material
    measures: Mapping[str, Metric]
    sets: Mapping[str, EmbeddedSet]
    reference: EmbeddedSet | None
    text: Mapping[str, Embeddings]
    skipped: dict[str, tuple[Skip, ...]]
    training: EmbeddedSet | None = None
    unanswered: Mapping[str, Unanswered] = field(default_factory=dict)
    encoders: Mapping[str, Encoder] = field(default_factory=dict)
