"""Stored statistics as a reference: mean (d,) and covariance (d, d) of embeddings that need not be there any more.

Formats that are read, none of them a pickle:

- ours, written by ``embed --statistics FILE.npz``: ``mu``, ``sigma``, the number of rows and clips, the card of the
  encoder, and a hash of the contents of the clips. The encoder must be the one that embeds the systems.
- an ``.npz`` with ``mu`` and ``sigma`` or ``cov`` (pytorch-fid) or ``mu_ref`` and ``sigma_ref`` (stable-audio-metrics),
  or with ``<model>.mu`` and ``<model>.cov`` for one or several models (fadtk's packaged statistics);
  ``FILE.npz:MODEL`` names one.
- a folder with ``mu.npy`` and ``cov.npy`` (fadtk's ``stats/<model>`` next to a set of audio).
- an ``.npy`` of embeddings (n, d) (frechet-audio-distance's ``background_embds``).

The last three name no encoder, so that only the dimension can be checked; a finding reports it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import atomic
from clipsonic_eval.arrays import read_npy, read_npz
from clipsonic_eval.arraytypes import AnyArray
from clipsonic_eval.errors import ShapeError, SpaceError, UserError
from clipsonic_eval.files import parse_json
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.stats.moments import Moments
from clipsonic_eval.types import Embeddings, EncoderCard, Finding

_NAMES = (("mu", "sigma"), ("mu", "cov"), ("mu_ref", "sigma_ref"))  # of mean and covariance
_FORM = (
    "; stored statistics are an .npz with mu and sigma (or MODEL.mu and MODEL.cov), or a folder with mu.npy and cov.npy"
)


@dataclass(frozen=True, slots=True)
class StoredStatistics:
    """Mean and covariance of a reference set.

    Attributes:
        source: name of the file or folder.
        gaussian: mean and covariance.
        digest: eight hex digits over the arrays.
        card: of the encoder, as JSON; None: the file names none.
    """

    source: str
    gaussian: Gaussian
    digest: str
    card: Mapping[str, Any] | None = None

    def check(self, encoders: Mapping[str, EncoderCard]) -> None:
        """Refuse encoders that cannot have made these statistics.

        Args:
            encoders: cards by role, of the metrics that compare with the reference.

        Raises:
            SpaceError: another dimension or, where the file names its encoder, another encoder.
        """
        for role, card in encoders.items():
            if len(self.gaussian.mean) != card.dim:
                raise SpaceError(
                    f"{self.source}: statistics of {len(self.gaussian.mean)} dimensions, but the encoder for '{role}', "
                    f"{card.short}, gives {card.dim}; name the encoder that they were made with"
                )
            here = _identity(asdict(card))
            if self.card is not None and _identity(self.card) != here:
                was, now = self.card, here
                differs = next(k for k in now if _identity(was)[k] != now[k])
                raise SpaceError(
                    f"{self.source}: made with {was['name']}+{str(was['weights_sha256'])[:8]}, but '{role}' is "
                    f"embedded by {card.short} ({differs} differs); name the same encoder, or make the statistics "
                    "again with embed --statistics"
                )

    def findings(self) -> tuple[Finding, ...]:
        """Return a finding where the encoder cannot be checked."""
        if self.card is not None:
            return ()
        sentence = (
            f"{self.source} names no encoder, only {len(self.gaussian.mean)} dimensions: whether the systems are "
            "embedded in the same way cannot be checked, and distances mean nothing if they are not; statistics "
            "written by embed --statistics name their encoder"
        )
        return (Finding("stored-statistics", "warning", (), sentence),)


def _identity(card: Mapping[str, Any]) -> dict[str, Any]:
    return {key: card.get(key) for key in ("name", "weights_sha256", "preprocessing", "dim", "num")}


def is_stored(path: Path) -> bool:
    """Return whether a reference is stored statistics, by its name."""
    file, _ = parts(path)
    return file.suffix.lower() in (".npz", ".npy") or ((path / "mu.npy").exists() and (path / "cov.npy").exists())


def parts(path: Path) -> tuple[Path, str]:
    """Split ``FILE.npz:MODEL`` into file and model; "" if no model is named."""
    name, colon, model = path.name.rpartition(":")
    if colon and name.lower().endswith(".npz") and not path.exists():
        return path.with_name(name), model
    return path, ""


def read(path: Path) -> StoredStatistics:
    """Read stored statistics, see the module.

    Raises:
        UserError: not there, not readable without pickles, several models, or no mean and covariance.
        ShapeError: the arrays do not fit, or are no mean and covariance.
    """
    file, model = parts(path)
    shown = f"{file.name}:{model}" if model else file.name
    if file.is_dir():
        pair = read_npy(file / "mu.npy"), read_npy(file / "cov.npy")
        return StoredStatistics(f"{file.parent.name}/{shown}", _gaussian(path, *pair), _digest(*pair))
    if file.suffix.lower() == ".npy":
        rows = read_npy(file)
        if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating):
            raise ShapeError(f"{path}: {rows.dtype} {rows.shape}; an .npy holds embeddings (n, d), a row each{_FORM}")
        try:
            return StoredStatistics(shown, Gaussian.fit(rows), _digest(rows))
        except ShapeError as error:
            raise ShapeError(f"{path}: {error}") from None
    arrays = read_npz(file)
    mean, covariance = _chosen(path, arrays, model)
    gaussian, digest = _gaussian(path, mean, covariance), _digest(mean, covariance)
    if "card" not in arrays:
        return StoredStatistics(shown, gaussian, digest)
    try:
        card = parse_json(str(arrays["card"]))
        return StoredStatistics(shown, gaussian, digest, {**card, **_identity(card)})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{path}: the card of its encoder is damaged; write it again with embed --statistics") from None


def _chosen(path: Path, arrays: Mapping[str, AnyArray], model: str) -> tuple[AnyArray, AnyArray]:
    """Return mean and covariance of the one model, or of the named one."""
    found: dict[str, tuple[AnyArray, AnyArray]] = {}
    for name in arrays:
        owner, dot, last = name.rpartition(".")
        for mean, covariance in _NAMES:
            if last == mean and owner + dot + covariance in arrays:
                found.setdefault(owner, (arrays[name], arrays[owner + dot + covariance]))
    if model and model not in found:
        raise UserError(f"{path}: no statistics of '{model}'; there are {', '.join(sorted(found)) or 'none'}")
    if not found:
        raise UserError(f"{path}: no mean and covariance; it holds {', '.join(sorted(arrays)) or 'nothing'}{_FORM}")
    if len(found) > 1 and not model:
        raise UserError(f"{path}: statistics of {', '.join(sorted(found))}; say which one, as {path.name}:MODEL")
    return found[model] if model else next(iter(found.values()))


def _digest(*arrays: AnyArray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array, np.float64).tobytes())
    return digest.hexdigest()[:8]


def _gaussian(path: Path, mean: AnyArray, covariance: AnyArray) -> Gaussian:
    if not all(np.issubdtype(a.dtype, np.floating) for a in (mean, covariance)):
        raise ShapeError(f"{path}: mean and covariance must be floating point, got {mean.dtype} and {covariance.dtype}")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ShapeError(f"{path}: mean or covariance hold NaN or infinity; make the statistics again")
    try:
        return Gaussian.from_covariance(mean, covariance)
    except ShapeError as error:
        raise ShapeError(f"{path}: {error}") from None


def write_statistics(path: Path, parts: Sequence[Embeddings], digests: Sequence[str]) -> None:
    """Write mean and covariance of embeddings atomically; other tools read ``mu`` (d,) and ``sigma`` (d, d).

    Args:
        path: ends in ``.npz``.
        parts: embeddings (n, d) of one encoder, together all clips.
        digests: content hash of each clip.

    Raises:
        ShapeError: fewer than two rows.
    """
    moments = Moments.of(part.vectors for part in parts)
    if moments.n < 2:
        raise ShapeError(f"statistics need at least 2 embedding rows, got {moments.n}; give more clips")
    with atomic.replacing(path) as temporary:
        np.savez(
            temporary,
            mu=moments.mean,
            sigma=moments.scatter / (moments.n - 1),  # Σ = S / (n − 1)
            rows=np.array(moments.n),
            clips=np.array(len(digests)),
            card=np.array(json.dumps(asdict(parts[0].space))),
            content=np.array(config_hash(sorted(digests))),
        )
