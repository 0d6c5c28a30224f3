"""The last step of a preparation: skipped items, findings, all embeddings in one file, and ``clips.json``."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval import filenames
from clipsonic_eval.checks.audio import count_by_check, grouped
from clipsonic_eval.clips._join import join_shards
from clipsonic_eval.clips._plan import SCHEMA_VERSION, Plan, remove_leftovers
from clipsonic_eval.clips.leaks import leaks_of_splits
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_csv, read_json, write_csv, write_json
from clipsonic_eval.hashing import config_hash, file_sha256, seal, unsealed
from clipsonic_eval.provenance import collect
from clipsonic_eval.toyworld.mark import world_of
from clipsonic_eval.types import Finding

_SKIPPED_COLUMNS = ("key", "path", "reason")
_FINDING_COLUMNS = ("key", "check", "severity", "sentence")


def finish(out: Path, plan: Plan, sidecars: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Write the files of the folder as a whole, and return the contents of ``clips.json``.

    ``clips.json`` is written last: a folder without it is not finished.
    """
    remove_leftovers(out, len(sidecars))
    shutil.rmtree(out / "orders", ignore_errors=True)
    shards = config_hash([sidecar["arrow_sha256"] for sidecar in sidecars])
    done = _already(out, plan, shards)
    if done is not None:
        return done
    n_skipped = _write_tables(out, plan, sidecars)
    n_clips = sum(s["n_clips"] for s in sidecars)
    content, texts = join_shards(out, plan, n_clips)
    seconds = sum(s["seconds"] for s in sidecars)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "content_hash": content,
        "texts_sha256": texts,
        "skipped_sha256": file_sha256(out / filenames.SKIPPED),
        "embeddings_sha256": _sha256_if_there(out / filenames.EMBEDDINGS),
        "captions_sha256": _sha256_if_there(out / filenames.CAPTIONS),
        "plan_hash": config_hash(plan.tree),
        "shards_hash": shards,
        "n_clips": n_clips,
        "n_items": len(plan.listing.items),
        "n_skipped": n_skipped,
        "n_shards": len(sidecars),
        "hours": seconds / 3600,
        "sample_rate": plan.config.sample_rate,
        "n_samples": plan.config.n_samples,
        "duration_s": plan.config.duration_s,
        "frames_per_clip": plan.config.n_frames,
        "encoder": as_tree(plan.card),
        "config": plan.config.identity(),
        "findings": count_by_check(summary_of(sidecars)),
        "world": world_of(plan.root),
        "provenance": collect(),
    }
    (out / filenames.CROISSANT).unlink(missing_ok=True)  # describes the clips that were there
    write_json(out / filenames.CLIPS, seal(summary))
    return summary


def _write_tables(out: Path, plan: Plan, sidecars: Sequence[dict[str, Any]]) -> int:
    """Write what was skipped and what looks wrong, and return the number of items skipped."""
    skipped = [[s.key, "", s.reason] for s in plan.listing.skipped]
    skipped += [row for sidecar in sidecars for row in sidecar["skipped"]]
    write_csv(out / filenames.SKIPPED, _SKIPPED_COLUMNS, skipped)
    findings = [*clip_findings(sidecars), *leaks_of_splits(sidecars)]
    rows = [(key, f.check, f.severity, f.sentence) for f in findings for key in f.keys]
    write_csv(out / filenames.FINDINGS, _FINDING_COLUMNS, rows)
    return len(skipped)


def _already(out: Path, plan: Plan, shards: str) -> dict[str, Any] | None:
    """Return the contents of ``clips.json`` if it is of this plan and these shards, and the files beside it intact."""
    try:
        found = unsealed(read_json(out / filenames.CLIPS))
        names = (filenames.SKIPPED, filenames.EMBEDDINGS, filenames.CAPTIONS)
        there = tuple(_sha256_if_there(out / name) for name in names)
        whole = there == (found["skipped_sha256"], found["embeddings_sha256"], found["captions_sha256"])
    except (UserError, ValueError, KeyError):
        return None
    same = (found.get("plan_hash"), found.get("shards_hash")) == (config_hash(plan.tree), shards)
    return found if whole and same else None


def _sha256_if_there(path: Path) -> str | None:
    return file_sha256(path) if path.exists() else None


def read_skipped(out: Path) -> tuple[tuple[str, str, str], ...]:
    """Return the rows (key, path, reason) of ``skipped.csv``."""
    return tuple((row["key"], row["path"], row["reason"]) for row in read_csv(out / filenames.SKIPPED))


def clip_findings(sidecars: Sequence[dict[str, Any]]) -> list[Finding]:
    """Return every finding of the shards' clips, and the clips that hold the same audio as another one."""
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
    """Return one finding for each kind of fault of the shards' clips, and what their splits have in common."""
    return (*grouped(clip_findings(sidecars)), *leaks_of_splits(sidecars))
