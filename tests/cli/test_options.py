"""Options that commands share."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from clipsonic_eval.cli._options import (
    cache_option,
    config_option,
    json_option,
    merged,
    named,
    out_option,
    overwrite_option,
    set_option,
    shard_option,
)
from clipsonic_eval.errors import ConfigError


def run(option: Any, *words: str) -> Result:
    @click.command()
    @option
    def command(**values: Any) -> None:
        click.echo(repr(sorted(values.items())))

    return CliRunner().invoke(command, words)


@pytest.mark.parametrize(
    ("option", "words", "shown"),
    [
        (out_option("Folder."), ["--out", "a/b"], "[('out', PosixPath('a/b'))]"),
        (out_option("Folder.", default="runs/x"), [], "[('out', PosixPath('runs/x'))]"),
        (json_option(), ["--json"], "[('as_json', True)]"),
        (json_option("the record"), [], "[('as_json', False)]"),
        (set_option("seed=1"), ["--set", "a=1", "--set", "b.c=2"], "[('sets', ('a=1', 'b.c=2'))]"),
        (config_option, ["--config", "a.yaml"], "[('file', PosixPath('a.yaml'))]"),
        (cache_option, [], "[('cache', None)]"),
        (overwrite_option, ["--overwrite"], "[('overwrite', True)]"),
    ],
)
def test_an_option_gives_its_value(option: Any, words: list[str], shown: str) -> None:
    found = run(option, *words)
    assert found.exit_code == 0, found.output
    assert found.output.strip() == shown


def test_a_folder_without_default_is_required() -> None:
    found = run(out_option("Folder."))
    assert found.exit_code == 2
    assert "Missing option '--out'" in found.output


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/", "-1/2", "1/2/3"])
def test_a_share_that_is_none_is_refused_with_the_form(text: str) -> None:
    found = run(shard_option((1, 1)), "--shard", text)
    assert found.exit_code == 2
    assert "expected I/N with I from 1 to N, e.g. 1/4" in found.output


def test_a_share_is_two_numbers() -> None:
    assert "('part', (2, 4))" in run(shard_option((1, 1)), "--shard", "2/4").output
    assert "('part', (1, 1))" in run(shard_option((1, 1))).output
    assert "('part', None)" in run(shard_option(None, "torchrun's rank")).output


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (["a"], "expected NAME=VALUE"),
        (["=x"], "expected NAME=VALUE"),
        (["a="], "expected NAME=VALUE"),
        (["a=1", "a=2"], "already"),
    ],
)
def test_names_with_values_are_strict(items: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=f"--system .*{why}"):
        named(items, "--system")


def test_a_value_may_hold_an_equals_sign() -> None:
    assert named(["classes=Cnn14_mAP=0.431.pth"], "--weights") == {"classes": "Cnn14_mAP=0.431.pth"}


def test_options_override_a_file_section_by_section() -> None:
    tree = {"a": 1, "s": {"x": 1, "y": 2}, "t": 5}
    found = merged(tree, {"a": None, "s": {"y": 3}, "t": (), "new": 0, "flag": False})
    assert found == {"a": 1, "s": {"x": 1, "y": 3}, "t": 5, "new": 0, "flag": False}
    assert tree == {"a": 1, "s": {"x": 1, "y": 2}, "t": 5}
