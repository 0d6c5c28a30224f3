"""Text-to-audio systems that others have published, for ``clipsonic-eval weights``."""

from __future__ import annotations

from typing import Final

from clipsonic_eval.weight_files import PublishedWeights

# every network lies in a folder of its own; checkpoints in other formats lie beside them, and are left out
_BESIDE: Final = ("model_index.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.safetensors", "README.md")
_NETWORK: Final = "diffusion_pytorch_model.safetensors"

PUBLISHED: Final = (
    *(
        PublishedWeights(
            f"cvssp/{name}",
            "paired_tta.audioldm2:AudioLDM2",
            "CC-BY-NC-SA-4.0",
            files=(f"unet/{_NETWORK}",),
            beside=_BESIDE,
        )
        for name in ("audioldm2", "audioldm2-large", "audioldm2-music")
    ),
    *(
        PublishedWeights(
            f"stabilityai/{name}",
            system,
            "Stability AI Community License",
            files=(f"transformer/{_NETWORK}",),
            beside=_BESIDE,
        )
        for name, system in (
            ("stable-audio-open-1.0", "paired_tta.stable_audio:StableAudio"),
            ("stable-audio-3-medium", "paired_tta.stable_audio_3:StableAudio3"),
        )
    ),
)
