"""``clipsonic-eval evaluate`` and ``ls`` as a user meets them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_encoders
import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.media.audio import write_wav

PITCHES = np.geomspace(300, 5000, 8)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    len(ENCODERS)  # scans the folder before ours come in
    for name, encoder in zip(("fa", "fc", "fk"), fake_encoders.encoders().values(), strict=False):
        monkeypatch.setitem(ENCODERS._items, name, lambda weights=None, *, device="cpu", encoder=encoder: encoder)
    with (tmp_path / "prompts.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["key", "prompt", "label"])
        for i, pitch in enumerate(PITCHES):
            rows.writerow([f"q{i}", f"tone {pitch}", "low" if pitch < 1000 else "high"])
            for name, noise in (("reference", 0.01), ("good", 0.02), ("bad", 0.4)):
                write_wav(tmp_path / name / f"q{i}.wav", fake_encoders.tone(pitch, seed=i, noise=noise), 16000)
    return tmp_path


def call(world: Path, *options: str, encoders: tuple[str, ...] = ("audio=fa", "audio_text=fc", "classifier=fk")) -> Any:
    named = [part for encoder in encoders for part in ("--encoder", encoder)]
    common = ["--set", "n_bootstrap=40", "--set", "n_permutations=100", "--cache", str(world / "cache")]
    out = ["--out", str(world / "run")]
    return CliRunner().invoke(main, ["evaluate", *named, *common, *out, *options])


def both(world: Path) -> list[str]:
    given = ["--system", f"good={world / 'good'}", "--system", f"bad={world / 'bad'}"]
    return [*given, "--reference", str(world / "reference"), "--prompts", str(world / "prompts.csv")]


def test_the_table_has_values_intervals_tests_and_signatures(world: Path) -> None:
    done = call(world, *both(world), "--tag", "split=test")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["fad", "↓", "clap_score", "↑", "class_accuracy", "↑", "n"]
    assert lines[1].startswith("good  ")
    assert lines[1].count("[") == 3
    assert lines[1].endswith(" 8")
    assert any(line.startswith("fad: good − bad") for line in lines)
    assert any(line.startswith("fad|num:1|enc:fake-audio+ffffffff|encnum:1|rate:16k|") for line in lines)
    assert (world / "run" / "record.json").is_file()


def test_json_is_the_record_with_the_values_per_clip(world: Path) -> None:
    done = call(world, *both(world), "--json")
    printed, written = json.loads(done.stdout), json.loads((world / "run" / "record.json").read_text())
    clips = {name for score in printed["scores"] for name in score} - {name for s in written["scores"] for name in s}
    assert "per_clip" in clips
    assert all(len(s["per_clip"]) == s["n"] for s in printed["scores"] if s["metric"] == "clap_score")
    for score in printed["scores"]:
        for name in clips:
            del score[name]
    assert printed.pop("worst_class") == {name: {"class": "high", "share": 0.8, "n": 5} for name in ("good", "bad")}
    assert printed == {name: value for name, value in written.items() if name not in ("clips", "sha256")}


def test_skipped_items_give_exit_code_three_and_a_line_each(world: Path) -> None:
    (world / "good" / "q3.wav").write_text("this is no audio")
    done = call(world, *both(world))
    assert done.exit_code == 3
    assert "skipped good: q3: " in done.stderr


def test_a_configuration_file_is_laid_under_the_options(world: Path) -> None:
    (world / "e.yaml").write_text(
        f"systems: {{good: {world / 'good'}}}\nprompts: {world / 'prompts.csv'}\nencoders: {{audio: nobody}}\n"
        "metrics: [clap_score]\n"
    )
    done = call(world, "--config", str(world / "e.yaml"), "--system", f"bad={world / 'bad'}", "--json")
    assert done.exit_code == 0, done.output
    assert {(s["metric"], s["system"]) for s in json.loads(done.stdout)["scores"]} == {
        ("clap_score", "good"),
        ("clap_score", "bad"),
    }


def test_an_encoder_can_be_left_out(world: Path) -> None:
    done = call(world, *both(world), "--json", encoders=("audio=fa", "audio_text=none", "classifier=none"))
    assert {s["metric"] for s in json.loads(done.stdout)["scores"]} == {"fad"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "no system to evaluate"),
        (("--system", "good"), "--system good: expected NAME=FOLDER, e.g. --system good=good"),
        (("--system", "x=nowhere"), "nowhere: no such folder"),
        (("--system", "x=good", "--set", "n_boot=3"), "unknown key 'n_boot'. Did you mean 'n_bootstrap'?"),
        (("--system", "x=good", "--metric", "fed"), "unknown metric 'fed'. Did you mean 'fad'?"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_two(
    world: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(world)
    done = call(world, *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_lists_name_what_there_is() -> None:
    done = CliRunner().invoke(main, ["ls", "--json"])
    found = json.loads(done.stdout)
    assert {"fad", "clap_score", "class_accuracy", "kl"} <= set(found["metrics"])
    assert {"toy-clip", "toy-audio"} <= set(found["encoders"])
    assert "vggsound" in found["datasets"]
    assert {"clipsonic.systems:ZeroShot", "paired_tta.systems:ClipTTA"} <= set(found["systems"])
    assert "clipsonic.systems:Conditioned" not in found["systems"]
    plain = CliRunner().invoke(main, ["ls", "metrics"])
    assert plain.stdout.startswith("audio_audio_cosine")


def test_lists_load_no_torch_and_no_system() -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom clipsonic_eval.cli import main\n"
        "assert CliRunner().invoke(main, ['ls']).exit_code == 0\n"
        "bad = {'torch', 'clipsonic', 'paired_tta', 'matplotlib', 'av', 'pandas'} & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_rows_of_the_prompts_that_cannot_be_used_are_named_and_the_rest_is_scored(world: Path) -> None:
    lines = (world / "prompts.csv").read_text().splitlines()
    lines[3] = 'q2,"tone that never closes,low'
    lines[6] = "q5,nan,low"
    text = "\n".join(["file;caption;class", *(line.replace(",", ".wav;", 1).replace(",", ";") for line in lines[1:])])
    (world / "prompts.csv").write_text(text)
    done = call(world, *both(world))
    assert done.exit_code == 3, done.output
    assert "skipped prompts: line-4: prompts.csv line 4: a quote opens here and is never closed" in done.stderr
    assert "prompts.csv line 7: has no prompt ('nan' means none)" in done.stderr
    assert "'caption' as prompt" in done.stderr
    scores = json.loads((world / "run" / "record.json").read_text())["scores"]
    assert {s["n"] for s in scores if s["metric"] == "clap_score"} == {6}


def test_every_set_is_counted_on_the_screen_and_in_the_record(world: Path) -> None:
    (world / "reference" / "notes.txt").write_text("x")
    (world / "good" / "q3.wav").write_text("this is no audio")
    (world / "bad" / "more.wav").write_bytes((world / "bad" / "q0.wav").read_bytes())
    done = call(world, *both(world), "--real", str(world / "reference"))
    assert done.exit_code == 3, done.output
    sets = json.loads((world / "run" / "record.json").read_text())["sets"]
    assert {name: tuple(count.values()) for name, count in sets.items()} == {
        "good": (8, 7, 1, 0),
        "bad": (9, 8, 0, 1),
        "real": (9, 8, 0, 1),
        "reference": (9, 8, 0, 1),
    }
    assert "bad: 9 found, 8 used, 0 skipped, 1 left out" in done.stderr


def test_a_system_that_is_the_reference_or_shares_its_files_is_named(world: Path) -> None:
    for i in range(4):
        (world / "bad" / f"q{i}.wav").write_bytes((world / "reference" / f"q{i}.wav").read_bytes())
    call(world, *both(world), "--system", f"same={world / 'reference'}")
    findings = json.loads((world / "run" / "record.json").read_text())["findings"]
    said = {(name, f["sentence"][:60]) for name, group in findings.items() for f in group if f["check"] == "same_files"}
    assert {(name, sentence.split(";")[0].split(" are the")[0]) for name, sentence in said} == {
        ("bad", "4 of 8 clips of 'bad'"),
        ("same", "8 of 8 clips of 'same'"),
        ("same", "4 of 8 clips of 'same'"),
    }


def test_several_captions_of_a_clip_are_in_the_signature_and_in_the_score(world: Path) -> None:
    call(world, *both(world), "--metric", "clap_score")
    one = json.loads((world / "run" / "record.json").read_text())["scores"]
    with (world / "prompts.csv").open("a") as stream:
        stream.writelines(
            f"q{i},tone {pitch * 2},{'low' if pitch < 1000 else 'high'}\n" for i, pitch in enumerate(PITCHES)
        )
    done = call(world, *both(world), "--metric", "clap_score", "--overwrite")
    assert done.exit_code == 0, done.output
    several = json.loads((world / "run" / "record.json").read_text())["scores"]
    assert all("captions" not in s["signature"] for s in one)
    assert all("|captions:mean|" in s["signature"] for s in several)
    assert [s["n"] for s in several] == [8, 8]
    assert [s["value"] for s in several] != [s["value"] for s in one]


def test_one_wav_gives_exit_code_two_where_nothing_can_be_scored_and_three_where_something_can(world: Path) -> None:
    (world / "one").mkdir()
    (world / "one" / "q0.wav").write_bytes((world / "good" / "q0.wav").read_bytes())
    system, reference = f"A={world / 'one'}", str(world / "reference")
    done = call(world, "--system", system, "--reference", reference)
    assert done.exit_code == 2, done.output
    assert "nothing could be scored; the first reason: A: fad not computed: it needs at least 2 clips" in done.stderr
    assert not (world / "run" / "record.json").exists()
    (world / "prompts.csv").write_text("key,prompt,label\nq0,tone 300,low\n")
    done = call(world, "--system", system, "--reference", reference, "--prompts", str(world / "prompts.csv"))
    assert done.exit_code == 3, done.output
    assert "error A: fad not computed" in done.stderr
    assert not json.loads((world / "run" / "record.json").read_text())["skipped"]


def test_unanswered_queries_left_out_metrics_and_equal_systems_are_said(world: Path) -> None:
    (world / "good" / "q3.wav").unlink()
    for path in (world / "good").glob("*.wav"):
        (world / "bad" / path.name).write_bytes(path.read_bytes())
    (world / "bad" / "q3.wav").unlink()
    lines = (world / "prompts.csv").read_text().splitlines()
    (world / "prompts.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    done = call(world, *both(world))
    assert done.exit_code == 3, done.output
    assert (
        "warning good: 1 of 8 queries unanswered, the scores are over the others; with those counted fad" in done.stderr
    )
    assert "warning evaluation: class_accuracy left out: no query has a label" in done.stderr
    assert "warning bad: identical outputs: all 7 common clips are the same bytes as those of 'good'" in done.stderr
