"""``clipsonic-eval model-card``: the README of a model, with its results in the hub's metadata."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH, json_option


@click.command("model-card")
@click.argument("model", type=PATH)
@click.option("--run", "runs", multiple=True, type=PATH, help="Run folder of an evaluation; repeatable.")
@click.option("--dataset", default="", help="What the runs evaluated on, e.g. 'VGGSound test'.")
@click.option("--name", default="", show_default="that of the folder", help="Name of the model.")
@click.option("--licence", default="", show_default="not stated", help="Licence of the weights, e.g. cc-by-4.0.")
@json_option("the path and the number of results")
def command(model: Path, runs: tuple[Path, ...], dataset: str, name: str, licence: str, as_json: bool) -> None:
    r"""Write README.md into a model folder: training, results with intervals, and metadata for the hub.

    Only scores of systems with this model's weights enter. The metadata are checked offline.

    \b
    clipsonic-eval model-card models/video --run runs/eval --dataset "VGGSound"
    hf upload LAB/NAME models/video --exclude "checkpoint/*"    (publish it)
    """
    from clipsonic_eval import records
    from clipsonic_eval.locate import locate

    write_model_card = locate("clipsonic.model_card:write_model_card")
    found = [records.read(run) for run in runs]
    path = write_model_card(model, found, name=name, dataset=dataset, licence=licence)
    results = len(locate("clipsonic.model_card:read_model_card")(model))
    if as_json:
        click.echo(json.dumps({"card": str(path), "results": results}))
        return
    click.echo(f"{path}: {results} results")
