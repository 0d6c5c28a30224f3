"""OpenL3: features of windows of one second, trained to tell which video a sound belongs to; the encoder of FD_openl3.

``openl3-music`` was trained on AudioSet's videos of music, ``openl3-env`` on those of environmental sound. Weights: the
files ``openl3_audio_<input_repr>_<music|env>-v0_4_0.h5.gz`` of https://github.com/marl/openl3/tree/models, compressed
or not; without ``weights`` they are searched in torch.hub's folder. They are read by h5py (extra ``openl3``), without
TensorFlow.

Options: ``input_repr``, ``mel256``, ``mel128`` or ``linear``; ``embedding_size``, 512 or 6144; ``hop_s``, by default
0.5 s as in stable-audio-metrics (the package's default is 0.1 s); ``center``, the first window begins half a window
before the clip; ``channels``, the ``mean`` of them, or the embeddings of ``both`` side by side in a row of twice the
size, a mono sound doubled; ``resampler``, one of ours: the package's is ``resampy-0.2-kaiser-best``.

Source: J. Cramer et al., Look, Listen and Learn More: Design Choices for Deep Audio Embeddings, ICASSP 2019; the
package openl3 0.4.2 with its default front end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clipsonic_eval.encoders._base import ENCODERS, Encoder


def _register(content: Literal["music", "env"], description: str) -> None:
    @ENCODERS.register(f"openl3-{content}")
    def load(
        weights: Path | None = None,
        *,
        device: str = "cpu",
        input_repr: Literal["mel256", "mel128", "linear"] = "mel256",
        embedding_size: Literal[512, 6144] = 512,
        hop_s: float = 0.5,
        center: bool = True,
        channels: Literal["mean", "both"] = "mean",
        resampler: str = "soxr-hq",
    ) -> Encoder:
        from clipsonic_eval.encoders.openl3.encoder import Windows, load_openl3

        windows = Windows.of(f"openl3-{content}", hop_s, center=center, channels=channels, resampler=resampler)
        return load_openl3(content, weights, device, input_repr, embedding_size, windows)

    load.__doc__ = description


_register("music", "OpenL3 for music: 512 or 6144 features of windows of 1 s.")
_register("env", "OpenL3 for environmental sound: 512 or 6144 features of windows of 1 s.")
