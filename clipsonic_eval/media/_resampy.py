"""The filter of resampy's ``kaiser_best`` (0.3 and later), as periodic filters for rates with a common divisor.

A Kaiser-windowed sinc of 50 zero crossings in a table of 8192 entries each, read with linear interpolation. resampy
walks the table in whole entries, ``int(scale * 8192)`` apart, so that its filter is a little narrower than its name
says; that is kept. Its parameters: rolloff 0.91734737, beta 12.98458525.

Source: resampy 0.4.3, ``interpn.py`` and the parameters that its table ``kaiser_best.npz`` was made with (they give the
table back to 2e-15).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from clipsonic_eval.arraytypes import Float64

_ZEROS, _PRECISION = 50, 8192
_ROLLOFF, _BETA = 0.9173473712608761, 12.984585247040016


@lru_cache(maxsize=1)
def _table() -> Float64:
    """Return the right half of the windowed sinc, (50 * 8192 + 1,) float64."""
    t = np.linspace(0, _ZEROS, _ZEROS * _PRECISION + 1)
    taper = np.i0(_BETA * np.sqrt(np.clip(1 - (t / _ZEROS) ** 2, 0, 1))) / np.i0(_BETA)
    return np.asarray(taper * _ROLLOFF * np.sinc(_ROLLOFF * t))


@lru_cache(maxsize=16)
def filters(old: int, new: int) -> tuple[Float64, int]:
    """Return the filters of one period of outputs, (new, taps) float64, and how many taps lie before the first input.

    Args:
        old: input rate over the common divisor of both rates.
        new: output rate over it.
    """
    scale = min(1.0, new / old)
    table = _table() * scale if new < old else _table()
    steps = np.diff(table, append=table[-1])
    step = int(scale * _PRECISION)
    reach = len(table) // step + 1
    bank = np.zeros((new, old + 2 * reach + 1))
    for phase in range(new):
        n, rest = divmod(phase * old, new)
        frac = scale * (rest / new)
        for side in (-1, 1):
            position = (frac if side < 0 else scale - frac) * _PRECISION
            offset = int(position)
            at = np.arange(offset, offset + (len(table) - offset) // step * step, step)
            weights = table[at] + (position - offset) * steps[at]
            first = reach + n + (0 if side < 0 else 1)
            places = first + side * np.arange(len(at))
            bank[phase, places] += weights
    return bank, reach
