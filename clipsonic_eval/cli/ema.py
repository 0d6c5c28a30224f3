"""``clipsonic-eval ema``: choose the length of the average of the weights after a training."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH, json_option, out_option


@click.command("ema")
@click.argument("model", type=PATH)
@click.option("--length", "lengths", type=float, multiple=True, required=True, help="Of the average; repeatable.")
@click.option("--step", type=int, show_default="the last stored one", help="Where the average ends.")
@click.option("--score", is_flag=True, help="Sample and score each, as the training's own validation did.")
@out_option("Gets a model folder ema-LENGTH for each.")
@json_option()
def command(model: Path, lengths: tuple[float, ...], step: int | None, score: bool, out: Path, as_json: bool) -> None:
    r"""Average the weights of a finished training over any length, as a model folder each.

    MODEL was trained with train.ema_lengths. A length is the standard deviation of the profile in shares of the
    training, above 0 and at most 0.28: 0.05 averages over about the last tenth (post-hoc EMA, Karras et al. 2024).

    \b
    clipsonic-eval train video.yaml --set 'train.ema_lengths=[0.05,0.1]'
    clipsonic-eval ema models/video --length 0.03 --length 0.15 --out models/ema
    clipsonic-eval sample clipsonic.systems:ImageQueried \
        --set model=models/ema/ema-0.15 --queries test.csv --out wavs/IQ
    """
    from clipsonic_eval.locate import locate

    results = locate("clipsonic.training.ema_models:reconstruct")(model, lengths, out, step=step, score=score)
    if as_json:
        click.echo(json.dumps(results))
        return
    for result in results:
        told = [f"{name} {score['value']:.4g} (n {score['n']})" for name, score in result.get("scores", {}).items()]
        told += [f"rank {result['rank']}"] if told else []
        click.echo(
            f"{result['folder']}: length {result['length']:g} at step {result['step']}, from {result['stored']} stored "
            f"averages (error of the profile {result['profile_error']:g}){''.join(f', {text}' for text in told)}"
        )
