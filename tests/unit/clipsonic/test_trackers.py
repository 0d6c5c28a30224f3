"""Trackers get the log through accelerate; whatever goes wrong with one costs the training nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from accelerate import tracking
from accelerate.tracking import GeneralTracker
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_training import KilledAt, _config
from unit.clipsonic.test_training_threads import Telling

from clipsonic.training import trackers
from clipsonic.training.audio import train_on
from clipsonic.training.config import TrainConfig
from clipsonic.training.observers import Sight
from clipsonic_eval.errors import UserError
from clipsonic_eval.media.audio import write_wav


class Notebook(GeneralTracker):
    """A tracker that keeps what it is told; ``trouble`` says in which call it fails."""

    name = "notebook"
    requires_logging_directory = True
    trouble = ""
    pages: ClassVar[list[tuple[Any, dict[str, Any]]]] = []
    release = threading.Event()

    def __init__(self, run_name: str, logging_dir: str) -> None:
        super().__init__(_blank=True)
        self.run_name, self.logging_dir = run_name, logging_dir
        # its own test's: one that hung goes on in its thread while the next test runs
        self.written, self.released = self.pages, self.release

    def _maybe(self, call: str) -> None:
        if self.trouble == call:
            raise ConnectionError(f"no route to the server in {call}\nand more")

    def start(self) -> None:
        self._maybe("start")
        if self.trouble == "hang":
            self.released.wait(20)

    @property
    def tracker(self) -> None:
        return None

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.written.append(("settings", values))

    def log(self, values: dict[str, Any], step: int | None = None, **kwargs: Any) -> None:
        self._maybe("log")
        self.written.append((step, values))

    def finish(self) -> None:
        self._maybe("finish")
        self.written.append(("finished", {}))


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> type[Notebook]:
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "notebook", Notebook)
    monkeypatch.setattr(Notebook, "pages", [])
    monkeypatch.setattr(Notebook, "release", threading.Event())
    return Notebook


def test_a_tracker_gets_the_settings_and_every_row_of_the_log(notebook: type[Notebook], tmp_path: Path) -> None:
    train_on(FakeStore(), _config(trackers=["notebook"], precision="fp32"), tmp_path / "m")
    (_, settings), *rows, (last, _) = notebook.pages
    assert settings["train.steps"] == 8
    assert settings["network.options.channels"] == "[16, 24]"
    assert [step for step, _ in rows] == [3, 6, 8]
    assert rows[0][1].keys() >= {"train/loss", "train/lr", "train/loss_0_20", "train/samples_per_s"}
    assert "val/loss" in rows[-1][1]
    assert last == "finished"


@pytest.mark.parametrize("trouble", ["start", "log", "finish"])
def test_a_tracker_that_fails_is_named_once_and_the_training_goes_on(
    notebook: type[Notebook], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(notebook, "trouble", trouble)
    telling = Telling()
    out = train_on(FakeStore(), _config(trackers=["notebook"], precision="fp32"), tmp_path / "m", progress=telling)
    assert (out / "model_index.json").is_file()
    named = [note for note in telling.notes if "tracker" in note]
    assert named == [
        f"tracker 'notebook': failed (ConnectionError: no route to the server in {trouble}); the training goes on "
        "without it"
    ]


def test_a_tracker_that_hangs_stops_nothing(
    notebook: type[Notebook], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "trouble", "hang")
    monkeypatch.setattr(trackers, "_PATIENCE_S", 0.01)
    telling = Telling()
    out = train_on(FakeStore(), _config(trackers=["notebook"], precision="fp32"), tmp_path / "m", progress=telling)
    notebook.release.set()
    assert (out / "model_index.json").is_file()
    assert any("did not finish within 0.01 s" in note for note in telling.notes)


def remote(service: str, asked: list[dict[str, Any]]) -> type[GeneralTracker]:
    """A tracker that is asked for a run, and says who the run is."""

    class Remote(Notebook):
        name = service
        requires_logging_directory = False

        def __init__(self, project: str, **options: Any) -> None:
            super().__init__(project, "")
            asked.append(options)

        @property
        def tracker(self) -> Any:
            return SimpleNamespace(info=SimpleNamespace(run_id=f"run {len(asked)}"))

    return Remote


@pytest.mark.parametrize("name", ["wandb", "trackio", "mlflow"])
def test_a_training_that_is_resumed_goes_on_in_its_own_run(
    notebook: type[Notebook], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, name, remote(name, asked))
    config = TrainConfig(trackers=(name,), project="study")
    for model in ("a", "a", "b"):
        with trackers.opened(config, tmp_path / model, {}, note=pytest.fail):
            pass
    first, again, other = asked
    if name == "mlflow":
        assert (first, again, other) == ({"run_name": "a"}, {"run_id": "run 1"}, {"run_name": "b"})
    else:
        assert first == again
        assert first["name"] != other["name"]
        assert first["name"].startswith("a-")
        assert first["resume"] == "allow"


@pytest.mark.parametrize(
    ("name", "message"),
    [("tensorbord", "unknown tracker 'tensorbord'. Did you mean 'tensorboard'"), ("aim", "pip install aim")],
)
def test_a_tracker_that_cannot_be_is_refused_before_the_first_step(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        train_on(FakeStore(), _config(trackers=[name]), tmp_path / "m", progress=KilledAt(0))


def test_the_picture_of_a_tone_has_one_bright_row(tmp_path: Path) -> None:
    time = np.arange(16000) / 16000
    write_wav(tmp_path / "tone.wav", (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), 16000)
    picture = trackers.picture(tmp_path / "tone.wav")
    assert picture.dtype == np.uint8
    assert picture.shape[0] == 64
    brightest = picture.mean(axis=1).argmax()
    assert 32 < brightest < 63  # 440 Hz: among the lower bands, which lie at the bottom
    assert Sight({}, {}).sounds == {}
