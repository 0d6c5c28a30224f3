"""CLIP variants with narrower and wider gaps: configurations of the toy CLIP chosen by their measured geometry only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clipsonic_eval.toyencoders.clip import ClipConfig


@dataclass(frozen=True)
class Variant:
    """One CLIP variant of the sweep.

    Attributes:
        config: how it is trained.
        measured: its geometry on 1,000 held-out pictures of the video domain when it was chosen; the card that a
            training writes holds the numbers of that training.
    """

    config: ClipConfig
    measured: dict[str, float]


_MEASURED: Final = (
    "centroid_distance",
    "matched_cosine",
    "unmatched_cosine",
    "image_image_cosine",
    "text_text_cosine",
    "centred_matched_cosine",
    "class_decoding",
    "zero_shot_class",
)


def _variant(config: ClipConfig, *measured: float) -> Variant:
    return Variant(config, dict(zip(_MEASURED, measured, strict=True)))


# Temperature, the cone that the text tower starts with, and whether the projections may move: nothing else differs
# but, in one case, the number of steps. A higher temperature asks for bigger differences of cosines, which the fixed
# norm takes from the cones; projections that move rotate the cones onto each other.
VARIANTS: Final[dict[str, Variant]] = {
    "narrow": _variant(
        ClipConfig(temperature=0.03, start_std=0.02, locked_projections=False),
        *(0.39, 0.63, 0.22, 0.22, 0.37, 0.59, 0.948, 0.93),
    ),
    "medium": _variant(
        ClipConfig(temperature=0.02, start_std=0.7),
        *(0.66, 0.46, 0.22, 0.48, 0.40, 0.43, 0.932, 0.91),
    ),
    "calibrated": _variant(
        ClipConfig(),
        *(0.79, 0.43, 0.24, 0.58, 0.53, 0.42, 0.948, 0.90),
    ),
    "wide": _variant(
        ClipConfig(temperature=0.012, start_std=0.6, steps=800),
        *(0.89, 0.38, 0.24, 0.68, 0.59, 0.38, 0.924, 0.85),
    ),
    "widest": _variant(
        ClipConfig(temperature=0.006, start_std=0.9),
        *(1.06, 0.31, 0.24, 0.82, 0.79, 0.37, 0.920, 0.87),
    ),
}
