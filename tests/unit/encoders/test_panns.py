"""PANNs' Cnn14: front end and network against NumPy, published files as they are, what the harness needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.special import log_softmax, rel_entr, softmax
from unit.encoders import published_panns as published

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders._audioset import audioset_labels
from clipsonic_eval.encoders.panns.frontend import AT_16K, AT_32K, published_matrices
from clipsonic_eval.errors import ShapeError, UserError, WeightsError
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.metrics import inception_score, kl
from clipsonic_eval.types import Clip, Embeddings

NAMES = {
    "panns-cnn14": 32000,
    "panns-cnn14-features": 32000,
    "panns-cnn14-16k": 16000,
    "panns-cnn14-16k-features": 16000,
}
FILES = {32000: "Cnn14_mAP=0.431.pth", 16000: "Cnn14_16k_mAP=0.438.pth"}
FRONTS = {32000: AT_32K, 16000: AT_16K}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("panns")
    for rate, name in FILES.items():
        torch.save(published.checkpoint(published.tensors(rate)), where / name)
    return where


@pytest.fixture(scope="module")
def encoders(folder):
    return {name: ENCODERS[name](folder) for name in NAMES}


def noise(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Noise under a slow envelope: something in every band, another thing in every frame."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    return (rng.standard_normal(n) * (0.05 + 0.2 * np.abs(np.sin(np.arange(n) / rate * 3)))).astype(np.float32)


def clip(key: str, wave: np.ndarray, rate: int) -> Clip:
    return Clip(key, np.atleast_2d(wave).astype(np.float32), rate)


@pytest.mark.parametrize("rate", [32000, 16000])
def test_the_mel_filters_are_slaneys(rate: int) -> None:
    assert np.abs(FRONTS[rate].filters() - published.slaney_filters(rate)).max() < 1e-8


@pytest.mark.parametrize("rate", [32000, 16000])
def test_decibels_are_those_of_a_plain_transform(rate: int) -> None:
    wave = noise(1, rate)
    expected = published.decibels(wave, rate)
    exact = FRONTS[rate](torch.from_numpy(wave.astype(np.float64))[None])[0].numpy()
    assert exact.shape == (101, 64)
    # the filters are float32 in the published files and in ours: 6e-8 of the power is 3e-7 dB
    assert np.abs(exact - expected).max() < 1e-6
    single = FRONTS[rate](torch.from_numpy(wave)[None])[0].numpy()
    assert np.abs(single - expected).max() < 1e-4


def test_silence_lies_on_the_floor_and_twice_the_sound_six_decibels_higher() -> None:
    assert (AT_32K(torch.zeros(1, 4000)) == -100).all()
    wave = torch.from_numpy(noise(1, 32000))[None]
    assert (AT_32K(2 * wave) - AT_32K(wave)).numpy() == pytest.approx(20 * np.log10(2), abs=1e-3)


@pytest.mark.parametrize("rate", [32000, 16000])
def test_features_and_classes_are_those_of_the_network_restated_in_numpy(encoders, rate: int) -> None:
    names = [name for name, r in NAMES.items() if r == rate]
    wave = noise(2.3, rate, seed=3)
    features, logits = published.answer(published.tensors(rate), wave, rate)
    assert (features > 0).sum() > 4  # the ReLU leaves something to compare
    given = [clip("a", wave, rate)]
    for name in names:
        expected = features if name.endswith("features") else log_softmax(logits)
        assert np.abs(encoders[name].audio(given)[0] - expected).max() < 2e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_the_card_states_file_rate_and_convention(encoders, folder, name) -> None:
    card, rate = encoders[name].card, NAMES[name]
    assert card.name == name
    assert card.weights_sha256 == file_sha256(folder / FILES[rate])
    assert card.sample_rate == rate
    assert card.modalities == ("audio",)
    for stated in (f"rate:{rate // 1000}k", "resample:soxr-hq", "mono:mean", "win:whole-clip", f"hop{rate // 100}"):
        assert stated in card.preprocessing
    if name.endswith("features"):
        assert card.labels == ()
        assert card.dim == published.WIDTHS[-1]
        assert "layer:fc1,post-relu" in card.preprocessing
    else:
        assert card.labels == audioset_labels()
        assert card.dim == 527
        assert "layer:softmax-of-multi-label-logits" in card.preprocessing


def test_the_labels_are_audiosets() -> None:
    labels = audioset_labels()
    assert len(labels) == len(set(labels)) == 527
    assert (labels[0], labels[1], labels[137], labels[500], labels[526]) == (
        "Speech",
        "Male speech, man speaking",
        "Music",
        "Silence",
        "Field recording",
    )


@pytest.mark.parametrize("name", NAMES)
def test_one_row_per_clip_that_is_batch_invariant(encoders, name) -> None:
    encoder, rate = encoders[name], NAMES[name]
    clips = [clip(str(k), noise(s, rate, k), rate) for k, s in enumerate((2.1, 3.0, 2.1, 0.4, 2.1))]
    together = encoder.audio(clips)
    assert together.shape == (5, encoder.card.dim)
    assert together.dtype == np.float32
    assert encoder.audio_rows(clips) == [c.key for c in clips]
    alone = np.concatenate([encoder.audio([c]) for c in clips])
    assert np.array_equal(together, alone)  # to the bit
    assert np.array_equal(together, encoder.audio(clips))
    assert encoder.audio([]).shape == (0, encoder.card.dim)


def test_class_rows_are_log_probabilities_that_the_metrics_take(encoders) -> None:
    encoder = encoders["panns-cnn14"]
    clips = [clip(f"k{k}", noise(1, 32000, k), 32000) for k in range(4)]
    rows = Embeddings(encoder.audio(clips), tuple(encoder.audio_rows(clips)), "audio", encoder.card)
    assert np.exp(rows.vectors.astype(np.float64)).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert kl(rows, real=rows).per_clip == {f"k{k}": 0.0 for k in range(4)}
    assert 1 <= float(inception_score(rows)) <= 4


def test_short_clips_are_filled_with_zeros_and_stereo_is_averaged(encoders) -> None:
    encoder = encoders["panns-cnn14"]
    wave = noise(0.5, 32000)
    padded = np.pad(wave, (0, 16000))
    assert np.array_equal(encoder.audio([clip("a", wave, 32000)]), encoder.audio([clip("a", padded, 32000)]))
    longer = np.pad(wave, (0, 17000))
    assert not np.allclose(encoder.audio([clip("a", wave, 32000)]), encoder.audio([clip("a", longer, 32000)]))
    stereo = np.stack([wave * 2, np.zeros_like(wave)])
    assert np.allclose(encoder.audio([clip("a", stereo, 32000)]), encoder.audio([clip("a", wave, 32000)]), atol=1e-5)


def test_an_empty_clip_texts_and_images_are_refused(encoders) -> None:
    encoder = encoders["panns-cnn14"]
    with pytest.raises(ShapeError, match="'a': audio must hold at least one sample"):
        encoder.audio([clip("a", np.zeros((1, 0)), 32000)])
    with pytest.raises(UserError, match="'panns-cnn14' does not take text"):
        encoder.text(["a"])
    with pytest.raises(UserError, match="'panns-cnn14' does not take image"):
        encoder.image([np.zeros((4, 4, 3), np.uint8)])


def test_an_evaluation_takes_them_by_role_with_their_weights(folder, tmp_path) -> None:
    waves = {}
    for k in range(12):
        tone = (0.5 * np.sin(np.arange(32000) * (0.1 + 0.05 * k))).astype(np.float32)
        waves[k] = {"real": noise(2, 16000, k), "s": tone + 0.1 * noise(2, 16000, k)}
        for system, wave in waves[k].items():
            write_wav(tmp_path / system / f"k{k:02d}.wav", wave, 16000)
    config = EvaluateConfig(
        systems={"s": tmp_path / "s"},
        reference=tmp_path / "real",
        real=tmp_path / "real",
        encoders={"audio": "panns-cnn14-16k-features", "audio_text": None, "classifier": "panns-cnn14-16k"},
        weights={"audio": folder, "classifier": folder},
        metrics=("fad", "kl", "kl_reverse", "inception_score"),
        n_bootstrap=30,
        cache=tmp_path / "cache",
        examples=0,
    )
    record = evaluate(config, tmp_path / "run")
    found = {(score.metric, score.system): score for score in record.scores}
    both = {(m, s) for m in ("fad", "inception_score") for s in ("s", "real")}
    assert set(found) == {*both, ("kl", "s"), ("kl_reverse", "s")}
    assert found["fad", "real"].value == pytest.approx(0, abs=1e-6)  # the reference itself
    assert found["fad", "s"].value > 1e-3
    state = published.tensors(16000)
    for k in (0, 11):
        p, q = (softmax(published.answer(state, waves[k][s], 16000)[1]) for s in ("real", "s"))
        assert found["kl", "s"].per_clip[f"k{k:02d}"] == pytest.approx(rel_entr(p, q).sum(), rel=1e-3)
        assert found["kl_reverse", "s"].per_clip[f"k{k:02d}"] == pytest.approx(rel_entr(q, p).sum(), rel=1e-3)
    assert "|layer:softmax-of-multi-label-logits,as-log|" in found["kl", "s"].signature


def test_missing_weights_name_the_file_and_where_it_is_published(tmp_path, monkeypatch) -> None:
    with pytest.raises(
        WeightsError, match=r"no Cnn14_mAP=0\.431\.pth there; get it with .* from https://zenodo.*3987831"
    ):
        ENCODERS["panns-cnn14"](tmp_path)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(WeightsError, match=r"panns_data or .*no Cnn14_16k_mAP=0\.438\.pth there"):
        ENCODERS["panns-cnn14-16k"]()


def test_files_that_other_toolkits_fetched_are_found(folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    place = tmp_path / "panns_data"
    place.mkdir()
    (place / FILES[32000]).symlink_to(folder / FILES[32000])
    assert ENCODERS["panns-cnn14"]().card.weights_sha256 == file_sha256(folder / FILES[32000])


@pytest.mark.parametrize("layout", ["zip", "legacy", "numpy 1", "bare", "safetensors"])
def test_every_layout_of_the_file_gives_the_same_network(encoders, tmp_path, layout) -> None:
    state = published.tensors(32000)
    path = tmp_path / ("weights.safetensors" if layout == "safetensors" else "weights.pth")
    if layout == "safetensors":
        save_file(state, path)
    else:
        held = state if layout == "bare" else published.checkpoint(state)
        torch.save(held, path, _use_new_zipfile_serialization=layout == "zip")
    if layout == "numpy 1":  # the name under which the published files have NumPy's arrays
        data = path.read_bytes()
        assert b"cnumpy._core.multiarray\n_reconstruct\n" in data
        path.write_bytes(data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    given = [clip("a", noise(1, 32000), 32000)]
    assert np.array_equal(ENCODERS["panns-cnn14"](path).audio(given), encoders["panns-cnn14"].audio(given))


class _Bomb:
    def __reduce__(self):
        return Path.touch, (Path("bomb-went-off"),)


def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    torch.save({"model": published.tensors(32000), "extra": _Bomb()}, path)
    with pytest.raises(WeightsError, match="not readable as tensors"):
        ENCODERS["panns-cnn14"](path)
    assert not Path("bomb-went-off").exists()


def test_the_other_rates_file_another_network_and_rubbish_are_refused(folder, tmp_path) -> None:
    with pytest.raises(WeightsError, match="front end is not that of Cnn14 at 32000 Hz"):
        ENCODERS["panns-cnn14"](folder / FILES[16000])
    path = tmp_path / "weights.pth"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(WeightsError, match="not readable as tensors"):
        ENCODERS["panns-cnn14"](path)
    torch.save({"model": [1, 2]}, path)
    with pytest.raises(WeightsError, match="'model' is a list, not a tensor by name"):
        ENCODERS["panns-cnn14"](path)
    torch.save({"model": published.tensors(32000, classes=10)}, path)
    with pytest.raises(WeightsError, match="has 10 classes, AudioSet has 527"):
        ENCODERS["panns-cnn14"](path)


@pytest.mark.parametrize("fault", ["missing", "extra", "shape"])
def test_tensors_that_are_not_all_a_cnn14s_are_refused(tmp_path, fault) -> None:
    state = published.tensors(32000)
    if fault == "missing":
        del state["conv_block4.bn2.running_var"]
    elif fault == "extra":
        state["att_block.att.weight"] = torch.zeros(3)
    else:
        state["conv_block2.conv1.weight"] = torch.zeros(6, 5, 3, 3)
    path = tmp_path / "weights.pth"
    torch.save({"model": state}, path)
    with pytest.raises(WeightsError, match="holds another network than Cnn14"):
        ENCODERS["panns-cnn14"](path)


@pytest.mark.parametrize("name", list(published_matrices(AT_32K)))
def test_a_front_end_that_differs_a_little_is_refused(tmp_path, name) -> None:
    state = published.tensors(32000)
    state[name] = state[name] * 1.01
    path = tmp_path / "weights.pth"
    torch.save({"model": state}, path)
    with pytest.raises(WeightsError, match=f"{name} is missing or differs"):
        ENCODERS["panns-cnn14"](path)
