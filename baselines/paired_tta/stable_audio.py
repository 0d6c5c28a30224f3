"""Stable Audio Open: latent diffusion on stereo waveforms, conditioned on T5 and on the length.

Published as ``stabilityai/stable-audio-open-1.0`` (Stability AI Community License); 44.1 kHz stereo, up to 47.55 s. Its
card samples with 200 steps and guidance 7. Its scheduler needs the package torchsde (``pip install
'clipsonic-eval[stable-audio]'``).

Source: Evans et al., Stable Audio Open, 2024 (arXiv 2407.14358); ``StableAudioPipeline`` of diffusers.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import ConfigError
from paired_tta._pipeline import PublishedPipeline


class StableAudio(PublishedPipeline):
    """Stable Audio Open of a published folder."""

    pipeline_class = "StableAudioPipeline"
    default_name = "Stable Audio Open"
    length_argument = "audio_end_in_s"

    @property
    def native_rate(self) -> int:
        """Sample rate of the autoencoder, Hz."""
        return int(self.pipeline.vae.config.sampling_rate)

    def _load(self, folder: Path) -> Any:
        scheduler = self._index.get("scheduler", [None, None])[1]
        if scheduler == "CosineDPMSolverMultistepScheduler" and importlib.util.find_spec("torchsde") is None:
            raise ConfigError(
                f"{folder}: its scheduler {scheduler} needs the package torchsde; pip install "
                "'clipsonic-eval[stable-audio]'"
            )
        return super()._load(folder)
