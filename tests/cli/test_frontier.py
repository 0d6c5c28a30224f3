from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import frontier_grid as made
import pandas as pd
import pytest
from click.testing import CliRunner

from clipsonic_eval.bench.cases import BenchConfig
from clipsonic_eval.cli import main
from clipsonic_eval.records import RunRecord

SWEEP = [
    "T=tones.py:Tones", "--queries", "q.csv", "--reference", "real", "--encoder", "audio=fa", "--encoder",
    "audio_text=fc",
]  # fmt: skip


def timed(config: BenchConfig, folder: Path, **_: Any) -> RunRecord:
    return made.Stopwatch()(config, folder)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made.make(tmp_path, monkeypatch)
    monkeypatch.setattr("clipsonic_eval.frontier.sweep.bench", timed)
    return tmp_path


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A sweep over four steps, of which 13 fails and 7 leaves a query out: its folder and its JSON."""
    folder = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        made.make(folder, patch)
        patch.setattr("clipsonic_eval.frontier.sweep.bench", timed)
        code, out, err = run(*SWEEP, "--grid", "steps=1,4,7,13,40", "--out", "out", "--json")
    assert code == 3
    assert "T@steps-7: 1 clips left out" in err
    return folder / "out/report", out


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["frontier", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_sweep_writes_page_figure_tables_and_records(swept: tuple[Path, str]) -> None:
    report, _ = swept
    assert {p.name for p in report.iterdir()} == {
        "README.md", "records", *(f"frontier.{end}" for end in ("csv", "md", "pdf", "png", "svg", "tex")),
        *(f"against-steps.{end}" for end in ("csv", "pdf", "png", "svg")),
    }  # fmt: skip
    assert {p.name for p in (report / "records").iterdir()} == {*(f"T@steps-{n}" for n in (1, 4, 7, 40)), "bench"}


def test_the_page_names_its_command_the_share_of_resamples_and_the_conventions(swept: tuple[Path, str]) -> None:
    page = (swept[0] / "README.md").read_text()
    assert "clipsonic-eval frontier T=tones.py:Tones --grid steps=1,4,7,13,40 --queries q.csv --reference real" in page
    assert "on the frontier in 100 % of resamples" in page
    assert "`fad|num:1|enc:fake-audio" in page
    assert "`latency|num:1|machine:m1|batch:1" in page


def test_the_csv_file_has_a_row_per_point_and_metric(swept: tuple[Path, str]) -> None:
    frame = pd.read_csv(swept[0] / "frontier.csv")
    assert list(zip(frame["metric"], frame["steps"], strict=True)) == [
        ("fad", 1), ("fad", 4), ("fad", 40), ("clap_score", 1), ("clap_score", 4), ("clap_score", 7),
        ("clap_score", 40),
    ]  # fmt: skip
    assert frame["share_on_frontier"].between(0, 1).all()
    assert (frame["latency_low"] <= frame["latency"]).all()
    assert (frame["latency"] <= frame["latency_high"]).all()


def test_json_is_one_value_with_every_point_and_what_was_left_out(swept: tuple[Path, str]) -> None:
    tree = json.loads(swept[1])
    assert {p["settings"]["steps"] for p in tree["points"] if p["metric"] == "fad"} == {"1", "4", "40"}
    assert tree["page"] == "out/report/README.md"
    reasons = {one["point"]: one["reason"] for one in tree["left_out"]}
    assert reasons.keys() == {"T@steps-13", "T@steps-7"}
    assert reasons["T@steps-13"].endswith("13 steps bring bad luck")
    assert reasons["T@steps-7"].startswith("n = 7 instead of 8")


def test_what_is_left_out_stands_on_the_page(swept: tuple[Path, str]) -> None:
    page = (swept[0] / "README.md").read_text()
    assert "## Left out\n\n- `T@steps-13`: tones.py:Tones: 13 steps bring bad luck" in page
    assert "- `T@steps-7`: n = 7 instead of 8, and the expectation of fad depends on n" in page


def test_records_alone_give_the_same_tables_and_figure(swept: tuple[Path, str], here: Path) -> None:
    report, _ = swept
    code, _, _ = run("--records", str(report / "records"), "--out", "again")
    assert code == 3  # a point is left out of FAD
    for name in ("frontier.csv", "frontier.md", "frontier.tex", "frontier.png", "frontier.pdf"):
        assert (here / "again/report" / name).read_bytes() == (report / name).read_bytes()


def test_a_table_per_metric_is_printed_the_quickest_first(here: Path) -> None:
    code, out, _ = run(*SWEEP, "--grid", "steps=4,1", "--metric", "fad", "--out", "out")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["latency", "(s)", "FAD", "↓", "on", "the", "frontier", "point"]
    assert [line.rpartition("  ")[2] for line in lines[1:3]] == ["T steps 1", "T steps 4"]
    assert "out/report/README.md" in lines
    assert not (here / "out/points/T@steps-1/quality/examples.npz").exists()


def test_a_setting_of_one_system_is_given_by_its_name(here: Path) -> None:
    two = [*SWEEP, "L=tones.py:Tones", "--set", "L.level=0.1", "--grid", "steps=1,2"]
    code, out, _ = run(*two, "--out", "out", "--json")
    assert code == 0
    found = {p["label"]: p["value"] for p in json.loads(out)["points"] if p["metric"] == "fad"}
    assert found["L@steps-1"] < found["T@steps-1"]
    sections = (here / "out/report/frontier.md").read_text()
    assert "| *T* |" in sections
    assert "| *L* |" in sections


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name at least one system and --queries, or --records"),
        (("T=tones.py:Tones",), "name at least one system and --queries"),
        (("T=tones.py:Tones", "--records", "real"), "leave the systems out, or the records"),
        (("--records", "gone"), "gone: no such run"),
        ((*SWEEP, "--grid", "steps="), "expected KEY=VALUE"),
        ((*SWEEP, "--grid", "steps=1,1"), "a value stands twice"),
        ((*SWEEP, "--grid", "steps=1", "--set", "steps=2"), "given by --set and by --grid"),
        ((*SWEEP, "--processes", "0"), "processes, calls and rounds"),
        ((*SWEEP, "--metric", "fda"), "no point could be measured"),
        ((*SWEEP, "--grid", "steps=13"), "13 steps bring bad luck"),
    ],
)
def test_what_cannot_be_done_exits_2_with_one_sentence(here: Path, arguments: tuple[str, ...], message: str) -> None:
    del here
    code, out, err = run(*arguments, "--out", "out")
    assert code == 2
    assert message in err
    assert out == ""


def test_an_interrupted_sweep_says_how_to_continue(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clipsonic_eval.frontier.sweep.bench", interrupted)
    code, _, err = run(*SWEEP, "--grid", "steps=1", "--out", "out")
    assert code == 130, err
    assert "run the same command again to continue" in err
    assert (here / "out/points/T/quality/record.json").exists()
