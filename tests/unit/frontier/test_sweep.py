from __future__ import annotations

from pathlib import Path

import frontier_grid as made
import pytest

from clipsonic_eval import records
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.frontier.result import frontier, join
from clipsonic_eval.frontier.sweep import sweep


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made.make(tmp_path, monkeypatch)
    return tmp_path


def test_every_point_has_a_record_of_quality_tagged_with_its_settings_and_a_latency(here: Path) -> None:
    result = sweep(made.config({"steps": [1, 4]}), here / "out", cost=made.Stopwatch())
    assert [(r.kind, dict(r.tags), r.system_names) for r in result.records] == [
        ("evaluate", {"system": "T", "steps": "1"}, ("T@steps-1",)),
        ("evaluate", {"system": "T", "steps": "4"}, ("T@steps-4",)),
        ("bench", {}, ("T@steps-1", "T@steps-4")),
    ]
    assert (result.failed, result.skipped) == ((), {})
    for label in ("T@steps-1", "T@steps-4"):
        assert records.read(here / "out/points" / label / "quality").tags["system"] == "T"


def test_more_steps_are_slower_and_better_so_all_are_on_the_frontier(here: Path) -> None:
    result = sweep(made.config({"steps": [1, 4, 40]}), here / "out", cost=made.Stopwatch())
    points, missing = join(result.records)
    assert missing == []
    drawn = frontier(points, "fad", n_boot=200)
    assert drawn.on == (True, True, True)
    assert drawn.share[0] == 1.0  # nothing is as fast
    assert drawn.share[1] > 0.9


def test_a_second_run_measures_no_quality_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = made.config({"steps": [1, 4]})
    first = sweep(config, here / "out", cost=made.Stopwatch())
    monkeypatch.setattr("clipsonic_eval.frontier.quality.evaluate", pytest.fail)
    second = sweep(config, here / "out", cost=made.Stopwatch())
    assert [s.value for r in second.records for s in r.scores] == [s.value for r in first.records for s in r.scores]


def test_values_may_be_added_to_the_grid_later(here: Path) -> None:
    sweep(made.config({"steps": [1]}), here / "out", cost=made.Stopwatch())
    result = sweep(made.config({"steps": [1, 2]}), here / "out", cost=made.Stopwatch())
    assert len(result.records) == 3


def test_points_of_other_queries_are_not_mixed(here: Path) -> None:
    sweep(made.config({"steps": [1]}), here / "out", cost=made.Stopwatch())
    (here / "q.csv").write_text("key,prompt\na,tone 300\nb,tone 600\nc,tone 900\n")
    with pytest.raises(UserError, match="other settings or inputs"):
        sweep(made.config({"steps": [1]}), here / "out", cost=made.Stopwatch())
    result = sweep(made.config({"steps": [1]}), here / "out", cost=made.Stopwatch(), overwrite=True)
    assert result.records[0].scores[0].n == 3


@pytest.mark.parametrize(
    ("steps", "reason"), [(13, "13 steps bring bad luck"), (666, "RuntimeError: out of memory"), ("x", "expected int")]
)
def test_a_system_that_fails_at_one_point_costs_that_point(here: Path, steps: object, reason: str) -> None:
    watch = made.Stopwatch()
    result = sweep(made.config({"steps": [1, steps, 4]}), here / "out", cost=watch)
    (failed,) = result.failed
    assert failed.key == f"T@steps-{steps}"
    assert reason in failed.reason
    assert watch.timed == ["T@steps-1", "T@steps-4"]


def test_a_point_whose_timing_fails_is_listed_and_the_others_are_timed(here: Path) -> None:
    result = sweep(made.config({"steps": [1, 4]}), here / "out", cost=made.Stopwatch(fails_at="steps-1"))
    assert [(f.key, f.reason) for f in result.failed] == [("T@steps-1", "the worker was killed")]
    points, missing = join(result.records)
    assert [p.label for p in points] == ["T@steps-4"]
    assert [(m.key, m.reason) for m in missing] == [("T@steps-1", "no record of its latency")]


def test_unanswered_queries_are_counted_and_fad_leaves_that_point_out(here: Path) -> None:
    result = sweep(made.config({"steps": [1, 7, 4]}), here / "out", cost=made.Stopwatch())
    points, _ = join(result.records)
    drawn = frontier(points, "fad", n_boot=50)
    assert [p.label for p in drawn.points] == ["T@steps-1", "T@steps-4"]
    assert [(s.key, s.reason) for s in drawn.left_out] == [
        ("T@steps-7", "n = 7 instead of 8, and the expectation of fad depends on n")
    ]
    assert len(frontier(points, "clap_score", n_boot=50).points) == 3


def test_where_every_point_fails_the_first_reason_is_the_error(here: Path) -> None:
    with pytest.raises(UserError, match=r"no point could be measured; the first, T: .*bad luck"):
        sweep(made.config({"steps": [13]}), here / "out", cost=made.Stopwatch())


def test_a_folder_of_something_else_is_refused(here: Path) -> None:
    with pytest.raises(UserError, match="holds other things"):
        sweep(made.config({"steps": [1]}), here / "real", cost=made.Stopwatch())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"metrics": []}, "metrics: name at least one"),
        ({"metrics": ["fad", "fad"]}, "none twice"),
        ({"processes": 0}, "processes, calls and rounds"),
        ({"targets": []}, "no system"),
    ],
)
def test_settings_that_make_no_frontier_are_refused(more: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made.config({"steps": [1]}, **more)
