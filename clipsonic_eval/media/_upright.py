"""Turn frames the way that a player shows them, by the display matrix of the container."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import UInt8

Matrix = tuple[float, float, float, float]


def display_matrix(frame: Any) -> Matrix | None:
    """Return a, b, c, d of the frame's display matrix (x' = a x + c y, y' = b x + d y), or None without one."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    raw = np.frombuffer(bytes(data), dtype=np.int32)[:9] / 65536.0
    return float(raw[0]), float(raw[1]), float(raw[3]), float(raw[4])


def upright(picture: UInt8, matrix: Matrix | None) -> UInt8:
    """Apply the rotation by quarter turns and the mirroring of a display matrix to (height, width, 3).

    Other angles are rounded to the nearest quarter turn.
    """
    if matrix is None:
        return picture
    a, b, c, d = matrix
    mirrored = a * d - b * c < 0
    if mirrored:  # a mirror image first: the matrix is a rotation times diag(-1, 1)
        picture = picture[:, ::-1]
        a, b = -a, -b
    quarters_clockwise = round(math.atan2(b, a) / (math.pi / 2)) % 4
    turned: UInt8 = np.rot90(picture, -quarters_clockwise)
    return np.ascontiguousarray(turned)
