"""How much sound and how many pixels one file may make: a small file can claim, or unpack to, any amount.

The limits lie far beyond what clips are made from, and low enough that a few workers side by side stay within the
memory of a laptop. A file beyond them is refused with a sentence before its memory is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clipsonic_eval.errors import MediaError

MAX_PIXELS: Final = 1 << 26  # of one picture: 8192 x 8192, twice a frame of 8K; 0.2 GB in RGB
MAX_SOUND_BYTES: Final = 1 << 31  # of what is read at once, float32: 93 minutes of stereo at 48 kHz
MAX_HOLE_S: Final = 600.0  # of silence between two packets of a track


def check_pixels(width: int, height: int, where: str) -> None:
    """Refuse a picture of no or of too many pixels.

    Raises:
        MediaError: so it is.
    """
    if not 0 < width * height <= MAX_PIXELS:
        size = f"of {width} x {height} pixels" if width * height else "of no size that could be read"
        raise MediaError(f"{where}: a picture {size}; at most {MAX_PIXELS} pixels are decoded, make it smaller")


def check_sound(path: Path, channels: int, samples: int, rate: int) -> None:
    """Refuse sound that takes too much memory at once.

    Raises:
        MediaError: so it is.
    """
    if 4 * channels * samples > MAX_SOUND_BYTES:
        hours = samples / max(rate, 1) / 3600
        raise MediaError(
            f"{path}: {hours:.1f} hours of sound in {channels} channels, {4 * channels * samples / 2**30:.1f} GiB at "
            f"once where at most {MAX_SOUND_BYTES >> 30} GiB are decoded; cut it into parts"
        )
