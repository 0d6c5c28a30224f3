"""Images as the square that an image encoder sees: resized to the short side, cut from the centre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import UInt8


@dataclass(frozen=True, slots=True)
class Square:
    """The square that begins an image encoder's front end.

    Attributes:
        side: pixels.
        long_side: how the length of the resized image is made whole; ``floor`` is that of transformers.
    """

    side: int
    long_side: Literal["round", "floor"] = "round"

    def cut(self, image: UInt8) -> UInt8:
        """Return the square of an image; that of a square of this side is itself.

        Args:
            image: (height, width, 3) uint8 of any size.

        Returns:
            (side, side, 3) uint8, bicubic as Pillow computes it.
        """
        from PIL import Image

        height, width = image.shape[:2]
        short, side = min(height, width), self.side
        size = (self._whole(width, short), self._whole(height, short))
        resized = Image.fromarray(image)
        if size != resized.size:
            resized = resized.resize(size, Image.Resampling.BICUBIC)
        left, top = (size[0] - side) // 2, (size[1] - side) // 2
        return np.asarray(resized.crop((left, top, left + side, top + side)))

    def _whole(self, length: int, short: int) -> int:
        if self.long_side == "floor":
            return max(self.side, int(self.side * length / short))
        return max(self.side, round(length * (self.side / short)))
