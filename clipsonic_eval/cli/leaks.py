"""``clipsonic-eval leaks``: what sets of prepared clips have in common that should have nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH, json_option

EXIT_LEAKS = 1


@click.command("leaks")
@click.argument("folders", type=PATH, nargs=-1, required=True)
@json_option()
def command(folders: tuple[Path, ...], as_json: bool) -> None:
    r"""Check that FOLDERS of prepared clips (train and test, say) share no video and no sound.

    A single folder is checked between its splits, as prepare does. Videos are known by their YouTube id, so that
    AudioCaps, VGGSound, MUSIC and the AudioSet part of WavCaps can be compared; recordings of Clotho and of the rest
    of WavCaps only within their own set; sounds sample by sample. Exit code 1: they share some.

    \b
    clipsonic-eval leaks clips/train clips/test
    """
    from clipsonic_eval.clips.leaks import leaks_between

    found = leaks_between(folders)
    if as_json:
        click.echo(json.dumps([{"sentence": leak.sentence, "keys": leak.keys} for leak in found], ensure_ascii=False))
    else:
        for leak in found:
            click.echo(leak.sentence)
        if not found:
            click.echo(f"{', '.join(map(str, folders))}: no video and no sound in common")
    sys.exit(EXIT_LEAKS if found else 0)
