"""Stages in processes of their own: what waits for what, what runs at the same time, and what happens to failures."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import stage_work

from clipsonic_eval.cli._group import sentence_of
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.study import side_by_side
from clipsonic_eval.study.stage import Stage
from clipsonic_eval.study.stages import Stages


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "_PRELOADED", [])


def waiting(folder: Path, seconds: float, *after: Path) -> Stage:
    return Stage(folder, folder.name, 1, partial(stage_work.write_time, folder / "time", seconds), after)


def span(folder: Path) -> tuple[float, float, int]:
    start, end, process = (folder / "time").read_text().split()
    return float(start), float(end), int(process)


def test_two_stages_run_at_the_same_time_and_one_that_needs_a_third_waits_for_it(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    stages = Stages(tmp_path, SILENT, processes=2)
    # b needs c, which is later in the list: a and c begin together
    stages.run_all([waiting(a, 0.5), waiting(b, 0.0, c), waiting(c, 0.5)])
    (a_start, a_end, a_process), (b_start, _, b_process), (c_start, c_end, _) = span(a), span(b), span(c)
    assert c_start < a_end
    assert a_start < c_end
    assert b_start > c_end
    assert a_process != b_process
    assert set(stages.timings()) == {"a", "b", "c"}
    assert stages.peak_mib() > 20


def test_one_process_takes_the_stages_in_their_order(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    Stages(tmp_path, SILENT, processes=1).run_all([waiting(folder, 0.0) for folder in folders])
    spans = [span(folder) for folder in folders]
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_complete_stages_are_not_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        Stages(tmp_path, SILENT).run_all([waiting(tmp_path / "a", 0.0)])
    first = span(tmp_path / "a")
    Stages(tmp_path, SILENT).run_all([waiting(tmp_path / "a", 0.0), waiting(tmp_path / "b", 0.0, tmp_path / "a")])
    assert span(tmp_path / "a") == first
    assert (tmp_path / "b" / "time").exists()


def test_a_killed_process_fails_its_stage_in_one_sentence_and_ends_the_others(tmp_path: Path) -> None:
    long, killed = waiting(tmp_path / "long", 60.0), Stage(tmp_path / "k", "train", 1, stage_work.die)
    started = time.monotonic()
    with pytest.raises(UserError, match=r"the stage 'train' ended without a result \(signal 9: killed, .*to continue"):
        Stages(tmp_path, SILENT).run_all([long, killed])
    assert time.monotonic() - started < 30
    assert not long.complete
    assert not killed.complete


def test_a_users_mistake_and_a_fault_of_ours_reach_the_caller(tmp_path: Path) -> None:
    for work, kind, text in (
        (stage_work.refuse, UserError, "a.csv: no column key; name it"),
        (stage_work.break_down, RuntimeError, "ZeroDivisionError"),
    ):
        with pytest.raises(kind, match=text):
            Stages(tmp_path, SILENT).run_all([Stage(tmp_path / "a", "a", 1, work)])


def test_a_full_disk_is_one_sentence_without_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        Stages(tmp_path, SILENT).run_all([Stage(tmp_path / "a", "prepare clips", 1, stage_work.fill_the_disk)])
    sentence = sentence_of(caught.value)
    assert sentence is not None
    assert sentence.startswith("the disk is full or a quota is used up (prepare clips: Error writing bytes")
    assert "Traceback" not in sentence


def test_stages_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    with pytest.raises(ValueError, match="wait for each other"):
        Stages(tmp_path, SILENT).run_all([waiting(a, 0.0, b), waiting(b, 0.0, a)])
