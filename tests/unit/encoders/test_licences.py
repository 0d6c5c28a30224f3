from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from unit.clipsonic.test_hifi_gan import written

from clipsonic.mel import MelConfig
from clipsonic.vocoders import hifi_gan, make_vocoder
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


def test_a_vocoder_tells_what_its_folder_states(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path / "vocoder")
    settings = {"name": "hifi-gan", "folder": str(tmp_path / "vocoder")}
    with caplog.at_level(logging.INFO, LOGGER.name):
        make_vocoder(MelConfig(), settings)
        assert caplog.records == []  # a folder without a model card is its owner's
        (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\n---\n")
        make_vocoder(MelConfig(), settings)
    assert [record.getMessage() for record in caplog.records] == [
        f"hifi-gan: published weights, licence cc-by-nc-sa-4.0, {tmp_path / 'vocoder'}"
    ]


def test_the_vocoder_of_the_cache_tells_the_licence_of_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path / "vocoder")
    monkeypatch.setattr(hifi_gan, "hub_file", lambda _, name: p if (p := tmp_path / name).is_file() else None)
    with caplog.at_level(logging.INFO, LOGGER.name):
        make_vocoder(MelConfig(), {"name": "hifi-gan"})
    (record,) = caplog.records
    assert record.getMessage() == (
        "hifi-gan: published weights, licence CC-BY-NC-SA-4.0, https://huggingface.co/cvssp/audioldm-s-full-v2"
    )


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
