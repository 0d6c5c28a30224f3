"""Published systems, as tiny pipelines with random weights: the sounds are the pipeline's own, at the study's rate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub
import numpy as np
import pytest
import torch
from unit.systems import tiny_pipelines

from clipsonic_eval import licences
from clipsonic_eval.errors import ConfigError, WeightsError
from clipsonic_eval.media.audio import resample
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Query
from paired_tta import stable_audio

# diffusers' own use of what torch and transformers have deprecated
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.past_key_values. is deprecated:FutureWarning"),
]

QUERIES = [Query("a", "dog"), Query("b", "rain on a roof")]
SEEDS = [11, 2**62 + 5]
SYSTEMS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "AudioLDM 2": ("paired_tta.audioldm2:AudioLDM2", tiny_pipelines.write_audioldm2, {"duration_s": 0.16}),
    "Stable Audio Open": (
        "paired_tta.stable_audio:StableAudio", tiny_pipelines.write_stable_audio, {"duration_s": 0.25},
    ),
    "Stable Audio 3": (
        "paired_tta.stable_audio_3:StableAudio3", tiny_pipelines.write_stable_audio_3, {"duration_s": 0.25},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pipelines")
    return {name: write(root / name.replace(" ", "-")) for name, (_, write, _) in SYSTEMS.items()}


def build(name: str, folder: Path, **changes: Any) -> Any:
    spec, _, settings = SYSTEMS[name]
    return resolve(spec, {"folder": str(folder), "steps": 2, **settings, **changes})


@pytest.fixture(scope="module", params=list(SYSTEMS))
def system(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Any:
    return build(request.param, folders[request.param])


@pytest.fixture(scope="module")
def sounds(system: Any) -> list[Any]:
    return system.generate(QUERIES, SEEDS)


def test_each_query_gets_a_mono_sound_of_the_studys_rate_and_length(system: Any, sounds: list[Any]) -> None:
    for sound in sounds:
        assert (sound.dtype, sound.shape) == (np.float32, (round(system.config.duration_s * 16000),))
        assert np.isfinite(sound).all()
        assert 0 < np.abs(sound).max() <= 1
    assert np.abs(sounds[0] - sounds[1]).max() > 1e-6 * np.abs(sounds[1]).max()  # random weights may be quiet


def test_a_sound_depends_on_its_query_and_seed_and_not_on_the_batch(system: Any, sounds: list[Any]) -> None:
    np.testing.assert_array_equal(system.generate(QUERIES[1:], SEEDS[1:])[0], sounds[1])
    assert np.abs(system.generate(QUERIES[1:], [4])[0] - sounds[1]).max() > 1e-6 * np.abs(sounds[1]).max()
    assert system.generate([], []) == []


def test_no_global_random_state_is_touched(system: Any) -> None:
    before = torch.get_rng_state()
    system.generate(QUERIES[:1], SEEDS[:1])
    assert torch.equal(torch.get_rng_state(), before)


def test_the_sound_is_the_pipelines_made_mono_and_resampled(folders: dict[str, Path]) -> None:
    system = build("Stable Audio Open", folders["Stable Audio Open"], guidance=3.0, negative_prompt="hum")
    pipeline = diffusers.StableAudioPipeline.from_pretrained(folders["Stable Audio Open"])
    pipeline.set_progress_bar_config(disable=True)
    (found,) = pipeline(
        "dog", negative_prompt="hum", num_inference_steps=2, guidance_scale=3.0, audio_end_in_s=0.25, output_type="np",
        generator=torch.Generator().manual_seed(7),
    ).audios  # fmt: skip
    assert found.shape == (2, 400)
    expected = resample(found.mean(axis=0, keepdims=True), 1600, 16000)[0]
    expected = expected / max(1.0, float(np.abs(expected).max()))
    (sound,) = system.generate(QUERIES[:1], [7])
    np.testing.assert_allclose(sound, expected, atol=1e-6)


def test_longer_sounds_are_cut_and_shorter_ones_padded_at_the_end(folders: dict[str, Path]) -> None:
    folder = folders["Stable Audio Open"]
    whole = build("Stable Audio Open", folder).generate(QUERIES[:1], [7])[0]
    cut = build("Stable Audio Open", folder, duration_s=0.1, generate_s=0.25)
    np.testing.assert_array_equal(cut.generate(QUERIES[:1], [7])[0], whole[:1600])
    padded = build("Stable Audio Open", folder, duration_s=0.3, generate_s=0.25).generate(QUERIES[:1], [7])[0]
    np.testing.assert_array_equal(padded, np.pad(whole, (0, 800)))
    assert (cut.card()["duration_s"], cut.card()["generate_s"]) == (0.1, 0.25)


def test_the_card_says_weights_licence_sampling_rate_and_length(system: Any, tmp_path_factory: Any) -> None:
    card = system.card()
    assert str(tmp_path_factory.getbasetemp()) not in json.dumps(card, allow_nan=False)
    assert card["licence"] in {"cc-by-nc-sa-4.0", "stable-audio-community", "stability-ai-community"}
    assert (card["steps"], card["candidates"]) == (2, 1)
    assert card["guidance"] in {3.5, 7.0, 1.0}  # not set: what the installed release of diffusers takes
    assert card["native_rate"] in {16000, 1600}
    assert card["audio"] == "mono:mean|resample:soxr-hq|cut:end|pad:zeros"
    assert len(card["weights_sha256"]) == 12


def test_stable_audio_3_takes_the_steps_of_its_scheduler_where_none_are_given(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = build("Stable Audio 3", folders["Stable Audio 3"], steps=None)
    seen = []
    forward = system.pipeline.transformer.forward
    monkeypatch.setattr(system.pipeline.transformer, "forward", lambda *x, **y: seen.append(1) or forward(*x, **y))
    system.generate(QUERIES[:1], SEEDS[:1])
    assert len(seen) == system.card()["steps"] == 8


def test_the_licence_is_told_and_a_repository_in_the_cache_is_found_by_its_name(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(licences, "_told", set())
    name, asked = "stabilityai/stable-audio-3-medium", []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *x, **y: asked.append((x, y)) or str(folders["Stable Audio 3"])
    )
    with caplog.at_level("INFO", licences.LOGGER.name):
        named = build("Stable Audio 3", Path(name))
    assert asked == [((name,), {"local_files_only": True})]
    assert [line.getMessage() for line in caplog.records] == [
        f"Stable Audio 3: published weights, licence stability-ai-community, {name}"
    ]
    in_folder = build("Stable Audio 3", folders["Stable Audio 3"])
    assert named.card() == in_folder.card()


def test_a_language_model_as_published_is_read(folders: dict[str, Path], tmp_path: Path) -> None:
    """cvssp/audioldm2 names the class without a head, with which transformers 5 cannot generate."""
    folder = tmp_path / "old"
    shutil.copytree(folders["AudioLDM 2"], folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["language_model"] = ["transformers", "GPT2Model"]
    (folder / "model_index.json").write_text(json.dumps(index))
    found = build("AudioLDM 2", folder).generate(QUERIES[:1], SEEDS[:1])[0]
    new = build("AudioLDM 2", folders["AudioLDM 2"])
    np.testing.assert_array_equal(found, new.generate(QUERIES[:1], SEEDS[:1])[0])
    assert new._arguments() == {"max_new_tokens": 4}


def test_what_is_no_such_pipeline_gives_a_sentence_with_the_mend(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is of a StableAudioPipeline, but AudioLDM2Pipeline is needed here"):
        build("AudioLDM 2", folders["Stable Audio Open"])
    with pytest.raises(WeightsError, match="no such file; give the folder of a pipeline of diffusers"):
        build("AudioLDM 2", tmp_path)
    folder = tmp_path / "cut"
    shutil.copytree(folders["Stable Audio Open"], folder)
    weights = next((folder / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"not readable as a StableAudioPipeline .*; copy or fetch the whole folder"):
        build("Stable Audio Open", folder)
    with pytest.raises(ConfigError, match="steps must be at least 1"):
        build("Stable Audio Open", folder, steps=0)


def test_the_published_sampler_names_the_extra_that_it_needs(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "open"
    shutil.copytree(folders["Stable Audio Open"], folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "CosineDPMSolverMultistepScheduler"]
    (folder / "model_index.json").write_text(json.dumps(index))
    monkeypatch.setattr(stable_audio.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the package torchsde; pip install 'clipsonic-eval\[stable-audio\]'"):
        build("Stable Audio Open", folder)
