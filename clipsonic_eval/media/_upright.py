"""Rotate and mirror frames as a player does, by the display matrix of the container."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import UInt8

Matrix = tuple[float, float, float, float]


def display_matrix(frame: Any) -> Matrix | None:
    """Return a, b, c, d of the frame's display matrix (x' = a x + c y, y' = b x + d y), or None without one."""
    data = frame.side_data.get("DISPLAYMATRIX") if frame.side_data else None
    if data is None:
        return None
    raw = np.frombuffer(bytes(data), dtype=np.int32)[:9] / 65536.0
    return float(raw[0]), float(raw[1]), float(raw[3]), float(raw[4])


def upright(image: UInt8, matrix: Matrix | None) -> UInt8:
    """Apply the mirroring and the rotation of a display matrix, rounded to quarter turns.

    Args:
        image: (height, width, 3) uint8 RGB.
        matrix: from :func:`display_matrix`.

    Returns:
        (height, width, 3) or (width, height, 3) uint8.

    Example:
        >>> image = np.array([[[1] * 3, [2] * 3]], dtype=np.uint8)  # one row of two pixels
        >>> upright(image, (0.0, 1.0, -1.0, 0.0))[..., 0]  # a quarter turn clockwise
        array([[1],
               [2]], dtype=uint8)
    """
    if matrix is None:
        return image
    a, b, c, d = matrix
    mirrored = a * d - b * c < 0
    if mirrored:  # a mirror image first: the matrix is a rotation times diag(-1, 1)
        image = image[:, ::-1]
        a, b = -a, -b
    quarters_clockwise = round(math.atan2(b, a) / (math.pi / 2)) % 4
    turned: UInt8 = np.rot90(image, -quarters_clockwise)
    return np.ascontiguousarray(turned)
