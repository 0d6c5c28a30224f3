"""Values per clip, stored next to a record: ``clips.parquet``, one row for each clip, system and metric.

Columns: ``metric``, ``system``, ``what``, ``key``, ``value``. ``what`` is ``value`` (of a mean over clips),
``influence`` (what the clip does to a statistic of sets, see :class:`~clipsonic_eval.metrics.ClipInfluence`) or
``reference_influence`` (the same of the reference's clips). Everything that reads Parquet reads it.

Values are float64, so that a paired test made from the file is the one that the evaluation made, to the digit. Names
and keys are dictionary-coded and the bytes of the values are stored plane by plane before zstd.
"""

from __future__ import annotations

import io
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


def write(scores: Iterable[Score], folder: Path) -> dict[str, Any] | None:
    """Write values per clip atomically.

    Returns:
        The record's entry for the file: name, SHA-256 and rows. None if there are no values; then there is no file.
    """
    parts = [
        (score.metric, score.system, what, values)
        for score in scores
        for what, name in FIELDS.items()
        if (values := getattr(score, name))
    ]
    path = folder / filenames.CLIP_VALUES
    if not parts:
        path.unlink(missing_ok=True)
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {column: [part[i] for part in parts for _ in part[3]] for i, column in enumerate(_COLUMNS[:3])}
    keys = list(chain.from_iterable(part[3] for part in parts))
    numbers = list(chain.from_iterable(part[3].values() for part in parts))
    table = pa.table(
        {
            **{column: pa.array(values).dictionary_encode() for column, values in names.items()},
            "key": pa.array(keys, pa.string()).dictionary_encode(),
            "value": pa.array(numbers, pa.float64()),
        }
    )
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
    return {"file": filenames.CLIP_VALUES, "sha256": file_sha256(path), "rows": len(numbers)}


def read(entry: Mapping[str, Any], folder: Path) -> dict[tuple[str, str], dict[str, dict[str, float]]]:
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
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(path.read_bytes()))
        if file.metadata.num_rows != entry["rows"] or file.metadata.num_rows > _MOST_ROWS:
            raise UserError(
                f"{path}: {file.metadata.num_rows} rows where the record says {entry['rows']}; fetch it again"
            )
        table = file.read(columns=list(_COLUMNS))
        columns = [table.column(name).to_pylist() for name in _COLUMNS]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UserError(
            f"{path}: not readable as the values of clips ({type(error).__name__}); fetch it again"
        ) from None
    found: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for metric, system, what, key, value in zip(*columns, strict=True):
        if what in FIELDS:
            found.setdefault((metric, system), {}).setdefault(FIELDS[what], {})[key] = value
    return found
