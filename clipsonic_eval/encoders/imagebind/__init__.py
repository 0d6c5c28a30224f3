"""ImageBind: sounds, texts, images and videos as unit vectors of 1024 dimensions in one space.

For the image–audio score (``image_audio_score``), the CLAP score's counterpart for systems that are asked by images or
videos; also for Fréchet distances. The weights are a download of your own: ``imagebind_huge.pth`` from
https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth (CC BY-NC-SA 4.0: not for commercial use). Without
``weights`` they are looked for in torch.hub's folder. Networks and front ends agree with Meta's code with equal
weights. Around them, stereo becomes the mean of its channels here, not the first one, and is resampled by soxr, not
torchaudio (the convention ``ib/imagebind`` does as Meta); the mean of a window is not subtracted from the next one
where they overlap; texts are not repaired (ftfy, HTML entities).

- Sounds: three windows of 2 s, the first at the beginning and the last at the end; one row per clip.
- Videos: five windows of 2 s, two frames each, in three crops; with ``video="av-benchmark"`` four frames of the first
  8 s, each with the next one. Images: one centre crop.
- Texts need CLIP's tokenizer: in the folder of the weights, in the folder ``tokenizer``, or in the Hugging Face cache.

Source: R. Girdhar et al., ImageBind: One Embedding Space To Bind Them All, CVPR 2023.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clipsonic_eval.encoders._base import ENCODERS, Encoder


@ENCODERS.register("imagebind")
def load(
    weights: Path | None = None,
    *,
    device: str = "cpu",
    tokenizer: Path | None = None,
    video: Literal["imagebind", "av-benchmark"] = "imagebind",
) -> Encoder:
    """ImageBind: sounds, texts, images and videos as 1024-d unit vectors."""
    from clipsonic_eval.encoders.imagebind.encoder import load_imagebind

    return load_imagebind(weights, device, tokenizer_dir=tokenizer, video=video)
