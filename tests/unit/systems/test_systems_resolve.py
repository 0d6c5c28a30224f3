from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.systems import resolve
from clipsonic_eval.systems.controls import Noise, RealAudio
from clipsonic_eval.systems.folder import FolderOfWavs
from clipsonic_eval.types import Query

SOURCE = """
import numpy as np

class Mine:
    name = "mine"
    sample_rate = 8000
    def __init__(self, level=0.5, *, colour):
        self.level, self.colour = level, colour
    def generate(self, queries, seeds):
        return [np.full(10, self.level, np.float32) for _ in queries]

class Rateless:
    name = "x"
    def generate(self, queries, seeds):
        return []

class Free:
    name, sample_rate = "free", 16000
    def __init__(self, **anything):
        self.anything = anything
    def generate(self, queries, seeds):
        return []

ready = Free(a=1)
"""


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return str(path)


def test_a_class_of_ones_own_is_built_with_keywords_and_gets_a_card(source: str) -> None:
    system = resolve(f"{source}:Mine", {"level": 0.25, "colour": "blue"})
    assert (system.name, system.sample_rate) == ("mine", 8000)
    assert system.generate([Query("a", "p")], [1])[0][0] == np.float32(0.25)
    card = system.card()
    assert card["kind"] == "Mine"
    assert card["settings"] == {"level": 0.25, "colour": "blue"}
    other = resolve(f"{source}:Mine", {"level": 0.5, "colour": "blue"})
    assert other.card() != card
    Path(source).write_text(SOURCE + "\n# changed\n")
    assert system.card()["source_sha256"] != card["source_sha256"]


def test_any_keyword_goes_to_a_class_that_takes_any(source: str) -> None:
    assert resolve(f"{source}:Free", {"x": 1}).card()["settings"] == {"x": 1}
    assert resolve(f"{source}:ready").name == "free"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("Mine", {"color": "blue"}, "unknown key 'color'. Did you mean 'colour'"),
        ("Mine", {"level": 1.0}, "key 'colour' is required; give it with --set colour=VALUE$"),
        ("Rateless", {}, "is not a system: it lacks a whole `sample_rate` in Hz; see"),
        ("Nine", {}, "unknown system in .* 'Nine'. Did you mean 'Mine'"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(
    source: str, name: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        resolve(f"{source}:{name}", settings)


def test_a_word_that_is_neither_class_nor_folder_is_refused() -> None:
    with pytest.raises(UserError, match="neither a folder of wavs nor MODULE:CLASS"):
        resolve("zeroshot")


def test_a_configured_class_is_resolved_strictly() -> None:
    system = resolve("clipsonic_eval.systems.controls:Noise", {"rms": 0.2, "duration_s": 0.5})
    assert isinstance(system, Noise)
    with pytest.raises(UserError, match=r"unknown key 'rsm'\. Did you mean 'rms'"):
        resolve("clipsonic_eval.systems.controls:Noise", {"rsm": 0.2})


def test_a_folder_of_wavs_answers_by_key_in_mono(tmp_path: Path) -> None:
    stereo = np.stack([np.full(800, 0.5), np.full(800, -0.25)]).astype(np.float32)
    write_wav(tmp_path / "a.wav", stereo, 8000)
    system = resolve(str(tmp_path))
    assert isinstance(system, FolderOfWavs)
    assert (system.name, system.sample_rate) == (tmp_path.name, 8000)
    np.testing.assert_allclose(system.generate([Query("a", "p")], [0])[0], np.full(800, 0.125), atol=1e-7)
    with pytest.raises(MediaError, match="has no output for 'b'"):
        system.generate([Query("b", "p")], [0])
    before = system.card()
    write_wav(tmp_path / "a.wav", -stereo, 8000)
    assert system.card() != before


def test_a_folder_of_wavs_is_brought_to_the_rate_asked_for(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.zeros(800, np.float32), 8000)
    system = resolve(str(tmp_path), {"sample_rate": 16000, "name": "theirs"})
    assert (system.name, system.sample_rate) == ("theirs", 16000)
    assert system.generate([Query("a", "p")], [0])[0].shape == (1600,)


def test_a_folder_without_wavs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no \.wav file here"):
        resolve(str(tmp_path))


def test_real_audio_is_the_sound_of_the_querys_own_file_cut_or_padded(tmp_path: Path) -> None:
    samples = np.linspace(-0.5, 0.5, 8000, dtype=np.float32)
    write_wav(tmp_path / "a.wav", samples, 16000)
    query = Query("a", "p", tmp_path / "a.wav")
    whole = resolve("clipsonic_eval.systems.controls:RealAudio")
    assert isinstance(whole, RealAudio)
    np.testing.assert_array_equal(whole.generate([query], [0])[0], samples)
    short = resolve("clipsonic_eval.systems.controls:RealAudio", {"duration_s": 0.1}).generate([query], [0])[0]
    np.testing.assert_array_equal(short, samples[:1600])
    long = resolve("clipsonic_eval.systems.controls:RealAudio", {"duration_s": 1.0}).generate([query], [0])[0]
    np.testing.assert_array_equal(long, np.concatenate([samples, np.zeros(8000, np.float32)]))


def test_real_audio_says_which_query_names_no_file() -> None:
    system = resolve("clipsonic_eval.systems.controls:RealAudio")
    with pytest.raises(MediaError, match="query 'a': names no file"):
        system.generate([Query("a", "p")], [0])


def test_noise_has_the_level_of_the_reference(tmp_path: Path) -> None:
    # rms over all samples: sqrt((100 * 0.04 + 300 * 0.16) / 400)
    write_wav(tmp_path / "a.wav", np.full(100, 0.2, np.float32), 16000)
    write_wav(tmp_path / "b.wav", np.full(300, -0.4, np.float32), 16000)
    system = resolve("clipsonic_eval.systems.controls:Noise", {"reference": str(tmp_path), "duration_s": 2.0})
    assert system.card()["rms"] == pytest.approx(np.sqrt(0.13), rel=1e-6)
    quiet = resolve("clipsonic_eval.systems.controls:Noise", {"rms": 0.1, "duration_s": 4.0})
    sound = quiet.generate([Query("a", "p")], [3])[0].astype(np.float64)
    # the mean square of n normal samples has relative deviation sqrt(2 / n); 5 of them at n = 64,000 are 2.8 %
    assert np.mean(sound**2) == pytest.approx(0.01, rel=0.028)


def test_noise_of_a_silent_reference_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.zeros(100, np.float32), 16000)
    with pytest.raises(UserError, match="no wav with any sound"):
        resolve("clipsonic_eval.systems.controls:Noise", {"reference": str(tmp_path)})


def test_a_misspelt_class_is_answered_with_the_systems_of_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom typing import Any, ClassVar\nimport numpy as np\n"
        "from clipsonic_eval.systems import System\n"
        "@dataclass\nclass Settings:\n    level: float = 1.0\n"
        "class Base:\n    def generate(self, queries, seeds):\n        return []\n"
        "class Bells(Base):\n    pass\nclass Birds(Base):\n    pass\n"
    )
    with pytest.raises(UserError) as raised:
        resolve(f"{file}:Bels")
    assert str(raised.value).endswith("'Bels'. Did you mean 'Bells'? Known: Bells, Birds.")
