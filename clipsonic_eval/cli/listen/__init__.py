"""``clipsonic-eval listen``: a listening test from its plan to its numbers; a file per subcommand."""

from __future__ import annotations

import click

from clipsonic_eval.cli._group import LazyCommands


@click.group("listen", cls=LazyCommands, package=__name__)
def command() -> None:
    r"""Ask listeners: plan a test, rehearse it, build it, serve it, collect the answers, analyse them.

    \b
    clipsonic-eval listen plan --system PD=wavs/PD --system ZS=wavs/ZS --out plan
    clipsonic-eval listen simulate plan --mean PD=3.4 --out rehearsal.csv
    clipsonic-eval listen build plan --out test
    clipsonic-eval listen serve test
    clipsonic-eval listen collect test --out answers.csv
    clipsonic-eval listen analyse answers.csv --plan plan --out runs/listening
    """
