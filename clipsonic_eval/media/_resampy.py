"""The filters of resampy's ``kaiser_best``, as periodic filters for rates with a common divisor.

A Kaiser-windowed sinc in a table of so many entries per zero crossing, read with linear interpolation. resampy walks
the table in whole entries, ``int(scale * entries)`` apart, so that its filter is a little narrower than its name says;
that is kept. Version 0.3 has another filter than those before.

Source: resampy 0.4.3 and 0.2.2, ``interpn.py`` and the parameters that their tables ``kaiser_best.npz`` were made with
(they give the tables back to 2e-15).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal, NamedTuple

import numpy as np

from clipsonic_eval.arraytypes import Float64


class _Kaiser(NamedTuple):
    """Parameters of a filter.

    Attributes:
        zeros: zero crossings on each side.
        entries: of the table per zero crossing.
        rolloff: cut-off over the lower Nyquist frequency.
        beta: of the Kaiser window.
    """

    zeros: int
    entries: int
    rolloff: float
    beta: float


Version = Literal["0.2", "0.4"]
_FILTERS: Final[dict[Version, _Kaiser]] = {
    "0.2": _Kaiser(64, 512, 0.9475937167399596, 14.769656459379492),
    "0.4": _Kaiser(50, 8192, 0.9173473712608761, 12.984585247040016),
}


@lru_cache(maxsize=2)
def _table(kind: _Kaiser) -> Float64:
    """Return the right half of the windowed sinc, (zeros * entries + 1,) float64."""
    t = np.linspace(0, kind.zeros, kind.zeros * kind.entries + 1)
    taper = np.i0(kind.beta * np.sqrt(np.clip(1 - (t / kind.zeros) ** 2, 0, 1))) / np.i0(kind.beta)
    return np.asarray(taper * kind.rolloff * np.sinc(kind.rolloff * t))


@lru_cache(maxsize=16)
def filters(version: Version, old: int, new: int) -> tuple[Float64, int]:
    """Return the filters of one period of outputs, (new, taps) float64, and how many taps lie before the first input.

    Args:
        version: of resampy.
        old: input rate over the common divisor of both rates.
        new: output rate over it.
    """
    kind = _FILTERS[version]
    scale = min(1.0, new / old)
    table = _table(kind) * scale if new < old else _table(kind)
    steps = np.diff(table, append=table[-1])
    step = int(scale * kind.entries)
    reach = len(table) // step + 1
    bank = np.zeros((new, old + 2 * reach + 1))
    for phase in range(new):
        n, rest = divmod(phase * old, new)
        frac = scale * (rest / new)
        for side in (-1, 1):
            position = (frac if side < 0 else scale - frac) * kind.entries
            offset = int(position)
            at = np.arange(offset, offset + (len(table) - offset) // step * step, step)
            weights = table[at] + (position - offset) * steps[at]
            first = reach + n + (0 if side < 0 else 1)
            places = first + side * np.arange(len(at))
            bank[phase, places] += weights
    return bank, reach
