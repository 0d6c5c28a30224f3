"""Sample a system: queries in, a folder of wavs out.

``<out>/<key>.wav`` (mono, 32-bit float), ``samples.csv`` (with the peak of every wav), ``system.json`` (the card of the
system), and ``skipped.csv`` if queries were left out. Every query has a seed of its own, ``seeds.derive(seed, key,
"sample")``, so shares of a job may run anywhere. An interrupted job resumes to the same bytes: a batch of which a query
is missing is generated whole, since networks round by the size of a batch. The way of a query::

    query ─── sampled already (same prompt, image and seed, wav unchanged)? ── yes ──> kept
      │ no
    batch ─── generate ───────────────────── a waveform per query ── usable? ── yes ──> wav and row in samples.csv
      │          └ UserError: one query spoils its batch;                └ no ────────> skipped.csv, older wav removed
      └ again, query by query ── UserError ───────────────────────────────────────────> skipped.csv, older wav removed
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import hashing, outputs, seeds, threads
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.queries import QuerySet, check_keys
from clipsonic_eval.harness.sample_folder import SampleFolder
from clipsonic_eval.harness.sample_shares import Share
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.systems import System
from clipsonic_eval.types import Query, Skip

_WRITE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class SampleResult:
    """Result of a sampling job.

    Attributes:
        out: the folder.
        name: of the system.
        n: queries of this job that have a wav now.
        resumed: of these, those sampled by an earlier job.
        skipped: the others, with the reason.
        seconds: of this job.
        waiting: shares of the job that are not done; 0 if the folder is finished.
    """

    out: Path
    name: str
    n: int
    resumed: int
    skipped: tuple[Skip, ...]
    seconds: float
    waiting: int = 0


def sample(
    system: System,
    queries: QuerySet | Sequence[Query] | Share,
    out: Path,
    *,
    seed: int = 0,
    batch_size: int = 32,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> SampleResult:
    """Generate one wav per query.

    Args:
        system: see :mod:`clipsonic_eval.systems`.
        queries: with unique keys, or a share of them. Rows that a :class:`clipsonic_eval.harness.queries.QuerySet`
            skipped are listed among the skipped queries.
        out: the folder; made if missing, resumed if it holds samples of the same system, settings and seed.
        seed: of the job; every query derives its own.
        batch_size: queries per call of the system; changes a result by rounding at most.
        name: of the system in tables; None: its own name.
        overwrite: replace samples of another system, setting or seed in the folder, instead of refusing.
        progress: shows a bar over the queries.

    Raises:
        UserError: the folder holds samples of something else, keys are not unique, or the system breaks its interface.
    """
    if batch_size < 1:
        raise UserError(f"batch size must be at least 1, got {batch_size}")
    started = time.monotonic()
    share = queries if isinstance(queries, Share) else Share(queries)
    check_keys(share.all)
    queries = share.mine
    card = card_of(system, seed, name)
    identity = {key: value for key, value in card.items() if key != "name"}
    seed_of = {query.key: seeds.derive(seed, query.key, "sample") for query in queries}
    with outputs.claim(out, "sample", identity, overwrite=overwrite):
        folder = SampleFolder(out, card, share)
        missing = {query.key for query in queries if not folder.holds(query, seed_of[query.key])}
        resumed = len(queries) - len(missing)
        generated = _generated(system, queries, seed_of, batch_size, missing)
        number = threads.for_networks() if missing else 1
        try:
            # a system may be made of NumPy alone, so its linear algebra gets as many threads
            with threads.limited(matrices=number, networks=number):
                for query, samples in progress.track(generated, label=card["name"], total=len(queries), done=resumed):
                    if isinstance(samples, Skip):
                        folder.skip(samples)
                    else:
                        folder.write(query, seed_of[query.key], samples)
                    folder.write_table(every_s=_WRITE_EVERY_S)
        finally:
            folder.write_table()
        waiting = folder.finish()
    n = len(queries) - (len(folder.skipped) - len(share.unread))
    return SampleResult(out, card["name"], n, resumed, tuple(folder.skipped), time.monotonic() - started, waiting)


def _generated(
    system: System, queries: Sequence[Query], seed_of: Mapping[str, int], batch_size: int, missing: Set[str]
) -> Iterator[tuple[Query, Float32 | Skip]]:
    """Yield the samples (n,) float32 of each query whose key is missing, or why there are none; batch by batch."""
    for start in range(0, len(queries), batch_size):
        batch = queries[start : start + batch_size]
        if any(query.key in missing for query in batch):
            found = _generated_batch(system, batch, seed_of)
            if found is None:  # one query spoils its batch: which?
                yield from _generated(system, [q for q in batch if q.key in missing], seed_of, 1, missing)
            else:
                yield from ((query, answer) for query, answer in found if query.key in missing)


def _generated_batch(
    system: System, batch: Sequence[Query], seed_of: Mapping[str, int]
) -> list[tuple[Query, Float32 | Skip]] | None:
    """Return the samples of each query of a batch, or why there are none; None where several fail together."""
    try:
        waveforms = list(system.generate(batch, [seed_of[query.key] for query in batch]))
        if len(waveforms) != len(batch):
            raise UserError(
                f"system '{system.name}' gave {len(waveforms)} sounds for {len(batch)} queries; "
                "generate(queries, seeds) must return one for each"
            )
    except UserError as error:
        return [(batch[0], Skip(batch[0].key, str(error)))] if len(batch) == 1 else None
    return [(query, _checked(query, waveform)) for query, waveform in zip(batch, waveforms, strict=True)]


def _checked(query: Query, waveform: Any) -> Float32 | Skip:
    """Return a waveform as (n,) float32, or why it is none."""
    array = np.asarray(waveform)
    if array.ndim != 1 or array.size == 0 or not np.issubdtype(array.dtype, np.floating):
        return Skip(query.key, f"the system gave {array.dtype} {array.shape} instead of floating-point samples (n,)")
    if not np.isfinite(array).all():
        return Skip(query.key, f"the system gave {int((~np.isfinite(array)).sum())} samples that are not finite")
    return array.astype(np.float32, copy=False)


def card_of(system: System, seed: int, name: str | None = None) -> dict[str, Any]:
    """Return the contents of ``system.json``: the card with name, sample rate, seed, and a hash of all but the name.

    Raises:
        UserError: the card is not JSON-serialisable.
    """
    own = {k: v for k, v in dict(system.card()).items() if k != "name"}
    body = {"sample_rate": int(system.sample_rate), "seed": seed, **own}
    try:
        body = json.loads(json.dumps(body, allow_nan=False))  # as it will be read again
        digest = hashing.config_hash(body)
    except (TypeError, ValueError) as error:
        raise UserError(f"card() of system '{system.name}' must hold JSON values only ({error})") from None
    return {"name": name or system.name, **body, "card_hash": digest}
