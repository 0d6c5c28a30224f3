"""The training of the toy encoders: equal seeds give equal weights, and the calibration's numbers are what they say."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from clipsonic_eval import toyworld
from clipsonic_eval.cli import main
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.toy.frontend import SQUARE, log_mel, windows
from clipsonic_eval.encoders.toy.tokenizer import BUCKETS, START, Vocabulary
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.toyencoders import clip
from clipsonic_eval.toyencoders.config import ToyAudioConfig, ToyClapConfig, ToyClipConfig, ToyEncodersConfig
from clipsonic_eval.toyencoders.data import images, sounds
from clipsonic_eval.toyencoders.geometry import geometry, intervals
from clipsonic_eval.toyencoders.sweep import VARIANTS
from clipsonic_eval.toyencoders.train import train, train_clip
from clipsonic_eval.toyencoders.training import drop_words, info_nce, lr_factor

_TINY = ToyClipConfig(images=48, steps=3, batch=16, validation=32, widths=(8, 16), text_width=32, text_layers=1)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_training_twice_gives_equal_weights_and_another_seed_gives_others(tmp_path):
    first, second = (train_clip(_TINY, tmp_path / name).read_bytes() for name in "ab")
    assert first == second
    other = train_clip(dataclasses.replace(_TINY, seed=2), tmp_path / "c").read_bytes()
    assert other != first


def test_a_trained_variant_loads_as_an_encoder_and_its_card_holds_the_geometry(tmp_path):
    path = train_clip(_TINY, tmp_path)
    encoder = ENCODERS["toy-clip"](tmp_path)
    assert encoder.text(["a bell"]).shape == (1, 128)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["weights_sha256"] == encoder.card.weights_sha256
    assert card["config"]["steps"] == 3
    assert set(card["geometry"]) == {"web", "video"}


def test_locked_projections_stay_as_they_were_drawn(tmp_path):
    from safetensors.torch import load_file

    short, long = (
        load_file(train_clip(dataclasses.replace(_TINY, steps=steps), tmp_path / str(steps))) for steps in (1, 3)
    )
    for name in ("sense_projection.weight", "text_projection.weight", "sense_norm.bias", "text.norm.weight"):
        assert torch.equal(short[name], long[name])
    assert not torch.equal(short["sense.stem.weight"], long["sense.stem.weight"])


def test_other_initial_weights_see_the_same_batches(tmp_path):
    data = images(32, seed=1, workers=1)
    words = data.vocabulary()
    configs = [dataclasses.replace(_TINY, steps=1, weights_seed=seed) for seed in (1, 1, 2)]
    nets = [clip.build(config, len(words)) for config in configs]
    losses = [clip.fit(net, data, words, config)[0] for net, config in zip(nets, configs, strict=True)]
    assert losses[0] == losses[1] != losses[2]


def test_training_does_not_touch_the_global_generators(tmp_path):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train_clip(dataclasses.replace(_TINY, steps=1), tmp_path)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_audio_encoders_train_and_load(tmp_path):
    clap = ToyClapConfig(sounds=32, steps=2, batch=16, validation=16, widths=(8, 16), text_width=32, text_layers=1)
    hearing = ToyAudioConfig(sounds=32, steps=2, batch=16, validation=16, widths=(8, 16))
    config = ToyEncodersConfig(clap=clap, audio=hearing)
    for name in ("toy-clap", "toy-audio"):
        assert [p.stem for p in train(config, tmp_path, only=name)] == [name]
        ENCODERS[name](tmp_path)
    with pytest.raises(UserError, match=r"unknown toy encoder 'toy-clipp'.*toy-clip"):
        train(config, tmp_path, only="toy-clipp")


def test_an_item_does_not_depend_on_how_many_there_are():
    few, many = (images(n, seed=3, workers=1, captions=1) for n in (5, 12))
    assert np.array_equal(few.inputs, many.inputs[:5])
    assert few.captions == many.captions[:5]


def test_data_of_the_toy_encoders_differ_from_the_worlds_of_studies():
    # Same seed and key, other purpose: the scenes must not coincide.
    from clipsonic_eval.seeds import stream

    ours = sounds(40, seed=0, workers=1).scenes
    theirs = {toyworld.sample_scene(stream(0, f"pairs-{k:06d}", "toyworld-scene"), "web") for k in range(40)}
    assert not theirs & set(ours)


def test_geometry_of_a_space_with_known_cosines():
    # Two cones around the first two axes: cosine of two members of a cone is h², across cones 0.
    rng = np.random.default_rng(0)
    n, d, h = 2000, 400, 0.7
    axes = np.eye(d)
    noise = [_unit(np.concatenate([np.zeros((n, 2)), rng.standard_normal((n, d - 2))], axis=1)) for _ in range(2)]
    x, y = (h * axes[k] + np.sqrt(1 - h * h) * noise[k] for k in range(2))
    label, count = rng.integers(0, 12, n), rng.integers(1, 4, n)
    got = geometry(x, y, label=label, size=rng.random(n), count=count)
    assert got["image_image_cosine"] == pytest.approx(h * h, abs=0.002)
    assert got["text_text_cosine"] == pytest.approx(h * h, abs=0.002)
    assert got["matched_cosine"] == pytest.approx(0, abs=0.01)
    assert got["centroid_distance"] == pytest.approx(np.sqrt(2) * h, abs=0.002)
    assert got["separability"] == 1.0
    assert got["class_decoding"] < 0.2
    for name, (low, high) in intervals(x, y, draws=100).items():
        assert low - 0.002 <= got[name] <= high + 0.002


def test_geometry_reads_a_class_that_is_there():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 12, 1200)
    x = np.eye(12)[label] + 0.05 * rng.standard_normal((1200, 12))
    got = geometry(x, x, label=label, size=label / 11, count=1 + label % 3, class_text=np.eye(12))
    assert got["class_decoding"] == got["zero_shot_class"] == 1.0
    assert got["size_r2"] > 0.95
    assert got["matched_cosine"] == pytest.approx(1)
    assert got["centroid_distance"] == pytest.approx(0, abs=1e-12)


def test_info_nce_of_orthogonal_pairs_is_its_closed_form():
    eye = torch.eye(8, dtype=torch.float64)
    assert float(info_nce(eye, eye, 0.5)) == pytest.approx(np.log(1 + 7 * np.exp(-2)))
    assert float(info_nce(torch.ones(4, 2), torch.ones(4, 2), 0.1)) == pytest.approx(np.log(4))


def test_info_nce_does_not_see_an_offset_of_one_modality():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(16, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    logits, shifted = a @ b.T, a @ (b + 3.0).T
    assert torch.allclose(torch.softmax(logits, dim=1), torch.softmax(shifted, dim=1))


def test_learning_rate_warms_up_and_falls_to_a_tenth():
    rates = [lr_factor(k, steps=100, warmup=10) for k in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1, abs=0.001)


def test_dropping_words_keeps_starts_and_padding():
    tokens = torch.zeros(2000, 6, dtype=torch.int64)
    tokens[:, 0], tokens[:, 1:4] = START, 50
    changed = drop_words(tokens, np.random.default_rng(0))
    assert (changed[:, 0] == START).all()
    assert (changed[:, 4:] == 0).all()
    share = (changed[:, 1:4] != 50).float().mean()
    assert 0.01 < float(share) < 0.03


def test_vocabulary_hashes_unknown_words_into_buckets():
    words = Vocabulary.of(["a red bell", "two bells"])
    known, unknown = words.encode(["A RED, bell!", "zebra a"])
    assert list(known[:4]) == [START, *(2 + BUCKETS + words.known.index(w) for w in ("a", "red", "bell"))]
    assert 2 <= unknown[1] < 2 + BUCKETS
    assert known[4:].sum() == 0


def test_log_mel_peaks_in_the_band_of_a_tone():
    time = np.arange(15360) / 16000
    for hz in (300.0, 1000.0, 4000.0):
        mel = log_mel(np.sin(2 * np.pi * hz * time).astype(np.float32)[None])[0, 0]
        assert mel.shape == (64, 96)
        # HTK mel scale between 50 Hz and 8 kHz, 64 bands
        at = [2595 * np.log10(1 + f / 700) for f in (50, hz, 8000)]
        expected = (at[1] - at[0]) / (at[2] - at[0]) * 65 - 1
        assert abs(mel[:, 48].argmax() - expected) <= 1


def test_windows_and_squares_cut_as_documented():
    assert windows(np.ones(10, np.float32)).sum() == 10
    cut = windows(np.arange(15360 * 2 + 100, dtype=np.float32))
    assert [row[0] for row in cut] == [0, 15360, 15360 + 100]
    wide = np.zeros((48, 144, 3), np.uint8)
    wide[:, 48:96] = 200
    assert (SQUARE.cut(wide) == 200).all()


@pytest.mark.parametrize("bad", [{"temperature": 0.0}, {"steps": 0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        ToyClipConfig(**bad)


def test_the_variants_differ_in_what_shapes_the_gap_alone_and_hold_the_calibrated_one():
    assert len(VARIANTS) >= 7
    assert VARIANTS["calibrated"] == ToyClipConfig()
    temperatures = [config.temperature for config in VARIANTS.values()]
    assert temperatures == sorted(temperatures, reverse=True)  # the lower, the wider the gap
    shaping = {"temperature": 0.014, "start_std": 0.35, "locked_projections": True}
    assert {dataclasses.replace(config, **shaping) for config in VARIANTS.values()} == {ToyClipConfig()}


def test_show_prints_the_table_and_json():
    done = CliRunner().invoke(main, ["toy-encoders", "show"])
    assert done.exit_code == 0, done.output
    assert "| centroid distance | 0.85 |" in done.output
    values = json.loads(CliRunner().invoke(main, ["toy-encoders", "show", "--json"]).output)
    assert values["geometry"]["video"]["n"] >= 1000


def test_train_command_takes_settings_and_names_a_wrong_one(tmp_path):
    sets = ["images=32", "steps=1", "batch=8", "validation=16"]
    arguments = [part for s in sets for part in ("--set", f"clip.{s}")]
    command = ["toy-encoders", "train", "--out", str(tmp_path), "--only", "toy-clip"]
    done = CliRunner().invoke(main, [*command, *arguments])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "toy-clip.safetensors").is_file()
    wrong = CliRunner().invoke(main, [*command, "--set", "clip.step=1"])
    assert wrong.exit_code == 2
    assert "Did you mean 'steps'" in wrong.output
