"""``--json`` of every command: stdout is one JSON value and nothing else, whatever is said on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_encoders
import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.media.audio import write_wav

KEYS = [f"q{i}" for i in range(5)]
FEW = ["--set", "n_bootstrap=20"]
SYSTEM = """
import numpy as np
class Mine:
    name, sample_rate = "mine", 16000
    def generate(self, queries, seeds):
        return [np.full(800, 0.5 if q.key != "q4" else np.nan, np.float32) for q in queries]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders of wavs with a file that is none, prompts, features, a system, and encoders ``fa`` and ``fc``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    len(ENCODERS)  # scans the package before ours come in
    for name, encoder in {"fa": fake_encoders.FakeEncoder(), "fc": fake_encoders.FakeEncoder(unit=True)}.items():
        monkeypatch.setitem(ENCODERS._items, name, lambda weights=None, *, device="cpu", encoder=encoder: encoder)
    for folder, noise in {"wavs": 0.2, "real": 0.01}.items():
        for i, key in enumerate(KEYS):
            write_wav(Path(folder) / f"{key}.wav", fake_encoders.tone(300 * (i + 1), i, noise), fake_encoders.RATE)
        (Path(folder) / "bad.wav").write_text("no audio")
    Path("q.csv").write_text("key,prompt\n" + "".join(f"{key},tone {300 * (i + 1)}\n" for i, key in enumerate(KEYS)))
    points = np.random.default_rng(0).standard_normal((40, 4))
    np.savez("f.npz", image=points + 1, text=points[::-1])
    Path("mine.py").write_text(SYSTEM)
    return tmp_path


def run(*words: str, code: int) -> Any:
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == code, done.output
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


@pytest.mark.usefixtures("place")
def test_embed_counts_the_clips_of_each_folder() -> None:
    found = run("embed", "wavs", "real", "--encoder", "fa", "--cache", "c", code=3)
    assert found == {"cache": "c", "n": {"wavs": 5, "real": 5}, "skipped": 2}


@pytest.mark.usefixtures("place")
def test_embed_says_where_the_statistics_are_on_stderr() -> None:
    found = run("embed", "real", "--encoder", "fa", "--cache", "c", "--statistics", "s.npz", code=3)
    assert found["n"] == {"real": 5}
    with np.load("s.npz") as stored:
        assert int(stored["clips"]) == 5
        assert stored["sigma"].shape == (fake_encoders.DIM, fake_encoders.DIM)


@pytest.mark.usefixtures("place")
def test_evaluate_prints_the_record_with_what_was_skipped() -> None:
    words = ["evaluate", "--system", "a=wavs", "--reference", "real", "--metric", "fad", "--encoder", "audio=fa"]
    record = run(*words, "--out", "run", *FEW, "--set", "n_permutations=20", code=3)
    assert [(s["metric"], s["system"], s["n"]) for s in record["scores"]] == [("fad", "a", 5)]
    assert {name: [skip["key"] for skip in skips] for name, skips in record["skipped"].items()} == {
        "a": ["bad"],
        "reference": ["bad"],
    }


@pytest.mark.usefixtures("place")
def test_gap_prints_the_record_of_features_and_of_audio() -> None:
    record = run("gap", "f.npz", "--out", "of-features", *FEW, code=0)
    assert record["kind"] == "gap"
    assert {s["system"] for s in record["scores"]} == {"image", "text", "mean-shift"}
    record = run("gap", "wavs", "--encoder", "fc", "--prompts", "q.csv", "--out", "of-audio", *FEW, code=3)
    assert {s["n"] for s in record["scores"]} == {5}
    assert {s["system"] for s in record["scores"]} == {"audio", "text", "mean-shift"}


@pytest.mark.usefixtures("place")
def test_sample_lists_each_query_that_was_skipped_with_the_reason() -> None:
    found = run("sample", "mine.py:Mine", "--queries", "q.csv", "--out", "out", code=3)
    assert (found["folder"], found["system"], found["samples"], found["resumed"]) == ("out", "mine", 4, 0)
    assert found["skipped"] == [{"key": "q4", "reason": "the system gave 800 samples that are not finite"}]


@pytest.mark.usefixtures("place")
def test_prepare_counts_items_clips_and_seconds() -> None:
    words = ["prepare", "wavs", "--out", "clips", "--workers", "0"]
    settings = ["image_encoder=null", "duration_s=0.2", "min_s=0.1", "sample_rate=16000"]
    found = run(*words, *(part for item in settings for part in ("--set", item)), code=3)
    assert (found["folder"], found["finished"], found["shards_waiting"]) == ("clips", True, 0)
    assert (found["n_items"], found["n_clips"], found["n_skipped"]) == (6, 5, 1)
    assert found["hours"] == pytest.approx(5 * 0.2 / 3600)


@pytest.mark.usefixtures("place")
def test_report_lists_its_files() -> None:
    words = ["evaluate", "--system", "a=wavs", "--reference", "real", "--metric", "fad", "--encoder", "audio=fa"]
    run(*words, "--out", "run", *FEW, "--set", "n_permutations=20", code=3)
    found = run("report", "run", "--out", "report", code=0)
    assert found["folder"] == "report"
    assert all((Path("report") / file).is_file() for file in found["files"])
    assert {"README.md", "table.csv", "table.tex"} <= set(found["files"])
    assert found["skipped"] == {"run": 2}


def test_the_shipped_toy_encoders_show_their_geometry() -> None:
    done = CliRunner().invoke(main, ["toy-encoders", "show", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)
    assert "toy" in CliRunner().invoke(main, ["toy-encoders", "show"]).stdout
