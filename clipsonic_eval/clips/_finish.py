"""The last step of a preparation: skipped items, findings, all embeddings in one file, and ``clips.json``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import filenames
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.atomic import replacing
from clipsonic_eval.checks.audio import grouped
from clipsonic_eval.clips._plan import SCHEMA_VERSION, Plan, remove_leftovers
from clipsonic_eval.clips._shards import ShardFiles, matrix, read_batches, texts_sha256
from clipsonic_eval.config import as_tree
from clipsonic_eval.datasets import refuse_duplicates
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
    done = _already(out, plan)
    if done is not None:
        return done
    skipped = [[s.key, "", s.reason] for s in plan.listing.skipped]
    skipped += [row for sidecar in sidecars for row in sidecar["skipped"]]
    write_csv(out / filenames.SKIPPED, _SKIPPED_COLUMNS, skipped)
    findings = clip_findings(sidecars)
    write_csv(
        out / filenames.FINDINGS, _FINDING_COLUMNS, [(f.keys[0], f.check, f.severity, f.sentence) for f in findings]
    )
    n_clips = sum(s["n_clips"] for s in sidecars)
    content, texts = _join(out, plan, n_clips)
    seconds = sum(s["seconds"] for s in sidecars)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "content_hash": content,
        "texts_sha256": texts,
        "skipped_sha256": file_sha256(out / filenames.SKIPPED),
        "embeddings_sha256": _sha256_if_there(out / filenames.EMBEDDINGS),
        "plan_hash": config_hash(plan.tree),
        "n_clips": n_clips,
        "n_items": len(plan.listing.items),
        "n_skipped": len(skipped),
        "n_shards": len(sidecars),
        "hours": seconds / 3600,
        "sample_rate": plan.config.sample_rate,
        "n_samples": plan.config.n_samples,
        "duration_s": plan.config.duration_s,
        "frames_per_clip": plan.config.n_frames,
        "encoder": as_tree(plan.card),
        "config": plan.config.identity(),
        "findings": {f.check: len(f.keys) for f in summary_of(sidecars)},
        "world": world_of(plan.root),
        "provenance": collect(),
    }
    write_json(out / filenames.CLIPS, seal(summary))
    return summary


def _already(out: Path, plan: Plan) -> dict[str, Any] | None:
    """Return the contents of ``clips.json`` if it and the files that it names are of this plan, and intact."""
    try:
        found = unsealed(read_json(out / filenames.CLIPS))
        there = (file_sha256(out / filenames.SKIPPED), _sha256_if_there(out / filenames.EMBEDDINGS))
        whole = there == (found["skipped_sha256"], found["embeddings_sha256"])
    except (UserError, ValueError, KeyError):
        return None
    return found if whole and found.get("plan_hash") == config_hash(plan.tree) else None


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
    """Return one finding for each kind of fault of the shards' clips."""
    return tuple(grouped(clip_findings(sidecars)))


def _join(out: Path, plan: Plan, n_clips: int) -> tuple[str, str]:
    """Copy the embeddings into one array that can be mapped, check the keys, and hash contents and texts."""
    head = json.dumps([plan.config.sample_rate, plan.config.n_samples, as_tree(plan.card)], sort_keys=True)
    content = hashlib.sha256(head.encode())
    keys: list[str] = []
    batches = [b for s in range(len(plan.shards)) for b in read_batches(ShardFiles(out, s).arrow)]
    with _embeddings(out / filenames.EMBEDDINGS, plan, n_clips) as joined:
        for batch in batches:
            if joined is not None:
                joined[len(keys) : len(keys) + len(batch)] = matrix(batch, "image").reshape(-1, *joined.shape[1:])
            keys += batch.column("key").to_pylist()
            content.update(b"".join(batch.column("sha256").to_pylist()))
    refuse_duplicates(keys, str(out))
    return content.hexdigest(), texts_sha256(batches)


@contextlib.contextmanager
def _embeddings(target: Path, plan: Plan, n_clips: int) -> Iterator[Float32 | None]:
    """Yield the array (clips, frames, d) float32 that is to be filled, None where there are no frames."""
    target.unlink(missing_ok=True)
    if plan.card is None or n_clips == 0:
        yield None
        return
    with replacing(target) as temporary:
        shape = (n_clips, plan.config.n_frames, plan.card.dim)
        joined = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
        _reserve(temporary)
        yield joined
        joined.flush()


def _reserve(path: Path) -> None:
    """Take the disk space of a file that was made with holes: a mapped page without room would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
