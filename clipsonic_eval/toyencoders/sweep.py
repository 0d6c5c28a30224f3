"""CLIP variants with narrower and wider modality gaps: settings of the toy CLIP, chosen by their geometry only."""

from __future__ import annotations

from typing import Final

from clipsonic_eval.toyencoders.config import ToyClipConfig

# From the narrowest gap to the widest. Temperature, the cone that the text tower starts with, and whether the
# projections may move: nothing else differs. A higher temperature asks for larger differences of cosines, at the cost
# of the cones, since norms are fixed; projections that move rotate the cones onto each other. What each variant reaches
# (gap, class decoded from images) stands on the card that its training writes.
VARIANTS: Final[dict[str, ToyClipConfig]] = {
    "narrowest": ToyClipConfig(temperature=0.03, start_std=0.02, locked_projections=False),
    "narrow": ToyClipConfig(temperature=0.025, start_std=0.6),
    "medium": ToyClipConfig(temperature=0.02, start_std=0.7),
    "calibrated": ToyClipConfig(),
    "wide": ToyClipConfig(temperature=0.012, start_std=0.6),
    "wider": ToyClipConfig(temperature=0.009, start_std=0.75),
    "widest": ToyClipConfig(temperature=0.006, start_std=0.9),
}
