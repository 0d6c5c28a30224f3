from __future__ import annotations

import dataclasses
import logging

import click
import pytest
from click.testing import CliRunner

from clipsonic_eval import licences
from clipsonic_eval.cli._licences import show_licences
from clipsonic_eval.encoders import ENCODERS, load_encoder
from clipsonic_eval.licences import LOGGER


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a process that has told nothing yet."""
    monkeypatch.setattr(licences, "_told", set())
    monkeypatch.setattr(LOGGER, "handlers", [])
    monkeypatch.setattr(LOGGER, "level", logging.NOTSET)


def _publish(monkeypatch: pytest.MonkeyPatch, **card: str) -> None:
    encoder = load_encoder("toy-clip")
    changed = dataclasses.replace(encoder.card, name="theirs", **card)  # type: ignore[arg-type]

    class Theirs:
        card = changed

    monkeypatch.setitem(ENCODERS._items, "theirs", lambda weights=None, *, device="cpu": Theirs())


def test_a_published_licence_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    _publish(monkeypatch, licence="CC BY-NC-SA 4.0", source="https://example.org/w.pth")
    with caplog.at_level(logging.INFO, LOGGER.name):
        load_encoder("theirs")
        load_encoder("theirs")
    assert [record.getMessage() for record in caplog.records] == [
        "theirs: published weights, licence CC BY-NC-SA 4.0, https://example.org/w.pth"
    ]


def test_our_own_weights_and_those_of_a_user_are_loaded_in_silence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _publish(monkeypatch, licence="", source="https://example.org")
    with caplog.at_level(logging.INFO, LOGGER.name):
        load_encoder("toy-clip")
        load_encoder("theirs")
    assert caplog.records == []


def test_the_command_line_shows_it_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    _publish(monkeypatch, licence="MIT", source="https://example.org/w.pth")

    @click.command()
    def load() -> None:
        show_licences()
        show_licences()
        load_encoder("theirs")
        click.echo("result")

    done = CliRunner().invoke(load)
    assert done.stdout == "result\n"
    assert done.stderr == "theirs: published weights, licence MIT, https://example.org/w.pth\n"
