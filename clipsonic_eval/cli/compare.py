"""``clipsonic-eval compare``: is a run worse than another by more than the limits allow?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli._gate import gate_options, json_line, limits_of, show
from clipsonic_eval.cli._options import PATH, named
from clipsonic_eval.errors import ConfigError


@click.command("compare")
@click.argument("baseline", metavar="A")
@click.argument("candidate", metavar="B")
@click.option("--history", "folder", type=PATH, help="Folder of a history; A and B may then be pins, hashes or latest.")
@gate_options
@click.pass_context
def command(ctx: click.Context, /, baseline: str, candidate: str, folder: Path | None, **options: Any) -> None:
    r"""Compare run B (candidate) with run A (baseline): worse, not worse, or cannot tell.

    A and B: a run folder, a record.json, or a folder or quoted glob pattern of several runs, the training seeds of one
    recipe. Without limits, all differences are shown with intervals, and nothing is judged. Exit codes: 0 not worse, 1
    worse, 2 cannot be compared, 4 cannot tell (with --strict).

    \b
    clipsonic-eval compare runs/before runs/after
    clipsonic-eval compare runs/before runs/after --limit "fad<+3%"
    clipsonic-eval compare released latest --history history --gate gate.yaml
    clipsonic-eval compare "runs/a-seed-*" "runs/b-seed-*" --limit "fad<+5%"
    """
    from clipsonic_eval.gate.compare import compare
    from clipsonic_eval.history.store import History
    from clipsonic_eval.progress import Bars

    history = None if folder is None else History(folder, progress=Bars())
    limits = limits_of(options["file"], options["limits"])
    asked = {"question": options["question"], "systems": named(options["systems"], "--system") or None}
    if limits is not None:
        ctx.exit(show(compare(baseline, candidate, limits, history=history, **asked), options))
    if unused := [f"--{name}" for name in ("strict", "markdown", "junit", "annotations") if options[name]]:
        raise ConfigError(f"{', '.join(unused)}: there are no limits, so nothing is judged; add --limit or --gate")
    found = compare(baseline, candidate, history=history, **asked)
    if options["as_json"]:
        from clipsonic_eval.config import as_tree

        rows = [{**as_tree(d), "change": d.change, "interval": d.interval} for d in found.differences]
        click.echo(json_line({**as_tree(found), "differences": rows}))
    else:
        from clipsonic_eval.reporting.gate import differences

        click.echo(differences.render(found), nl=False)
