"""Options, output and exit codes that `compare` and `history check` share."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from clipsonic_eval.cli._options import PATH, json_option
from clipsonic_eval.files import write_text

if TYPE_CHECKING:
    from clipsonic_eval.gate.limits import Limits
    from clipsonic_eval.gate.verdicts import GateResult

F = TypeVar("F", bound=Callable[..., Any])

_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
_OPTIONS: Final = (
    click.option(
        "--limit",
        "limits",
        multiple=True,
        metavar="TEXT",
        help="Largest change for the worse: fad<+3%, clap_score>-0.01, PD:fad<+0.5, fad<+3%&+0.3; repeatable.",
    ),
    click.option("--gate", "file", type=PATH, help="File of limits (gate.yaml); --limit overrides it."),
    click.option(
        "--question",
        type=click.Choice(["same weights", "same queries", "recipe", "cost"]),
        show_default="what the records suggest",
        help="Question to answer, which decides the error term.",
    ),
    click.option(
        "--system",
        "systems",
        multiple=True,
        metavar="OLD=NEW",
        show_default="equal names",
        help="Compare system OLD of the baseline with NEW of the candidate; repeatable.",
    ),
    click.option("--strict", is_flag=True, help="Exit with 4 where nobody can tell."),
    click.option(
        "--markdown", type=PATH, help=f"Write Markdown to this file; appended where it is the file of ${_SUMMARY}."
    ),
    click.option("--junit", type=PATH, help="Write JUnit XML to this file."),
    click.option("--annotations", is_flag=True, help="Print annotations for GitHub Actions to stderr."),
    json_option(),
)


def gate_options(function: F) -> F:
    """Add limits, question, pairs of systems, outputs and ``--strict`` to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def limits_of(file: Path | None, texts: Sequence[str]) -> Limits | None:
    """Return the limits of a file and of options, None where there are neither.

    Raises:
        ConfigError: one is not accepted.
    """
    from clipsonic_eval.gate.limits import from_texts, read

    if file is None and not texts:
        return None
    return from_texts(texts, None if file is None else read(file))


def show(result: GateResult, options: dict[str, Any]) -> int:
    """Print a result and write the files that were asked for; return the exit code."""
    from clipsonic_eval.config import as_tree
    from clipsonic_eval.reporting.gate import annotations, junit, markdown, rows, text

    code = result.exit_code(strict=options["strict"])
    if options["as_json"]:
        tree = {"exit_code": code, "outcome": rows.outcome(result), **as_tree(result)}
        click.echo(json_line(tree))
    else:
        click.echo(text.render(result), nl=False)
    if options["annotations"]:
        click.echo(annotations.render(result), err=True, nl=False)
    if options["junit"] is not None:
        write_text(options["junit"], junit.render(result))
    if options["markdown"] is not None:
        _write_markdown(options["markdown"], markdown.render(result))
    return code


def json_line(tree: Any) -> str:
    """Return a tree as one line of JSON; numbers that are not finite, which JSON has not, become null."""
    return json.dumps(_finite(tree), default=str, allow_nan=False)


def _finite(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _write_markdown(path: Path, text: str) -> None:
    """Write Markdown; the summary of a workflow's step is shared by its commands, so it is appended to."""
    summary = os.environ.get(_SUMMARY)
    if summary and path.resolve() == Path(summary).resolve():
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")
    else:
        write_text(path, text)
