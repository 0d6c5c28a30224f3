"""Shares of a sampling job: several processes or machines write the wavs of one folder.

Each share keeps its tables in ``.shares/<queries>-of-<n>/<i>/`` of that folder, and marks them when it is done; the one
that finds every share done joins them into the folder's own tables.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import filenames
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.files import read_csv, write_json
from clipsonic_eval.harness.queries import QuerySet
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.types import Query, Skip

_DONE = "done.json"
_FIX = "sample again"


@dataclass(frozen=True, slots=True)
class Share:
    """The queries of a job, and which of them one process samples.

    Attributes:
        of: all queries of the job. Rows that a :class:`clipsonic_eval.harness.queries.QuerySet` skipped are listed
            among the skipped queries of the first share.
        part: (i, n): every n-th query from the i-th on, i in 1..n.
    """

    of: QuerySet | Sequence[Query]
    part: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        if not 1 <= self.part[0] <= self.part[1]:
            raise UserError(f"share {self.part[0]}/{self.part[1]}: the first number counts from 1 to the second")

    @property
    def is_whole(self) -> bool:
        """Whether one process samples all queries."""
        return self.part == (1, 1)

    @property
    def all(self) -> Sequence[Query]:
        """The queries of all shares."""
        return self.of.queries if isinstance(self.of, QuerySet) else self.of

    @property
    def mine(self) -> Sequence[Query]:
        """The queries of this share."""
        return self.all[self.part[0] - 1 :: self.part[1]]

    @property
    def unread(self) -> Sequence[Skip]:
        """Rows that could not be read, in the first share."""
        return self.of.skipped if isinstance(self.of, QuerySet) and self.part[0] == 1 else ()

    def tables(self, out: Path) -> Path:
        """Return the folder of this share's tables: ``out`` itself where there is but one share."""
        return out if self.is_whole else self._together(out) / str(self.part[0])

    def _together(self, out: Path) -> Path:
        asked = config_hash([[query.key, query.prompt, str(query.image or "")] for query in self.all])
        return out / filenames.SHARES / f"{asked}-of-{self.part[1]}"

    def begin(self, out: Path) -> None:
        """Take back an earlier mark of this share."""
        (self.tables(out) / _DONE).unlink(missing_ok=True)

    def end(self, out: Path) -> int:
        """Mark this share as done, and return how many are not."""
        if self.is_whole:
            return 0
        write_json(self.tables(out) / _DONE, {"queries": len(self.mine)})
        return self.part[1] - len(list(self._together(out).glob(f"*/{_DONE}")))

    def skipped(self, out: Path) -> list[Skip]:
        """Return what all shares skipped, in the order of the shares."""
        paths = [self._together(out) / str(i + 1) / filenames.SKIPPED for i in range(self.part[1])]
        rows = (row for path in paths if path.exists() for row in read_csv(path, MediaError, fix=_FIX))
        return [Skip(row["key"], row["reason"]) for row in rows]

    def sampled(self, out: Path) -> list[dict[str, str]]:
        """Return the rows of all tables of samples in the folder, those of this job last."""
        mine = self._together(out)
        found = sorted(
            (out / filenames.SHARES).glob(f"*/*/{filenames.SAMPLES}"), key=lambda path: path.parent.parent == mine
        )
        paths = [path for path in (out / filenames.SAMPLES, *found) if path.exists()]
        return [dict(row) for path in paths for row in read_csv(path, MediaError, fix=f"remove the folder and {_FIX}")]

    def clear(self, out: Path) -> None:
        """Remove the tables of other jobs' shares; where there is but one share, of all."""
        for folder in (out / filenames.SHARES).glob("*"):
            if self.is_whole or folder != self._together(out):
                shutil.rmtree(folder, ignore_errors=True)
        if self.is_whole:
            shutil.rmtree(out / filenames.SHARES, ignore_errors=True)
