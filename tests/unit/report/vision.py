"""How colours look in greyscale and to people with a colour vision deficiency."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

# Machado, Oliveira and Fernandes (2009), severity 1.0; of linear RGB
_DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
VISIONS = ("normal", "greyscale", *_DEFICIENCIES)


def seen(colour: object, vision: str) -> np.ndarray:
    """Linear RGB, (3,), of a colour as matplotlib takes it."""
    rgb = np.array(to_rgb(colour))  # type: ignore[arg-type]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if vision == "greyscale":
        return np.full(3, _TO_XYZ[1] @ linear)
    matrix = np.array(_DEFICIENCIES[vision]) if vision in _DEFICIENCIES else np.eye(3)
    return np.clip(matrix @ linear, 0, 1)


def lab(colour: object, vision: str = "normal") -> np.ndarray:
    """CIE L*a*b* under D65, (3,)."""
    white = _TO_XYZ @ np.ones(3)
    t = _TO_XYZ @ seen(colour, vision) / white
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(a: object, b: object, vision: str) -> float:
    """ΔE of 1976: 2 is just seen side by side, 20 is told apart anywhere in a figure."""
    return float(np.linalg.norm(lab(a, vision) - lab(b, vision)))
