"""A new metric, with a new role, is one new file: function, list, evaluation, report and contract follow."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fake_encoders import FakeEncoder, tone

from clipsonic_eval import metrics
from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.reporting import build

FILE = '''
"""Brightness of a system's clips."""

from clipsonic_eval.metrics import ClipMetric, MetricCard, metric
from clipsonic_eval.metrics.scoring import score

BRIGHTNESS = ClipMetric(
    MetricCard(
        name="brightness",
        title="Brightness",
        description="mean of the first coordinate",
        unit="dB",
        higher_is_better=True,
        role="timbre",
        needs=(),
        min_n=1,
        biased_in_n=False,
        signature="coordinate:0",
        source="this test",
        decimals=1,
    ),
    lambda inputs: dict(zip(inputs.system.keys, map(float, inputs.system.vectors[:, 0]), strict=True)),
)


@metric(BRIGHTNESS)
def brightness(system, *, n_boot=2000, seed=0):
    """Return the mean of the first coordinate."""
    return score(BRIGHTNESS, system, n_boot=n_boot, seed=seed)
'''


@pytest.fixture
def new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put a file where the package is scanned, as if it lay beside the others."""
    len(METRICS)  # ours are there
    (tmp_path / "plugin").mkdir()
    path = tmp_path / "plugin" / "brightness_of_clips.py"
    path.write_text(FILE)
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(path.parent)])
    monkeypatch.setattr(METRICS, "_items", dict(METRICS._items))
    monkeypatch.setattr(METRICS, "_scanned", False)
    yield path
    sys.modules.pop("clipsonic_eval.metrics.brightness_of_clips", None)
    if hasattr(metrics, "brightness_of_clips"):
        del metrics.brightness_of_clips


@pytest.fixture
def wavs(tmp_path: Path) -> Path:
    for system, pitch in (("low", 300), ("high", 3000)):
        for i in range(8):
            write_wav(tmp_path / system / f"q{i}.wav", tone(pitch + 20 * i, seed=i, noise=0.01), 16000)
    return tmp_path


@pytest.mark.usefixtures("new_file")
def test_it_has_a_function_and_is_listed() -> None:
    x = np.random.default_rng(0).standard_normal((20, 3))
    found = metrics.brightness(x)  # type: ignore[attr-defined]
    assert float(found) == pytest.approx(x[:, 0].mean())
    assert found.unit == "dB"
    listed = json.loads(CliRunner().invoke(main, ["ls", "metrics", "--json"]).stdout)
    assert listed["brightness"].startswith("Brightness: mean of the first coordinate (dB, higher is better")


@pytest.mark.usefixtures("new_file")
def test_an_evaluation_takes_an_encoder_of_its_role_and_a_report_its_title(wavs: Path, tmp_path: Path) -> None:
    systems = {name: wavs / name for name in ("low", "high")}
    config = EvaluateConfig(systems, metrics=("brightness",), n_bootstrap=40, n_permutations=40, examples=0)
    record = evaluate(config, None, encoders={"timbre": FakeEncoder("fake-timbre")})
    assert {(s.metric, s.system) for s in record.scores} == {("brightness", "low"), ("brightness", "high")}
    assert [c.metric for c in record.comparisons] == ["brightness"]
    assert "|enc:fake-timbre+ffffffff|" in record.scores[0].signature
    build.build([record], tmp_path / "report")
    assert "Brightness" in (tmp_path / "report" / "README.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("new_file")
def test_without_an_encoder_of_its_role_it_says_so(wavs: Path) -> None:
    config = EvaluateConfig({"low": wavs / "low"}, metrics=("brightness",), examples=0)
    with pytest.raises(ConfigError, match=r"brightness .*timbre"):
        evaluate(config, None)
