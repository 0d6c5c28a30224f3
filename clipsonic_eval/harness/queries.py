"""Text queries from a table: the prompts, and perhaps images, that every system is sampled on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clipsonic_eval.datasets import AUDIO_SUFFIXES, key_of, without_suffix
from clipsonic_eval.errors import UserError, listed
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.metrics import attributes
from clipsonic_eval.progress import Progress
from clipsonic_eval.tables import Row, read_table
from clipsonic_eval.types import Query, Skip

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore

_COLUMNS = ("key", "prompt", "label", "image", "path")
_LONGEST_KEY = 200  # bytes; with the suffix and a temporary file's additions still a file name everywhere


@dataclass(frozen=True, slots=True)
class QuerySet:
    """Queries read from a table.

    Attributes:
        queries: one per key, with its first caption.
        skipped: rows of the table that could not be used.
        notes: sentences about how the table was read.
        captions: all captions of the keys that have several, in the order of the table.
        prompts: first caption by key.
        images: file by key, where there is one.
        labels: class name by key, where there is one.
        attributes: by name, that attribute by key, where a query has it.
        texts: (key, caption) of every caption, sorted by key.
        hash: eight hex digits over keys, captions and labels.
        attribute_hashes: by name, eight hex digits over the keys and values of an attribute.
    """

    queries: tuple[Query, ...]
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(init=False)
    images: Mapping[str, Path] = field(init=False)
    labels: Mapping[str, str] = field(init=False)
    attributes: Mapping[str, Mapping[str, str]] = field(init=False)
    texts: tuple[tuple[str, str], ...] = field(init=False)
    hash: str = field(init=False)
    attribute_hashes: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        prompts = {query.key: query.prompt for query in self.queries}
        labels = {query.key: query.label for query in self.queries if query.label}
        captions = {key: list(self.captions.get(key, [prompt])) for key, prompt in sorted(prompts.items())}
        content = [
            [key, texts if key in self.captions else texts[0], labels.get(key)] for key, texts in captions.items()
        ]
        attributes: dict[str, dict[str, str]] = {}
        for query in self.queries:
            for name, value in query.attributes.items():
                attributes.setdefault(name, {})[query.key] = value
        object.__setattr__(self, "attributes", attributes)
        object.__setattr__(self, "attribute_hashes", {n: config_hash(by_key)[:8] for n, by_key in attributes.items()})
        object.__setattr__(self, "prompts", prompts)
        object.__setattr__(self, "images", {q.key: q.image for q in self.queries if q.image is not None})
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "texts", tuple((key, text) for key, texts in captions.items() for text in texts))
        object.__setattr__(self, "hash", config_hash(content)[:8])

    def single(self, path: Path, fix: str) -> tuple[Query, ...]:
        """Return the queries, where each key must have one caption only.

        Raises:
            UserError: a key has several.
        """
        if self.captions:
            key, prompts = next(iter(self.captions.items()))
            raise UserError(
                f"{path}: {len(self.captions)} keys have several prompts (the first, '{key}', has {len(prompts)}), and "
                f"one is needed here; {fix}"
            )
        return self.queries

    def show_notes(self, progress: Progress) -> None:
        """Show how the table was read."""
        for note in self.notes:
            progress.note(note)


def read_queries(path: Path) -> QuerySet:
    """Read queries from a table (see :mod:`clipsonic_eval.tables`), or from the texts of a folder of prepared clips.

    Columns: ``key`` (becomes the name of the output file), ``prompt``, and optionally ``label``, ``image`` or ``path``
    (an image or a video, relative to the folder of the table), and the attributes that a metric compares with
    (``count``, ``size``). Without a key the name of the file serves; a
    key that is the name of a media file loses its suffix. Other columns are noted as unread. A key with several rows of
    different prompts, or with columns ``caption_1`` to ``caption_5``, has several captions. Whether the files exist is
    checked when they are needed: then the query is skipped.

    Raises:
        UserError: the table cannot be read, a column is missing, or no row can be used.
    """
    if path.is_dir():
        from clipsonic_eval.clips import ClipStore

        return _of_clips(ClipStore.open(path))
    fix = "give a table with the columns key and prompt"
    extra = attributes()
    table = read_table(path, _COLUMNS, required=(("key", "path"), "prompt"), captions=True, extra=extra, fix=fix)
    if {"image", "path"} <= set(table.columns):
        raise UserError(f"{path}: has both columns 'image' and 'path'; keep the one that names the image or video")
    keys = _keys(table.rows)
    shortened = [k for row, key in zip(table.rows, keys, strict=True) if (k := row.get("key")) not in (None, key)]
    notes = list(table.notes)
    if shortened:
        notes.append(f"{path}: keys that are names of files were read without the suffix: {listed(shortened)}")
    first: dict[str, tuple[int, Query]] = {}
    captions: dict[str, list[str]] = {}
    skipped = list(table.skipped)
    for row, key in zip(table.rows, keys, strict=True):
        query = _query(path.parent, key, row, extra)
        line, known = first.setdefault(key, (row.line, query))
        problem = _problem(key)
        if not problem and known is not query:
            problem = _contradicts(query, known, line)
        if not problem and query.prompt in captions.get(key, ()):
            problem = f"repeats an earlier row of key '{key}'"
        if problem:
            skipped.append(Skip(f"line-{row.line}", f"{path.name} line {row.line}: {problem}"))
        else:
            captions.setdefault(key, []).append(query.prompt)
    queries = tuple(query for key, (_, query) in first.items() if key in captions)
    if not queries:
        raise UserError(f"{path}: holds no row that can be used: {'; '.join(s.reason for s in skipped[:3])}")
    several = {key: tuple(prompts) for key, prompts in captions.items() if len(prompts) > 1}
    if several:
        notes.append(f"{path}: {len(several)} of {len(queries)} keys have several captions")
    return QuerySet(queries, tuple(skipped), tuple(notes), several)


def _contradicts(query: Query, known: Query, line: int) -> str:
    """Return in what another row of a key contradicts the first, "" if only the prompt differs."""
    pairs: list[tuple[str, object, object]] = [("label", known.label, query.label), ("file", known.image, query.image)]
    names = sorted({*known.attributes, *query.attributes})
    pairs += [(name, known.attributes.get(name), query.attributes.get(name)) for name in names]
    for what, other, own in pairs:
        if other != own:
            return f"key '{query.key}' has the {what} '{own}' here and '{other}' in line {line}"
    return ""


def check_keys(queries: Iterable[Query], *, where: str = "queries") -> None:
    """Refuse keys that appear twice or cannot be the name of a file.

    Raises:
        UserError: a key appears twice or cannot be a file name; names the first one.
    """
    seen: set[str] = set()
    for query in queries:
        if problem := _problem(query.key):
            raise UserError(f"{where}: {problem}")
        if query.key in seen:
            raise UserError(f"{where}: key '{query.key}' is there twice; every query needs a key of its own")
        seen.add(query.key)


def _problem(key: str) -> str:
    """Return why a key cannot be the name of a file, "" if it can."""
    if not key or key.startswith(".") or len(key.encode()) > _LONGEST_KEY or any(c in "/\\\0\r\n" for c in key):
        return (
            f"key '{key}' cannot be the name of a file; keys are 1 to {_LONGEST_KEY} bytes without slashes and do not "
            "begin with a dot"
        )
    return ""


def _of_clips(store: ClipStore) -> QuerySet:
    """Return the captions of clips as queries; they have no images, of which a store holds the embeddings alone.

    Raises:
        UserError: no clip has a caption.
    """
    rows = list(zip(store.keys, store.captions, store.labels, strict=True))
    queries = tuple(Query(key, captions[0], label=label) for key, captions, label in rows if captions)
    if not queries:
        raise UserError(
            f"{store.folder}: none of its {len(store)} clips has a caption; give a table with key and prompt"
        )
    without = tuple(Skip(key, "the clip has no caption") for key, captions, _ in rows if not captions)
    several = {key: captions for key, captions, _ in rows if len(set(captions)) > 1}
    notes = (f"{store.folder}: {len(several)} of {len(queries)} keys have several captions",) if several else ()
    return QuerySet(queries, without, notes, {key: tuple(dict.fromkeys(texts)) for key, texts in several.items()})


def _keys(rows: Sequence[Row]) -> list[str]:
    """Return the keys; names of media files lose their suffix, unless two keys would become one."""
    written = [row.get("key") or key_of(Path(row.values["path"].rsplit("/", 1)[-1])) for row in rows]
    short = [without_suffix(key) for key in written]
    return short if len(set(short)) == len(set(written)) else written


def _query(folder: Path, key: str, row: Row, extra: Sequence[str]) -> Query:
    file = row.get("image") or row.get("path")
    if file is not None and Path(file).suffix.lower() in AUDIO_SUFFIXES:
        file = None  # an audio file is no query image
    own = {name: value for name in extra if (value := row.get(name)) is not None}
    return Query(key, row.values["prompt"], None if file is None else folder / file, row.get("label"), own)
