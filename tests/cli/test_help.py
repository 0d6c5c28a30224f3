from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.cli._group import first_sentence
from clipsonic_eval.gate.calibration.pieces import GateCalibrationConfig
from clipsonic_eval.harness.calibration.simulation import CalibrateConfig
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.gap import GapConfig
from clipsonic_eval.listening.make import ListeningConfig
from clipsonic_eval.listening.simulation import ListeningSimulationConfig

WIDTH = 80


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands())


def page(*path: str) -> str:
    result = CliRunner().invoke(main, [*path, "--help"], terminal_width=WIDTH, color=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_help_page_is_no_wider_than_a_terminal_and_shows_no_marks(path: tuple[str, ...]) -> None:
    text = page(*path)
    assert "\\b" not in text
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_examples_stand_line_by_line_as_they_were_written(path: tuple[str, ...]) -> None:
    shown = [line.strip() for line in page(*path).splitlines()]
    source = (ALL[path].callback.__doc__ or "").replace("\b\n", "\\b\n")
    for block in re.findall(r"\\b\n(.*?)(?:\n\s*\n|\s*\Z)", source, re.DOTALL):
        lines = [line.strip() for line in block.splitlines()]
        start = shown.index(lines[0])
        assert shown[start : start + len(lines)] == lines


@pytest.mark.parametrize("path", [(), ("toy-encoders",), ("calibrate",)], ids=" ".join)
def test_the_list_of_commands_cuts_no_sentence_short(path: tuple[str, ...]) -> None:
    listed = " ".join(page(*path).partition("Options:")[2].split())
    assert "..." not in listed
    for name, command in ALL.items():
        if name[:-1] == path:
            first = " ".join((command.help or "").split("\n\n")[0].split())
            assert f"{name[-1]} {first.split('. ')[0].rstrip('.')}" in listed


def test_every_command_stands_under_one_heading_of_the_first_page() -> None:
    named = [name for names in main.sections.values() for name in names]  # type: ignore[attr-defined]
    assert sorted(named) == sorted(path[0] for path in ALL if len(path) == 1)
    assert [line for line in page().splitlines() if line.endswith(":") and line[0] != " "] == [
        "Options:",
        *(f"{heading}:" for heading in main.sections),  # type: ignore[attr-defined]
    ]
    assert "\n  clipsonic-eval evaluate --reference real/ --system mine=wavs/ --out run/\n" in page()


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_first_sentence_of_a_command_is_whole(path: tuple[str, ...]) -> None:
    assert not first_sentence(ALL[path].help or "").endswith(("e.g", "i.e", "vs", "cf"))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_default_is_shown(path: tuple[str, ...]) -> None:
    text = " " + " ".join(page(*path).partition("Options:")[2].split())
    for option in ALL[path].params:
        default = option.get_default(click.Context(ALL[path]))
        if isinstance(option, click.Option) and not option.is_flag and isinstance(default, str | int | float | Path):
            line = text[text.index(f" {option.opts[-1]} ") :].partition(" --")[2]
            assert f"[default: {default}" in line.partition(" --")[0], option.name


@pytest.mark.parametrize(
    ("path", "config", "names"),
    [
        ("evaluate", EvaluateConfig(systems={"a": "b"}), {"--seed": "seed"}),  # type: ignore[dict-item]
        ("gap", GapConfig(source="x"), {"--seed": "seed"}),  # type: ignore[arg-type]
        ("calibrate intervals", CalibrateConfig(), {"--repeats": "repeats", "--seed": "seed", "--n": "n"}),
        ("calibrate gate", GateCalibrationConfig(), {"--repeats": "repeats", "--seed": "seed"}),
        ("calibrate listening", ListeningSimulationConfig(), {"--repeats": "repeats", "--seed": "seed"}),
        (
            "listen plan",
            ListeningConfig(systems={"a": "b"}),  # type: ignore[dict-item]
            {"--clips": "clips", "--seed": "seed", "--query": "query", "--protocol": "protocols"},
        ),
    ],
    ids=["evaluate", "gap", "calibrate", "calibrate gate", "calibrate listening", "listen plan"],
)
def test_defaults_that_a_configuration_holds_are_shown_as_they_are(
    path: str, config: Any, names: dict[str, str]
) -> None:
    values = dataclasses.asdict(config)
    shown = {o.opts[-1]: o.show_default for o in ALL[tuple(path.split())].params if isinstance(o, click.Option)}
    for option, name in names.items():
        value = values[name]
        assert shown[option] == (", ".join(map(str, value)) if isinstance(value, tuple) else str(value))


def test_the_default_encoders_of_evaluate_are_those_of_the_metrics() -> None:
    (option,) = (o for o in ALL["evaluate",].params if o.name == "encoders")
    assert isinstance(option, click.Option)
    defaults = EvaluateConfig(systems={"a": "b"}).encoders  # type: ignore[dict-item]
    shown = dict(part.split("=") for part in str(option.show_default).split(", "))
    assert shown == {role: name for role, name in defaults.items() if role in shown}
    assert set(shown) == {"audio", "audio_text", "classifier"}


def test_a_command_is_silent_about_the_fonts_of_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = logging.getLogger("matplotlib.font_manager")
    monkeypatch.setattr(fonts, "level", logging.WARNING)  # as it is, and as it will be again
    assert CliRunner().invoke(main, ["ls", "datasets"]).exit_code == 0
    assert fonts.level == logging.ERROR
