"""Videos in, a folder of clips out: audio at one rate and length, and the embeddings of a few frames.

The items are dealt to shards in the order of the listing; those that are added later follow. A shard is written
atomically, with the hash of everything that it depends on; a job that was killed anywhere is continued by the same
command and ends with the same bytes.
Several machines may write into one folder (``part``); the one that finds every shard there finishes it.

    listing → plan → decode (processes) → embed frames → shards → clips.json
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipsonic_eval import outputs
from clipsonic_eval.checks.evaluation import check_world
from clipsonic_eval.clips._build import build_shards, load_image_encoder
from clipsonic_eval.clips._finish import finish, read_skipped, summary_of
from clipsonic_eval.clips._on_ray import build_on_ray
from clipsonic_eval.clips._plan import Plan, PlannedShard, claim_output, make_plan, missing_shards
from clipsonic_eval.clips._shards import ShardFiles
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.clips.source import Source
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Finding


@dataclass(frozen=True, slots=True)
class Prepared:
    """The result of a preparation.

    Attributes:
        folder: the folder of clips.
        n_items: items that the source lists.
        skipped: (key, path, reason) of what was left out; of this machine's share while the folder is not finished.
        waiting: shards that are not there yet; 0 if the folder is finished.
        n_clips: clips in the folder; None while it is not finished.
        hours: of audio in it.
        content_hash: of the clips in it.
        findings: what looks wrong with the clips' audio, one for each kind of fault.
    """

    folder: Path
    n_items: int
    skipped: tuple[tuple[str, str, str], ...]
    waiting: int
    n_clips: int | None = None
    hours: float | None = None
    content_hash: str | None = None
    findings: tuple[Finding, ...] = ()


def prepare(
    source: Source | Path | str,
    out: Path | str,
    config: PrepareConfig | None = None,
    *,
    part: tuple[int, int] = (1, 1),
    progress: Progress = SILENT,
    overwrite: bool = False,
) -> Prepared:
    """Prepare the clips of a source, or continue a preparation.

    Args:
        source: a folder of media files, or a :class:`Source`.
        out: folder of the clips; new, empty, or of an earlier call.
        config: settings.
        part: (i, n) makes every n-th shard from the i-th on, i in 1..n, for job arrays.
        progress: where progress goes.
        overwrite: make again what other settings or other files change of an earlier preparation in ``out``.

    Raises:
        UserError: the source is empty or cannot be read, the encoder takes no images, or ``out`` holds other things.
    """
    config = config or PrepareConfig()
    source = source if isinstance(source, Source) else Source(Path(source))
    out = Path(out)
    if not 1 <= part[0] <= part[1]:
        raise UserError(f"part {part[0]}/{part[1]}: the first number counts from 1 to the second")
    listing = source.items()
    for note in listing.notes:
        progress.note(note)
    encoder = load_image_encoder(replace(config, device="cpu") if config.engine == "ray" else config)
    plan = make_plan(source.folder, listing, config, encoder.card if encoder else None, out)
    for finding in _of_the_world(plan):  # said before the work, not hours later
        progress.note(f"{finding.severity}: {finding.sentence}")
    with outputs.claim(out, "prepare", plan.identity, overwrite=overwrite, keep=True) as changed:
        if changed:
            progress.note(f"changed: {outputs.listing(changed)}; the clips concerned are made again")
        claim_output(out, plan)
        share = plan.shards[part[0] - 1 :: part[1]]
        missing = missing_shards(out, plan, share, progress)
        if config.engine == "ray":
            build_on_ray(out, plan, missing, progress, done=len(share) - len(missing))
        else:
            done = sum(len(shard.items) for shard in share) - sum(len(shard.items) for shard in missing)
            build_shards(out, plan, missing, encoder, progress, done=done)
        return _collect(out, plan, share, progress)


def _collect(out: Path, plan: Plan, share: Sequence[PlannedShard], progress: Progress) -> Prepared:
    """Finish the folder if every shard is there, and return what there is."""
    mine = {shard.number for shard in share}
    read = {shard.number: ShardFiles(out, shard.number).read() for shard in plan.shards}
    sidecars = {s.number: found for s in plan.shards if (found := read[s.number]) and found.get("hash") == s.hash}
    if len(sidecars) == len(plan.shards):  # bytes are read once, by the job that may finish, and not by every job
        others = (shard for shard in plan.shards if shard.number not in mine)
        damaged = {shard.number for shard in missing_shards(out, plan, others, progress)}
        sidecars = {number: found for number, found in sidecars.items() if number not in damaged}
    there, own = list(sidecars.values()), [sidecar for number, sidecar in sidecars.items() if number in mine]
    n_items, waiting = len(plan.listing.items), len(plan.shards) - len(there)
    if waiting:
        skipped = [(key, path, reason) for sidecar in own for key, path, reason in sidecar["skipped"]]
        return Prepared(out, n_items, tuple(skipped), waiting, findings=_findings(plan, own))
    summary = finish(out, plan, there)
    n_clips, hours, content = summary["n_clips"], float(summary["hours"]), summary["content_hash"]
    return Prepared(out, n_items, read_skipped(out), 0, n_clips, hours, content, _findings(plan, there))


def _findings(plan: Plan, sidecars: Sequence[dict[str, Any]]) -> tuple[Finding, ...]:
    return (*_of_the_world(plan), *summary_of(sidecars))


def _of_the_world(plan: Plan) -> list[Finding]:
    return check_world([plan.card] if plan.card is not None else [], [plan.root])
