"""The calibration's numbers by brute force, the training loop on problems with known answers, data and tables."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from clipsonic_eval import toyworld
from clipsonic_eval.encoders.toy.frontend import log_mel
from clipsonic_eval.encoders.toy.network import AudioNetwork, ContrastiveNetwork
from clipsonic_eval.encoders.toy.weights import SHIPPED
from clipsonic_eval.errors import ConfigError, WeightsError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.seeds import stream
from clipsonic_eval.toyencoders import data as data_module
from clipsonic_eval.toyencoders.audio import audio_report, clap_report, noisy_mels
from clipsonic_eval.toyencoders.config import ToyAudioConfig, ToyClapConfig, ToyClipConfig, ToyEncodersConfig
from clipsonic_eval.toyencoders.data import RenderedPairs, images, sounds
from clipsonic_eval.toyencoders.geometry import _kernel_ridge, _ridge, geometry, intervals
from clipsonic_eval.toyencoders.show import calibration, table
from clipsonic_eval.toyencoders.training import info_nce, lr_factor, optimise


def space(seed: int, n: int = 24, d: int = 5) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.standard_normal((n, d)) + 1,
        "text": rng.standard_normal((n, d)) - 1,
        "label": np.arange(n) % 3,
        "size": rng.random(n),
        "count": rng.integers(1, 4, n),
    }


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_geometry_is_the_mean_over_all_pairs(seed: int) -> None:
    s = space(seed)
    image, text, n = s["image"], s["text"], len(s["image"])
    found = geometry(**s)
    pairs = list(itertools.combinations(range(n), 2))
    others = [(i, j) for i in range(n) for j in range(n) if i != j]
    x, y = unit(image), unit(text)
    expected = {
        "matched_cosine": np.mean([cosine(image[i], text[i]) for i in range(n)]),
        "unmatched_cosine": np.mean([cosine(image[i], text[j]) for i, j in others]),
        "image_image_cosine": np.mean([cosine(image[i], image[j]) for i, j in pairs]),
        "text_text_cosine": np.mean([cosine(text[i], text[j]) for i, j in pairs]),
        "centroid_distance": np.linalg.norm(x.mean(axis=0) - y.mean(axis=0)),
        "centred_matched_cosine": np.mean([cosine(a, b) for a, b in zip(x - x.mean(0), y - y.mean(0), strict=True)]),
        "recall_at_1": np.mean([max(range(n), key=lambda j: cosine(image[i], text[j])) == i for i in range(n)]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-10), name


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.01, 100))
def test_geometry_does_not_see_the_lengths_of_vectors(seed: int, scale: float) -> None:
    s = space(seed)
    found = geometry(**s)
    scaled = geometry(**{**s, "image": s["image"] * scale, "text": s["text"] / scale})
    assert scaled == pytest.approx(found, abs=1e-9)


def test_the_linear_probe_is_ridge_regression_as_least_squares_solves_it() -> None:
    rng = np.random.default_rng(0)
    x, y, new = rng.standard_normal((40, 4)) + 3, rng.standard_normal((40, 2)), rng.standard_normal((7, 4))
    centred = x - x.mean(axis=0)
    penalty = 1e-3 * np.trace(centred.T @ centred) / 4
    rows = np.concatenate([centred, np.sqrt(penalty) * np.eye(4)])  # |Xw - y|² + λ|w|² as one least-squares problem
    weights, *_ = np.linalg.lstsq(rows, np.concatenate([y - y.mean(axis=0), np.zeros((4, 2))]), rcond=None)
    np.testing.assert_allclose(_ridge(x, y, new), (new - x.mean(axis=0)) @ weights + y.mean(axis=0), atol=1e-10)


def test_the_kernel_probe_is_the_mean_of_a_gaussian_process() -> None:
    rng = np.random.default_rng(1)
    x, y, new = rng.standard_normal((12, 3)), rng.standard_normal((12, 2)), rng.standard_normal((5, 3))
    width = np.median([np.sum((a - b) ** 2) for a in x for b in x])
    covariance = lambda a, b: np.exp(-np.sum((a - b) ** 2) / width)  # noqa: E731
    joint = np.array([[covariance(a, b) for b in (*new, *x)] for a in (*new, *x)]) + 0.01 * np.eye(17)
    # the conditional mean of a Gaussian from its precision Λ: E[f | y] = -Λ₁₁⁻¹ Λ₁₂ y
    precision = np.linalg.inv(joint)
    expected = -np.linalg.solve(precision[:5, :5], precision[:5, 5:] @ (y - y.mean(axis=0))) + y.mean(axis=0)
    np.testing.assert_allclose(_kernel_ridge(x, y, new), expected, atol=1e-9)


def test_the_kernel_probe_reads_what_no_line_separates() -> None:
    rng = np.random.default_rng(2)
    image = rng.standard_normal((600, 3))
    ring = (np.abs(unit(image)[:, 0]) > 0.5).astype(np.int64)
    found = geometry(image, image, label=ring, size=unit(image)[:, 1] ** 2, count=1 + ring)
    assert found["class_decoding_kernel"] > 0.95 > 0.7 > found["class_decoding"]
    assert found["size_r2_kernel"] > 0.95 > 0.1 > found["size_r2"]
    assert found["count_decoding_kernel"] == found["class_decoding_kernel"]


def test_the_interval_of_the_matched_cosine_is_that_of_a_mean() -> None:
    s = space(0, n=2000, d=16)
    low, high = intervals(s["image"], s["text"], draws=400)["matched_cosine"]
    cosines = (unit(s["image"]) * unit(s["text"])).sum(axis=1)
    half = 1.96 * cosines.std() / np.sqrt(len(cosines))
    assert (high - low) / 2 == pytest.approx(half, rel=0.15)
    assert (high + low) / 2 == pytest.approx(cosines.mean(), abs=half / 4)
    assert intervals(s["image"], s["text"], draws=20) == intervals(s["image"], s["text"], draws=20)
    assert intervals(s["image"], s["text"], draws=20, seed=1) != intervals(s["image"], s["text"], draws=20)


def test_a_bootstrap_sample_leaves_out_pairs_of_a_row_with_its_own_copy() -> None:
    s = space(3, n=9)
    rows = stream(0, "", "instrument-bootstrap").integers(0, 9, 9)
    assert len(set(rows.tolist())) < 9  # some row is drawn twice
    found = intervals(s["image"], s["text"], draws=1)
    for name, x in (("image_image_cosine", s["image"]), ("text_text_cosine", s["text"])):
        pairs = [cosine(x[i], x[j]) for i in rows for j in rows if i != j]
        assert found[name] == pytest.approx((np.mean(pairs),) * 2, abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31), temperature=st.floats(0.02, 2))
def test_info_nce_is_the_mean_of_both_cross_entropies(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = unit(rng.standard_normal((6, 4))), unit(rng.standard_normal((6, 4)))
    logits = a @ b.T / temperature
    expected = -(np.diag(log_softmax(logits, axis=1)).mean() + np.diag(log_softmax(logits, axis=0)).mean()) / 2
    x, y = torch.from_numpy(a), torch.from_numpy(b)
    assert float(info_nce(x, y, temperature)) == pytest.approx(expected, rel=1e-9)
    assert float(info_nce(y, x, temperature)) == pytest.approx(expected, rel=1e-9)
    order = torch.from_numpy(rng.permutation(6))
    assert float(info_nce(x[order], y[order], temperature)) == pytest.approx(expected, rel=1e-9)


@given(steps=st.integers(1, 400), warmup=st.integers(0, 50))
def test_the_learning_rate_rises_then_falls_between_a_tenth_and_one(steps: int, warmup: int) -> None:
    factors = [lr_factor(k, steps=steps, warmup=warmup) for k in range(steps)]
    assert all(0 < f <= 1 for f in factors)
    rising, falling = factors[:warmup], factors[warmup:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert all(f >= 0.1 for f in falling)


class Notes(type(SILENT)):  # type: ignore[misc]
    """Progress that keeps its notes."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    def note(self, message: str) -> None:
        self.kept.append(message)


