"""The embeddings of all shards in one file that can be mapped, and the hashes of what the clips hold."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clipsonic_eval import filenames
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.atomic import replacing
from clipsonic_eval.clips._captions import write_captions
from clipsonic_eval.clips._plan import Plan
from clipsonic_eval.clips._shards import ShardFiles, matrix, read_batches, texts_sha256
from clipsonic_eval.config import as_tree
from clipsonic_eval.datasets import refuse_duplicates


def join_shards(out: Path, plan: Plan, n_clips: int) -> tuple[str, str]:
    """Copy the embeddings (clips, frames, d) of all shards into one array, check the keys, and hash contents and texts.

    Returns:
        (SHA-256 of the audio and captions of all clips under the settings, SHA-256 of their texts).

    Raises:
        UserError: a key is there twice.
    """
    captions = write_captions(out, plan.listing.items)
    common = [plan.config.sample_rate, plan.config.n_samples, as_tree(plan.card)]
    head = json.dumps([*common, captions] if captions else common, sort_keys=True)
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
