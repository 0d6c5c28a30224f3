"""``clipsonic-eval embed``: fill the cache of embeddings, alone or as one of many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._options import PATH, cache_option, engine_option, json_option, named, shard_option

if TYPE_CHECKING:
    from clipsonic_eval.engines import Engine


@click.command("embed")
@click.argument("folders", nargs=-1, required=True, type=PATH)
@click.option("--encoder", "encoders", multiple=True, required=True, help="Encoder or convention; repeatable.")
@click.option("--weights", multiple=True, metavar="NAME=FILE", help="Weight file of one of the encoders; repeatable.")
@shard_option(None, "torchrun's rank")
@click.option("--device", default="cpu", help="cpu or cuda.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, help="Clips per batch.")
@click.option("--workers", type=click.IntRange(min=1), default=2, help="Decoder threads.")
@click.option("--processes", type=click.IntRange(min=1), default=1, help="Processes or tasks that share the work.")
@engine_option
@click.option(
    "--gpus-per-task", type=click.FloatRange(min=0), default=0.0, help="With Ray: GPUs of a task, or a share."
)
@cache_option
@click.option(
    "--statistics", type=PATH, metavar="FILE.npz", help="Also write mean and covariance, for evaluate --reference."
)
@json_option()
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 (click hands over one argument per option)
    ctx: click.Context,
    /,
    folders: tuple[Path, ...],
    encoders: tuple[str, ...],
    weights: tuple[str, ...],
    part: tuple[int, int] | None,
    device: str,
    batch_size: int,
    workers: int,
    processes: int,
    engine: Engine | None,
    gpus_per_task: float,
    cache: Path | None,
    statistics: Path | None,
    as_json: bool,
) -> None:
    r"""Embed all audio in FOLDERS (media files, a system's wavs, prepared clips) into the cache that `evaluate` reads.

    Several processes can share the work: --processes of this machine or tasks of Ray (--engine ray), a job array with
    --shard, or torchrun, which needs no option.

    \b
    torchrun --standalone --nproc_per_node=8 -m clipsonic_eval embed wavs/PD \
        real/ --encoder vggish --device cuda --cache work/cache
    """
    from clipsonic_eval.devices import share_of_torchrun
    from clipsonic_eval.harness.fill_cache import EmbedConfig, fill_cache
    from clipsonic_eval.progress import Bars

    files = {name: Path(file) for name, file in named(weights, "--weights").items()}
    share = part or share_of_torchrun()
    settings = EmbedConfig(
        folders, encoders, files, share, batch_size, workers, device, cache, processes=processes,
        engine=engine or "local", gpus_per_task=gpus_per_task, statistics=statistics,
    )  # fmt: skip
    result = fill_cache(settings, progress=Bars())
    for folder, skips in result.skipped.items():
        for skip in skips:
            click.echo(f"skipped {folder}: {skip.key}: {skip.reason}", err=True)
    for folder, findings in result.findings.items():
        for finding in findings:
            click.echo(f"{finding.severity} {folder}: {finding.sentence}", err=True)
    if as_json:
        tree = {"cache": str(result.cache), "n": dict(result.n), "skipped": sum(map(len, result.skipped.values()))}
        click.echo(json.dumps(tree))
    else:
        for folder, n in result.n.items():
            click.echo(f"{folder}: {n} clips in {result.cache} (share {share[0]}/{share[1]})")
    if statistics is not None:
        click.echo(f"statistics in {statistics}; evaluate --reference {statistics}", err=as_json)
    if result.skipped:
        ctx.exit(EXIT_SKIPPED)
