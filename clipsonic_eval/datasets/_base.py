"""What a dataset layout lists, and the registry of layouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from clipsonic_eval.registry import Registry
from clipsonic_eval.types import Skip


class Member(NamedTuple):
    """A file in a tar, or in a cell of a Parquet table.

    Attributes:
        name: its own.
        place: where its bytes begin in the unpacked tar; its row in the table, from 0.
        size: in bytes; 0 in a table.
        column: of the table; "" in a tar.
    """

    name: str
    place: int
    size: int
    column: str = ""


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One media file, or a segment of it.

    Attributes:
        key: identity, unique within the listing and safe as a file name.
        path: the file, or the tar or table that holds it.
        start_s: where the item begins in the file, seconds.
        duration_s: its length, seconds; None: to the end of the file.
        prompt: its caption, if any.
        label: class name, if any.
        split: e.g. ``train`` or ``test``, if any.
        captions: all its captions where it has several; ``prompt`` is the first of them.
        video: id of the video or recording that it was cut from, by which splits are compared; None: its file.
        member: the file in the tar or table ``path``; None: ``path`` is the file itself.
    """

    key: str
    path: Path
    start_s: float = 0.0
    duration_s: float | None = None
    prompt: str | None = None
    label: str | None = None
    split: str | None = None
    captions: tuple[str, ...] = ()
    video: str | None = None
    member: Member | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The contents of a source.

    Attributes:
        items: to be prepared.
        skipped: listed items that cannot be used.
        notes: sentences about how the source was read, for the screen.
        left_out: number of other files, by suffix.
    """

    items: tuple[SourceItem, ...]
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One layout.

    Attributes:
        description: one line for listings.
        items: ``items(root, csv, split)`` lists the items of a folder; ``csv`` is the list of files where the layout
            has one (None: where the layout expects it), ``split`` selects (None: all).
        licence: of the data, where the layout belongs to a published set.
        source: where the data are published.
    """

    description: str
    items: Callable[[Path, Path | None, str | None], Listing]
    licence: str = ""
    source: str = ""


DATASETS: Registry[Dataset] = Registry(
    "dataset", "clipsonic_eval.datasets", accepts=lambda thing: isinstance(thing, Dataset)
)
