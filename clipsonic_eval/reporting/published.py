"""Numbers from elsewhere, from a file that names their source: a table of their own, visibly apart.

Nobody but their authors knows everything that changed such a number, so that none shares a column with a number of ours
or of another source.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.config import read_yaml
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.formats import arrow
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.markup import Column, Text, TextTable

_FIX: Final = "see examples/published.yaml in the repository"
_NONE: Final = Text("–")


class _Source(NamedTuple):
    """The numbers of one source.

    Attributes:
        source: authors, title, year and the number of the table.
        url: of the source, "" for none.
        data: what was evaluated, e.g. a test set.
        signature: what is known of how the numbers were computed.
        higher: whether higher is better, by metric.
        rows: values as they were printed, by system and metric.
    """

    source: str
    url: str
    data: str
    signature: str
    higher: Mapping[str, bool]
    rows: Mapping[str, Mapping[str, str]]


def read(path: Path) -> list[_Source]:
    """Read a YAML file of numbers from elsewhere.

    Raises:
        ConfigError: there is no such file, or an entry lacks its source, a direction or its rows.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such file; give a YAML file of published numbers, {_FIX}")
    tree = read_yaml(path)
    entries = tree.get("published")
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{path}: needs a list 'published' of sources; {_FIX}")
    return [_entry(entry, f"{path}: source {i}") for i, entry in enumerate(entries, 1)]


def _entry(entry: Any, where: str) -> _Source:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: needs the keys source, better and rows; {_FIX}")
    unknown = set(entry) - {"source", "url", "data", "signature", "better", "rows"}
    if unknown:
        raise ConfigError(f"{where}: unknown key '{min(map(str, unknown))}'; {_FIX}")
    if not isinstance(entry.get("source"), str) or not entry["source"].strip():
        raise ConfigError(
            f"{where}: has no 'source'; name authors, title, year and table, so that a reader can look it up"
        )
    better, rows = entry.get("better"), entry.get("rows")
    if not isinstance(better, dict) or not set(better.values()) <= {"lower", "higher"}:
        raise ConfigError(f"{where}: 'better' must say 'lower' or 'higher' for each metric; {_FIX}")
    if not isinstance(rows, dict) or not rows:
        raise ConfigError(f"{where}: has no 'rows'; give the values of each system by metric; {_FIX}")
    values = {str(system): _values(row, better, f"{where}, '{system}'") for system, row in rows.items()}
    text = {key: str(entry.get(key) or "") for key in ("source", "url", "data", "signature")}
    higher = {str(metric): word == "higher" for metric, word in better.items()}
    return _Source(text["source"], text["url"], text["data"], text["signature"] or "unknown", higher, values)


def _values(row: Any, better: Mapping[str, str], where: str) -> dict[str, str]:
    if not isinstance(row, dict) or not row:
        raise ConfigError(f"{where}: needs a value by metric, e.g. {{FAD: 3.495}}")
    for metric, value in row.items():
        if metric not in better:
            raise ConfigError(f"{where}: 'better' does not say whether a lower or a higher {metric} is better; add it")
        try:
            float(value)
        except (TypeError, ValueError):
            raise ConfigError(
                f"{where}: {metric} is '{value}', which is no number; write it as it was printed"
            ) from None
    return {str(metric): str(value) for metric, value in row.items()}


def table(found: list[_Source], *, label: str = "tab:published") -> TextTable:
    """Return the table: systems in rows, a column for each metric of each source."""
    columns = [Column("Reported elsewhere", text=lambda name: Text(f"{name} †"))]
    notes: list[str] = []
    for i, one in enumerate(found, 1):
        for metric, higher in one.higher.items():
            number = f" [{i}]" if len(found) > 1 else ""
            columns.append(Column(f"{metric} {arrow(higher)}{number}", text=partial(_cell, one, metric)))
        url = markup.code(one.url) if one.url else ""
        data = f"evaluated on {one.data}" if one.data else ""
        said = [one.source, url, data, f"signature: {one.signature}"]
        notes.append((f"[{i}] " if len(found) > 1 else "† ") + ", ".join(part for part in said if part))
    systems = list(dict.fromkeys(name for one in found for name in one.rows))
    return TextTable(
        caption=(
            "† Numbers reported elsewhere, as they were printed. How they were computed is not known in full, so they "
            "compare with no number of another table or source."
        ),
        cells=markup.cells(columns, {"": systems}),
        notes=tuple(notes),
        label=label,
    )


def _cell(one: _Source, metric: str, system: str) -> Text:
    value = one.rows.get(system, {}).get(metric)
    return _NONE if value is None else Text(value.replace("-", "−"))


def to_csv(found: list[_Source]) -> str:
    """Return the numbers as CSV, one row per value."""
    rows = [(one, system, metric) for one in found for system, row in one.rows.items() for metric in row]
    columns = [
        Column(csv_name="system", value=lambda row: row[1]),
        Column(csv_name="metric", value=lambda row: row[2]),
        Column(csv_name="direction", value=lambda row: "higher" if row[0].higher[row[2]] else "lower"),
        Column(csv_name="value", value=lambda row: row[0].rows[row[1]][row[2]]),
        Column(csv_name="data", value=lambda row: row[0].data),
        Column(csv_name="source", value=lambda row: row[0].source),
        Column(csv_name="url", value=lambda row: row[0].url),
        Column(csv_name="signature", value=lambda row: row[0].signature),
    ]
    return markup.csv(columns, rows)
