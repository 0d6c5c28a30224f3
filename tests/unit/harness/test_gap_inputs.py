"""The two sides of a modality gap: files of features, prepared clips, folders of audio; and the plane of the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoders import RATE, FakeEncoder, tone

from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.harness.features import read_features, read_prior
from clipsonic_eval.harness.gap_config import GapConfig
from clipsonic_eval.harness.gap_inputs import read
from clipsonic_eval.harness.projection import write_projection
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.progress import SILENT
from clipsonic_eval.types import Embeddings, EncoderCard, as_embeddings

N, D = 6, 3
RNG = np.random.default_rng(0)
IMAGE, TEXT = RNG.standard_normal((2, N, D))
KEYS = np.array([f"k{i}" for i in range(N)])
CARD = EncoderCard("mine", "declared", D, ("image", "text"), "")


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


# --- files of features


def test_every_further_array_of_a_file_stands_in_the_images_place(tmp_path: Path) -> None:
    found = read_features(npz(tmp_path / "f.npz", image=IMAGE, text=TEXT, PD=IMAGE + 1, keys=KEYS))
    assert {name: one.modality for name, one in found.items()} == {"image": "image", "text": "text", "PD": "image"}
    assert all(one.keys == tuple(KEYS) for one in found.values())
    assert np.array_equal(found["PD"].vectors, (IMAGE + 1).astype(found["PD"].vectors.dtype))


def test_rows_without_keys_are_numbered(tmp_path: Path) -> None:
    found = read_features(npz(tmp_path / "f.npz", image=IMAGE, text=TEXT))
    assert found["image"].keys == tuple(f"{i:08d}" for i in range(N)) == found["text"].keys


def test_files_share_a_space_only_if_they_name_it(tmp_path: Path) -> None:
    first = npz(tmp_path / "a.npz", image=IMAGE, text=TEXT)
    second = npz(tmp_path / "b.npz", image=IMAGE + 1, text=TEXT)
    assert read_features(first, "clip")["image"].space == read_features(second, "clip")["image"].space
    spaces = [read_features(path)["image"].space for path in (first, second)]
    assert spaces[0].weights_sha256 != spaces[1].weights_sha256


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"image": IMAGE}, r"needs the arrays 'image' and 'text', each \(n, d\); found: image"),
        ({"image": IMAGE, "text": TEXT[:4]}, r"array 'text' must be floating point of the shape of 'image'"),
        ({"image": IMAGE, "text": TEXT, "PD": IMAGE[0]}, r"array 'PD' must be floating point"),
        ({"image": IMAGE, "text": TEXT, "PD": np.ones((N, D), int)}, r"array 'PD' must be .* got int64"),
        ({"image": np.ones((N, D), int), "text": TEXT}, r"array 'image' must be floating point"),
        (
            {"image": IMAGE[0], "text": TEXT[0]},
            r"array 'image' must be floating point of the shape of 'image', \(n, d\)",
        ),
        ({"image": IMAGE, "text": TEXT, "keys": KEYS[:4]}, r"\(4,\) keys for 6 rows; one key for each row is needed"),
        ({"image": IMAGE, "text": TEXT, "key": KEYS[None]}, r"\(1, 6\) keys for 6 rows"),
    ],
)
def test_arrays_that_make_no_pairs_are_refused(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_features(npz(tmp_path / "f.npz", **arrays))


def test_a_single_array_is_images_and_texts(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.stack([IMAGE, TEXT]))
    found = read_features(tmp_path / "f.npy")
    assert np.allclose(found["image"].vectors, IMAGE)
    assert np.allclose(found["text"].vectors, TEXT)
    np.save(tmp_path / "three.npy", np.stack([IMAGE, TEXT, TEXT]))
    with pytest.raises(ShapeError, match=r"must be \(2, n, d\), images first, got \(3, 6, 3\)"):
        read_features(tmp_path / "three.npy")


def test_a_parquet_file_brings_its_keys_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "f.parquet"
    pandas.DataFrame({"key": KEYS, "image": list(IMAGE), "text": list(TEXT)}).to_parquet(path)
    found = read_features(path)
    assert found["text"].keys == tuple(KEYS)
    assert np.allclose(found["image"].vectors, IMAGE, atol=1e-6)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"f\.parquet: not readable as Parquet"):
        read_features(path)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"vectors": IMAGE}, r"needs the arrays 'keys' \(n,\) and 'vectors' \(n, d\); found: vectors"),
        ({"keys": KEYS}, r"found: keys"),
        ({"keys": KEYS, "vectors": IMAGE[:, :2]}, r"must be floating point of shape \(n, 3\) like the space mine"),
        ({"keys": KEYS, "vectors": np.ones((N, D), int)}, r"got int64 \(6, 3\)"),
        ({"keys": KEYS, "vectors": IMAGE[0]}, r"got float64 \(3,\)"),
        ({"keys": KEYS[:4], "vectors": IMAGE}, r"\(4,\) keys for 6 rows"),
    ],
)
def test_a_prior_that_does_not_fit_the_space_is_refused(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_prior(npz(tmp_path / "pd.npz", **arrays), CARD, "image")


def test_a_prior_takes_the_modality_of_what_it_predicts(tmp_path: Path) -> None:
    path = npz(tmp_path / "pd.npz", keys=KEYS, vectors=IMAGE)
    found = read_prior(path, CARD, "audio")
    assert (found.modality, found.space, found.keys) == ("audio", CARD, tuple(KEYS))


# --- folders


def wavs(folder: Path, n: int = 5) -> Path:
    for i in range(n):
        write_wav(folder / f"q{i}.wav", tone(300 * (i + 1), i, 0.01), RATE)
    return folder


def test_audio_takes_the_prompts_of_its_own_samples_csv(tmp_path: Path) -> None:
    folder = wavs(tmp_path / "wavs")
    rows = "".join(f"q{i},q{i}.wav,tone {300 * (i + 1)}\n" for i in range(4))
    (folder / "samples.csv").write_text("key,path,prompt\n" + rows)
    encoder = FakeEncoder(unit=True)
    found = read(GapConfig(folder, cache=tmp_path / "cache"), SILENT, encoder)
    assert found.text.keys == ("q0", "q1", "q2", "q3")
    assert np.array_equal(found.text.vectors, encoder.text([f"tone {300 * (i + 1)}" for i in range(4)]))
    assert found.image.modality == "audio"


def test_a_table_of_several_captions_is_refused_for_pairs(tmp_path: Path) -> None:
    folder = wavs(tmp_path / "wavs")
    (tmp_path / "q.csv").write_text("key,prompt\nq0,tone 300\nq0,tone 310\nq1,tone 600\n")
    config = GapConfig(folder, prompts=tmp_path / "q.csv", cache=tmp_path / "cache")
    with pytest.raises(UserError, match=r"1 keys have several prompts .* keep one row for each key"):
        read(config, SILENT, FakeEncoder(unit=True))


def test_clips_without_image_embeddings_have_no_gap(tmp_path: Path) -> None:
    settings = PrepareConfig(duration_s=0.2, min_s=0.1, image_encoder=None, sample_rate=RATE, workers=1)
    prepare(Source(wavs(tmp_path / "wavs")), tmp_path / "clips", settings)
    with pytest.raises(UserError, match="was prepared without image embeddings"):
        read(GapConfig(tmp_path / "clips"), SILENT, FakeEncoder())


# --- the plane of the figure


def plane(out: Path, **sets: Embeddings) -> dict[str, Any]:
    out.mkdir(exist_ok=True)
    write_projection(sets, out)
    with np.load(out / "projection.npz", allow_pickle=False) as found:
        return dict(found)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_the_plane_holds_the_two_largest_eigenvectors_of_the_pooled_covariance(tmp_path: Path) -> None:
    found = plane(tmp_path, image=as_embeddings(IMAGE), text=as_embeddings(TEXT))
    pooled = np.concatenate([unit(IMAGE), unit(TEXT)])
    values, axes = np.linalg.eigh(np.cov(pooled, rowvar=False))
    expected = (pooled - pooled.mean(axis=0)) @ axes[:, ::-1][:, :2]
    shown = np.concatenate([found["image"], found["text"]])
    assert np.allclose(np.abs(shown), np.abs(expected), atol=1e-5)
    assert np.allclose(found["explained"], values[::-1][:2] / values.sum())


def test_unit_vectors_of_two_dimensions_keep_their_distances(tmp_path: Path) -> None:
    angles = np.linspace(0, 3, 8)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = plane(tmp_path, image=as_embeddings(5 * points), text=as_embeddings(points[::-1]))
    apart = np.linalg.norm(points - points[::-1], axis=1)
    assert np.allclose(np.linalg.norm(found["image"] - found["text"], axis=1), apart, atol=1e-5)
    assert found["explained"].sum() == pytest.approx(1)


def test_a_prior_is_shown_in_the_plane_and_does_not_move_it(tmp_path: Path) -> None:
    without = plane(tmp_path / "a", image=as_embeddings(IMAGE), text=as_embeddings(TEXT))
    prior = as_embeddings(100 * RNG.standard_normal((N, D)))
    with_prior = plane(tmp_path / "b", image=as_embeddings(IMAGE), text=as_embeddings(TEXT), PD=prior)
    assert np.array_equal(without["image"], with_prior["image"])
    assert np.array_equal(without["text"], with_prior["text"])
    assert with_prior["PD"].shape == (N, 2)


def test_a_component_has_a_sign_that_does_not_depend_on_the_solver(tmp_path: Path) -> None:
    first = plane(tmp_path, image=as_embeddings(IMAGE), text=as_embeddings(TEXT))
    swapped = plane(tmp_path, image=as_embeddings(TEXT), text=as_embeddings(IMAGE))
    assert np.allclose(first["image"], swapped["text"], atol=1e-5)
    assert np.allclose(first["text"], swapped["image"], atol=1e-5)
