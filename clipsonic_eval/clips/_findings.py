"""What looks wrong with the sound of prepared clips, gathered from the shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval import filenames
from clipsonic_eval.checks.audio import grouped
from clipsonic_eval.files import write_csv
from clipsonic_eval.types import Finding


def all_of(sidecars: Sequence[dict[str, Any]]) -> list[Finding]:
    """Return every finding of the shards' clips, and the clips that hold the same sound as another one."""
    found = [
        Finding(check, severity, (key,), sentence)
        for sidecar in sidecars
        for key, check, severity, sentence in sidecar.get("findings", [])
    ]
    first: dict[str, str] = {}
    for sidecar in sidecars:
        for key, digest in sidecar.get("sounds", {}).items():
            original = first.setdefault(digest, key)
            if original != key:
                sentence = f"'{key}' holds the same sound as '{original}', sample by sample; is one file there twice?"
                found.append(Finding("duplicates", "warning", (key,), sentence))
    return found


def summary_of(sidecars: Sequence[dict[str, Any]]) -> tuple[Finding, ...]:
    """Return one finding for each kind of fault."""
    return tuple(grouped(all_of(sidecars)))


def write(out: Path, sidecars: Sequence[dict[str, Any]]) -> None:
    """Write ``findings.csv``: one row for each clip and fault."""
    rows = [(f.keys[0], f.check, f.severity, f.sentence) for f in all_of(sidecars)]
    write_csv(out / filenames.FINDINGS, ("key", "check", "severity", "sentence"), rows)
