"""A metric with a new encoder role runs through evaluate, command line and report without another line changed."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fake_encoders import FakeEncoder, tone

from clipsonic_eval.cli import main
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs, MetricCard

ROLE = "audio_motion"  # that no metric of ours has


def offset(inputs: Inputs) -> dict[str, float]:
    """Return the mean of each clip's embedding, as if it were its offset from a video."""
    rows = inputs.system.vectors.mean(axis=1)
    return {key: float(value) for key, value in zip(inputs.system.keys, rows, strict=True)}


CARD = MetricCard(
    name="offset",
    title="Offset",
    description="mean offset between audio and video",
    unit="s",
    higher_is_better=False,
    role=ROLE,
    encoder="fake-sync",
    needs=(),
    min_n=1,
    biased_in_n=False,
    signature="est:mean",
    source="none",
    decimals=1,
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    len(METRICS), len(ENCODERS)  # scans the folders before ours come in
    monkeypatch.setitem(METRICS._items, "offset", ClipMetric(CARD, offset))
    for name in ("fake-sync", "other-sync"):
        monkeypatch.setitem(ENCODERS._items, name, lambda weights=None, *, device="cpu", name=name: FakeEncoder(name))
    for name, noise in (("good", 0.02), ("bad", 0.4)):
        for i, pitch in enumerate(np.geomspace(300, 5000, 8)):
            write_wav(tmp_path / name / f"q{i}.wav", tone(pitch, seed=i, noise=noise), 16000)
    return tmp_path


def config(world: Path, **more: Any) -> EvaluateConfig:
    return EvaluateConfig(
        systems={"good": world / "good", "bad": world / "bad"},
        **{"metrics": ("offset",), "n_bootstrap": 40, "n_permutations": 40, "cache": world / "cache", **more},
    )


def test_its_default_encoder_comes_from_its_card(world: Path) -> None:
    assert config(world).encoders[ROLE] == "fake-sync"
    record = evaluate(config(world), None)
    assert {(score.metric, score.system) for score in record.scores} == {("offset", "good"), ("offset", "bad")}
    assert all("|enc:fake-sync+" in score.signature for score in record.scores)
    assert [(c.metric, c.a, c.b) for c in record.comparisons] == [("offset", "good", "bad")]


def test_another_encoder_can_take_the_role_by_name_or_in_memory(world: Path) -> None:
    named = evaluate(config(world, encoders={ROLE: "other-sync"}), None)
    assert all("|enc:other-sync+" in score.signature for score in named.scores)
    given = evaluate(config(world), None, encoders={ROLE: FakeEncoder("mine")})
    assert all("|enc:mine+" in score.signature for score in given.scores)


def test_declining_the_role_or_misspelling_it_is_one_sentence(world: Path) -> None:
    with pytest.raises(ConfigError, match="offset cannot be computed: no encoder for 'audio_motion'"):
        evaluate(config(world, encoders={ROLE: None}), None)
    with pytest.raises(UserError, match=r"unknown role of an encoder 'audio_moiton'.*'audio_motion'"):
        config(world, encoders={"audio_moiton": "other-sync"})


def test_the_command_line_takes_its_role_and_the_report_its_column(world: Path) -> None:
    run, report = world / "run", world / "report"
    options = ["--metric", "offset", "--encoder", f"{ROLE}=other-sync", "--cache", str(world / "cache")]
    systems = [part for name in ("good", "bad") for part in ("--system", f"{name}={world / name}")]
    done = CliRunner().invoke(
        main,
        ["evaluate", *systems, *options, "--set", "n_bootstrap=40", "--set", "n_permutations=40", "--out", str(run)],
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split() == ["offset", "↓", "n"]
    assert json.loads((run / "record.json").read_text())["config"]["encoders"][ROLE] == "other-sync"
    made = CliRunner().invoke(main, ["report", str(run), "--out", str(report)])
    assert made.exit_code == 0, made.output
    assert "offset" in (report / "README.md").read_text().lower()
    rows = list(csv.DictReader((report / "table.csv").read_text().splitlines()))
    assert {row["metric"] for row in rows} == {"offset"}
