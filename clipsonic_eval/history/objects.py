"""The files of a history: each named by the hash of its content, checked when it is read, never rewritten."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval import clip_values, records
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_text
from clipsonic_eval.history.packing import FORMAT, Tree, canonical, content_hash, pack, unpack
from clipsonic_eval.records import RunRecord

RECORDS: Final = "records"
COMMON: Final = "common"
CLIPS: Final = "clips"
_AGAIN: Final = "take it from version control, or add its run again"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Objects:
    """Reads and writes the files of a history.

    Attributes:
        folder: of the history.
        skeletons: that were read before, by hash.
    """

    folder: Path
    skeletons: dict[str, Any] = field(default_factory=dict, repr=False)

    def record_path(self, key: str) -> Path:
        """Return the file of a record."""
        return self.folder / RECORDS / f"{key}.json"

    def clips_path(self, key: str) -> Path:
        """Return the file of values per clip."""
        return self.folder / CLIPS / f"{key}.parquet"

    def write(self, tree: Mapping[str, Any], record: RunRecord) -> tuple[str, bool]:
        """Write a record and what it names; files that stand there already are left, damaged ones written again.

        Args:
            tree: of the record, in the version of the schema that it came in.
            record: the same, for its values per clip.

        Returns:
            Its hash, and whether it is new.
        """
        columns = clip_values.as_columns(record.scores)
        rows = len(columns["value"])
        entry: Tree | None = {"hash": values_hash(columns), "rows": rows} if rows else None
        packed, common = pack(without_values(tree))
        if entry is not None:
            packed["clips"] = {"plain": entry}
        for key, skeleton in common.items():
            path = self.folder / COMMON / f"{key}.json"
            if not _holds(path, key):
                write_text(path, canonical(skeleton))
        if entry is not None and not self._has_values(entry):
            clip_values.write_columns(columns, self.clips_path(entry["hash"]), single=True)
        key = content_hash(packed)
        path = self.record_path(key)
        known = path.exists()
        if not _holds(path, key):
            write_text(path, canonical(packed))
        return key, not known

    def _has_values(self, entry: Mapping[str, Any]) -> bool:
        try:
            return self.clips_path(entry["hash"]).exists() and bool(self._columns(entry))
        except UserError:
            return False

    def read(self, key: str) -> RunRecord:
        """Read a record with its values per clip, without them where their file was pruned.

        Raises:
            UserError: no such record, or one of its files is damaged or missing.
        """
        return records.from_tree(self.tree(key), self.record_path(key), self._values)

    def tree(self, key: str) -> Tree:
        """Read a record as JSON, in the version of the schema that it was added in.

        Raises:
            UserError: no such record, or it is damaged.
        """
        path = self.record_path(key)
        packed = checked(path, key)
        if packed.get("format") != FORMAT:
            raise UserError(f"{path}: format {packed.get('format')}; read it with the newer release that wrote it")
        try:
            return unpack(packed, self._skeleton)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(f"{path}: not a record ({type(error).__name__}: {error}); {_AGAIN}") from None

    def _skeleton(self, key: str) -> Any:
        if key not in self.skeletons:
            self.skeletons[key] = checked(self.folder / COMMON / f"{key}.json", key)
        return self.skeletons[key]

    def _values(self, entry: Mapping[str, Any] | None) -> records.ClipValues:
        if entry is None:
            return {}
        if not self.clips_path(entry["hash"]).exists():
            _log.info("%s: pruned, so the record has no values per clip", self.clips_path(entry["hash"]))
            return {}
        return clip_values.by_score(self._columns(entry))

    def _columns(self, entry: Mapping[str, Any]) -> clip_values.Columns:
        path = self.clips_path(entry["hash"])
        columns = clip_values.read_columns(path, entry["rows"])
        if values_hash(columns) != entry["hash"]:
            raise UserError(f"{path}: damaged, its values are not those that its name stands for; {_AGAIN}")
        return columns


def checked(path: Path, key: str) -> Any:
    """Read a JSON file that is named by the hash of its content.

    Raises:
        UserError: missing, not JSON, or of another content.
    """
    tree = read_json(path, fix=_AGAIN)
    if content_hash(tree) != key:
        raise UserError(f"{path}: its content does not match its name, so it was edited or damaged; {_AGAIN}")
    return tree


def _holds(path: Path, key: str) -> bool:
    try:
        return path.exists() and checked(path, key) is not None
    except UserError:
        return False


def without_values(tree: Mapping[str, Any]) -> Tree:
    """Return the tree of a record of any version without its values per clip and the name of their file."""
    names = {*clip_values.FIELDS.values(), "per_item"}  # the last: before version 3
    scores = [{name: value for name, value in score.items() if name not in names} for score in tree["scores"]]
    return {**{name: value for name, value in tree.items() if name != "clips"}, "scores": scores}


def values_hash(columns: clip_values.Columns) -> str:
    """Return the first 32 hex digits of the SHA-256 of values per clip: their names, and the values as float32.

    Taken over the values rather than over the file, which differs between releases of pyarrow.
    """
    with np.errstate(over="ignore"):
        values = np.array(columns["value"], np.float64).astype("<f4")
    digest = hashlib.sha256(values.tobytes())
    for name in ("metric", "system", "what", "key"):
        digest.update(canonical(columns[name]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]
