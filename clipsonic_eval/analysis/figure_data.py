"""The arrays that lie beside a record for drawing: log-mel pictures of a few queries, 2-D points of embeddings.

``examples.npz`` holds ``keys`` (k,), ``prompts`` (k,) and by system name (k, 64, frames) natural-log mel magnitudes;
``projection.npz`` holds ``image``, ``text`` and by prior name (n, 2) coordinates. Both load without pickles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval import atomic, filenames
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.arrays import read_npz
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import UserError

MAX_QUERIES = 4  # as many columns as a page has room for


@dataclass(frozen=True, slots=True)
class Examples:
    """Log-mel pictures of the same queries by system.

    Attributes:
        keys: of the queries, (k,).
        prompts: their texts, "" where there is none.
        mels: by system, (k, bands, frames).
    """

    keys: tuple[str, ...]
    prompts: tuple[str, ...]
    mels: Mapping[str, Float32]


def examples(runs: Iterable[Run]) -> Examples | None:
    """Gather the pictures of all runs over the queries of the first run that has some; None where there are none.

    A system's picture comes from the first run that has it for all these queries.
    """
    found: Examples | None = None
    for run in runs:
        path = run.folder / filenames.EXAMPLES
        if not path.exists():
            continue
        here = _read_examples(path)
        if found is None:
            found = here
            continue
        if set(found.keys) <= set(here.keys):
            rows = [here.keys.index(k) for k in found.keys]
            more = {s: m[rows] for s, m in here.mels.items() if s not in found.mels}
            found = Examples(found.keys, found.prompts, {**found.mels, **more})
    return found if found is not None and found.keys and found.mels else None


def _read_examples(path: Path) -> Examples:
    arrays = read_npz(path, fix="evaluate again to write it anew")
    if "keys" not in arrays:
        raise UserError(f"{path}: no array 'keys'; evaluate again to write it anew")
    keys = tuple(str(k) for k in arrays["keys"])
    prompts = tuple(str(p) for p in arrays["prompts"]) if "prompts" in arrays else ("",) * len(keys)
    mels = {s: _rounded(a) for s, a in arrays.items() if s not in ("keys", "prompts")}
    for system, mel in mels.items():
        if mel.ndim != 3 or len(mel) != len(keys):
            raise UserError(f"{path}: '{system}' must be ({len(keys)}, bands, frames), got {mel.shape}; evaluate again")
    return Examples(keys, prompts, mels)


def _rounded(mel: NDArray[np.generic]) -> Float32:
    """Round to an eighth of a neper: finer than the figure's colours, exact in float16, and packs well."""
    result: Float32 = (np.round(mel.astype(np.float32) * 8) / 8).astype(np.float32)
    return result


def projection(run: Run) -> dict[str, Float32] | None:
    """Return the 2-D points of a gap run by name, None where it has none.

    Raises:
        UserError: an array is not (n, 2).
    """
    path = run.folder / filenames.PROJECTION
    if not path.exists():
        return None
    points: dict[str, Float32] = {}
    for name, array in read_npz(path, fix="run `gap` again").items():
        if array.ndim == 2 and array.shape[1] == 2 and np.issubdtype(array.dtype, np.floating):
            points[name] = np.round(array.astype(np.float64), 3).astype(np.float32)
    if "image" not in points or "text" not in points:
        raise UserError(f"{path}: needs arrays 'image' and 'text' of shape (n, 2); run `gap` again")
    return points


def export_examples(shown: Examples, folder: Path) -> None:
    """Write the pictures that the figure shows, for it to be remade."""
    arrays: dict[str, Any] = {s: m[:MAX_QUERIES].astype(np.float16) for s, m in shown.mels.items()}
    arrays |= {"keys": np.array(shown.keys[:MAX_QUERIES]), "prompts": np.array(shown.prompts[:MAX_QUERIES])}
    with atomic.replacing(folder / filenames.EXAMPLES) as temporary:
        np.savez_compressed(temporary, **arrays)


def export_projection(points: Mapping[str, Float32], folder: Path) -> None:
    """Write projected points for the figure to be remade."""
    arrays: dict[str, Any] = dict(points)
    with atomic.replacing(folder / filenames.PROJECTION) as temporary:
        np.savez_compressed(temporary, **arrays)
