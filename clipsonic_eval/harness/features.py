"""Read anybody's embeddings from arrays in a file, without pickles.

- ``.npz``: arrays ``image`` and ``text`` (n, d), and perhaps ``keys`` (n,) and any other (n, d) array, which is taken
  for what stands in the image's place (``prior``, ``PD``, ...).
- ``.npy``: one array (2, n, d), images first.
- ``.parquet``: columns ``image``, ``text`` and so on, each cell a list of d numbers; perhaps ``key``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from clipsonic_eval.arrays import FREE_BYTES, MAX_RATIO, Header, npz_headers, read_npy, read_npz
from clipsonic_eval.arraytypes import AnyArray
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.files import require_regular
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.types import Embeddings, EncoderCard, Modality

_SIDES: dict[str, Modality] = {"image": "image", "text": "text"}


def read_features(path: Path, space: str | None = None) -> dict[str, Embeddings]:
    """Read paired features: row i of every array belongs to one item.

    Args:
        path: the file.
        space: name of the encoder; files of the same name share an embedding space. None: the hash of the file names
            the space, so that its numbers compare with no other file.

    Returns:
        Embeddings (n, d) by name: ``image``, ``text`` and any other array.

    Raises:
        UserError: no such file, not readable without pickles, or arrays are missing or do not fit.
    """
    arrays = _load(path, None)
    for side in _SIDES:
        if side not in arrays:
            raise UserError(f"{path}: needs the arrays 'image' and 'text', each (n, d); found: {_named(arrays)}")
    n = len(arrays["image"])
    keys = _keys(path, arrays, n)
    found = {}
    width = arrays["image"].shape[1:] if arrays["image"].ndim == 2 else (0,)
    card = EncoderCard(
        name=space or path.stem,
        weights_sha256="declared" if space else file_sha256(path),
        dim=int(width[0]),
        modalities=("image", "text"),
        preprocessing="",
    )
    for name, array in arrays.items():
        if name in ("keys", "key"):
            continue
        if array.ndim != 2 or array.shape != arrays["image"].shape or not np.issubdtype(array.dtype, np.floating):
            raise _misfit(path, name, array, arrays["image"])
        found[name] = Embeddings(array, keys, _SIDES.get(name, "image"), card)
    return found


def read_prior(path: Path, space: EncoderCard, modality: Modality) -> Embeddings:
    """Read predicted embeddings: an npz with ``keys`` (n,) and ``vectors`` (n, d).

    Raises:
        UserError: no such file, not readable without pickles, or arrays are missing or do not fit the space.
    """
    arrays = _load(path, ("keys", "vectors"))
    if "keys" not in arrays or "vectors" not in arrays:
        raise UserError(f"{path}: needs the arrays 'keys' (n,) and 'vectors' (n, d); found: {_named(arrays)}")
    vectors = arrays["vectors"]
    if vectors.ndim != 2 or vectors.shape[1] != space.dim or not np.issubdtype(vectors.dtype, np.floating):
        raise ShapeError(
            f"{path}: 'vectors' must be floating point of shape (n, {space.dim}) like the space {space.short}, "
            f"got {vectors.dtype} {vectors.shape}"
        )
    return Embeddings(vectors, _keys(path, arrays, len(vectors)), modality, space)


def _check_shapes(path: Path, headers: Mapping[str, Header]) -> None:
    """Refuse an archive for an array that does not fit beside the images, before it is unpacked."""
    image = headers.get("image")
    for name, header in headers.items():
        wrong = header.shape != image.shape or header.dtype.kind != "f" if image else False
        if wrong and name not in ("keys", "key"):
            raise _misfit(path, name, header, image)


def _misfit(path: Path, name: str, array: Header | AnyArray, image: Header | AnyArray | None) -> ShapeError:
    beside = image.shape if image is not None else ()
    return ShapeError(
        f"{path}: array '{name}' must be floating point of the shape of 'image', (n, d), "
        f"got {array.dtype} {array.shape} beside {beside}"
    )


def _keys(path: Path, arrays: Mapping[str, AnyArray], n: int) -> tuple[str, ...]:
    given = arrays.get("keys", arrays.get("key"))
    if given is None:
        return tuple(f"{i:08d}" for i in range(n))
    if given.shape != (n,):
        raise ShapeError(f"{path}: {given.shape} keys for {n} rows; one key for each row is needed")
    return tuple(str(key) for key in given)


def _named(arrays: Mapping[str, AnyArray]) -> str:
    return ", ".join(arrays) or "none"


def _load(path: Path, names: Collection[str] | None) -> dict[str, AnyArray]:
    """Return the arrays of a file: those of these names, None: all, once their shapes are known to fit."""
    fix = "give an npz, npy or Parquet file of features"
    require_regular(path, fix=fix)
    if path.suffix == ".parquet":
        return _load_parquet(path)
    if zipfile.is_zipfile(path):
        if names is None:
            _check_shapes(path, npz_headers(path, fix=fix))
        return read_npz(path, names, fix=fix)
    loaded = read_npy(path, fix=fix)
    if loaded.ndim != 3 or len(loaded) != 2:
        raise ShapeError(f"{path}: a single array must be (2, n, d), images first, got {loaded.shape}")
    return {"image": loaded[0], "text": loaded[1]}


def _load_parquet(path: Path) -> dict[str, AnyArray]:
    import pyarrow
    from pyarrow import parquet

    try:
        said = parquet.read_metadata(path)
        groups = [said.row_group(i) for i in range(said.num_row_groups)]
        numbers = sum(group.column(c).num_values for group in groups for c in range(group.num_columns))
        if 4 * numbers > max(FREE_BYTES, MAX_RATIO * path.stat().st_size):
            raise UserError(
                f"{path}: {numbers} numbers in a file of {path.stat().st_size} bytes; it unpacks to too much"
            )
        table = parquet.read_table(path, page_checksum_verification=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not readable as Parquet ({str(error).splitlines()[0]})") from None
    result: dict[str, AnyArray] = {}
    for name in table.column_names:
        values = table.column(name).to_pylist()
        result[name] = np.array(values, dtype=None if name in ("key", "keys") else np.float32)
    return result