def test_a_trained_network_fits_holds_halves_and_reports_every_hundred_steps() -> None:
    net = torch.nn.Linear(1, 1)
    x = torch.linspace(-1, 1, 16)[:, None]
    recipe = SimpleNamespace(steps=220, lr=0.05, warmup=5, weight_decay=0.0)
    notes = Notes()
    losses = optimise(net, lambda: (net(x) - (3 * x - 0.5)).square().mean(), recipe, "a line", notes)
    assert len(losses) == 220
    assert losses[-1] < 1e-3 * losses[0]
    assert net.weight.item() == pytest.approx(3, abs=0.01)
    assert all(torch.equal(p.data, p.data.half().float()) for p in net.parameters())
    assert not net.training
    assert [note.partition(":")[0] for note in notes.kept] == ["step 100", "step 200"]


def test_a_group_of_scale_zero_does_not_move() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    before = [p.detach().half().float() for p in net.parameters()]
    groups = [{"params": [p], "scale": scale} for p, scale in zip(net.parameters(), (0, 0, 1, 1), strict=True)]
    recipe = SimpleNamespace(steps=3, lr=0.1, warmup=0, weight_decay=0.0)
    optimise(net, lambda: net(torch.ones(4, 2)).square().mean(), recipe, "half", SILENT, groups)
    moved = [not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)]
    assert moved == [False, False, True, True]


