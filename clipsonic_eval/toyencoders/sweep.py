"""CLIP variants with narrower and wider modality gaps: settings of the toy CLIP, chosen by their geometry only."""

from __future__ import annotations

from typing import Final

from clipsonic_eval.toyencoders.config import ToyClipConfig

# Temperature, the cone that the text tower starts with, and whether the projections may move: nothing else differs but,
# in one case, the number of steps. A higher temperature asks for larger differences of cosines, at the cost of the
# cones, since norms are fixed; projections that move rotate the cones onto each other.
VARIANTS: Final[dict[str, ToyClipConfig]] = {
    "narrow": ToyClipConfig(temperature=0.03, start_std=0.02, locked_projections=False),
    "medium": ToyClipConfig(temperature=0.02, start_std=0.7),
    "calibrated": ToyClipConfig(),
    "wide": ToyClipConfig(temperature=0.012, start_std=0.6, steps=800),
    "widest": ToyClipConfig(temperature=0.006, start_std=0.9),
}

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
# on 1,000 held-out images of the video domain when a variant was chosen; the card of a training holds its own numbers
GEOMETRY: Final[dict[str, dict[str, float]]] = {
    name: dict(zip(_MEASURED, values, strict=True))
    for name, values in {
        "narrow": (0.39, 0.63, 0.22, 0.22, 0.37, 0.59, 0.948, 0.93),
        "medium": (0.66, 0.46, 0.22, 0.48, 0.40, 0.43, 0.932, 0.91),
        "calibrated": (0.79, 0.43, 0.24, 0.58, 0.53, 0.42, 0.948, 0.90),
        "wide": (0.89, 0.38, 0.24, 0.68, 0.59, 0.38, 0.924, 0.85),
        "widest": (1.06, 0.31, 0.24, 0.82, 0.79, 0.37, 0.920, 0.87),
    }.items()
}
