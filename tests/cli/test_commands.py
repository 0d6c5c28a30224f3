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


def test_what_a_convention_does_not_reproduce_is_listed_with_it() -> None:
    from clipsonic_eval.conventions import CONVENTIONS
    from clipsonic_eval.harness.explain import Step, table

    known = {name: CONVENTIONS[name].not_reproduced for name in CONVENTIONS if CONVENTIONS[name].not_reproduced}
    assert known
    result = CliRunner().invoke(main, ["ls", "conventions"])
    listed = " ".join(result.output.split())
    for name, text in known.items():
        assert f"not reproduced: {text}" in listed
        assert f"Not reproduced of {name}: {text}." in table([Step(name, "start", {})])


def test_the_plain_demo_tries_scales_on_both_sides_of_the_one_that_it_chose() -> None:
    from clipsonic_eval import records
    from clipsonic_eval.study.config import StudyConfig

    record = records.read(Path(__file__).parents[2] / "reports/demo/records/test-seed-0")
    scales = StudyConfig().guidance_scales
    assert min(scales) < record.systems["IQ"]["guidance"] < max(scales)
