"""The example of a workflow for GitHub Actions is one, and its commands exist with the options that they are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml
from guide_blocks import ROOT, Block, commands

from clipsonic_eval.cli import main

WORKFLOW = ROOT / "examples" / "guard.yaml"


def _steps() -> list[dict[str, Any]]:
    return list(yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["guard"]["steps"])


def _calls() -> Iterator[list[str]]:
    for step in _steps():
        yield from commands(Block(1, "bash", "", step.get("run", ""), run=True))


def test_it_has_what_a_workflow_needs() -> None:
    tree = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    triggers = tree.pop(True)  # YAML 1.1, which Python's reader follows and GitHub's does not, reads `on` as true
    assert set(triggers) == {"pull_request", "schedule"}
    assert set(tree) == {"name", "permissions", "concurrency", "jobs"}
    (job,) = tree["jobs"].values()
    assert job["runs-on"]
    assert job["timeout-minutes"] <= 360  # what GitHub allows a job
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])
    assert all("@" in step["uses"] for step in job["steps"] if "uses" in step)


def test_it_samples_scores_and_checks() -> None:
    assert [words[:2] if words[0] == "history" else words[:1] for words in _calls()] == [
        ["sample"],
        ["evaluate"],
        ["history", "check"],
    ]


@pytest.mark.parametrize("arguments", list(_calls()), ids=lambda words: words[0])
def test_its_commands_exist_with_every_option_that_they_are_given(arguments: list[str]) -> None:
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments[0])
        assert found is not None
        command, arguments = found, arguments[1:]
    command.make_parser(click.Context(command)).parse_args(list(arguments))


def test_what_the_gate_writes_is_kept_even_if_it_fails() -> None:
    *_, gate, keep = _steps()
    assert "--annotations" in gate["run"]
    assert '--markdown "$GITHUB_STEP_SUMMARY"' in gate["run"]
    assert keep["if"] == "always()"
    assert "--junit runs/gate.xml" in gate["run"]
    assert keep["with"]["path"] == "runs/"
