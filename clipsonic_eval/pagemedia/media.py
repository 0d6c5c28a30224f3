"""Sounds, spectrograms and pictures as the bytes that a browser shows: AAC or Opus, and small WebP images."""

from __future__ import annotations

import functools
import io
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.harness.spectrograms import log_mel
from clipsonic_eval.media.encode import write_audio
from clipsonic_eval.media.video import query_image
from clipsonic_eval.types import Clip

SUFFIXES: Final = {"aac": ".m4a", "opus": ".webm"}
MIME: Final = {"aac": "audio/mp4", "opus": "audio/webm"}
RANGE_DB: Final = 60.0  # below the loudest point that are shown
_WIDEST = 320  # pixels of a spectrogram; a column is 10 ms or more
_SIDE = 160  # longest side of a picture, pixels
_QUALITY = 60


def sound(clip: Clip, codec: str) -> bytes:
    """Return a clip as AAC in M4A or Opus in WebM, at its own rate where the codec takes it."""
    with tempfile.TemporaryDirectory(prefix="clipsonic-page-") as folder:
        path = Path(folder) / f"sound{SUFFIXES[codec]}"
        write_audio(path, clip.samples, clip.sample_rate)
        return path.read_bytes()


def levels(clip: Clip) -> Float32:
    """Return the log-mel spectrogram of a clip, (64, frames) in nepers; 10 s at most."""
    return log_mel(clip)


def spectrogram(mel: Float32, top: float) -> bytes:
    """Return a spectrogram as WebP, low frequencies below.

    Args:
        mel: (bands, frames) in nepers.
        top: the level of the brightest colour in nepers; black is 60 dB below.
    """
    from PIL import Image

    db = 20 / np.log(10) * (mel - top)  # 20 log10(e^(x − top))
    grey = np.clip((db / RANGE_DB + 1) * 255, 0, 255).astype(np.uint8)[::-1]
    image = Image.fromarray(grey)
    if image.width > _WIDEST:
        image = image.resize((_WIDEST, image.height), Image.Resampling.BOX)
    return _webp(_colours()[np.asarray(image)])


@functools.cache
def _colours() -> UInt8:
    """Return matplotlib's magma, (256, 3) uint8 RGB."""
    import matplotlib

    table: UInt8 = (matplotlib.colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    return table


def picture(path: Path) -> bytes:
    """Return an image, or the centre frame of a video, as a small WebP.

    Raises:
        MediaError: not readable as either.
    """
    from PIL import Image

    image = Image.fromarray(query_image(path))
    image.thumbnail((_SIDE, _SIDE))
    return _webp(np.asarray(image))


def _webp(pixels: UInt8) -> bytes:
    """Return an image, (height, width, 3) uint8 RGB, as WebP."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=_QUALITY, method=4)
    return stream.getvalue()
