"""CLIPSonic: text-to-audio learned from unlabeled videos and a pretrained language-vision model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline

__all__ = ["CLIPSonicPipeline"]


def __getattr__(name: str) -> Any:
    """Load the pipeline when it is asked for: training and sampling do not need it."""
    if name != "CLIPSonicPipeline":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from clipsonic.pipeline import CLIPSonicPipeline

    return CLIPSonicPipeline
