"""``clipsonic-eval listen build``: from a plan to the folder that listeners are served from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH, json_option, out_option, overwrite_option


@click.command("build")
@click.argument("plan", type=PATH)
@out_option("Folder of the test; a stopped build in it is continued.")
@click.option("--title", default="Listening test", help="Of the page.")
@click.option("--consent", type=PATH, show_default="what is stored, and that one may stop", help="Text agreed to.")
@click.option(
    "--instructions", type=PATH, show_default="a quiet place, headphones", help="Text before the first sound."
)
@click.option("--rate", type=int, show_default="the highest among the sounds", help="Sample rate of all sounds in Hz.")
@click.option("--channels", type=click.IntRange(1, 2), default=1, help="1: the mean of the channels; 2: as they are.")
@click.option("--static", "lists", type=click.IntRange(min=1), metavar="N", help="Also a page without a server, for N.")
@overwrite_option
@json_option("what was built")
def command(
    plan: Path, out: Path, lists: int | None, overwrite: bool, as_json: bool, **given: Path | str | int | None
) -> None:
    r"""Bring the sounds of PLAN to one loudness and give them names that tell nothing.

    PLAN is a plan.json of `listen plan`, or its folder. Every sound gets one gain to -23 LUFS, or as near as a true
    peak of -1 dB allows; the sounds of a query are cut to the shortest of them. Sounds shorter than 0.4 s and silent
    ones are refused by name. Only public/ in the folder is for listeners: stimuli.csv says whose every file is. Needs
    the extra `listening`.

    \b
    clipsonic-eval listen build plan --out test
    clipsonic-eval listen build plan --out test --static 20
    """
    from clipsonic_eval.listening.build import BuildConfig, build, write_static
    from clipsonic_eval.listening.plan import read
    from clipsonic_eval.progress import Bars

    settings = {name: _text(value) if isinstance(value, Path) else value for name, value in given.items() if value}
    config = BuildConfig(**settings)  # type: ignore[arg-type]
    folder, quieter = build(read(plan), out, config, overwrite=overwrite, progress=Bars())
    page = None if lists is None else write_static(folder, lists)
    if as_json:
        tree = {"folder": str(out), "plan": folder.plan.id, "files": len(folder.files), "quieter": quieter}
        click.echo(json.dumps({**tree, "page": None if page is None else str(page)}, ensure_ascii=False))
        return
    click.echo(f"{out}: plan {folder.plan.id}, {len(folder.files)} files")
    for sentence in quieter:
        click.echo(sentence, err=True)
    if page is not None:
        click.echo(f"{page}: works from disk, or from any web space that {page.parent} is copied to")
    click.echo(f"next: clipsonic-eval listen serve {out}", err=True)


def _text(path: Path) -> str:
    from clipsonic_eval.errors import ConfigError
    from clipsonic_eval.files import read_text

    return read_text(path, ConfigError, limit=1 << 16, fix="give a text file")
