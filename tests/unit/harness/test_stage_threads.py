"""How many threads the stages of the harness run on: seen from within, on a machine of four cores with three idle."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoders import FakeEncoder, encoders, tone
from numpy.typing import NDArray
from stage_threads import IDLE, a_busy_machine, default_is, now

from clipsonic_eval import threads
from clipsonic_eval.clips import _pool
from clipsonic_eval.harness import score as score_module
from clipsonic_eval.harness.calibration import table as calibration
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.types import Clip, Query


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    a_busy_machine(monkeypatch)
    with default_is(4):
        yield
        assert now() == (4, 4)


class Listening(FakeEncoder):
    """Notes the threads it is called with."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.seen: set[tuple[int, int]] = set()

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        self.seen.add(now())
        return super().audio(clips)


class Bars:
    """Notes what is tracked."""

    def __init__(self) -> None:
        self.tracked: dict[str, tuple[int | None, int]] = {}

    def track(self, items: Iterable[Any], *, label: str, total: int | None = None, done: int = 0) -> Iterator[Any]:
        del done
        n = 0
        for n, item in enumerate(items, 1):  # noqa: B007 -- the last one is what counts
            yield item
        self.tracked[label] = (total, n)

    def note(self, text: str) -> None:
        pass


def test_an_evaluation_embeds_on_the_idle_cores_and_scores_small_sets_on_one_thread_under_a_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, noise in (("reference", 0.01), ("a", 0.1), ("b", 0.3)):
        for i in range(6):
            write_wav(tmp_path / folder / f"{i}.wav", tone(400 + 100 * i, seed=i, noise=noise), 16000)
    seen: set[tuple[int, int]] = set()
    real = score_module.score_systems

    def watched(*args: Any, **more: Any) -> Any:
        seen.add(now())
        return real(*args, **more)

    monkeypatch.setattr(score_module, "score_systems", watched)
    ears, bars = Listening("fake-audio"), Bars()
    settings = EvaluateConfig(
        systems={"a": tmp_path / "a", "b": tmp_path / "b"},
        reference=tmp_path / "reference",
        metrics=("fad", "kad"),
        controls=("halves",),
        n_bootstrap=40,
        n_permutations=40,
        cache=tmp_path / "cache",
        examples=0,
    )
    evaluate(settings, tmp_path / "run", encoders={**encoders(), "audio": ears}, progress=bars)
    assert ears.seen == {(1, IDLE)}
    assert seen == {(1, 1)}
    assert bars.tracked["score, 40 resamples"] == (3, 3)  # fad, kad, and fad of the halves


def test_a_system_is_sampled_on_the_idle_cores(tmp_path: Path) -> None:
    seen = set()

    class System:
        name, sample_rate = "listening", 8000

        def card(self) -> dict[str, Any]:
            return {}

        def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
            del seeds
            seen.add(now())
            return [np.full(100, 0.1, np.float32) for _ in queries]

    sample(System(), [Query("k", "a bell")], tmp_path / "out")
    assert seen == {(IDLE, IDLE)}


def test_a_calibration_runs_on_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    class StopError(Exception):
        pass

    def cell(*_: Any) -> None:
        seen.add(now())
        raise StopError

    monkeypatch.setattr(calibration, "simulate", cell)
    with pytest.raises(StopError):
        calibration.calibrate(calibration.CalibrateConfig(metrics=("fad",), n=(50,)), tmp_path)
    assert seen == {(1, 1)}


def test_workers_of_prepare_keep_to_one_thread_and_are_no_more_than_the_cores(tmp_path: Path) -> None:
    assert _pool.choose_workers(None, 10**6) == 4
    context = multiprocessing.get_context("forkserver")
    with context.Pool(1, initializer=_pool._initialise, initargs=(4.0, tmp_path)) as pool:
        assert pool.apply_async(os.getenv, (threads.VARIABLE,)).get(60) == "1"
