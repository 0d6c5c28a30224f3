"""The drawings of the toy world as polygons in [-1, 1]² (y points down), each with the role of its colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from clipsonic_eval.arraytypes import Float64

Shape = tuple[tuple[str, Float64], ...]


def _oval(x: float, y: float, rx: float, ry: float, start: float = 0.0, stop: float = 2 * np.pi) -> Float64:
    angle = np.linspace(start, stop, 18)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def _box(left: float, top: float, right: float, bottom: float) -> Float64:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=float)


def _poly(*points: tuple[float, float]) -> Float64:
    return np.array(points, dtype=float)


def _stroke(line: Sequence[tuple[float, float]] | Float64, width: float) -> Float64:
    """Return the outline of a line (n, 2) of this width, (2 n, 2) float64."""
    points = np.asarray(line, dtype=float)
    step = np.gradient(points, axis=0)
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1)
    normal *= width / 2 / np.maximum(np.hypot(normal[:, :1], normal[:, 1:]), 1e-9)
    return np.concatenate([points + normal, (points - normal)[::-1]])


def _swirl(y: float, length: float, radius: float) -> Float64:
    angle = np.linspace(np.pi / 2, -np.pi, 10)
    hook = np.stack([length + radius * np.cos(angle), y - radius + radius * np.sin(angle)], axis=1)
    return _stroke(np.concatenate([np.array([(-1.0, y), (0.0, y)]), hook]), 0.2)


def _rays() -> list[tuple[str, Float64]]:
    angles = np.linspace(np.pi * 1.1, np.pi * 1.9, 5)
    return [
        (
            "glow",
            _stroke([(0.75 * np.cos(a), 0.1 + 0.75 * np.sin(a)), (1.05 * np.cos(a), 0.1 + 1.05 * np.sin(a))], 0.14),
        )
        for a in angles
    ]


SOUNDING: Final[dict[str, Shape]] = {
    "bell": (
        ("dark", _oval(0, -0.85, 0.16, 0.16)),
        ("black", _oval(0, 0.78, 0.22, 0.2)),
        (
            "main",
            _poly(
                (-0.25, -0.75),
                (0.25, -0.75),
                (0.5, -0.3),
                (0.58, 0.3),
                (0.95, 0.7),
                (-0.95, 0.7),
                (-0.58, 0.3),
                (-0.5, -0.3),
            ),
        ),
        ("dark", _box(-0.95, 0.55, 0.95, 0.72)),
    ),
    "drum": (
        ("main", _box(-0.85, -0.25, 0.85, 0.6)),
        ("main", _oval(0, 0.6, 0.85, 0.28)),
        ("light", _oval(0, -0.25, 0.85, 0.3)),
        *(("white", _stroke([(x, 0.05), (x + 0.2, 0.65), (x + 0.4, 0.05)], 0.09)) for x in (-0.75, -0.2, 0.35)),
        ("wood", _stroke([(-0.9, -1.0), (-0.1, -0.3)], 0.14)),
        ("wood", _stroke([(0.9, -1.0), (0.1, -0.3)], 0.14)),
    ),
    "siren": (
        ("black", _box(-0.8, 0.5, 0.8, 0.9)),
        ("main", _poly((-0.6, 0.5), *map(tuple, _oval(0, 0.05, 0.6, 0.55, np.pi, 2 * np.pi)), (0.6, 0.5))),
        ("white", _box(-0.15, -0.2, 0.15, 0.5)),
        *_rays(),
    ),
    "bird": (
        ("dark", _poly((-0.4, 0.2), (-1.0, -0.15), (-0.95, 0.45))),
        ("main", _oval(0, 0.2, 0.65, 0.45)),
        ("main", _oval(0.5, -0.3, 0.33, 0.33)),
        ("beak", _poly((0.78, -0.42), (1.1, -0.25), (0.78, -0.15))),
        ("dark", _poly((-0.3, 0.05), (0.3, 0.0), (-0.2, -0.75))),
        ("black", _oval(0.55, -0.38, 0.09, 0.09)),
        ("wood", _stroke([(0.0, 0.6), (0.0, 0.95)], 0.1)),
        ("wood", _stroke([(0.25, 0.6), (0.25, 0.95)], 0.1)),
    ),
    "engine": (
        *(("dark", _box(x, -0.75, x + 0.38, -0.1)) for x in (-0.8, -0.25, 0.3)),
        ("main", _box(-0.9, -0.2, 0.9, 0.75)),
        ("black", _oval(-0.3, 0.3, 0.4, 0.4)),
        ("white", _oval(-0.3, 0.3, 0.18, 0.18)),
        ("black", _box(0.3, 0.0, 0.75, 0.15)),
        ("black", _box(0.3, 0.3, 0.75, 0.45)),
    ),
    "rain": (
        ("main", _oval(-0.45, -0.4, 0.5, 0.38)),
        ("main", _oval(0.45, -0.4, 0.5, 0.36)),
        ("light", _oval(0.0, -0.6, 0.5, 0.4)),
        *(
            ("drop", _stroke([(x, y), (x - 0.14, y + 0.38)], 0.13))
            for x, y in ((-0.6, 0.1), (-0.1, 0.05), (0.4, 0.1), (0.85, 0.05), (-0.4, 0.58), (0.15, 0.55), (0.65, 0.58))
        ),
    ),
    "whistle": (
        ("main", _oval(-0.3, 0.2, 0.62, 0.62)),
        ("main", _box(-0.3, -0.42, 1.0, 0.0)),
        ("black", _oval(-0.3, 0.2, 0.28, 0.28)),
        ("white", _box(0.05, -0.42, 0.3, -0.2)),
        ("dark", _stroke([(-0.75, -0.35), (-1.0, -0.8)], 0.14)),
    ),
    "guitar": (
        ("wood", _box(-0.12, -0.95, 0.12, 0.2)),
        ("dark", _box(-0.22, -1.1, 0.22, -0.8)),
        ("main", _oval(0, 0.08, 0.42, 0.36)),
        ("main", _oval(0, 0.6, 0.58, 0.45)),
        ("black", _oval(0, 0.28, 0.18, 0.18)),
        ("black", _box(-0.28, 0.72, 0.28, 0.84)),
    ),
    "bee": (
        ("white", _oval(-0.3, -0.5, 0.3, 0.42)),
        ("white", _oval(0.25, -0.5, 0.3, 0.42)),
        ("black", _poly((-0.8, 0.1), (-1.1, 0.2), (-0.8, 0.3))),
        ("main", _oval(0, 0.2, 0.88, 0.5)),
        *(("black", _box(x, 0.2 - h, x + 0.2, 0.2 + h)) for x, h in ((-0.6, 0.36), (-0.2, 0.48), (0.2, 0.45))),
        ("black", _oval(0.72, 0.08, 0.22, 0.26)),
    ),
    "clock": (
        ("dark", _stroke([(-0.5, 0.6), (-0.75, 1.0)], 0.18)),
        ("dark", _stroke([(0.5, 0.6), (0.75, 1.0)], 0.18)),
        ("main", _oval(0, 0, 0.9, 0.9)),
        ("white", _oval(0, 0, 0.7, 0.7)),
        ("black", _stroke([(0, 0.05), (0, -0.55)], 0.12)),
        ("black", _stroke([(-0.05, 0), (0.42, 0.2)], 0.14)),
    ),
    "dog": (
        ("main", _oval(0, 0, 0.7, 0.75)),
        ("dark", _poly((-0.45, -0.6), (-0.95, -0.5), (-0.95, 0.35), (-0.65, 0.3))),
        ("dark", _poly((0.45, -0.6), (0.95, -0.5), (0.95, 0.35), (0.65, 0.3))),
        ("light", _oval(0, 0.4, 0.4, 0.38)),
        ("black", _oval(0, 0.25, 0.2, 0.14)),
        ("black", _oval(-0.28, -0.2, 0.11, 0.13)),
        ("black", _oval(0.28, -0.2, 0.11, 0.13)),
        ("tongue", _oval(0, 0.72, 0.14, 0.2)),
    ),
    "wind": (
        ("main", _swirl(-0.15, 0.45, 0.38)),
        ("light", _swirl(0.25, 0.1, 0.2)),
        ("main", _stroke([(-0.9, 0.55), (0.9, 0.55)], 0.2)),
        ("light", _stroke([(-0.6, 0.9), (0.5, 0.9)], 0.2)),
    ),
}
SILENT: Final[dict[str, Shape]] = {
    "ball": (("main", _oval(0, 0, 0.8, 0.8)), ("light", _oval(-0.25, -0.25, 0.25, 0.25))),
    "box": (("main", _box(-0.8, -0.6, 0.8, 0.8)), ("dark", _box(-0.8, -0.05, 0.8, 0.2))),
    "tree": (("wood", _box(-0.15, 0.2, 0.15, 1.0)), ("main", _poly((0, -1.0), (0.75, 0.4), (-0.75, 0.4)))),
    "lamp": (
        ("black", _box(-0.08, -0.3, 0.08, 0.9)),
        ("black", _box(-0.4, 0.8, 0.4, 0.95)),
        ("main", _poly((-0.35, -0.9), (0.35, -0.9), (0.7, -0.2), (-0.7, -0.2))),
    ),
    "house": (
        ("light", _box(-0.7, -0.1, 0.7, 0.9)),
        ("main", _poly((-0.95, -0.1), (0, -0.95), (0.95, -0.1))),
        ("black", _box(-0.15, 0.4, 0.2, 0.9)),
    ),
    "star": (
        (
            "main",
            np.array(
                [(r * np.sin(k * np.pi / 5), -r * np.cos(k * np.pi / 5)) for k, r in enumerate((1.0, 0.42) * 5)],
                dtype=float,
            ),
        ),
    ),
    "umbrella": (("black", _box(-0.06, -0.2, 0.06, 0.95)), ("main", _oval(0, -0.1, 0.95, 0.8, np.pi, 2 * np.pi))),
    "flag": (("wood", _box(-0.75, -0.95, -0.6, 1.0)), ("main", _poly((-0.6, -0.9), (0.85, -0.45), (-0.6, 0.0)))),
}
FIXED_COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "black": (20, 20, 24),
    "white": (245, 245, 245),
    "wood": (120, 82, 50),
    "beak": (245, 170, 40),
    "glow": (255, 235, 120),
    "drop": (90, 160, 240),
    "tongue": (235, 110, 130),
}
