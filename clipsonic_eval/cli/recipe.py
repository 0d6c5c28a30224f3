"""``clipsonic-eval recipe``: variants of a training, each for the same processor time."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli._options import PATH, json_option, out_option, set_option
from clipsonic_eval.errors import ConfigError


@click.command("recipe")
@click.argument("config", type=PATH, required=False)
@click.option("--only", metavar="NAME", show_default="all", help="Only this variant.")
@set_option("limit=240")
@click.option(
    "--records", multiple=True, type=PATH, show_default="none", help="Write the page of these results; repeatable."
)
@out_option("Output folder; the page of a search is in report/.", default="runs/recipe")
@json_option()
def command(config: Path | None, out: Path, as_json: bool, records: tuple[Path, ...], **options: Any) -> None:
    r"""Train variants of one recipe for the same processor time, and score each on validation queries.

    \b
    CONFIG (YAML):
      base: {clips: clips/videos, train: {steps: 4000}}
      variants: {base: {}, small: {train.batch_size: 8}}
      queries: val.csv                      with images
      reference: clips/val_reference        audio, for FAD
      seeds: [0, 1]
      sampling: [{guidance: 3, steps: 20}]  of ImageQueried
    clipsonic-eval recipe search.yaml --out runs/recipe
    clipsonic-eval recipe --records runs/recipe --out reports/recipe (page)

    A variant whose step is cheaper takes more steps. Can be stopped at any point; run again to continue, perhaps with
    more variants or seeds.
    """
    from clipsonic_eval.reporting import recipe_rows, recipes

    if (config is None) == (not records):
        raise ConfigError("give a CONFIG to search, or --records to write the page of results that are there")
    if config is None:
        results = recipe_rows.read(records)
        found = " ".join(f"--records {shlex.quote(str(folder))}" for folder in records)
        page = recipes.write(results, out, f"clipsonic-eval recipe {found} --out {shlex.quote(str(out))}")
    else:
        results = _searched(config, out, **options)
        page = recipes.write(recipe_rows.read([out]), out / "report")
    click.echo(json.dumps(results) if as_json else "\n".join([*map(_line, results), str(page)]))


def _searched(config: Path, out: Path, *, only: str | None, sets: tuple[str, ...]) -> list[Mapping[str, Any]]:
    from clipsonic_eval.config import apply_sets, read_yaml
    from clipsonic_eval.files import read_json
    from clipsonic_eval.locate import locate
    from clipsonic_eval.progress import Bars

    search = locate("clipsonic.training.recipes:search")
    found = search(apply_sets(read_yaml(config), sets), out, only=only, progress=Bars())
    return [read_json(path) for path in found]


def _line(result: Mapping[str, Any]) -> str:
    head = f"{result['variant']}, seed {result['seed']}: {result['steps']} steps of {result['ms_per_step']:.0f} ms"
    best = min(result["evaluations"], key=lambda scores: scores["fad"])
    return (
        f"{head}; FAD {best['fad']:.2f}, CLAP score {best['clap_score']:.3f}, class accuracy "
        f"{best['class_accuracy']:.3f} (worst: {best['worst_class']} {best['worst_class_accuracy']:.2f}) at guidance "
        f"{best['guidance']:g}, n {best['n']}"
    )
