from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main

README = Path(__file__).parents[2] / "README.md"
NAMES = main.list_commands(click.Context(main))


@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


@pytest.mark.parametrize("name", NAMES)
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README.read_text(encoding="utf-8")


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["evalute"])
    assert result.exit_code == 2
    assert "No such command" in result.output


def test_a_user_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = CliRunner().invoke(main, ["prepare", str(empty), "--out", str(tmp_path / "clips")])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 1
