"""From a plan to the folder of a listening test: sounds, the table of whose they are, the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from clipsonic_eval import filenames, outputs
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import write_csv, write_json, write_text
from clipsonic_eval.listening import folder as places
from clipsonic_eval.listening import stimuli
from clipsonic_eval.listening.database import ANSWERS
from clipsonic_eval.listening.page import page
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.media.loudness import TARGET_LUFS, require_pyloudnorm
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Skip

COMMAND: Final = "listen build"
REFUSED: Final = "refused.csv"
CONSENT: Final = """\
You will hear short sounds and say what you think of them. You may stop at any time by closing this page.

What is stored: your answers, how long each of them took, and a random number in place of your name; nothing else about
you. If you come from a crowd platform, your id there is kept apart from the answers, for the payment alone.
"""
INSTRUCTIONS: Final = "Please sit in a quiet place and wear headphones."
_AUDIBLE_LU = 0.5  # differences of loudness below this are not listed


@dataclasses.dataclass(frozen=True, slots=True)
class BuildConfig:
    """Settings of a built test.

    Attributes:
        title: of the page.
        consent: what listeners agree to before they begin; paragraphs are separated by empty lines.
        instructions: what they read before the first sound.
        rate: Hz of all sounds; None: the highest among them.
        channels: 1 (the mean of the channels, what the metrics hear) or 2.
    """

    title: str = "Listening test"
    consent: str = CONSENT
    instructions: str = INSTRUCTIONS
    rate: int | None = None
    channels: int = 1

    def __post_init__(self) -> None:
        if self.channels not in (1, 2):
            raise ConfigError(f"channels: {self.channels}; sounds have 1 channel or 2")
        if self.rate is not None and not 8000 <= self.rate <= 96000:
            raise ConfigError(f"rate: {self.rate} Hz; browsers play 8000 to 96000")
        for name in ("title", "consent", "instructions"):
            if not getattr(self, name).strip():
                raise ConfigError(f"{name}: is empty; listeners must know what they agree to and what to do")


def build(
    plan: ListeningPlan, root: Path, config: BuildConfig, *, overwrite: bool = False, progress: Progress = SILENT
) -> tuple[places.ListeningFolder, list[str]]:
    """Build a test; what an earlier, stopped call has finished is kept.

    Args:
        plan: of the test.
        root: folder of the test.
        config: its settings.
        overwrite: a test of another plan or of other settings may be replaced, as long as nobody has answered.
        progress: shows the queries.

    Returns:
        The folder, and sentences about sounds that are quieter than the others.

    Raises:
        UserError: sounds are too short, silent, or not the ones of the plan (``refused.csv`` names them all);
            pyloudnorm is not installed; or the folder holds something else.
    """
    require_pyloudnorm()
    identity = {"plan": plan.id, **dataclasses.asdict(config)}
    if (root / ANSWERS).exists() and outputs.changes(root, COMMAND, identity):
        raise UserError(
            f"{root}: holds a test with other settings that was answered already; name another folder with --out"
        )
    with outputs.claim(root, COMMAND, identity, overwrite=overwrite):
        rows, refused = stimuli.make(plan, root, config.rate, config.channels, progress)
        if refused:
            raise _refusal(root, refused)
        (root / REFUSED).unlink(missing_ok=True)
        plan.write(root / filenames.PLAN)
        texts = {"title": config.title, "consent": config.consent, "instructions": config.instructions}
        write_json(root / places.TEXTS, texts)
        write_csv(root / places.STIMULI, places.COLUMNS, rows)
    return places.open_folder(root), _quieter(rows)


def write_static(folder: places.ListeningFolder, lists: int) -> Path:
    """Write the page that works without a server, with the lists of so many listeners; return its path."""
    path = folder.root / places.PUBLIC / "index.html"
    write_text(path, page(folder, lists=lists))
    return path


def _refusal(root: Path, refused: Sequence[Skip]) -> UserError:
    write_csv(root / REFUSED, ("query", "reason"), [(skip.key, skip.reason) for skip in refused])
    n = len({skip.key for skip in refused})
    more = f" ({len(refused) - 1} more: {root / REFUSED})" if len(refused) > 1 else ""
    queries = f"these {n} queries" if n > 1 else f"the query '{refused[0].key}'"
    return UserError(f"{refused[0].reason}{more}; sample again, or make a plan without {queries}")


def _quieter(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"{row['condition']} of '{row['query']}' has {row['level_lufs']} LUFS instead of {TARGET_LUFS:g}: louder, its "
        "peaks would pass -1 dB"
        for row in rows
        if row["level_lufs"] is not None and row["level_lufs"] < TARGET_LUFS - _AUDIBLE_LU
    ]
