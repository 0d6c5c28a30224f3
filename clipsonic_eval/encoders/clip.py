"""``clip-vit-l-14``, ``clip-vit-b-16``, ``clip-vit-b-32``: OpenAI's CLIP; ``clip-transformers``: any CLIP folder.

Pictures and texts as unit vectors after the projection, 768-d (L/14) or 512-d, and hidden states of texts for diffusion
priors (``text_tokens``). Through transformers; pictures are resized by PIL as in OpenAI's own code, never by
torchvision's tensors, whose bicubic gives slightly other numbers. The edge of the centre crop is rounded down, as
transformers does; OpenAI's code rounds halves to even, which is a pixel aside for one width in four.

Weights: a folder as transformers writes it (``config.json``, ``model.safetensors``, ``preprocessor_config.json``, the
tokenizer's files); without one, the Hugging Face cache. Nothing is fetched unless asked for, by ``download=True`` or
the environment variable ``CLIPSONIC_EVAL_DOWNLOAD=1``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval.encoders._base import ENCODERS

if TYPE_CHECKING:
    from clipsonic_eval.encoders._clip.inference import ClipEncoder


def _register(name: str) -> None:
    @ENCODERS.register(name)
    def load(weights: Path | None = None, *, device: str = "cpu", **options: Any) -> ClipEncoder:
        """Load from a folder, or from the Hugging Face cache.

        Args:
            weights: the folder; None: the cache.
            device: of the towers.
            options: ``precision`` (``fp32`` or ``bf16``), ``batch_size``, ``download``.
        """
        from clipsonic_eval.encoders._clip.inference import load_clip

        return load_clip(name, weights, device, **options)


for _name in ("clip-vit-l-14", "clip-vit-b-16", "clip-vit-b-32", "clip-transformers"):
    _register(_name)
