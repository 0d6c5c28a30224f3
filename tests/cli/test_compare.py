"""`compare` and `history check`: exit codes, sides as a user names them, outputs for people and machines."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from unit.gate.made import clip_score, clips, moved, record, set_score

from clipsonic_eval import records
from clipsonic_eval.cli import main
from clipsonic_eval.records import RunRecord

OLD = record(clip_score(clips()), set_score(10 + clips(1)))


def shifted(harm: float, seed: int = 7, spread: float = 0.01) -> RunRecord:
    """The old run, worse by so much in both metrics."""
    noise = clips(seed, mean=0.0, spread=spread)
    noise -= noise.mean()
    return moved(OLD, scores=(clip_score(clips() - harm - noise), set_score(10 + clips(1) + harm + noise)))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    runs = {"old": OLD, "same": shifted(0.0), "worse": shifted(0.1), "unsure": shifted(0.015, spread=0.1)}
    for name, run in runs.items():
        (tmp_path / name).mkdir()
        records.write(run, tmp_path / name)
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(main, words)


LIMITS = ("--limit", "fad<+0.02", "--limit", "clap_score>-0.02")


@pytest.mark.parametrize(
    ("candidate", "more", "code", "last"),
    [
        ("same", (), 0, "Gate: not worse (2 not worse)"),
        ("worse", (), 1, "Gate: worse (2 worse)"),
        ("unsure", (), 0, "Gate: cannot tell (2 cannot tell)"),
        ("unsure", ("--strict",), 4, "Gate: cannot tell (2 cannot tell)"),
        ("same", ("--strict",), 0, "Gate: not worse (2 not worse)"),
        ("old", (), 2, "Gate: cannot be compared (1 refused)"),
        ("same", ("--limit", "kad<+1"), 2, "Gate: cannot be compared (2 not worse, 1 refused)"),
        ("worse", ("--limit", "kad<+1"), 1, "Gate: worse (2 worse, 1 refused)"),
    ],
)
def test_the_exit_code_says_what_the_last_line_says(
    candidate: str, more: tuple[str, ...], code: int, last: str
) -> None:
    done = call("compare", "old", candidate, *LIMITS, *more)
    assert done.exit_code == code, done.output
    assert done.stdout.splitlines()[-1] == last


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("compare", "old", "none"), "none: no such run"),
        (("compare", "old", "same", "--limit", "fad<3%"), "write the sign, +3%"),
        (("compare", "old", "same", "--gate", "gate.yaml"), "gate.yaml"),
        (("compare", "old", "same", "--limit", "fad<+1", "--system", "PD"), "--system PD: expected OLD=NEW"),
        (("compare", "old", "same", "--strict"), "there are no limits, so nothing is judged"),
        (("compare", "old", "same", "--history", "h"), "h: no history here"),
        (("compare", "old", "old"), "a record is compared with itself"),
        (("history", "check", "--baseline", "main"), "no limits, so nothing would be checked"),
        (("history", "check", "--limit", "fad<+1"), "no baseline; give --baseline NAME"),
        (("history", "check", "--limit", "fad<+1", "--baseline", "main"), "history: no history here"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(words: tuple[str, ...], why: str) -> None:
    done = call(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    if "--history" not in words and "history" not in words:
        assert done.stderr.count("\n") == 1
        assert why in done.stderr


def test_without_limits_the_differences_are_shown_and_nothing_is_judged() -> None:
    done = call("compare", "old", "worse")
    assert done.exit_code == 0
    assert "question: one model against another on the same queries" in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if "clap_score" in line and "PD" in line]
    assert "−0.10" in row
    assert "< 0.001" in row
    assert "Gate" not in done.stdout


def test_without_limits_json_has_every_difference() -> None:
    found = json.loads(call("compare", "old", "worse", "--json").stdout)
    assert {(d["system"], d["metric"]) for d in found["differences"]} == {("PD", "fad"), ("PD", "clap_score")}
    assert all(d["interval"][0] < d["change"] < d["interval"][1] for d in found["differences"])
    assert found["question"] == "same queries"


def test_json_has_verdicts_evidence_and_exit_code() -> None:
    done = call("compare", "old", "worse", *LIMITS, "--json")
    found = json.loads(done.stdout)
    assert found["exit_code"] == done.exit_code == 1
    assert [v["outcome"] for v in found["verdicts"]] == ["worse", "worse"]
    assert found["verdicts"][0]["evidence"]["unit"] == "clips"
    assert (found["baseline"]["name"], found["candidate"]["name"]) == ("old", "worse")
    assert len(found["limits_sha256"]) == 64


def test_files_for_machines_are_written_beside_the_text() -> None:
    done = call("compare", "old", "worse", *LIMITS, "--junit", "gate.xml", "--markdown", "gate.md", "--annotations")
    assert done.exit_code == 1
    suite = ElementTree.parse("gate.xml").getroot()[0]
    assert (suite.tag, suite.get("failures")) == ("testsuite", "2")
    assert Path("gate.md").read_text().startswith("### Gate: worse")
    assert done.stderr.startswith("::error title=PD")
    assert "::error" not in done.stdout


def test_the_summary_of_a_workflow_step_is_appended_to_where_it_is_named_and_only_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary = Path("summary.md")
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    call("compare", "old", "same", *LIMITS, "--markdown", "other.md")
    assert summary.read_text() == "before\n"
    call("compare", "old", "same", *LIMITS, "--markdown", "summary.md")
    call("compare", "old", "worse", *LIMITS, "--markdown", "summary.md")
    assert [line for line in summary.read_text().splitlines() if line.startswith(("before", "###"))] == [
        "before",
        "### Gate: not worse (2 not worse)",
        "### Gate: worse (2 worse)",
    ]


def test_a_file_of_limits_is_overridden_by_options() -> None:
    Path("gate.yaml").write_text('limits:\n  fad: "<+0.02"\n  clap_score: ">-0.02"\n')
    assert call("compare", "old", "worse", "--gate", "gate.yaml").exit_code == 1
    wide = ("--limit", "fad<+2", "--limit", "clap_score>-0.5")
    assert call("compare", "old", "worse", "--gate", "gate.yaml", *wide).exit_code == 0


def test_training_seeds_stand_in_a_folder_or_a_pattern() -> None:
    for side, mean in {"a": 0.0, "b": -0.3}.items():
        for seed in range(3):
            run = record(
                clip_score(clips() + mean + 0.01 * seed), created=f"{side}{seed}", tags={"train_seed": f"{seed}"}
            )
            Path(f"{side}/seed-{seed}").mkdir(parents=True)
            records.write(run, Path(f"{side}/seed-{seed}"))
    for sides in (("a", "b"), ("a/seed-*", "b/seed-*")):
        done = call("compare", *sides, "--limit", "clap_score>-0.05", "--json")
        (verdict,) = json.loads(done.stdout)["verdicts"]
        assert (verdict["question"], verdict["outcome"]) == ("recipe", "worse")
        assert verdict["evidence"]["n"] == 3


def test_a_system_is_compared_with_another_of_the_same_run() -> None:
    Path("two").mkdir()
    records.write(record(clip_score(clips(), system="ZS"), clip_score(clips() - 0.1, system="PD")), Path("two"))
    done = call("compare", "two", "two", "--system", "ZS=PD", "--limit", "clap_score>-0.02")
    assert done.exit_code == 1
    assert "clap_score of 'ZS' as 'PD' is 0.1" in done.stdout


# --- in a history


@pytest.fixture
def history(place: Path) -> Path:
    assert call("history", "pin", "main", "old").exit_code == 0
    return place / "history"


@pytest.mark.usefixtures("history")
def test_the_newest_record_is_checked_against_the_pin() -> None:
    call("history", "add", "worse")
    done = call("history", "check", "--baseline", "main", *LIMITS)
    assert done.exit_code == 1
    assert "baseline: main" in done.stdout
    assert "candidate: latest" in done.stdout


@pytest.mark.usefixtures("history")
def test_a_run_is_checked_without_being_added() -> None:
    Path("gate.yaml").write_text('baseline: main\nlimits:\n  fad: "<+0.02"\n')
    assert call("history", "check", "same", "--gate", "gate.yaml").exit_code == 0
    assert call("history", "check", "worse", "--gate", "gate.yaml").exit_code == 1
    assert len(json.loads(call("history", "ls", "--json").stdout)) > 0
    assert len(list(Path("history/records").iterdir())) == 1


@pytest.mark.usefixtures("history")
def test_the_pin_itself_as_the_newest_record_is_refused() -> None:
    done = call("history", "check", "--baseline", "main", *LIMITS)
    assert done.exit_code == 2
    assert "a record is compared with itself" in done.stdout


@pytest.mark.usefixtures("history")
def test_compare_takes_pins_and_hashes() -> None:
    call("history", "add", "worse")
    newest = max(Path("history/records").iterdir(), key=lambda path: path.stat().st_mtime_ns).stem
    assert call("compare", "main", newest[:10], "--history", "history", *LIMITS).exit_code == 1
    assert call("compare", "main", "latest", "--history", "history", *LIMITS).exit_code == 1


@pytest.mark.usefixtures("history")
def test_clips_in_single_precision_give_the_verdict_of_the_run_itself() -> None:
    """A history keeps values per clip in float32."""
    direct = json.loads(call("compare", "old", "unsure", *LIMITS, "--json").stdout)["verdicts"]
    stored = json.loads(call("compare", "main", "unsure", "--history", "history", *LIMITS, "--json").stdout)["verdicts"]
    for a, b in zip(direct, stored, strict=True):
        assert a["outcome"] == b["outcome"]
        assert a["evidence"]["harm"] == pytest.approx(b["evidence"]["harm"], abs=1e-6)


@pytest.mark.usefixtures("history")
def test_a_record_whose_clips_are_gone_says_so() -> None:
    for path in Path("history/clips").iterdir():
        path.unlink()
    done = call("history", "check", "same", "--baseline", "main", *LIMITS)
    assert done.exit_code == 2
    assert "`history prune` dropped them" in " ".join(done.stdout.split())
