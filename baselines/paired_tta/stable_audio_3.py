"""Stable Audio 3: latent flow matching on stereo waveforms, conditioned on T5Gemma and on the length.

Published as ``stabilityai/stable-audio-3-medium`` (Stability AI Community License); 44.1 kHz stereo. Distilled
checkpoints sample with 8 steps and without guidance, base ones with 100; the pipeline looks at its scheduler where
``steps`` is left out.

Source: ``StableAudio3Pipeline`` of diffusers.
"""

from __future__ import annotations

from typing import Any

from paired_tta._pipeline import PublishedPipeline


class StableAudio3(PublishedPipeline):
    """Stable Audio 3 of a published folder."""

    pipeline_class = "StableAudio3Pipeline"
    default_name = "Stable Audio 3"
    length_argument = "duration"

    @property
    def native_rate(self) -> int:
        """Sample rate of the autoencoder, Hz."""
        return int(self.pipeline.vae.config.sampling_rate)

    def card(self) -> dict[str, Any]:
        """Return everything the sounds depend on, and the licence of the weights."""
        distilled = self.pipeline.scheduler.config.stochastic_sampling
        return {**super().card(), "steps": self.config.steps or (8 if distilled else 100)}  # as the pipeline chooses
