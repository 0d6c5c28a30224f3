"""LAION's CLAP: audio and texts as unit vectors of 512 dimensions, for CLAP score, retrieval and Fréchet distances.

``clap-laion-audio``, ``-fusion``, ``-music``, ``-music-speech`` are the published checkpoints, ``clap-laion`` is any
other of their layout. The ``.pt`` files are read as published, without executing anything. ``clap-transformers`` reads
a folder of transformers (the hub's ``laion/clap-*`` leave out the epsilon of RoBERTa's layer normalisation, so that
their texts differ from the original by up to 1e-4).

Unlike laion_clap, the default draws no random crops: audio above 10 s is cut into windows of 10 s, the last one aligned
to the end, and their vectors are averaged; checkpoints with feature fusion take the middles of the thirds. Options:
those of :class:`~clipsonic_eval.encoders.clap.windows.Windowing` (``truncation``, ``hop_s``, ``tail``, ``rows``,
``int16``, ``seed``); ``precision`` (``fp32``, ``bf16``); ``backend`` (``transformers``, or ``laion-clap`` where that
package is installed: agrees to 1e-4); ``tokenizer`` (folder of RoBERTa's); ``download``.

Texts need RoBERTa's tokenizer: in the folder of the weights, or in the Hugging Face cache.

Source: Y. Wu et al., Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption
Augmentation, ICASSP 2023.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clipsonic_eval.encoders._base import ENCODERS

if TYPE_CHECKING:
    from clipsonic_eval.encoders.clap.encoder import ClapEncoder


def _register(name: str, description: str) -> None:
    @ENCODERS.register(name)
    def load(
        weights: Path | None = None,
        *,
        device: str = "cpu",
        precision: Literal["fp32", "bf16"] = "fp32",
        backend: Literal["transformers", "laion-clap"] = "transformers",
        tokenizer: Path | None = None,
        download: bool | None = None,
        **windowing: Any,
    ) -> ClapEncoder:
        from clipsonic_eval.encoders.clap.encoder import load_clap

        return load_clap(
            name,
            weights,
            device,
            precision=precision,
            backend=backend,
            tokenizer_dir=tokenizer,
            download=download,
            windowing=windowing,
        )

    load.__doc__ = description


for _name, _description in {
    "clap-laion": "LAION CLAP, any checkpoint of its layout: audio and texts as unit vectors.",
    "clap-laion-audio": "LAION CLAP 630k-audioset-best: audio and texts as 512-d unit vectors.",
    "clap-laion-fusion": "LAION CLAP 630k-audioset-fusion-best: feature fusion for audio above 10 s.",
    "clap-laion-music": "LAION CLAP music_audioset_epoch_15_esc_90.14: for music.",
    "clap-laion-music-speech": "LAION CLAP music_speech_audioset_epoch_15_esc_89.98: for music and speech.",
    "clap-transformers": "CLAP from a folder of transformers: audio and texts as unit vectors.",
}.items():
    _register(_name, _description)
