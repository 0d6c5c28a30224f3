"""``clipsonic-eval prepare``: videos in, a folder of clips out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._options import (
    PATH,
    config_option,
    engine_option,
    json_option,
    merged,
    out_option,
    overwrite_option,
    set_option,
    shard_option,
)
from clipsonic_eval.errors import UserError

if TYPE_CHECKING:
    from clipsonic_eval.clips import Prepared

_SHOWN = 20  # skipped items that are named on the screen


@click.command("prepare")
@click.argument("source", type=PATH)
@out_option("Output folder; an earlier run in it is continued.")
@click.option("--dataset", default="folder", metavar="NAME", help="Layout, of `ls datasets`, e.g. vggsound.")
@click.option("--csv", type=PATH, help="List of the files, for layouts that have one.")
@click.option("--split", help="Only this split of the list, e.g. train.")
@click.option("--prompts", type=PATH, help="Table with the columns key,prompt[,label].")
@config_option
@set_option("duration_s=10")
@click.option("--workers", type=click.IntRange(min=0), show_default="one per core", help="Decoder processes; 0: none.")
@engine_option
@shard_option((1, 1))
@click.option("--croissant", is_flag=True, help="Describe the finished clips in croissant.json (extra: croissant).")
@overwrite_option
@json_option()
def command(  # noqa: PLR0913 (click hands over one argument per option)
    *,
    source: Path,
    out: Path,
    dataset: str,
    csv: Path | None,
    split: str | None,
    prompts: Path | None,
    file: Path | None,
    sets: tuple[str, ...],
    workers: int | None,
    engine: str | None,
    part: tuple[int, int],
    croissant: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    r"""Prepare clips from the videos or audio files in SOURCE.

    Audio is stored as mono at one sample rate and length, frames as image embeddings. Files that cannot be used are
    listed in skipped.csv with the reason, clips whose audio looks wrong in findings.csv. Exit code 3: some files were
    skipped; 2: nothing could be prepared.

    Settings (--set): sample_rate, duration_s, window (first, centre, all), min_s, keep_silence, frames_per_clip,
    image_encoder (null: audio only), encoder_weights, device, shard_size, batch_clips, workers, item_limit_s,
    item_limit_gib, engine, gpus_per_task.

    \b
    clipsonic-eval prepare videos/ --prompts captions.csv \
        --set image_encoder=clip-vit-l-14 --out clips/train
    clipsonic-eval prepare videos/ --dataset vggsound --csv vggsound.csv \
        --split test --set image_encoder=clip-vit-l-14 --out clips/test
    """
    from clipsonic_eval.clips import PrepareConfig, Source, prepare
    from clipsonic_eval.config import apply_sets, read_yaml, resolve
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.toyworld.mark import CHECK as WORLD

    settings = apply_sets(read_yaml(file) if file else {}, sets)
    settings = merged(settings, {"workers": workers, "engine": engine})
    config = resolve(PrepareConfig, settings, where="prepare")
    given = Source(source, dataset, csv, split, prompts)
    if croissant:
        from clipsonic_eval.clips.croissant import package, write_croissant

        package()  # missing, it is said before hours of work
    result = prepare(given, out, config, part=part, progress=Bars(), overwrite=overwrite)
    if croissant and result.n_clips:
        write_croissant(out, dataset)
    _list_skipped(result.skipped, out)
    for finding in result.findings:
        if finding.check != WORLD:  # said before the work
            click.echo(f"{finding.severity}: {finding.sentence}", err=True)
    if as_json:
        click.echo(json.dumps(_tree(result)))
    else:
        click.echo(_sentence(result))
    if result.n_clips == 0:
        raise UserError(f"{source}: nothing could be prepared; each file's reason is in {out / 'skipped.csv'}")
    sys.exit(EXIT_SKIPPED if result.skipped else 0)


def _list_skipped(skipped: tuple[tuple[str, str, str], ...], out: Path) -> None:
    for key, path, reason in skipped[:_SHOWN]:
        click.echo(f"skipped {path or key}: {reason}", err=True)
    if len(skipped) > _SHOWN:
        click.echo(f"… and {len(skipped) - _SHOWN} more, see {out / 'skipped.csv'}", err=True)


def _tree(result: Prepared) -> dict[str, object]:
    from clipsonic_eval.checks.audio import count_by_check

    return {
        "folder": str(result.folder),
        "finished": result.waiting == 0,
        "n_items": result.n_items,
        "n_clips": result.n_clips,
        "n_skipped": len(result.skipped),
        "findings": count_by_check(result.findings),
        "hours": result.hours,
        "content_hash": result.content_hash,
        "shards_waiting": result.waiting,
    }


def _sentence(result: Prepared) -> str:
    if result.waiting:
        return f"{result.folder}: this share is done; {result.waiting} shards of other shares are not there yet"
    assert result.hours is not None
    assert result.content_hash is not None
    length = f"{result.hours:.2f} h" if result.hours >= 0.1 else f"{result.hours * 3600:.1f} s"
    return (
        f"{result.folder}: {result.n_clips} clips ({length} of sound) from {result.n_items} items, "
        f"{len(result.skipped)} skipped, content {result.content_hash[:12]}"
    )
