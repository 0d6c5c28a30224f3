"""The folder of a built listening test: which files there are, and what belongs to whom.

Only ``public/`` reaches a listener; ``stimuli.csv`` says which file is whose and stays with the experimenter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clipsonic_eval import filenames
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_csv, read_json
from clipsonic_eval.listening.plan import ListeningPlan, read

STIMULI: Final = "stimuli.csv"
TEXTS: Final = "texts.json"
PUBLIC: Final = "public"  # all that listeners get
CLIPS: Final = f"{PUBLIC}/clips"
COLUMNS: Final = (
    "condition", "query", "file", "seconds", "cut_s", "loudness_lufs", "true_peak_db", "gain_db", "level_lufs",
    "source_sha256",
)  # fmt: skip
IMAGE: Final = "image"  # condition of the pictures of queries
VOLUME: Final = "volume"  # condition of the noise that the volume is set by


@dataclass(frozen=True, slots=True)
class ListeningFolder:
    """A built listening test.

    Attributes:
        root: the folder.
        plan: of the test.
        files: name in ``public/clips/`` by condition and query.
        texts: ``title``, ``consent`` and ``instructions``.
    """

    root: Path
    plan: ListeningPlan
    files: Mapping[tuple[str, str], str]
    texts: Mapping[str, str]

    def path(self, name: str) -> Path:
        """Return the path of a file that listeners get."""
        return self.root / CLIPS / name


def open_folder(root: Path) -> ListeningFolder:
    """Read the folder that ``listen build`` wrote.

    Raises:
        UserError: it is none, is not complete, or its plan was changed.
    """
    fix = "`listen build` writes it; run it again if it was stopped"
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give one that `listen build` wrote")
    rows = read_csv(root / STIMULI, fix=fix)
    texts = read_json(root / TEXTS, fix=fix)
    files = {(row["condition"], row["query"]): row["file"] for row in rows if set(COLUMNS) <= row.keys()}
    plan = read(root / filenames.PLAN)
    missing = [pair for pair in plan.stimuli() if pair not in files]
    if missing or not files:
        raise UserError(
            f"{root / STIMULI}: lists no file for {' of '.join(missing[0]) if missing else 'anything'}; {fix}"
        )
    gone = [name for name in files.values() if not (root / CLIPS / name).is_file()]
    if gone:
        raise UserError(f"{root / CLIPS}: {len(gone)} files are not there, the first {gone[0]}; {fix}")
    return ListeningFolder(root, plan, files, texts)
