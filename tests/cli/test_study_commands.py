"""What `demo` and `sweep` hand to the study, and what they show of its result; no study is run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from clipsonic_eval import class_shares
from clipsonic_eval.cli import main
from clipsonic_eval.study import run, sweep
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.scoring import METRICS


class Called:
    """Takes the place of a study and keeps what it was called with."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.config: Any = None
        self.out = Path()
        self.options: dict[str, Any] = {}

    def __call__(self, config: Any, out: Path, progress: object, **options: Any) -> Any:
        del progress
        self.config, self.out, self.options = config, out, options
        return self.result


REPORT = SimpleNamespace(out=Path("runs/demo/report"), headline="PD is ahead of ZS.", left_out=["a figure"])


def scores(name: str, interval: tuple[float, float] | None) -> list[Any]:
    return [SimpleNamespace(system=name, metric="fad", value=17.234, ci=interval, n=480)]


called_with: list[Path] = []


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Called:
    from clipsonic_eval import records

    (tmp_path / "runs" / "test-seed-0").mkdir(parents=True)
    shares = class_shares.details(
        {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0}, {"a": "dog", "b": "dog", "c": "bee", "d": "bee"}
    )
    heard = SimpleNamespace(system="IQ", metric="class_accuracy", value=0.75, ci=None, n=4, details=shares)
    found = [*scores("IQ", (15.0, 19.5)), heard, *scores("real", None)]

    class Record:
        scores = tuple(found)
        tags: ClassVar = {"clip_variant": "toy-clip"}

        @staticmethod
        def score(metric: str, system: str) -> Any:
            return next((s for s in found if (s.metric, s.system) == (metric, system)), None)

    called_with.clear()
    monkeypatch.setattr(records, "read", lambda folder: called_with.append(folder) or Record())
    result = SimpleNamespace(
        layout=Layout(tmp_path),
        report=REPORT,
        guidance={"video": 4.0},
        timings_s={"a": 60.0, "b": 30.0},
        seconds=123.456,
        peak_mib=2048.4,
    )
    called = Called(result)
    monkeypatch.setattr(run, "run_study", called)
    return called


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_demo_shows_scores_with_intervals_and_where_everything_is(demo: Called) -> None:
    lines = shown("demo").splitlines()
    assert lines[1].split() == ["system", *METRICS, "worst", "class"]
    assert lines[2].split() == ["IQ", "17.2", "[15,", "19.5]", "–", "0.75", "–", "–", "bee", "0.50"]
    assert lines[3].split() == ["real", "17.2", *"–––––"]
    text = "\n".join(lines)
    assert "over 480 test queries, one training seed;" in text
    assert called_with[-1] == Path("runs/demo/report/records/pooled-toy-clip")  # as in the report
    assert "PD is ahead of ZS." in text
    assert f"report   {Path('runs/demo/report/README.md')}" in text
    assert "done in 2.1 min (all stages 1.5 min), peak memory 2.0 GiB" in text


def test_scores_of_several_seeds_are_their_means(demo: Called, tmp_path: Path) -> None:
    for seed in (1, 2):
        (tmp_path / "runs" / f"test-seed-{seed}").mkdir()
    assert "over 480 test queries, means over 3 training seeds;" in shown("demo", "--seeds", "3")


def test_the_demo_prints_json(demo: Called) -> None:
    assert json.loads(shown("demo", "--json")) == {
        "report": "runs/demo/report",
        "headline": "PD is ahead of ZS.",
        "train_seeds": 1,
        "guidance": {"video": 4.0},
        "worst_class": {"IQ": {"class": "bee", "share": 0.5, "n": 2}},
        "timings_s": {"a": 60.0, "b": 30.0},
        "seconds": 123.5,
        "peak_mib": 2048,
    }


def test_the_report_names_the_command_that_makes_it(demo: Called) -> None:
    shown("demo", "--fast", "--seeds", "3", "--set", "guidance_scales=[2, 4]", "--set", "audio_steps=5")
    assert demo.options["command"] == (
        "clipsonic-eval demo --fast --seeds 3 --set 'guidance_scales=[2, 4]' --set audio_steps=5"
    )
    assert demo.config.train_seeds == (0, 1, 2)
    assert demo.config.guidance_scales == (2.0, 4.0)
    assert demo.config.audio_steps == 5
    assert demo.config.world.videos == 128  # of the fast study


def test_the_fast_demo_keeps_out_of_the_folder_of_the_full_one(demo: Called) -> None:
    shown("demo")
    assert demo.out == Path("runs/demo")
    shown("demo", "--fast")
    assert demo.out == Path("runs/demo-fast")
    shown("demo", "--fast", "--out", "mine", "--overwrite")
    assert demo.out == Path("mine")
    assert demo.options["overwrite"] is True


def test_the_sweep_takes_some_of_the_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    called = Called(REPORT)
    monkeypatch.setattr(sweep, "run_sweep", called)
    text = shown("sweep", "--only", "narrow, calibrated", "--set", "study.audio_steps=7")
    assert called.config.clip_variants == ("narrow", "calibrated")
    assert called.config.study.audio_steps == 7
    assert called.config.study.guidance_scales == (3.0,)  # the sweep's own default stays
    assert called.options["command"] == "clipsonic-eval sweep --only 'narrow, calibrated' --set study.audio_steps=7"
    assert text.splitlines() == ["PD is ahead of ZS.", f"report   {REPORT.out / 'README.md'}"]
    assert json.loads(shown("sweep", "--json")) == {
        "report": "runs/demo/report",
        "headline": "PD is ahead of ZS.",
        "left_out": ["a figure"],
    }


def test_an_unknown_variant_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "run_sweep", Called(REPORT))
    done = CliRunner().invoke(main, ["sweep", "--only", "narow"])
    assert done.exit_code == 2
    assert "unknown CLIP variant 'narow'. Did you mean 'narrow'" in done.stderr
