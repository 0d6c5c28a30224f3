"""Values per clip, stored next to a record: ``clips.parquet``, one row for each clip, system and metric.

Columns: ``metric``, ``system``, ``what``, ``key``, ``value``. ``what`` is ``value`` (of a mean over clips),
``influence`` (what the clip does to a statistic of sets, see :class:`~clipsonic_eval.metrics.ClipInfluence`) or
``reference_influence`` (the same of the reference's clips). Everything that reads Parquet reads it.

Values are float64, so that a paired test made from the file is the one that the evaluation made, to the digit. Names
and keys are dictionary-coded and the bytes of the values are stored plane by plane before zstd.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from clipsonic_eval import atomic, filenames
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import require_regular
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.types import Score

FIELDS: Final = {"value": "per_clip", "influence": "influence", "reference_influence": "reference_influence"}
_COLUMNS: Final = ("metric", "system", "what", "key", "value")
_MOST_ROWS: Final = 100_000_000  # a small file may claim any number of rows

Columns = dict[str, list[Any]]  # metric, system, what, key, value: equally long
ByScore = dict[tuple[str, str], dict[str, dict[str, float]]]


def write(scores: Iterable[Score], folder: Path) -> dict[str, Any] | None:
    """Write values per clip atomically.

    Returns:
        The record's entry for the file: name, SHA-256 and rows. None if there are no values; then there is no file.
    """
    path = folder / filenames.CLIP_VALUES
    columns = as_columns(scores)
    if not columns["value"]:
        path.unlink(missing_ok=True)
        return None
    write_columns(columns, path)
    return {"file": filenames.CLIP_VALUES, "sha256": file_sha256(path), "rows": len(columns["value"])}


def as_columns(scores: Iterable[Score]) -> Columns:
    """Return the values per clip of some scores as equally long columns, empty ones where there are none."""
    parts = [
        (score.metric, score.system, what, values)
        for score in scores
        for what, name in FIELDS.items()
        if (values := getattr(score, name))
    ]
    names = {column: [part[i] for part in parts for _ in part[3]] for i, column in enumerate(_COLUMNS[:3])}
    keys = list(chain.from_iterable(part[3] for part in parts))
    return {**names, "key": keys, "value": list(chain.from_iterable(part[3].values() for part in parts))}


def write_columns(columns: Columns, path: Path, *, single: bool = False) -> None:
    """Write columns of values per clip as Parquet, atomically.

    Args:
        columns: from :func:`as_columns`.
        path: of the file.
        single: store float32, half the size.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {name: pa.array(columns[name], pa.string()).dictionary_encode() for name in _COLUMNS[:4]}
    values = pa.array(columns["value"], pa.float64())
    table = pa.table({**names, "value": values.cast(pa.float32(), safe=False) if single else values})
    with atomic.replacing(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=list(_COLUMNS[:4]),
            column_encoding={"value": "BYTE_STREAM_SPLIT"},
            write_statistics=False,
        )


def read(entry: Mapping[str, Any], folder: Path) -> ByScore:
    """Read values per clip by (metric, system), field of :class:`Score` and key.

    Args:
        entry: of the file in the record, see :func:`write`.
        folder: of the record.

    Raises:
        UserError: the file is not the one that was written with the record.
    """
    path = folder / filenames.CLIP_VALUES
    require_regular(path)
    if file_sha256(path) != entry["sha256"]:
        raise UserError(
            f"{path}: damaged, or of another run: its SHA-256 is not the one in the record; fetch it again, or delete "
            "it to read the record without values of clips"
        )
    return by_score(read_columns(path, entry["rows"]))


def read_columns(path: Path, rows: int) -> Columns:
    """Read columns of values per clip.

    Args:
        path: of the file.
        rows: how many there must be.

    Raises:
        UserError: not readable as Parquet with these columns, or of another number of rows.
    """
    require_regular(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # without Arrow's threads: one that still holds the bytes while the interpreter ends would abort the process
        file = pq.ParquetFile(pa.BufferReader(path.read_bytes()), pre_buffer=False)
        if file.metadata.num_rows != rows or file.metadata.num_rows > _MOST_ROWS:
            raise UserError(f"{path}: {file.metadata.num_rows} rows where the record says {rows}; fetch it again")
        table = file.read(columns=list(_COLUMNS), use_threads=False)
        return {name: table.column(name).to_pylist() for name in _COLUMNS}
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UserError(
            f"{path}: not readable as the values of clips ({type(error).__name__}); fetch it again"
        ) from None


def by_score(columns: Columns) -> ByScore:
    """Return values per clip by (metric, system), field of :class:`Score` and key."""
    found: ByScore = {}
    for metric, system, what, key, value in zip(*(columns[name] for name in _COLUMNS), strict=True):
        if what in FIELDS:
            found.setdefault((metric, system), {}).setdefault(FIELDS[what], {})[key] = value
    return found
