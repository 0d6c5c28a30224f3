"""``clipsonic-eval import-prior``: a published diffusion prior as a model folder."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH, json_option, out_option, overwrite_option


@click.command("import-prior")
@click.argument("folder", type=PATH)
@click.option("--encoder", required=True, help="The CLIP that the prior was trained with, e.g. clip-vit-l-14.")
@click.option("--weights", type=PATH, show_default="where the encoder keeps its own", help="Weights of that CLIP.")
@out_option("Model folder.")
@overwrite_option
@json_option()
def command(folder: Path, encoder: str, weights: Path | None, out: Path, overwrite: bool, as_json: bool) -> None:
    r"""Write a published diffusion prior as a model folder for PD, after checking its space.

    FOLDER, downloaded beforehand, is that of a pipeline of diffusers (Karlo, Kandinsky), with prior/ and
    prior_scheduler/ in it, or has prior_config.json and best.pth (LAION, of dalle2-pytorch).

    \b
    clipsonic-eval import-prior karlo/ --encoder clip-vit-l-14 --out models/karlo
    clipsonic-eval sample clipsonic.systems:PriorGuided \
        --set model=models/video --set encoder=clip-vit-l-14 \
        --set prior=models/karlo --set prior_guidance=4 \
        --queries test.csv --out wavs/PD
    """
    from clipsonic_eval.files import read_json
    from clipsonic_eval.locate import locate

    import_prior = locate("clipsonic.prior.published:import_prior")
    written = import_prior(folder, out, encoder=encoder, encoder_weights=weights, overwrite=overwrite)
    card = read_json(written / "card.json")
    if as_json:
        shown = {"parameters": card["parameters"], "space": card["space"], **card["data"]}
        click.echo(json.dumps({"folder": str(written), **shown}))
        return
    click.echo(
        f"{written}: {card['parameters'] / 1e6:.1f} M parameters, in the space of {card['space']['name']}; "
        f"layout: {card['data']['layout']}, licence: {card['data']['licence']}"
    )
