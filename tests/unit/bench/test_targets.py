from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.systems.tiny_systems import write_model

from clipsonic_eval.bench.targets import default_queries, load, read
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.stages import recorded_by

QUERIES = default_queries()


def test_the_built_in_queries_all_differ() -> None:
    assert len({q.prompt for q in QUERIES}) == len({q.key for q in QUERIES}) == len(QUERIES) == 100
    assert read(None) == QUERIES


def test_every_request_has_new_prompts_and_new_seeds(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import numpy as np\nclass S:\n    name, sample_rate = 's', 1000\n    asked = []\n"
        "    def generate(self, queries, seeds):\n"
        "        S.asked.append(([q.prompt for q in queries], list(seeds)))\n"
        "        return [np.zeros(500, np.float32) for _ in queries]\n"
    )
    loaded = load(f"{tmp_path}/s.py:S", "", {"batch": 3}, QUERIES, 0)
    for number in range(30):
        loaded.call(number)
    from clipsonic_eval.locate import locate

    asked = locate(f"{tmp_path}/s.py:S").asked
    prompts = [prompt for several, _ in asked for prompt in several]
    seeds = [seed for _, several in asked for seed in several]
    assert len(set(prompts)) == len(prompts) == 90
    assert len(set(seeds)) == 90
    assert loaded.audio_s == 0.5
    assert loaded.remarks == []
    for number in range(30, 40):
        loaded.call(number)
    assert len(loaded.remarks) == 1
    assert "prompts came again after 100" in loaded.remarks[0]


def test_a_system_that_remembers_embeds_every_request_again(tmp_path: Path) -> None:
    settings = {"model": str(write_model(tmp_path / "m", "image")), "steps": 1, "device": "cpu"}
    loaded = load("clipsonic.systems:ZeroShot", "Z", settings, QUERIES[:1], 0)

    class Stages:
        def __init__(self) -> None:
            self.names: list[str] = []

        def begin(self, name: str) -> None:
            self.names.append(name)

        def end(self, name: str) -> None:
            pass

    for number in range(3):
        seen = Stages()
        with recorded_by(seen):
            loaded.call(number)
        assert "condition" in seen.names
    assert (loaded.name, loaded.kind, loaded.item, loaded.device) == ("Z", "system", "clip", "cpu")
    assert loaded.remarks == []


def test_length_is_another_word_for_the_duration_of_a_system(tmp_path: Path) -> None:
    settings = {"model": str(write_model(tmp_path / "m", "image")), "steps": 1, "length": 0.64, "device": "cpu"}
    loaded = load("clipsonic.systems:ZeroShot", "", settings, QUERIES, 0)
    loaded.call(0)
    assert loaded.audio_s == 0.64
    assert loaded.card["duration_s"] == 0.64


@pytest.mark.parametrize(
    ("settings", "item", "audio_s", "rows"),
    [
        ({"length": 1, "batch": 3}, "clip", 1.0, 3),
        ({"modality": "text", "batch": 5}, "text", 0.0, 5),
    ],
)
def test_an_encoder_embeds_inputs_of_a_modality(settings: dict[str, Any], item: str, audio_s: float, rows: int) -> None:
    loaded = load("toy-clap", "", settings, QUERIES, 0)
    found = loaded.call(0)
    assert isinstance(found, np.ndarray)
    assert len(found) == rows
    assert (loaded.kind, loaded.item, loaded.audio_s, loaded.batch) == ("encoder", item, audio_s, rows)
    assert not np.array_equal(found, loaded.call(1))  # another request has other inputs


def test_images_are_embedded_too() -> None:
    loaded = load("toy-clip", "", {"modality": "image", "batch": 2}, QUERIES, 0)
    assert np.asarray(loaded.call(0)).shape[0] == 2
    assert loaded.request == {"modality": "image"}


@pytest.mark.parametrize(
    "metric", ["fad", "kad", "clap_score", "class_accuracy", "kl", "centroid_distance", "gap_closed"]
)
def test_a_metric_is_given_arrays_of_the_size_asked(metric: str) -> None:
    loaded = load(metric, "", {"n": 60, "d": 5}, QUERIES, 0)
    score = loaded.call(0)
    assert score.n == 60  # type: ignore[attr-defined]
    assert loaded.request == {"shape": "60x5", "n_boot": "0"}


@pytest.mark.parametrize(
    ("spec", "settings", "sentence"),
    [
        ("fad", {"n": 0}, "fad: n=0: expected a whole number of at least 1"),
        ("fad", {"n": 2.5}, "expected a whole number"),
        ("fad", {"n_boot": -1}, "at least 0"),
        ("fad", {"batch": 2}, "takes n, d and n_boot, not 'batch'"),
        ("toy-clap", {"batch": True}, "batch=True: expected a whole number"),
        ("toy-clap", {"length": -1}, "length=-1: expected a number above 0"),
        ("toy-clap", {"modality": 3}, "modality=3: expected a name"),
        ("toy-clap", {"modality": "image"}, "takes no image; it takes audio, text"),
        ("toy-clap", {"hop": 3}, "no option 'hop'"),
        ("toy-clapp", {}, "neither a folder of wavs nor"),
        ("clipsonic.systems:ZeroShott", {}, "Did you mean 'ZeroShot'"),
        ("clipsonic_eval.systems.controls:Noise", {"steps": 3}, "unknown key 'steps'"),
    ],
)
def test_what_a_target_does_not_take_is_refused(spec: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        load(spec, "", settings, QUERIES, 0)


def test_refusals_of_settings_are_config_errors() -> None:
    with pytest.raises(ConfigError):
        load("fad", "", {"d": "many"}, QUERIES, 0)
