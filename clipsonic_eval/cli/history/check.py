"""``clipsonic-eval history check``: the newest record, or another run, against a pinned baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli._gate import gate_options, limits_of, show
from clipsonic_eval.cli._options import history_option, named
from clipsonic_eval.errors import ConfigError


@click.command("check")
@click.argument("candidate", nargs=-1, metavar="[CANDIDATE…]")
@click.option("--baseline", metavar="NAME", show_default="the one that --gate names", help="Pin to compare with.")
@history_option
@gate_options
@click.pass_context
def command(
    ctx: click.Context, /, candidate: tuple[str, ...], baseline: str | None, folder: Path, **options: Any
) -> None:
    r"""Check a run by limits against a pinned baseline: worse, not worse, or cannot tell.

    CANDIDATE: a hash, a pin, or the path of a run, which is not added; several are the training seeds of one recipe.
    Without one, the newest record is checked. Exit codes: 0 not worse, 1 worse, 2 cannot be compared, 4 cannot tell
    (with --strict).

    \b
    clipsonic-eval history check --baseline released --limit "fad<+3%"
    clipsonic-eval history check runs/eval --gate gate.yaml --strict
    clipsonic-eval history check --gate gate.yaml --markdown summary.md
    """
    from clipsonic_eval.gate.compare import compare
    from clipsonic_eval.history.pins import LATEST
    from clipsonic_eval.history.store import History
    from clipsonic_eval.progress import Bars

    limits = limits_of(options["file"], options["limits"])
    if limits is None:
        raise ConfigError("no limits, so nothing would be checked; give --gate gate.yaml or --limit, e.g. fad<+3%")
    name = baseline or limits.baseline
    if not name:
        raise ConfigError("no baseline; give --baseline NAME, or a line `baseline: NAME` in gate.yaml (`history pin`)")
    systems = named(options["systems"], "--system") or None
    history = History(folder, progress=Bars())
    result = compare(
        name, candidate or (LATEST,), limits, question=options["question"], systems=systems, history=history
    )
    ctx.exit(show(result, options))
