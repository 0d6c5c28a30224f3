"""Arrays next to a record that only figures need: log-mel spectrograms of a few queries, projected embeddings.

``examples.npz`` holds ``keys`` (k,), and for each system (k, bands, frames) natural-log mel magnitudes; ``prompts`` and
``labels`` (k,), the bands' centres ``hz`` (bands,) and the frames' distance ``hop_s`` where they are known.
``projection.npz`` holds ``image``, ``text`` and for each prior (n, 2) principal components. Both load without pickles.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval import atomic, filenames
from clipsonic_eval.analysis.catalogue import REAL, Catalogue
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.arrays import read_npz
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import UserError

MAX_QUERIES = 4  # as many columns as a page has room for
_ABOUT_QUERIES = ("keys", "prompts", "labels", "hz", "hop_s")  # arrays of examples.npz that are no system's


@dataclass(frozen=True, slots=True)
class Examples:
    """Log-mel spectrograms of the same queries by system.

    Attributes:
        keys: of the k queries.
        prompts: of the k queries, "" where there is none.
        mels: by system, (k, bands, frames) float32, natural logarithm of mel magnitudes; in the records of a report
            most systems have the first :data:`MAX_QUERIES` queries only.
        labels: class names of the k queries, "" where there is none.
        hz: centre frequencies of the bands, Hz; empty where they are not known.
        hop_s: seconds from frame to frame, 0 where they are not known.
    """

    keys: tuple[str, ...]
    prompts: tuple[str, ...]
    mels: Mapping[str, Float32]
    labels: tuple[str, ...] = ()
    hz: tuple[float, ...] = ()
    hop_s: float = 0.0


def examples(runs: Iterable[Run]) -> Examples | None:
    """Return the spectrograms of all runs, for the queries of the first run that has any; None where none has.

    The spectrograms of a system come from the first run that has them for all these queries.

    Raises:
        UserError: an array file is damaged or has other shapes.
    """
    found: Examples | None = None
    for run in runs:
        path = _file(run, filenames.EXAMPLES)
        if path is None:
            continue
        here = _read_examples(path)
        if found is None:
            found = here
            continue
        if set(found.keys) <= set(here.keys):
            rows = [here.keys.index(k) for k in found.keys]
            more = {s: m[rows] for s, m in here.mels.items() if s not in found.mels and len(m) == len(here.keys)}
            found = replace(found, mels={**found.mels, **more})
    return found if found is not None and found.keys and found.mels else None


def in_contact_sheet(shown: Examples, catalogue: Catalogue) -> list[str]:
    """Return the rows of a class in the contact sheet: real audio, and the catalogue's choice of systems.

    Without a choice, or where those systems have no spectrograms, the first two. None where no query has a class label.
    """
    whole = [s.name for s in catalogue.ordered(shown.mels) if len(shown.mels[s.name]) == len(shown.keys)]
    trained = [name for name in whole if not catalogue.is_control(name)]
    named = [name for name in catalogue.sheet if name in trained] or trained[:2]
    return [name for name in whole if name == REAL] + named if any(shown.labels) else []


def _file(run: Run, name: str) -> Path | None:
    return run.folder / name if run.folder is not None and (run.folder / name).exists() else None


def _read_examples(path: Path) -> Examples:
    arrays = read_npz(path, fix="evaluate again to write it anew")
    if "keys" not in arrays:
        raise UserError(f"{path}: no array 'keys'; evaluate again to write it anew")
    keys = tuple(str(k) for k in arrays["keys"])
    prompts, labels = (tuple(map(str, arrays.get(name, [""] * len(keys)))) for name in ("prompts", "labels"))
    mels = {s: _rounded(a) for s, a in arrays.items() if s not in _ABOUT_QUERIES}
    for system, mel in mels.items():
        if mel.ndim != 3 or len(mel) not in (len(keys), min(len(keys), MAX_QUERIES)):
            raise UserError(f"{path}: '{system}' must be ({len(keys)}, bands, frames), got {mel.shape}; evaluate again")
    hz = tuple(float(f) for f in arrays.get("hz", ()))
    return Examples(keys, prompts, mels, labels, hz, float(arrays.get("hop_s", 0.0)))


def _rounded(mel: NDArray[np.generic]) -> Float32:
    """Round to an eighth of a neper: finer than the figure's colours, exact in float16, and packs well."""
    result: Float32 = (np.round(mel.astype(np.float32) * 8) / 8).astype(np.float32)
    return result


def projection(run: Run) -> dict[str, Float32] | None:
    """Return the projected embeddings of a gap run by name, (n, 2) float32 each; None where it has none.

    Raises:
        UserError: an array is not (n, 2).
    """
    path = _file(run, filenames.PROJECTION)
    if path is None:
        return None
    points: dict[str, Float32] = {}
    for name, array in read_npz(path, fix="run `gap` again").items():
        if array.ndim == 2 and array.shape[1] == 2 and np.issubdtype(array.dtype, np.floating):
            points[name] = np.round(array.astype(np.float64), 3).astype(np.float32)
    if "image" not in points or "text" not in points:
        raise UserError(f"{path}: needs arrays 'image' and 'text' of shape (n, 2); run `gap` again")
    return points


def export_examples(shown: Examples, folder: Path, whole: Collection[str] = ()) -> None:
    """Write the spectrograms that the figures show, so that they can be remade.

    Args:
        shown: of all systems.
        folder: of the record.
        whole: systems of which all queries are written; of the others the first :data:`MAX_QUERIES`.
    """
    k = len(shown.keys) if whole else MAX_QUERIES
    arrays: dict[str, Any] = {
        s: (m if s in whole else m[:MAX_QUERIES]).astype(np.float16) for s, m in shown.mels.items()
    }
    arrays |= {name: np.array(getattr(shown, name)[:k]) for name in ("keys", "prompts", "labels")}
    arrays |= {"hz": np.array(shown.hz), "hop_s": np.array(shown.hop_s)}
    with atomic.replacing(folder / filenames.EXAMPLES) as temporary:
        np.savez_compressed(temporary, **arrays)


def export_projection(points: Mapping[str, Float32], folder: Path) -> None:
    """Write projected embeddings, (n, 2) each, so that the figure can be remade."""
    arrays: dict[str, Any] = dict(points)
    with atomic.replacing(folder / filenames.PROJECTION) as temporary:
        np.savez_compressed(temporary, **arrays)
