"""``clipsonic-eval gap`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main


@pytest.fixture
def features(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((40, 6))
    np.savez(tmp_path / "f.npz", image=shared + 3 * np.eye(6)[0], text=shared + 3 * np.eye(6)[1])
    return tmp_path / "f.npz"


def test_features_of_any_encoder_are_scored(features: Path) -> None:
    out = features.parent / "run"
    done = CliRunner().invoke(
        main, ["gap", str(features), "--space", "mine", "--set", "n_bootstrap=40", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["image", "text", "mean-shift"]
    assert any(line.startswith("centroid_distance ") for line in lines)
    assert any(line.startswith("centroid_distance|num:1|enc:mine+declared|encnum:1|vec:l2|") for line in lines)
    assert (out / "projection.npz").is_file()


def test_json_is_the_record_with_the_values_per_clip(features: Path) -> None:
    out = features.parent / "run"
    options = ["--set", "n_bootstrap=40", "--set", "mean_shift=false", "--tag", "clip_variant=mine", "--json"]
    done = CliRunner().invoke(main, ["gap", str(features), *options, "--out", str(out)])
    record, written = json.loads(done.stdout), json.loads((out / "record.json").read_text())
    for score in record["scores"]:  # what lies beside the record in clips.parquet
        for name in score.keys() - written["scores"][0].keys():
            del score[name]
    assert record == {name: value for name, value in written.items() if name not in ("clips", "sha256")}
    assert record["tags"] == {"clip_variant": "mine"}
    assert {s["system"] for s in record["scores"]} == {"image", "text"}


def test_a_source_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["gap", str(tmp_path / "x"), "--out", str(tmp_path / "run")])
    assert done.exit_code == 2
    assert "neither prepared clips" in done.stderr
    assert done.stderr.strip().count("\n") == 0
