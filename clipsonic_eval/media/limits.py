"""Limits on the audio and the pixels that one file may decode to: a small file can claim, or unpack to, any amount.

The limits lie far above what clips are made from, and low enough that a few parallel workers stay within the memory of
a laptop. A file beyond them is refused with a sentence before memory is allocated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clipsonic_eval.errors import MediaError

MAX_PIXELS: Final = 1 << 26  # of one image: 8192 x 8192, twice a frame of 8K video; 0.2 GB in RGB
MAX_SOUND_BYTES: Final = 1 << 31  # of what is read at once, float32: 93 minutes of stereo at 48 kHz
MAX_HOLE_S: Final = 600.0  # of silence between two packets of a track


def check_pixels(width: int, height: int, where: str) -> None:
    """Refuse an image without pixels or with too many.

    Raises:
        MediaError: width or height is 0, or there are more than :data:`MAX_PIXELS` pixels.
    """
    if not 0 < width * height <= MAX_PIXELS:
        size = f"of {width} x {height} pixels" if width * height else "of no size that could be read"
        raise MediaError(f"{where}: an image {size}; at most {MAX_PIXELS} pixels are decoded, make it smaller")


def check_sound(path: Path, channels: int, samples: int, rate: int) -> None:
    """Refuse audio that takes too much memory at once.

    Args:
        path: of the file.
        channels: number of channels.
        samples: per channel.
        rate: Hz.

    Raises:
        MediaError: it would take more than :data:`MAX_SOUND_BYTES` as float32.
    """
    if 4 * channels * samples > MAX_SOUND_BYTES:
        hours = samples / max(rate, 1) / 3600
        raise MediaError(
            f"{path}: {hours:.1f} hours of sound in {channels} channels, {4 * channels * samples / 2**30:.1f} GiB at "
            f"once where at most {MAX_SOUND_BYTES >> 30} GiB are decoded; cut it into parts"
        )
