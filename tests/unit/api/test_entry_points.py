"""A package installed beside ours brings a metric of a new role, an encoder and a system, and all of it works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fake_encoders
import numpy as np
import pytest
import soundfile

PACKAGE = '''
"""Loudness of clips: an encoder, a metric of a new role that needs it, and a system."""

import numpy as np

from clipsonic_eval.encoders import EncoderBase
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.metrics import ClipMetric, MetricCard
from clipsonic_eval.types import EncoderCard


class Levels(EncoderBase):
    """One row per clip: its level in dB."""

    def audio(self, clips):
        return np.array([[20 * np.log10(np.std(mono_at(clip, 16000)) + 1e-6)] for clip in clips], np.float32)

    def audio_rows(self, clips):
        return [clip.key for clip in clips]


def load(weights=None, *, device="cpu"):
    """Levels of clips in dB."""
    return Levels(EncoderCard("levels", "0" * 64, 1, ("audio",), "rate:16k|mono:mean", 16000))


LEVEL = ClipMetric(
    MetricCard(
        name="level",
        title="Level",
        description="mean level of the clips",
        unit="dB",
        higher_is_better=True,
        role="loudness",
        encoder="levels",
        needs=(),
        min_n=1,
        biased_in_n=False,
        signature="level:rms",
        source="none",
    ),
    lambda inputs: {key: float(row[0]) for key, row in zip(inputs.system.keys, inputs.system.vectors)},
)


class Hum:
    """A tone of one pitch."""

    name = "hum"
    sample_rate = 16000

    def __init__(self, hertz: float = 100.0) -> None:
        self.hertz = hertz

    def generate(self, queries, seeds):
        t = np.arange(8000) / self.sample_rate
        return [(0.5 * np.sin(2 * np.pi * self.hertz * t)).astype(np.float32) for _ in queries]
'''
ENTRY_POINTS = """[clipsonic_eval.metrics]
level = loudness_plugin:LEVEL

[clipsonic_eval.encoders]
levels = loudness_plugin:load

[clipsonic_eval.systems]
hum = loudness_plugin:Hum
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path as ``pip install`` leaves it, with ``wavs/`` and ``test.csv`` beside."""
    root = tmp_path_factory.mktemp("site")
    (root / "loudness_plugin.py").write_text(PACKAGE)
    info = root / "loudness_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loudness-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (root / "wavs").mkdir()
    for i, pitch in enumerate(np.geomspace(200, 2000, 6)):
        soundfile.write(root / "wavs" / f"q{i}.wav", fake_encoders.tone(pitch, i), fake_encoders.RATE)
    (root / "test.csv").write_text("key,prompt\n" + "".join(f"q{i},a tone\n" for i in range(6)))
    return root


def run(installed: Path, *arguments: str) -> str:
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(installed / "cache")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=installed, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_metric_of_another_package_is_a_function_and_brings_its_encoder(installed: Path) -> None:
    said = run(
        installed,
        "-c",
        "import clipsonic_eval as ce\n"
        "print('level' in dir(ce), 'levels' in ce.list_encoders())\n"
        "print(ce.level([[-3.0], [-5.0], [-4.0]], n_boot=0).value)\n"
        "print(ce.level('wavs', encoder='levels').n)\n"
        "run = ce.evaluate('wavs', metrics='level')\n"  # its role and default encoder stand on its card alone
        "print(run['wavs', 'level'].unit, 'levels' in run['wavs', 'level'].signature)\n",
    )
    assert said.splitlines() == ["True True", "-4.0", "6", "dB True"]


def test_the_command_line_takes_its_system_encoder_and_metric(installed: Path) -> None:
    command = ("-m", "clipsonic_eval")
    run(installed, *command, "sample", "hum", "--set", "hertz=200", "--queries", "test.csv", "--out", "hum")
    assert len(list((installed / "hum").glob("*.wav"))) == 6
    table = run(installed, *command, "evaluate", "--system", "hum=hum", "--metric", "level", "--out", "run")
    assert "level" in table
    assert "loudness-plugin 1.0" in run(installed, *command, "ls", "metrics")
