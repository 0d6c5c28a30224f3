"""The scores of a history as one table: a row per score, for pandas, csv and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clipsonic_eval import atomic
from clipsonic_eval.files import write_csv
from clipsonic_eval.history.entries import HEAD, Entries

if TYPE_CHECKING:
    from pandas import DataFrame

_OF_RECORD: Final = ("hash", "created", "commit", "kind")
_OF_SCORE: Final = ("metric", "system", "n", "unit", "higher_is_better", "ci_level", "ci_method", "signature")


def table(entries: Entries) -> dict[str, Any]:
    """Return equally long columns, the oldest record first.

    ``hash``, ``created``, ``commit``, ``kind``, ``metric``, ``system``, ``value``, ``low`` and ``high`` (ends of the
    interval, NaN where there is none), ``n``, ``unit``, ``higher_is_better``, ``ci_level``, ``ci_method``,
    ``signature``, and ``tag_<name>`` for every tag ("" where a record does not have it).
    """
    columns = entries.columns
    rows = np.repeat(np.arange(len(columns.about)), np.diff(columns.ends, prepend=0))
    heads = [dict(zip(HEAD, head, strict=True)) for head in columns.heads]
    tags = dict.fromkeys(name for about in columns.about for name in about["tags"])

    def of_record(values: list[Any]) -> Any:
        return np.array(values, object)[rows]

    def of_score(name: str) -> Any:
        return np.array([head[name] for head in heads])[columns.head]

    value, low, high = columns.numbers.T
    return {
        **{name: of_record([about[name] for about in columns.about]) for name in _OF_RECORD},
        **{name: of_score(name) for name in _OF_SCORE[:2]},
        **{"value": value, "low": low, "high": high},
        **{name: of_score(name) for name in _OF_SCORE[2:]},
        **{f"tag_{name}": of_record([str(about["tags"].get(name, "")) for about in columns.about]) for name in tags},
    }


def frame(entries: Entries) -> DataFrame:
    """Return the table as a data frame."""
    from pandas import DataFrame

    return DataFrame(table(entries))


def to_csv(entries: Entries, path: Path) -> int:
    """Write the table as csv, atomically; return its number of rows."""
    columns = table(entries)
    for name in ("low", "high"):  # an empty cell where there is no interval
        columns[name] = np.where(np.isnan(columns[name]), None, columns[name])
    write_csv(path, list(columns), zip(*(column.tolist() for column in columns.values()), strict=True))
    return len(columns["value"])


def to_parquet(entries: Entries, path: Path) -> int:
    """Write the table as Parquet, atomically; return its number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = pa.table({name: pa.array(column.tolist()) for name, column in table(entries).items()})
    with atomic.replacing(path) as temporary:
        pq.write_table(made, temporary, compression="zstd")
    return int(made.num_rows)
