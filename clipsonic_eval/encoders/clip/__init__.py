"""CLIP: images and texts as unit vectors after the projection, and hidden states of texts for diffusion priors.

``clip-vit-l-14`` (768-d), ``clip-vit-b-16`` and ``clip-vit-b-32`` (512-d) are OpenAI's models, ``clip-transformers`` is
any CLIP folder of transformers. The networks are those of transformers. Images are resized by PIL as in OpenAI's code,
never by torchvision, whose bicubic filter gives slightly other numbers. The centre crop's edge is rounded down, as
transformers does; OpenAI's code rounds half to even, one pixel apart for one width in four.

Weights: a folder as transformers writes it (``config.json``, ``model.safetensors``, ``preprocessor_config.json``, the
tokenizer's files); without one, the Hugging Face cache. Nothing is downloaded unless asked for, by ``download=True`` or
the environment variable ``CLIPSONIC_EVAL_DOWNLOAD=1``.

Source: A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from clipsonic_eval.encoders._base import ENCODERS

if TYPE_CHECKING:
    from clipsonic_eval.encoders.clip.encoder import ClipEncoder


def _register(name: str, description: str) -> None:
    @ENCODERS.register(name)
    def load(
        weights: Path | None = None,
        *,
        device: str = "cpu",
        precision: Literal["fp32", "bf16"] = "fp32",
        batch_size: int | None = None,
        download: bool | None = None,
    ) -> ClipEncoder:
        from clipsonic_eval.encoders.clip.encoder import load_clip

        return load_clip(name, weights, device, precision=precision, batch_size=batch_size, download=download)

    load.__doc__ = description


for _name, _description in {
    "clip-vit-l-14": "OpenAI CLIP ViT-L/14: images and texts as 768-d unit vectors.",
    "clip-vit-b-16": "OpenAI CLIP ViT-B/16: images and texts as 512-d unit vectors.",
    "clip-vit-b-32": "OpenAI CLIP ViT-B/32: images and texts as 512-d unit vectors.",
    "clip-transformers": "CLIP from a folder of transformers: images and texts as unit vectors.",
}.items():
    _register(_name, _description)
