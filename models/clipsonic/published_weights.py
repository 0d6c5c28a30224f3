"""Vocoders and diffusion priors that others have published, for ``clipsonic-eval weights``."""

from __future__ import annotations

from typing import Final

from clipsonic.vocoders.hifi_gan import AUDIOLDM, LICENCE
from clipsonic_eval.weight_files import PublishedWeights

_BIGVGAN: Final = ("bigvgan_22khz_80band", "bigvgan_v2_22khz_80band_256x", "bigvgan_v2_44khz_128band_512x")
_PRIOR: Final = ("prior/diffusion_pytorch_model.safetensors", "prior/diffusion_pytorch_model.bin")
_BESIDE_PRIOR: Final = ("prior/config.json", "prior_scheduler/*.json", "scheduler/*.json", "README.md")

PUBLISHED: Final = (
    PublishedWeights(
        AUDIOLDM,
        "vocoder hifi-gan",
        LICENCE,
        files=("vocoder/model.safetensors", "vocoder/pytorch_model.bin"),
        beside=("vocoder/config.json",),
    ),
    *(
        PublishedWeights(
            f"nvidia/{name}",
            "vocoder bigvgan",
            "MIT",
            files=("bigvgan_generator.pt",),
            beside=("config.json", "README.md"),
        )
        for name in _BIGVGAN
    ),
    PublishedWeights(
        "kakaobrain/karlo-v1-alpha", "import-prior", "CreativeML OpenRAIL-M", files=_PRIOR, beside=_BESIDE_PRIOR
    ),
    PublishedWeights(
        "kandinsky-community/kandinsky-2-1-prior", "import-prior", "Apache-2.0", files=_PRIOR, beside=_BESIDE_PRIOR
    ),
    PublishedWeights(
        "laion/DALLE2-PyTorch",
        "import-prior",
        "MIT",
        files=("prior/best.pth",),
        beside=("prior/prior_config.json", "README.md"),
    ),
)
