"""``clipsonic-eval embed``: shares of the work add up to the very numbers of one job."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from fake_ray import installed

from clipsonic_eval.cli import main
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.media.audio import write_wav


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    for folder, level in (("real", 0.1), ("system", 0.4)):
        for k in range(7):
            tone = np.sin(np.arange(16000) * (k + 1) / 20)
            sound = 0.4 * tone + level * rng.standard_normal(16000)
            write_wav(tmp_path / folder / f"q{k}.wav", sound.astype(np.float32), 16000)
    return [tmp_path / "real", tmp_path / "system"]


def run(*words: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, ["embed", *map(str, words), "--encoder", "toy-audio"], env=env)


def test_shares_fill_one_cache_to_the_same_scores(folders: list[Path], tmp_path: Path) -> None:
    counts = []
    for i in (1, 2, 3):
        done = run(*folders, "--cache", tmp_path / "shares", "--shard", f"{i}/3", "--json")
        assert done.exit_code == 0, done.output
        counts.append(sum(json.loads(done.stdout)["n"].values()))
    assert counts == [6, 4, 4]
    values = {}
    for name in ("shares", "alone"):
        told = EvaluateConfig(
            {"s": folders[1]}, folders[0], metrics=("fad",), n_bootstrap=20, n_permutations=20, examples=0,
            cache=tmp_path / name,
        )  # fmt: skip
        score = evaluate(told, tmp_path / f"run-{name}").score("fad", "s")
        assert score is not None
        values[name] = score.value
    assert values["shares"] == pytest.approx(values["alone"], rel=1e-12)
    # nor is anything decoded again for the checks of sound
    assert sum(1 for _ in (tmp_path / "shares").glob("sound-levels-*/*.npy")) == 6
    before = sorted((tmp_path / "shares").rglob("*.npy"))
    assert run(*folders, "--cache", tmp_path / "shares").exit_code == 0
    assert sorted((tmp_path / "shares").rglob("*.npy")) == before  # everything was there


def test_processes_and_tasks_fill_the_cache_and_the_result_is_that_of_one(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wav(folders[0] / "none.wav", np.zeros(0, np.float32), 16000)
    ray = installed(monkeypatch)
    told, statistics = {}, {}
    ways = {"one": [], "two": ["--processes", "2"], "ray": ["--engine", "ray", "--processes", "5"]}
    for name, words in ways.items():
        file = tmp_path / f"{name}.npz"
        done = run(*folders, "--cache", tmp_path / name, "--statistics", file, *words)
        assert done.exit_code == 3, done.output
        told[name] = [line for line in done.output.splitlines() if line.startswith(("skipped", "error", "warning"))]
        with np.load(file) as arrays:
            statistics[name] = {key: arrays[key].tobytes() for key in ("mu", "sigma") if key in arrays}
    assert told["one"] == told["two"] == told["ray"]
    assert any("none" in line for line in told["one"])
    assert statistics["one"] == statistics["two"] == statistics["ray"]
    assert len(list((tmp_path / "two").glob("sound-levels-*/*.npy"))) == 4  # two processes, two folders; then only read
    assert [str(part) for part in ray.attempts] == [f"share {j}/5" for j in (1, 2, 3, 4, 5)]


def test_the_share_of_a_job_is_dealt_on_to_its_processes(folders: list[Path], tmp_path: Path) -> None:
    counts = [run(*folders, "--cache", tmp_path / "a", "--shard", f"{i}/2", "--processes", 2, "--json") for i in (1, 2)]
    assert [sum(json.loads(done.stdout)["n"].values()) for done in counts] == [8, 6]
    before = sorted((tmp_path / "a").rglob("*.npy"))
    run(*folders, "--cache", tmp_path / "a")
    assert sorted((tmp_path / "a").rglob("*.npy")) == before


def test_what_looks_wrong_is_said_and_what_is_in_another_unit_left_out(folders: list[Path], tmp_path: Path) -> None:
    loud = 3 * np.sin(np.arange(16000) / 20)
    write_wav(folders[0] / "q1.wav", loud.astype(np.float32), 16000)
    write_wav(folders[0] / "q2.wav", np.rint(9000 * loud).astype(np.float32), 16000)
    done = run(folders[0], "--cache", tmp_path / "cache")
    assert done.exit_code == 3
    assert f"warning {folders[0]}: 'q1' peaks at 3 times full scale" in done.stderr
    assert f"skipped {folders[0]}: q2: holds integers stored as floats" in done.stderr
    assert f"{folders[0]}: 6 clips" in done.stdout


def test_under_torchrun_the_rank_says_the_share(folders: list[Path], tmp_path: Path) -> None:
    done = run(folders[0], "--cache", tmp_path / "c", "--json", env={"RANK": "1", "WORLD_SIZE": "2"})
    assert json.loads(done.stdout)["n"] == {str(folders[0]): 3}


def test_bad_files_and_mistakes(folders: list[Path], tmp_path: Path) -> None:
    (folders[0] / "bad.wav").write_text("no sound")
    done = run(folders[0], "--cache", tmp_path / "c")
    assert done.exit_code == 3
    assert "bad" in done.stderr
    assert run(tmp_path / "nowhere", "--cache", tmp_path / "c").exit_code == 2
    assert run(folders[0], "--shard", "3/2").exit_code == 2
