"""The run folder of a listening test: an ordinary record, and tables beside it."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval import outputs
from clipsonic_eval.files import write_csv
from clipsonic_eval.harness.write import write as write_record
from clipsonic_eval.listening.analysis import EVERYONE, KIND, ListeningResult
from clipsonic_eval.listening.exclusion import Check


def write(result: ListeningResult, out: Path, *, overwrite: bool = False) -> None:
    """Write a run folder: the record with its tables, and that of all listeners below it.

    Args:
        result: of the analysis.
        out: the run folder.
        overwrite: replace another analysis in it.

    Raises:
        UserError: ``out`` holds something else.
    """
    identity = {**result.record.config, "answers": result.everyone.hashes[KIND]["answers"]}
    with outputs.claim(out, "listen analyse", identity, overwrite=overwrite):
        write_csv(out / "rules.csv", Check._fields, result.checks)
        for name in ("ordinal", "agreement", "listeners"):
            rows = getattr(result, name)
            if rows:
                write_csv(out / f"{name}.csv", list(rows[0]), rows)
        write_record(result.everyone, out / EVERYONE)
        write_record(result.record, out)