def test_noisy_copies_lie_up_to_30_db_above_the_clean_ones() -> None:
    waves = (0.1 * np.random.default_rng(0).standard_normal((258, 15360))).astype(np.float32)
    found = noisy_mels(waves, seed=3)
    assert (found.shape, found.dtype) == ((258, 2, 1, 64, 96), np.float16)
    np.testing.assert_allclose(found[:, 0], log_mel(waves), atol=2e-3)
    # noise of u dB below white noise raises its level by ln(1 + 10^(-u/10)) / 2, a third of it once standardised
    rise = (found[:, 1].astype(np.float64) - found[:, 0]).mean(axis=(1, 2, 3)) * 3
    drawn = -10 * np.log10(np.expm1(2 * np.maximum(rise, 1e-4)))
    assert -1 < drawn.min() < 4
    assert np.median(drawn) == pytest.approx(15, abs=3)
    assert (rise > -0.02).all()
    np.testing.assert_array_equal(noisy_mels(waves[:5], seed=4)[:, 0], found[:5, 0])
    assert np.abs(noisy_mels(waves[:5], seed=4)[:, 1] - found[:5, 1]).max() > 0.05


def test_silence_gets_no_noise() -> None:
    found = noisy_mels(np.zeros((2, 15360), np.float32), seed=0)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


