"""Experiment trackers (TensorBoard, Weights & Biases, MLflow, …), all of them through accelerate.

A tracker talks to files, to servers and sometimes to a terminal. Each gets a thread of its own, so that one that fails,
or waits for a server for ever, costs the training nothing: it is named in a note, and the training goes on. A training
that is resumed goes on in its own run of Weights & Biases, MLflow and Trackio; TensorBoard reads one folder as one run.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic.training.config import TrainConfig
from clipsonic.training.observers import Observer, Sight
from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.files import write_text
from clipsonic_eval.media.audio import read_audio

FOLDER = "tracking"  # below the model's, of trackers that write files
_MLFLOW_RUN = "mlflow_run"  # the identity of a training's run
_WAITING = 1000  # rows that a tracker may be behind
_PATIENCE_S = 30.0  # at the end of a run
Note = Callable[[str], None]


@contextlib.contextmanager
def opened(config: TrainConfig, out: Path, settings: Mapping[str, Any], *, note: Note) -> Iterator[Sequence[Observer]]:
    """Start the configured trackers for the length of a ``with`` block, on the main process.

    Args:
        config: ``trackers`` and ``project`` count.
        out: folder of the model.
        settings: the resolved configuration, stored by the trackers.
        note: takes a sentence about a tracker that failed.

    Raises:
        UserError: a tracker that accelerate does not know, or whose package is not installed.
    """
    from accelerate import PartialState

    _check(config.trackers)
    names = config.trackers if PartialState().is_main_process else ()
    trackers = [_Tracker(name, config.project, out / FOLDER, _flat(settings), note) for name in names]
    try:
        yield trackers
    finally:
        for tracker in trackers:
            tracker.close()


class _Tracker(Observer):
    """One tracker of accelerate in a thread of its own."""

    def __init__(self, name: str, project: str, folder: Path, settings: Mapping[str, Any], note: Note) -> None:
        self._name, self._note = name, note
        self._failure = ""
        self._rows: queue.Queue[tuple[int, Sight] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(
            target=self._work, args=(project, folder, settings), name=f"tracker {name}", daemon=True
        )
        self._thread.start()

    def told(self, step: int, sight: Sight) -> None:
        """Hand a row to the thread."""
        if not self._failure:
            try:
                self._rows.put_nowait((step, sight))
            except queue.Full:
                self._failure = f"it is {_WAITING} rows behind"
        self._report()

    def close(self) -> None:
        """Let the tracker finish what it has, for half a minute at most."""
        with contextlib.suppress(queue.Full):
            self._rows.put_nowait(None)
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive():
            self._failure = self._failure or f"it did not finish within {_PATIENCE_S:g} s"
        self._report()

    def _report(self) -> None:
        if self._failure:
            self._note(f"tracker '{self._name}': {self._failure}; the training goes on without it")
            self._note = lambda _: None

    def _work(self, project: str, folder: Path, settings: Mapping[str, Any]) -> None:
        try:
            tracker = _started(self._name, project, folder)
            tracker.store_init_configuration(dict(settings))
            while (row := self._rows.get()) is not None:
                step, sight = row
                tracker.log(dict(sight.values), step=step)
                for name, path in sight.sounds.items():
                    _log_sound(tracker, name, path, step)
            tracker.finish()
        except (Exception, SystemExit) as error:  # whatever a tracker and its server come up with
            self._failure = f"failed ({type(error).__name__}: {(str(error).splitlines() or [''])[0]})"


def _check(names: Sequence[str]) -> None:
    """Refuse trackers that are unknown or not installed."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise unknown_name("tracker", name, LOGGER_TYPE_TO_CLASS)
        published = LOGGER_TYPE_TO_CLASS[name].__module__ == "accelerate.tracking"  # others have been registered
        if published and name not in map(str, get_available_trackers()):
            raise UserError(f"train.trackers: '{name}' is not installed; `pip install {name.replace('_', '-')}`")


def _started(name: str, project: str, folder: Path) -> Any:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    made = LOGGER_TYPE_TO_CLASS[name]
    folder.mkdir(parents=True, exist_ok=True)
    options = {"logging_dir": str(folder)} if made.requires_logging_directory else {}
    tracker = made(project, **options, **_run_options(name, folder))
    tracker.start()
    if name == "mlflow":  # gives the identity itself
        write_text(folder / _MLFLOW_RUN, tracker.tracker.info.run_id)
    return tracker


def _run_options(name: str, folder: Path) -> dict[str, Any]:
    """Return what tells a tracker which of a project's runs this training is, the same after every resumption."""
    if name == "mlflow":
        known = folder / _MLFLOW_RUN
        return {"run_id": known.read_text("utf-8")} if known.is_file() else {"run_name": folder.parent.name}
    if name not in {"wandb", "trackio"}:
        return {}
    known = folder / f"{name}_run"
    if not known.is_file():
        write_text(known, f"{folder.parent.name}-{uuid.uuid4().hex[:8]}")
    run = known.read_text("utf-8")
    return {"name": run, "resume": "allow", **({"id": run, "dir": str(folder)} if name == "wandb" else {})}


def _log_sound(tracker: Any, name: str, path: Path, step: int) -> None:
    """Log a wav, with its spectrogram, to the trackers that show such things."""
    if tracker.name == "tensorboard":
        clip = read_audio(path)
        tracker.tracker.add_audio(name, clip.samples.mean(axis=0)[None], step, clip.sample_rate)
        tracker.log_images({f"{name} (log-mel)": picture(path)[None, :, :, None]}, step=step, dataformats="NHWC")
    elif tracker.name == "wandb":
        import wandb

        tracker.log({name: wandb.Audio(str(path))}, step=step)
        tracker.log_images({f"{name} (log-mel)": [picture(path)]}, step=step)


def picture(path: Path) -> np.ndarray[Any, Any]:
    """Return the log-mel spectrogram of a wav as a picture, (64, frames) uint8, low bands at the bottom."""
    from clipsonic_eval.harness.spectrograms import log_mel

    values = log_mel(read_audio(path))[::-1]
    low, high = float(values.min()), float(values.max())
    scaled: np.ndarray[Any, Any] = np.round(255 * (values - low) / max(high - low, 1e-9)).astype(np.uint8)
    return scaled


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level of numbers, booleans and texts, which all trackers take."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return found
