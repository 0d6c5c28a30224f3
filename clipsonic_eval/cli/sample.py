"""``clipsonic-eval sample``: generate audio for queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._options import PATH, json_option, out_option, overwrite_option, set_option, shard_option
from clipsonic_eval.config import apply_sets
from clipsonic_eval.devices import share_of_torchrun
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.rerank import Reranked
from clipsonic_eval.harness.sample import SampleResult, sample
from clipsonic_eval.harness.sample_shares import Share
from clipsonic_eval.progress import Bars
from clipsonic_eval.systems import System, resolve

_SHOWN = 5
_RERANK = ("candidates", "rerank", "rerank_weights")


@click.command("sample")
@click.argument("system")
@click.option(
    "--queries",
    required=True,
    type=PATH,
    help="Table with columns key, prompt and optionally label, image (or path); or a folder of prepared clips.",
)
@out_option("Output folder.")
@set_option("guidance=2")
@click.option("--seed", default=0, help="Base seed; each query derives its own.")
@click.option("--batch-size", default=32, help="Queries per batch; changes results by rounding at most.")
@click.option("--name", show_default="its own name", help="Name of the system in tables.")
@click.option("--candidates", default=1, help="Sounds per query, the best of which is kept; needs a CLAP to rerank by.")
@click.option("--rerank", metavar="ENCODER", help="A CLAP that keeps the sound nearest to the prompt; on the card.")
@click.option("--rerank-weights", type=PATH, help="Weights of that CLAP, where they are not in the default place.")
@shard_option(None, "torchrun's rank")
@overwrite_option
@click.option("--first-caption", is_flag=True, help="For keys with several prompts, use the first.")
@json_option()
@click.pass_context
def command(
    ctx: click.Context,
    /,
    system: str,
    queries: Path,
    out: Path,
    sets: tuple[str, ...],
    part: tuple[int, int] | None,
    first_caption: bool,
    as_json: bool,
    **settings: object,
) -> None:
    r"""Write one wav per query; run again to continue where it stopped.

    SYSTEM is MODULE:CLASS, FILE.py:CLASS, a registered name (ls systems), or a folder of wavs. Processes or machines
    that see one --out share the work by --shard or torchrun; the last to end writes samples.csv.

    \b
    clipsonic-eval sample clipsonic.systems:ZeroShot --set model=models/video \
        --queries test.csv --out wavs/ZS
    clipsonic-eval sample wavs.py:Mine --queries test.csv --out wavs/best4 \
        --candidates 4 --rerank clap-laion-audio
    """
    query_set = read_queries(queries)
    query_set.show_notes(Bars())
    if not first_caption:
        query_set.single(queries, "use the first of each with --first-caption, or give every caption a key of its own")
    built = _reranked(resolve(system, apply_sets({}, sets)), *(settings.pop(name) for name in _RERANK))
    share = Share(query_set, part or share_of_torchrun())
    result = sample(built, share, out, progress=Bars(), **settings)  # type: ignore[arg-type]
    if as_json:
        click.echo(json.dumps(_tree(result)))
    else:
        click.echo(f"{result.out}: {result.n} of {len(share.mine)} queries by {result.name}, {result.seconds:.1f} s")
        if result.waiting:
            click.echo(f"share {share.part[0]}/{share.part[1]} is done; {result.waiting} others are not there yet")
        for skip in result.skipped[:_SHOWN]:
            click.echo(f"skipped {skip.key}: {skip.reason}", err=True)
        if len(result.skipped) > _SHOWN:
            click.echo(f"skipped {len(result.skipped) - _SHOWN} more, see {out / 'skipped.csv'}", err=True)
    if not result.n and result.skipped:
        raise UserError(f"{out}: no query could be answered; the first reason: {result.skipped[0].reason}")
    if result.skipped:
        ctx.exit(EXIT_SKIPPED)


def _reranked(system: System, candidates: Any, encoder: Any, weights: Any) -> System:
    """Return the system, or the best of several of its sounds.

    Raises:
        ConfigError: only one of encoder and candidates is given, or they cannot rerank.
    """
    if encoder is None:
        if candidates != 1 or weights is not None:
            raise ConfigError("--candidates and --rerank-weights need --rerank ENCODER, which chooses among the sounds")
        return system
    return Reranked(system, load_encoder(encoder, weights), candidates)


def _tree(result: SampleResult) -> dict[str, object]:
    return {
        "folder": str(result.out),
        "system": result.name,
        "samples": result.n,
        "resumed": result.resumed,
        "skipped": [{"key": s.key, "reason": s.reason} for s in result.skipped],
        "seconds": round(result.seconds, 2),
        "shares_waiting": result.waiting,
    }
