"""Parquet tables that hold the sounds or videos themselves, as ``datasets`` of the Hugging Face hub are stored.

A feature ``Audio`` or ``Video`` is a column of structs with the fields ``bytes`` and ``path``; a feature ``ClassLabel``
holds whole numbers whose names stand in the table's metadata. Only captions, labels and names are read here; a sound is
read when it is decoded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, Member, SourceItem
from clipsonic_eval.datasets._files import key_of, refuse_duplicates, safe
from clipsonic_eval.datasets._lists import split_of_folders, split_of_word
from clipsonic_eval.errors import UserError, listed
from clipsonic_eval.files import parse_json, require_regular
from clipsonic_eval.table_columns import is_missing, meaning_of
from clipsonic_eval.tables import refuse_unknown_split
from clipsonic_eval.types import Skip

_MEDIA: Final[tuple[str, ...]] = ("video", "audio")  # of several columns of media the one named so, in this order
_TEXTS: Final = ("key", "prompt", "label", "split")


class _Columns(NamedTuple):
    """What a table's columns hold: the media, texts by meaning, and the names of numbered classes by column."""

    media: str
    texts: Mapping[str, str]
    classes: Mapping[str, Sequence[str]]


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the rows of every Parquet table below ``root``, or of one table.

    A row may have columns for key, caption (or text; one or a list), label and split under any of their usual names.
    Its key is else the name of its sound, and the name and number of the row where that is missing or not unique.
    Without a column split, the beginning of the table's name (``train-00000-of-00003.parquet``) or a folder named
    train, validation or test is its split.

    Args:
        root: folder of tables, or a table.
        csv: not of this layout.
        split: ``train``, ``validation`` or ``test``, or a value of the column; None: all.

    Raises:
        UserError: no table, none with sounds or videos in it, a csv, or an unknown split.
    """
    if csv is not None:
        raise UserError(f"{csv}: tables with sounds take no csv; --prompts gives captions by key")
    tables = [root] if root.is_file() else sorted(root.rglob("*.parquet"))
    if not tables:
        raise UserError(f"{root}: holds no .parquet; SOURCE is a folder of tables, or one")
    found: list[SourceItem] = []
    skipped: list[Skip] = []
    for path in tables:
        place = Path(path.name) if path == root else path.relative_to(root)
        try:
            found += _rows(path, place)
        except UserError as error:
            skipped.append(Skip(key_of(place), str(error).replace(str(path), path.name, 1)))
    if not found:
        raise UserError(f"{root}: no table of {len(tables)} can be used: {skipped[0].reason if skipped else 'no row'}")
    refuse_unknown_split(split, (item.split for item in found), str(root))
    kept, bad = _named(found, root)
    return Listing(tuple(item for item in kept if split in (None, item.split)), (*skipped, *bad))


def _named(found: Sequence[SourceItem], root: Path) -> tuple[list[SourceItem], list[Skip]]:
    """Return the rows with unique keys, and those whose keys cannot be used."""
    count = Counter(item.key for item in found)
    kept, bad = [], []
    for item in found:
        assert item.member is not None
        named = f"{key_of(Path(item.path.name))}__{item.member.place}"
        if item.key and safe(item.key) != item.key:
            rule = "must do as a file name; use letters, digits, '.', '-', '_'"
            bad.append(Skip(named, f"{item.path.name} row {item.member.place}: key '{item.key}' {rule}"))
        else:
            kept.append(item if item.key and count[item.key] == 1 else replace(item, key=named))
    refuse_duplicates((item.key for item in kept), str(root))
    return kept, bad


def _rows(path: Path, place: Path) -> Iterator[SourceItem]:
    """Yield the rows of a table, with "" as the key of those that name none.

    Raises:
        UserError: not readable as Parquet, or no column of sounds or videos in it.
    """
    import pyarrow
    import pyarrow.parquet

    require_regular(path)
    prefix = re.split(r"[-_.]", path.stem, maxsplit=1)[0]
    of_table = split_of_folders(place) or split_of_word(prefix)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = _columns(path, file)
            wanted = [f"{columns.media}.path", *columns.texts.values()]
            batches = file.iter_batches(columns=wanted)
            for number, row in enumerate(row for batch in batches for row in batch.to_pylist()):
                yield _item(path, number, row, columns, of_table)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(
            f"{path}: not readable as Parquet ({str(error).partition(chr(10))[0]}); fetch it again"
        ) from None


def _columns(path: Path, file: Any) -> _Columns:
    """Return what the columns of an open table hold.

    Raises:
        UserError: no column holds sounds or videos, or it holds no bytes.
    """
    import pyarrow

    media: list[str] = []
    texts: dict[str, str] = {}
    for field in file.schema_arrow:
        if pyarrow.types.is_struct(field.type) and {"bytes", "path"} <= {one.name for one in field.type}:
            media.append(field.name)
        elif (meaning := meaning_of(field.name)) is not None and meaning in _TEXTS:
            texts.setdefault(meaning, field.name)
    named = [name for name in _MEDIA if name in media] or [name for name in media if not name.startswith("image")]
    if not named:
        raise UserError(
            f"{path}: no column holds sounds or videos (a struct of bytes and path); its columns are "
            f"{listed(file.schema_arrow.names, 8)}"
        )
    if _without_bytes(file.metadata, f"{named[0]}.bytes"):
        raise UserError(
            f"{path}: its column {named[0]} names files and holds none; use --dataset manifest, or audiofolder"
        )
    features = parse_json((file.schema_arrow.metadata or {}).get(b"huggingface", b"{}").decode())
    stated = features.get("info", {}).get("features", {})
    classes = {name: one["names"] for name, one in stated.items() if isinstance(one, dict) and "names" in one}
    return _Columns(named[0], texts, classes)


def _without_bytes(metadata: Any, column: str) -> bool:
    """Return whether the statistics of a table say that a column holds nothing."""
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    chunks = [group.column(k) for group in groups for k in range(group.num_columns)]
    stated = [chunk.statistics for chunk in chunks if chunk.path_in_schema == column]
    return metadata.num_rows > 0 and all(one is not None and one.num_values == 0 for one in stated)


def _item(path: Path, number: int, row: Mapping[str, Any], columns: _Columns, split: str | None) -> SourceItem:
    texts = {meaning: _texts(row[name], columns.classes.get(name)) for meaning, name in columns.texts.items()}
    first = {meaning: values[0] for meaning, values in texts.items() if values}
    captions = texts.get("prompt", ())
    name = (row[columns.media] or {}).get("path") or ""
    return SourceItem(
        first.get("key") or (key_of(Path(Path(name).name)) if name else ""),
        path,
        prompt=first.get("prompt"),
        label=first.get("label"),
        split=first.get("split", split),
        captions=captions if len(captions) > 1 else (),
        member=Member(Path(name).name or f"row-{number}", number, 0, columns.media),
    )


def _texts(value: Any, classes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the texts of a cell, or of a cell with a list; numbers of classes become their names."""
    several = value if isinstance(value, list) else [value]
    named = (
        classes[one] if classes and isinstance(one, int) and 0 <= one < len(classes) else one
        for one in several
        if isinstance(one, (str, int))
    )
    return tuple(dict.fromkeys(text for one in named if not is_missing(text := str(one).strip())))


DATASETS.add("parquet", Dataset("Parquet tables with sounds or videos in them, as on the hub", items))
