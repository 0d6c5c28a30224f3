"""Systems by their names: objects that are none, settings that have no use, installed systems, folders, noise."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from clipsonic_eval.errors import ConfigError, MediaError, UserError
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.systems import SYSTEMS, resolve
from clipsonic_eval.systems.controls import Noise, folder_rms, own_audio
from clipsonic_eval.systems.folder import FolderOfWavs
from clipsonic_eval.types import Query

SOURCE = """
import numpy as np
from dataclasses import dataclass

class Whole:
    name, sample_rate = "whole", 8000
    def generate(self, queries, seeds):
        return tuple(np.full(4, seed, np.float32) for seed in seeds)

class Nameless(Whole):
    name = 5

class Rateless(Whole):
    sample_rate = True

class Slow(Whole):
    sample_rate = 0

class Dumb:
    name, sample_rate = "dumb", 8000

class Nothing:
    pass

@dataclass(frozen=True)
class Settings:
    level: float = 1.0
    steps: int = 4

class Configured(Whole):
    def __init__(self, config: Settings):
        self.config = config

def make(level: float = 1.0):
    made = Whole()
    made.name = f"level-{level:g}"
    return made

ready = Whole()
"""


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return str(path)


def wavs(folder: Path, **sounds: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    for key, samples in sounds.items():
        write_wav(folder / f"{key}.wav", samples.astype(np.float32), 16000)
    return folder


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("Nameless", "it lacks a text `name`;"),
        ("Rateless", "it lacks a whole `sample_rate` in Hz;"),
        ("Slow", "it lacks a whole `sample_rate` in Hz;"),
        ("Dumb", r"it lacks a method `generate\(queries, seeds\)`;"),
        ("Nothing", r"a text `name` and a whole `sample_rate` in Hz and a method `generate\(queries, seeds\)`;"),
    ],
)
def test_an_object_that_is_no_system_is_told_apart_by_what_it_lacks(source: str, name: str, lacks: str) -> None:
    with pytest.raises(UserError, match=lacks) as caught:
        resolve(f"{source}:{name}")
    assert str(caught.value).startswith(f"'{source}:{name}' is not a system")
    assert "clipsonic_eval/systems/__init__.py" in str(caught.value)


def test_a_function_may_make_the_system(source: str) -> None:
    assert resolve(f"{source}:make", {"level": 0.5}).name == "level-0.5"
    with pytest.raises(UserError, match=r"unknown key 'levl'\. Did you mean 'level'"):
        resolve(f"{source}:make", {"levl": 0.5})


def test_a_finished_system_takes_no_settings(source: str) -> None:
    system = resolve(f"{source}:ready")
    assert [list(x) for x in system.generate([Query("a", "p")], [3])] == [[3.0] * 4]
    with pytest.raises(ConfigError, match=r"mine\.py:ready: takes no settings, got 'level'; name its class"):
        resolve(f"{source}:ready", {"level": 0.5})


def test_settings_of_a_dataclass_are_checked_by_name_and_type(source: str) -> None:
    system = resolve(f"{source}:Configured", {"level": 0.25})
    assert system.card()["settings"] == {"level": 0.25}
    with pytest.raises(ConfigError, match="steps: expected int, got 'many'"):
        resolve(f"{source}:Configured", {"steps": "many"})
    with pytest.raises(ConfigError, match="Did you mean 'steps'"):
        resolve(f"{source}:Configured", {"step": 4})


def test_an_installed_system_is_named_without_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hiss" not in SYSTEMS
    monkeypatch.setitem(SYSTEMS._items, "hiss", Noise)
    system = resolve("hiss", {"duration_s": 0.25, "name": "hiss"})
    assert (system.name, system.card()["duration_s"]) == ("hiss", 0.25)


def test_an_installed_system_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(SYSTEMS) >= 0  # scanned
    monkeypatch.setitem(SYSTEMS._broken, "lost", "system 'lost' of x 1.0 is left out: no module named y")
    with pytest.raises(UserError, match=r"'lost' of x 1\.0 is left out: no module named y"):
        resolve("lost")


def test_the_card_of_a_folder_depends_on_its_wavs_alone(tmp_path: Path) -> None:
    folder = wavs(tmp_path / "one", a=np.full(100, 0.5), b=np.zeros(50))
    card = FolderOfWavs(folder).card()
    copied = Path(shutil.copytree(folder, tmp_path / "two"))
    (copied / "notes.txt").write_text("played on Tuesday")
    assert FolderOfWavs(copied, name="other").card() == card
    wavs(copied, c=np.zeros(10))
    assert FolderOfWavs(copied).card() != card


def test_a_folder_answers_in_the_order_of_the_queries_whatever_the_seeds(tmp_path: Path) -> None:
    system = FolderOfWavs(wavs(tmp_path / "w", a=np.full(10, 0.25), b=np.full(20, -0.5)))
    found = system.generate([Query("b", "p"), Query("a", "p"), Query("b", "q")], [7, 7, 8])
    assert [(len(x), float(x[0])) for x in found] == [(20, -0.5), (10, 0.25), (20, -0.5)]


def test_a_folder_with_a_damaged_wav_names_it(tmp_path: Path) -> None:
    folder = wavs(tmp_path / "w", a=np.full(1000, 0.25), b=np.full(1000, 0.25))
    (folder / "b.wav").write_bytes((folder / "b.wav").read_bytes()[:2000])
    system = FolderOfWavs(folder)
    assert len(system.generate([Query("a", "p")], [0])) == 1
    with pytest.raises(MediaError, match=r"b\.wav: truncated, \d+ bytes are missing; fetch the file again"):
        system.generate([Query("b", "p")], [0])


def test_noise_is_white_and_normal_and_its_seeds_are_independent() -> None:
    system = Noise(duration_s=2.0, rms=0.1)
    one, other = (x.astype(np.float64) for x in system.generate([Query("a", "p"), Query("b", "p")], [0, 1]))
    assert stats.kstest(one / 0.1, "norm").pvalue > 1e-3
    n = len(one)
    for lag in (1, 2, 10):  # the autocorrelation of n independent samples has deviation 1 / √n
        assert abs(np.corrcoef(one[:-lag], one[lag:])[0, 1]) < 5 / np.sqrt(n)
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(n)


def test_noise_depends_on_its_seed_and_not_on_its_place_in_the_batch() -> None:
    system = Noise(duration_s=0.1)
    queries = [Query(k, "p") for k in "abc"]
    batch = system.generate(queries, [5, 5, 2**40])
    np.testing.assert_array_equal(batch[0], batch[1])
    np.testing.assert_array_equal(batch[2], system.generate(queries[:1], [2**40])[0])


def test_the_level_of_a_reference_follows_its_wavs_and_stands_on_the_card(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = 0.3 * rng.standard_normal(500), 0.1 * rng.standard_normal((2, 300))
    folder = wavs(tmp_path / "w", a=a, b=b)
    mono = np.concatenate([a.astype(np.float32), b.astype(np.float32).mean(axis=0)])
    assert folder_rms(folder) == pytest.approx(np.sqrt(np.mean(mono.astype(np.float64) ** 2)), rel=1e-6)
    first = Noise(reference=folder).card()
    wavs(folder, c=np.full(100, 0.5))
    second = Noise(reference=folder).card()
    assert first["rms"] < second["rms"]
    assert first["reference_sha256"] != second["reference_sha256"]
    with pytest.raises(UserError, match=r"empty: no wav with any sound here; noise takes its level from"):
        folder_rms(wavs(tmp_path / "empty"))


@pytest.mark.parametrize("options", [{"sample_rate": 0}, {"duration_s": 0.0}, {"duration_s": -1.0}, {"rms": 0.0}])
def test_noise_of_no_rate_length_or_level_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="sample_rate, duration_s and rms must be above 0"):
        Noise(**options)


def test_a_querys_own_audio_must_be_a_file_with_audio(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"query 'k': names no file; .* in column `path`"):
        own_audio(Query("k", "p"), 16000)
    with pytest.raises(MediaError, match=r"gone\.wav"):
        own_audio(Query("k", "p", tmp_path / "gone.wav"), 16000)
