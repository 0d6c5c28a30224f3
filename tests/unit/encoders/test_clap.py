"""CLAP on small random weights in the published layouts: files, windows, texts, options."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from unit.encoders import laion_clap_file as published

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders._logmel import LogMel
from clipsonic_eval.encoders.clap import weights
from clipsonic_eval.encoders.clap.weights import CHECKPOINTS, ClapCheckpoint
from clipsonic_eval.encoders.clap.windows import FRAMES, WINDOW, Windowing
from clipsonic_eval.errors import ConfigError, ShapeError, UserError, WeightsError
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.resolve import ConventionEncoder
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.types import Clip

TEXTS = ["the sound of a dog barking", "rain on a roof", "", "a bell " * 60]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clap")
    published.write(place / "plain.pt", published.network())
    published.write(place / "fusion.pt", published.network(fusion=True))
    published.write_tokenizer(place)
    return place


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    return ENCODERS["clap-laion"](folder / "plain.pt")


@pytest.fixture(scope="module")
def fusing(folder: Path) -> Any:
    return ENCODERS["clap-laion"](folder / "fusion.pt")


def clip(key: str, seconds: float, rate: int = 48000, channels: int = 1) -> Clip:
    rng = np.random.default_rng(sum(map(ord, key)))
    n = round(seconds * rate)
    swell = 0.1 + 0.4 * np.abs(np.sin(np.arange(n) / rate * (1 + len(key))))
    return Clip(key, (swell * rng.standard_normal((channels, n))).clip(-1, 1).astype(np.float32), rate)


def global_state() -> Any:
    return np.random.get_state()[1].tolist()  # noqa: NPY002


def test_the_checkpoint_is_the_network_that_it_was_made_of(plain: Any) -> None:
    # reference: transformers' own extractor and model, as their documentation says
    from transformers import ClapFeatureExtractor

    given = [clip("a", 10), clip("bb", 10)]
    extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14000, truncation="rand_trunc")
    quantised = [np.trunc(c.samples[0].astype(np.float64) * 32767) / 32767 for c in given]
    features = extractor(quantised, sampling_rate=48000, return_tensors="pt")
    with torch.inference_mode():
        wanted = published.network().get_audio_features(features["input_features"].float())
    np.testing.assert_allclose(plain.audio(given), wanted.pooler_output.numpy(), atol=1e-5)
    assert plain.card.dim == 24
    assert plain.card.sample_rate == 48000


def test_texts_are_those_of_the_network(plain: Any) -> None:
    from transformers import RobertaTokenizer

    tokenizer = RobertaTokenizer.from_pretrained(plain._weights_dir)
    ids = tokenizer(TEXTS, padding=True, truncation=True, max_length=77, return_tensors="pt")
    with torch.inference_mode():
        wanted = published.network().get_text_features(**ids).pooler_output.numpy()
    found = plain.text(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 0.01
    np.testing.assert_array_equal(np.concatenate([plain.text([t]) for t in TEXTS]), found)  # to the bit
    assert plain.text([]).shape == (0, 24)


@pytest.mark.parametrize("kind", ["plain", "fusing"])
def test_rows_are_unit_vectors_and_batch_invariant(request: pytest.FixtureRequest, kind: str) -> None:
    encoder = request.getfixturevalue(kind)
    clips = [clip("a", 3), clip("b", 10, 44100, 2), clip("c", 23.1), clip("d", 0.01), clip("e", 10.003), clip("f", 12)]
    rows = encoder.audio(clips)
    assert rows.shape == (6, 24)
    assert rows.dtype == np.float32
    assert encoder.audio_rows(clips) == list("abcdef")
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate([encoder.audio([c]) for c in clips]), rows)
    np.testing.assert_array_equal(encoder.audio(clips[::-1]), rows[::-1])
    state = global_state()  # nothing is drawn from the global generator
    encoder.audio(clips[2:3])
    assert global_state() == state
    assert encoder.audio([]).shape == (0, 24)
    with pytest.raises(ShapeError, match="'x': audio must hold at least one sample"):
        encoder.audio([Clip("x", np.zeros((1, 0), np.float32), 48000)])


def test_a_long_sound_is_the_mean_of_its_windows(plain: Any) -> None:
    sound = clip("long", 24)
    parts = [Clip(str(s), sound.samples[:, s * 48000 : (s + 10) * 48000], 48000) for s in (0, 10, 14)]
    mean = plain.audio(parts).astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(plain.audio([sound])[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_windows_as_rows_by_the_rule_of_fadtk(folder: Path, plain: Any) -> None:
    encoder = ENCODERS["clap-laion"](folder / "plain.pt", rows="window", hop_s=1.0, tail="zeros")
    sound, short = clip("s", 3.5), clip("t", 0.5)
    rows = encoder.audio([sound, short])
    assert encoder.audio_rows([sound, short]) == ["s"] * 4 + ["t"]
    padded = np.pad(sound.samples[:, 2 * 48000 :], ((0, 0), (0, WINDOW - 72000)))
    np.testing.assert_allclose(rows[2], plain.audio([Clip("p", padded, 48000)])[0], atol=1e-6)
    assert encoder.card.preprocessing != plain.card.preprocessing


def test_short_sounds_are_repeated_and_zero_padded() -> None:
    wave = np.linspace(0.1, 1, 200_000, dtype=np.float32)
    window = Windowing().window(wave, 0)
    assert window.shape == (WINDOW,)
    np.testing.assert_array_equal(window[:400_000], np.tile(wave, 2))
    assert not window[400_000:].any()
    assert not Windowing(tail="zeros").window(wave, 0)[200_000:].any()


@pytest.mark.parametrize(("seconds", "starts"), [(1, [0]), (10, [0]), (20, [0, 480000]), (21, [0, 480000, 528000])])
def test_where_windows_begin(seconds: int, starts: list[int]) -> None:
    assert Windowing().starts(seconds * 48000) == starts
    assert len(Windowing(tail="zeros", hop_s=1).starts(seconds * 48000)) == seconds


def test_the_way_through_16_bits() -> None:
    wave = np.array([0.5, -0.5, 1.5, 3e-5, 4e-5], np.float32)
    np.testing.assert_allclose(Windowing().quantised(wave) * 32767, [16383, -16383, 32767, 0, 1], atol=1e-3)
    np.testing.assert_array_equal(Windowing(int16=False).quantised(wave), wave)


def test_random_crops_follow_from_the_sound_and_the_seed(folder: Path, plain: Any) -> None:
    sound = clip("long", 14)
    crops = [
        ENCODERS["clap-laion"](folder / "plain.pt", truncation="random", seed=s).audio([sound])[0] for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(crops[0], crops[1])
    assert np.abs(crops[0] - crops[2]).max() > 1e-4
    short = [clip("short", 4)]
    encoder = ENCODERS["clap-laion"](folder / "plain.pt", truncation="random")
    np.testing.assert_array_equal(encoder.audio(short), plain.audio(short))


def test_fusion_takes_the_middles_of_the_thirds(fusing: Any, folder: Path) -> None:
    frames = 2311
    wave = np.zeros(frames * 480, np.float32)
    assert Windowing(truncation="fusion").thirds(wave, frames) == (218, 655, 1092)  # of 1311 places, 437 in a third
    assert Windowing(truncation="fusion").thirds(wave, FRAMES + 1) == (0, 1, 0)
    sound = clip("long", 23.1)
    centres = fusing.audio([sound])
    assert (
        np.abs(centres - ENCODERS["clap-laion"](folder / "fusion.pt", truncation="random").audio([sound])).max() > 1e-4
    )
    assert (
        np.abs(centres - ENCODERS["clap-laion"](folder / "fusion.pt", truncation="windows").audio([sound])).max() > 1e-4
    )
    assert "fusion-of-thirds" in fusing.card.preprocessing


def test_fusion_has_htk_bands() -> None:
    edges = 700 * (10 ** (np.linspace(2595 * np.log10(1 + 50 / 700), 2595 * np.log10(1 + 14000 / 700), 66) / 2595) - 1)
    filters = LogMel(48000, 1024, 480, 50, 14000, "htk").filters()
    grid = np.arange(513) * 48000 / 1024
    for band in (0, 20, 63):
        assert abs(grid[filters[:, band].argmax()] - edges[band + 1]) <= 48000 / 1024
        assert filters[:, band].max() <= 1


def test_folders_of_transformers(folder: Path, tmp_path: Path, plain: Any) -> None:
    for name, fusion in (("plain", False), ("fusion", True)):
        place = tmp_path / name
        published.network(fusion=fusion).save_pretrained(place)
        published.write_tokenizer(place)
        stated = {"frequency_min": 50, "frequency_max": 14000, "truncation": "fusion" if fusion else "rand_trunc"}
        (place / "preprocessor_config.json").write_text(json.dumps(stated))
        encoder = ENCODERS["clap-transformers"](place)
        given = [clip("a", 4), clip("b", 15)]
        wanted = ENCODERS["clap-laion"](folder / f"{name}.pt")
        np.testing.assert_allclose(encoder.audio(given), wanted.audio(given), atol=1e-6)
        np.testing.assert_allclose(encoder.text(TEXTS), wanted.text(TEXTS), atol=1e-6)
    (tmp_path / "plain" / "preprocessor_config.json").write_text(json.dumps({"truncation": "fusion"}))
    with pytest.raises(WeightsError, match="another front end"):
        ENCODERS["clap-transformers"](tmp_path / "plain")
    (tmp_path / "plain" / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(WeightsError, match="model type 'clip'"):
        ENCODERS["clap-transformers"](tmp_path / "plain")
    with pytest.raises(WeightsError, match="no CLAP folder"):
        ENCODERS["clap-transformers"](tmp_path)
    with pytest.raises(WeightsError, match="name a folder"):
        ENCODERS["clap-transformers"]()


def test_half_precision_is_another_space_and_close(folder: Path, plain: Any) -> None:
    half = ENCODERS["clap-laion"](folder / "plain.pt", precision="bf16")
    given = [clip("a", 4)]
    assert 0 < np.abs(half.audio(given) - plain.audio(given)).max() < 0.05
    assert half.card.preprocessing != plain.card.preprocessing


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"truncation": "fusion"}, "needs a checkpoint with fusion"),
        ({"truncation": "all"}, "must be one of windows"),
        ({"hop_s": 0.0}, "hop_s 0 must be above 0"),
        ({"hop": 1.0}, "no option 'hop'"),
        ({"truncation": "random", "rows": "window"}, "one row per clip"),
        ({"precision": "fp16"}, "precision is fp32 or bf16"),
        ({"backend": "onnx"}, "backend transformers or laion-clap"),
        ({"backend": "laion-clap", "precision": "bf16"}, "in fp32 only"),
    ],
)
def test_options_that_are_refused(folder: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ENCODERS["clap-laion"](folder / "plain.pt", **options)


def test_without_the_package_its_backend_says_how_to_get_it(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"laion_clap package cannot be imported .*clipsonic-eval\[reference\]"):
        ENCODERS["clap-laion"](folder / "plain.pt", backend="laion-clap")


def test_texts_without_the_right_tokenizer(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    shutil.copy(folder / "plain.pt", tmp_path)
    encoder = ENCODERS["clap-laion"](tmp_path / "plain.pt")
    assert encoder.audio([clip("a", 1)]).shape == (1, 24)  # sound needs none
    with pytest.raises(WeightsError, match="texts need RoBERTa's tokenizer"):
        encoder.text(["a"])
    published.write_tokenizer(tmp_path / "other", words=290)
    with pytest.raises(WeightsError, match="knows 290 tokens and the text tower 300"):
        ENCODERS["clap-laion"](tmp_path / "plain.pt", tokenizer=tmp_path / "other").text(["a"])
    (tmp_path / "other" / "vocab.json").write_text("{")
    with pytest.raises(WeightsError, match="damaged"):
        ENCODERS["clap-laion"](tmp_path / "plain.pt", tokenizer=tmp_path / "other").text(["a"])
    with pytest.raises(UserError, match="does not take image"):
        encoder.image([np.zeros((4, 4, 3), np.uint8)])


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def test_files_that_are_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = published.network()
    held = published.tensors(net)
    torch.save({"state_dict": held, "hook": Bomb()}, tmp_path / "bomb.pt", pickle_protocol=4)
    less = {k: v for k, v in held.items() if "layers.1.blocks.1.norm2.bias" not in k}
    torch.save({"state_dict": less}, tmp_path / "less.pt")
    torch.save({"state_dict": held | {"module.audio_branch.extra.weight": torch.ones(1)}}, tmp_path / "more.pt")
    torch.save({"state_dict": held | {"module.text_branch.pooler.dense.bias": torch.ones(3)}}, tmp_path / "shape.pt")
    torch.save({"state_dict": {"module.weight": torch.ones(1)}}, tmp_path / "other.pt")
    for name, said in {
        "bomb.pt": r"it asks for (posix|nt)\.system",
        "less.pt": "norm2|layernorm_after.bias' first",
        "more.pt": "extra.weight' first",
        "shape.pt": "pooler.dense.bias' first",
        "other.pt": "no tensors of a CLAP",
    }.items():
        with pytest.raises(WeightsError, match=said) as caught:
            ENCODERS["clap-laion"](tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
    assert not (tmp_path / "executed").exists()


def test_tensors_alone_and_safetensors(folder: Path, tmp_path: Path, plain: Any) -> None:
    bare = {k.removeprefix("module."): v for k, v in published.tensors(published.network()).items()}
    torch.save(bare, tmp_path / "bare.pt")
    save_file(bare, tmp_path / "bare.safetensors")
    given = [clip("a", 2)]
    for name in ("bare.pt", "bare.safetensors"):
        np.testing.assert_array_equal(ENCODERS["clap-laion"](tmp_path / name).audio(given), plain.audio(given))


def test_published_names_take_their_own_file_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("CLIPSONIC_EVAL_DOWNLOAD", raising=False)
    with pytest.raises(WeightsError, match="width 16 without fusion, which is not 'clap-laion-audio'"):
        ENCODERS["clap-laion-audio"](folder / "plain.pt")
    with pytest.raises(WeightsError, match=r"best\.pt is neither .*'clipsonic-eval weights clap-laion-audio --fetch'"):
        ENCODERS["clap-laion-audio"]()
    with pytest.raises(WeightsError, match=r"no weights of 'clap-laion-music' there; .*SHA-256 fae3e9c0"):
        ENCODERS["clap-laion-music"](tmp_path)
    with pytest.raises(WeightsError, match="has no weights of its own"):
        ENCODERS["clap-laion"]()
    name = CHECKPOINTS["clap-laion-music"].file
    shutil.copy(folder / "plain.pt", tmp_path / name)
    with pytest.raises(WeightsError, match="SHA-256 is not that of the published file"):
        ENCODERS["clap-laion-music"](tmp_path)
    monkeypatch.setitem(weights.CHECKPOINTS, "clap-laion-audio", ClapCheckpoint("plain.pt", 16))
    assert ENCODERS["clap-laion-audio"](folder).card.source.endswith("lukewys/laion_clap")


def test_a_copy_in_the_hub_cache_is_found(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setitem(weights.CHECKPOINTS, "clap-laion-audio", ClapCheckpoint("plain.pt", 16))
    place = tmp_path / "models--lukewys--laion_clap"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40)
    (place / "snapshots" / ("0" * 40)).mkdir(parents=True)
    shutil.copy(folder / "plain.pt", place / "snapshots" / ("0" * 40) / "plain.pt")
    assert ENCODERS["clap-laion-audio"]().card.dim == 24


def test_conventions_ask_for_options_that_there_are(folder: Path) -> None:
    asked = [CONVENTIONS[name] for name in CONVENTIONS if CONVENTIONS[name].encoder.startswith("clap-laion")]
    assert {c.metric for c in asked} == {"fad", "clap_score", "kad_kadtk"}
    for convention in asked:
        file = "fusion.pt" if convention.encoder == "clap-laion-fusion" else "plain.pt"
        encoder = ConventionEncoder(ENCODERS["clap-laion"](folder / file, **convention.options), convention)
        given = [clip("a", 2.5, 16000, 2), clip("b", 12, 44100)]
        rows = encoder.audio(given)
        assert rows.shape == (len(encoder.audio_rows(given)), 24)
        assert encoder.text(["rain"]).shape == (1, 24)
        if convention.name.startswith(("fad/fadtk", "kad/kadtk")):
            assert encoder.audio_rows(given) == ["a"] * 3 + ["b"] * 12
            np.testing.assert_array_equal(rows, rows.astype(np.float16))
        else:
            assert encoder.audio_rows(given) == ["a", "b"]


def test_an_evaluation_by_a_convention_with_clap(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.CHECKPOINTS, "clap-laion-audio", ClapCheckpoint("plain.pt", 16))
    for name in ("real", "fake"):
        for k in range(12):
            sound = clip(f"{name}{k}", 1.2, 16000).samples
            write_wav(tmp_path / name / f"q{k}.wav", sound, 16000)
    wanted = ("fad/fadtk-clap-audio", "kad/kadtk-clap-audio", "clap/clipsonic-eval")
    (tmp_path / "prompts.csv").write_text("key,prompt\n" + "".join(f"q{k},the sound of rain {k}\n" for k in range(12)))
    config = EvaluateConfig(
        systems={"s": tmp_path / "fake"},
        reference=tmp_path / "real",
        prompts=tmp_path / "prompts.csv",
        weights=dict.fromkeys(wanted, folder / "plain.pt"),
        metrics=wanted,
        n_bootstrap=20,
        n_permutations=20,
        compare=False,
        examples=0,
        cache=tmp_path / "cache",
    )
    record = evaluate(config, tmp_path / "run")
    scores = [record.score(name, "s") for name in wanted]
    assert all(score is not None and np.isfinite(score.value) for score in scores)
    assert [score.n_rows for score in scores if score] == [24, 24, 12]
