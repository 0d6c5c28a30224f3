"""The records of ``clipsonic-eval frontier``: measured over a grid, or read from an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipsonic_eval.cli._options import named
from clipsonic_eval.errors import ConfigError

if TYPE_CHECKING:
    from clipsonic_eval.records import RunRecord
    from clipsonic_eval.types import Skip


def swept(options: dict[str, Any], out: Path, overwrite: bool) -> tuple[Sequence[RunRecord], Sequence[Skip], bool]:
    """Measure a grid; return its records, the points that failed, and whether queries were left unanswered."""
    from clipsonic_eval.bench.cases import named_targets
    from clipsonic_eval.config import resolve
    from clipsonic_eval.frontier.config import FrontierConfig
    from clipsonic_eval.frontier.sweep import sweep
    from clipsonic_eval.progress import Bars

    if not options["systems"] or options["queries"] is None:
        raise ConfigError("frontier: name at least one system and --queries, or --records of an earlier frontier")
    own = {
        name: options[name] for name in ("queries", "reference", "processes", "calls", "batch_size", "seed", "cache")
    }
    tree = {name: value for name, value in own.items() if value is not None}
    tree |= {"metrics": options["metrics"]} if options["metrics"] else {}
    tree |= {name: named(options[name], f"--{name.removesuffix('s')}") for name in ("encoders", "weights")}
    found = named_targets(options["systems"], options["sets"], options["grid"])
    done = sweep(
        resolve(FrontierConfig, {**tree, "targets": found}, where="frontier"),
        out,
        progress=Bars(),
        overwrite=overwrite,
    )
    for label, n in done.skipped.items():
        click.echo(f"{label}: {n} clips left out, see its record", err=True)
    return done.records, done.failed, bool(done.skipped)


def kept(options: dict[str, Any], out: Path, overwrite: bool) -> tuple[Sequence[RunRecord], Sequence[Skip], bool]:
    """Read the records of an earlier frontier, and claim the folder for a page of them."""
    from clipsonic_eval import outputs
    from clipsonic_eval.analysis.runs import find

    if options["systems"]:
        raise ConfigError("frontier: --records draws what was measured; leave the systems out, or the records")
    found = [run.record for run in find(options["kept"])]
    identity = {"records": [outputs.state_of(path) for path in options["kept"]], "metrics": options["metrics"]}
    with outputs.claim(out, "frontier", identity, overwrite=overwrite):
        return found, (), False