@pytest.mark.parametrize("render", [images, sounds])
def test_items_do_not_depend_on_how_they_are_shared_out(render: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = render(7, seed=5, workers=1)
    monkeypatch.setattr(data_module, "_CHUNK", 3)
    parts = render(7, seed=5, workers=1)
    np.testing.assert_array_equal(whole.inputs, parts.inputs)
    assert (whole.captions, whole.scenes) == (parts.captions, parts.scenes)
    assert render(2, seed=6, workers=1).scenes != whole.scenes[:2]
    assert render(2, seed=5, workers=1, domain="video").scenes != whole.scenes[:2]


def test_rendered_pairs_state_label_size_and_count_of_each_scene() -> None:
    pairs = sounds(12, seed=1, workers=1)
    assert pairs.inputs.shape == (12, 15360)
    assert pairs.labels.tolist() == [scene.label for scene in pairs.scenes]
    assert set(pairs.counts.tolist()) <= {1, 2, 3}
    assert all(len(texts) == 4 and all(texts) for texts in pairs.captions)
    assert pairs.column(1) == [texts[1] for texts in pairs.captions]
    known = pairs.vocabulary()
    assert all(not note.unknown and not note.cut for note in known.text_notes(pairs.column(0)))
    pictures = images(3, seed=1, workers=1, captions=2)
    assert (pictures.inputs.shape, pictures.inputs.dtype) == ((3, 48, 48, 3), np.uint8)
    assert [len(texts) for texts in pictures.captions] == [2, 2, 2]


class Oracle:
    """Reads label, count and size from the first samples of a sound, through the log-mel's argument only."""

    def __init__(self, pairs: RenderedPairs, right: int) -> None:
        self.right, self.pairs = right, pairs

    def features(self, mels: torch.Tensor) -> torch.Tensor:
        return torch.arange(float(len(mels)))[:, None]

    def classes(self, features: torch.Tensor) -> torch.Tensor:
        labels = self.pairs.labels.copy()
        labels[self.right :] = (labels[self.right :] + 1) % 12
        return torch.eye(12)[labels]

    def count(self, features: torch.Tensor) -> torch.Tensor:
        return torch.eye(3)[self.pairs.counts - 1]

    def size(self, features: torch.Tensor) -> torch.Tensor:
        return torch.full((len(features), 1), float(self.pairs.sizes.mean()))


def test_the_audio_report_counts_hits_and_explained_variance() -> None:
    pairs = sounds(8, seed=2, workers=1)
    reached = audio_report(Oracle(pairs, right=6), pairs)  # type: ignore[arg-type]
    assert reached["n"] == 8
    assert reached["class_accuracy"] == 0.75
    assert reached["count_accuracy"] == 1.0
    assert reached["size_r2"] == pytest.approx(0, abs=1e-6)  # the mean explains nothing
    assert reached["feature_variance"] == pytest.approx(6)  # of 0 .. 7: n (n + 1) / 12


def test_the_clap_report_shuffles_by_one() -> None:
    pairs = sounds(4, seed=2, workers=1, captions=2)
    net = SimpleNamespace(embed_media=lambda x: torch.eye(12)[: len(x)], embed_text=lambda t: torch.eye(12)[: len(t)])
    reached = clap_report(net, pairs.vocabulary(), pairs)  # type: ignore[arg-type]
    assert reached["matched_cosine_audio"] == reached["matched_cosine_full"] == 1.0
    assert reached["shuffled_cosine_audio"] == 0.0
    assert reached["zero_shot_class"] == float((pairs.labels == np.arange(4)).mean())


@pytest.mark.parametrize("make", [ToyClipConfig, ToyClapConfig, ToyAudioConfig])
@pytest.mark.parametrize("name", ["steps", "batch", "validation"])
def test_a_training_of_nothing_is_refused(make: Any, name: str) -> None:
    with pytest.raises(ConfigError, match="steps, batch and validation must be at least 1"):
        make(**{name: 0})


@pytest.mark.parametrize("make", [ToyClipConfig, ToyClapConfig])
@pytest.mark.parametrize("temperature", [0.0, -1.0, 10.0])
def test_a_temperature_out_of_range_is_refused_with_its_value(make: Any, temperature: float) -> None:
    with pytest.raises(ConfigError, match=rf"temperature must lie in \(0, 10\), got {temperature}"):
        make(temperature=temperature)


def test_settings_are_the_arguments_of_the_networks() -> None:
    with torch.device("meta"):
        pair = ContrastiveNetwork(**ToyClapConfig(dim=9, widths=(4, 8)).network(50))
        audio = AudioNetwork(**ToyAudioConfig(dim=7, widths=(4, 8)).network)
    assert pair.text.words.weight.shape[0] == 50
    assert pair.sense_projection.weight.shape[0] == 9
    assert audio.classes.weight.shape == (len(toyworld.SOURCES), 7)
    with torch.device("meta"):
        clip = ContrastiveNetwork(**ToyClipConfig(stride=2, widths=(4, 8)).network(50))
    assert clip.sense.stem(torch.zeros(1, 3, 48, 48, device="meta")).shape == (1, 4, 24, 24)
    assert pair.sense.stem(torch.zeros(1, 1, 64, 96, device="meta")).shape == (1, 4, 16, 24)
    config = ToyEncodersConfig()
    seeds = [part.seed for part in (config.clip, config.clap, config.clap_condition, config.audio)]
    assert len(set(seeds)) == 4  # a system must never be scored on the data of its own condition


def test_the_table_shows_targets_intervals_and_what_is_missing() -> None:
    web = {"n": 200, "centroid_distance": 0.8123, "ci95": {"centroid_distance": [0.8, 0.82]}, "class_decoding": 0.9}
    values = {
        "weights_sha256": "0123456789abcdef",
        "targets": {"centroid_distance": 0.85, "class_decoding": 0.9},
        "geometry": {"web": web},
        "audio": {"toy-clap": {"n": 16, "zero_shot_class": 0.5}},
    }
    lines = table(values).splitlines()
    assert lines[0].startswith("toy-clip 0123456789ab;")
    assert "| centroid distance | 0.85 | 0.812 [0.800, 0.820] | - |" in lines
    assert "| class decoded from images | ≥ 0.90 | 0.900 | - |" in lines
    assert any("web (n 200)" in line and "video (n 0)" in line for line in lines)
    assert lines[-1] == "toy-clap: n 16, zero shot class 0.500"


def test_the_calibration_of_a_folder_names_the_encoders_that_are_there(tmp_path: Path) -> None:
    for name in ("toy-clip", "toy-audio"):
        for suffix in ("safetensors", "json"):
            shutil.copy(SHIPPED / f"{name}.{suffix}", tmp_path)
    found = calibration(tmp_path)
    assert list(found["audio"]) == ["toy-audio"]
    assert found["weights_sha256"] == json.loads((tmp_path / "toy-clip.json").read_text())["weights_sha256"]
    assert calibration(tmp_path / "toy-clip.safetensors") == found
    with pytest.raises(WeightsError, match="no such weight file; train it with"):
        calibration(tmp_path / "none")
