"""Audiobox Aesthetics: what listeners would say of a sound, on four axes from 1 to 10, without a reference.

``audiobox-aesthetics`` gives one row per clip: content enjoyment (CE), content usefulness (CU), production complexity
(PC) and production quality (PQ), predicted by a WavLM with one head per axis. The weights are a download of your own:
the folder ``facebook/audiobox-aesthetics`` of the Hugging Face hub (``config.json``, ``model.safetensors``; CC BY 4.0).
Without ``weights`` they are looked for in the Hugging Face cache. Agrees with the package ``audiobox_aesthetics`` on
audio at 16 kHz; other rates are resampled by soxr here and by torchaudio there, as by the conventions
``production_quality/audiobox`` and so on.

Audio is cut into windows of 10 s side by side, the last one filled up with zeros that the network leaves out; the
windows count by the samples that they hold.

Source: A. Tjandra et al., Meta Audiobox Aesthetics: Unified Automatic Quality Assessment for Speech, Music, and Sound,
2025 (arXiv 2502.05139).
"""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("audiobox-aesthetics")
def load(weights: Path | None = None, *, device: str = "cpu", download: bool | None = None) -> Encoder:
    """Audiobox Aesthetics: enjoyment, usefulness, complexity and quality of a clip, 1 to 10 each."""
    from clipsonic_eval.encoders.aesthetics.encoder import load_aesthetics

    return load_aesthetics(weights, device, download=download)
