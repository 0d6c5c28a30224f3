"""Images as the square that an image encoder sees: resized to the short side, cut from the centre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from clipsonic_eval.arraytypes import UInt8


@dataclass(frozen=True, slots=True)
class Square:
    """The square that begins an image encoder's front end.

    Attributes:
        side: pixels.
        long_side: how the length of the resized image is made whole; ``floor`` is that of transformers and torchvision.
        edge: how the place of the cut is made whole where as many pixels cannot be left out on both sides; ``floor`` is
            that of transformers, ``half-even`` that of torchvision.
    """

    side: int
    long_side: Literal["round", "floor"] = "round"
    edge: Literal["floor", "half-even"] = "floor"

    def cut(self, image: UInt8) -> UInt8:
        """Return the square of an image; that of a square of this side is itself.

        Args:
            image: (height, width, 3) uint8 of any size.

        Returns:
            (side, side, 3) uint8, bicubic as Pillow computes it.
        """
        side = self.side
        if image.shape[:2] == (side, side):
            return image
        resized = self.resized(image)
        spare = [length - side for length in resized.size]
        left, top = (left_out // 2 if self.edge == "floor" else round(left_out / 2) for left_out in spare)
        return np.asarray(resized.crop((left, top, left + side, top + side)))

    def resized(self, image: UInt8) -> Any:
        """Return Pillow's image of an array (height, width, 3), with this side as its short one."""
        from PIL import Image

        height, width = image.shape[:2]
        short = min(height, width)
        size = (self._whole(width, short), self._whole(height, short))
        whole = Image.fromarray(image)
        return whole if size == whole.size else whole.resize(size, Image.Resampling.BICUBIC)

    def _whole(self, length: int, short: int) -> int:
        if self.long_side == "floor":
            return max(self.side, int(self.side * length / short))
        return max(self.side, round(length * (self.side / short)))
