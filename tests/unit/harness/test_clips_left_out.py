"""Clips that give no number are named with the reason, and everything else goes on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fake_encoders import DIM, RATE, FakeEncoder, tone
from numpy.typing import NDArray

from clipsonic_eval.conventions import Convention
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.harness import stored_statistics
from clipsonic_eval.harness.audio_sets import read_card, reference_set, system_set
from clipsonic_eval.harness.compare import compare_systems
from clipsonic_eval.harness.embed_config import EmbedConfig
from clipsonic_eval.harness.embedder import Embedder
from clipsonic_eval.harness.fill_cache import fill_cache
from clipsonic_eval.harness.resolve import ConventionEncoder, resolve_metric
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.metrics import Inputs, SetMetric
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.types import Clip, as_embeddings


class Deaf(FakeEncoder):
    """Gives no row for ``q1``, and NaN for ``q2``."""

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        vectors = super().audio([clip for clip in clips if clip.key != "q1"])
        for row, key in enumerate(self.audio_rows(clips)):
            if key == "q2":
                vectors[row] = np.nan
        return vectors

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        return [clip.key for clip in clips if clip.key != "q1"]


def wavs(folder: Path, n: int = 5) -> Path:
    for i in range(n):
        write_wav(folder / f"q{i}.wav", tone(300 * (i + 1), i, 0.01), RATE)
    return folder


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_a_clip_without_an_embedding_or_with_nan_is_left_out_alone(tmp_path: Path, batch_size: int) -> None:
    embedder = Embedder({"audio": Deaf()}, batch_size=batch_size)
    found = embedder.embed(reference_set(wavs(tmp_path)), ["audio"])
    assert found.spaces["audio"].keys == ("q0", "q3", "q4")
    assert {skip.key: skip.reason for skip in found.skipped} == {
        "q1": "encoder 'fake-audio' gave no embedding; the clip is too short for it",
        "q2": "encoder 'fake-audio' gave an embedding that is not finite",
    }


def test_what_was_left_out_is_not_found_in_the_cache_later(tmp_path: Path) -> None:
    audio, cache = reference_set(wavs(tmp_path / "wavs")), tmp_path / "cache"
    Embedder({"audio": Deaf()}, cache=cache).embed(audio, ["audio"])
    again = Embedder({"audio": FakeEncoder()}, cache=cache).embed(audio, ["audio"])  # the same card
    assert len(again.keys) == 5
    assert np.isfinite(again.spaces["audio"].vectors).all()


def test_a_file_without_samples_is_named(tmp_path: Path) -> None:
    write_wav(wavs(tmp_path) / "empty.wav", np.zeros(0, np.float32), RATE)
    found = Embedder({"audio": FakeEncoder()}).embed(reference_set(tmp_path), ["audio"])
    assert [skip.key for skip in found.skipped] == ["empty"]
    assert len(found.keys) == 5


def test_shares_divide_the_clips_and_each_names_what_it_could_not_read(tmp_path: Path) -> None:
    folder = wavs(tmp_path / "wavs", 4)
    (folder / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    config = EmbedConfig((folder,), ("fake",), share=(1, 2), cache=tmp_path / "cache")
    first, second = (
        fill_cache(dataclasses.replace(config, share=share), encoders={"fake": FakeEncoder()})
        for share in ((1, 2), (2, 2))
    )
    assert (first.n, second.n) == ({str(folder): 2}, {str(folder): 2})
    assert len(first.skipped[str(folder)]) == 1
    assert second.skipped == {}


def test_a_share_without_clips_is_no_error(tmp_path: Path) -> None:
    config = EmbedConfig((wavs(tmp_path / "wavs", 1),), ("fake",), share=(2, 2), cache=tmp_path / "cache")
    done = fill_cache(config, encoders={"fake": FakeEncoder()})
    assert list(done.n.values()) == [0]
    assert done.cache == tmp_path / "cache"


def test_statistics_of_several_folders_are_those_of_all_clips(tmp_path: Path) -> None:
    folders = (wavs(tmp_path / "a", 3), wavs(tmp_path / "b", 5))
    config = EmbedConfig(folders, ("fake",), cache=tmp_path / "cache", statistics=tmp_path / "s.npz")
    encoder = FakeEncoder()
    fill_cache(config, encoders={"fake": encoder})
    rows = [Embedder({"x": encoder}).embed(reference_set(f), ["x"]).spaces["x"].vectors for f in folders]
    pooled = np.concatenate(rows).astype(np.float64)
    with np.load(tmp_path / "s.npz", allow_pickle=False) as stored:
        assert np.allclose(stored["mu"], pooled.mean(axis=0))
        assert np.allclose(stored["sigma"], np.cov(pooled, rowvar=False))
        assert (int(stored["rows"]), int(stored["clips"])) == (8, 8)


def test_statistics_of_one_row_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="statistics need at least 2 embedding rows, got 1; give more clips"):
        stored_statistics.write_statistics(tmp_path / "s.npz", [as_embeddings(np.ones((1, DIM)))], ["a"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.ones((4, 3), int), "int64"),
        (np.ones(3), r"an \.npy holds embeddings \(n, d\)"),
        (np.ones((1, 3)), r"s\.npy"),
    ],
)
def test_an_npy_that_is_no_set_of_embeddings_is_refused(tmp_path: Path, array: np.ndarray, sentence: str) -> None:
    np.save(tmp_path / "s.npy", array)
    with pytest.raises(ShapeError, match=sentence):
        stored_statistics.read(tmp_path / "s.npy")


# --- folders of systems


def test_a_samples_csv_that_names_no_file_of_the_folder_is_refused(tmp_path: Path) -> None:
    wavs(tmp_path, 2)
    (tmp_path / "samples.csv").write_text("key,path\nq0,../q0.wav\n")
    with pytest.raises(UserError, match="no row names a file of this folder; remove it or sample again"):
        system_set("s", tmp_path, None)
    (tmp_path / "samples.csv").write_text("")
    with pytest.raises(UserError, match=r"the file is empty.*; remove samples\.csv or sample again"):
        system_set("s", tmp_path, None)


def test_a_row_that_leads_out_of_the_folder_is_skipped_and_the_others_are_read(tmp_path: Path) -> None:
    wavs(tmp_path, 2)
    (tmp_path / "samples.csv").write_text("key,path\nq0,q0.wav\nq1,../q1.wav\n")
    found = system_set("s", tmp_path, None)
    assert [item.key for item in found.items] == ["q0"]
    assert "samples.csv line 3: '../q1.wav' is not a file of this folder" in [skip.reason for skip in found.skipped]


def test_a_card_that_is_no_mapping_describes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "system.json"
    assert read_card(path) == {"kind": "folder-of-wavs"}
    path.write_text("[1, 2]")
    assert read_card(path) == {"kind": "folder-of-wavs"}
    path.write_text(json.dumps({"name": "mine", "card_hash": "0" * 64}))
    with pytest.raises(UserError, match="its content does not match its card_hash"):
        read_card(path)


# --- conventions and comparisons


def test_a_convention_that_stores_float16_stores_texts_so_too() -> None:
    encoder = FakeEncoder(unit=True)
    whole = ConventionEncoder(encoder, Convention("clap/a", "", "clap_score", "fake"))
    half = ConventionEncoder(encoder, Convention("clap/b", "", "clap_score", "fake", store="float16"))
    texts = ["tone 300", "tone 900"]
    assert np.array_equal(whole.text(texts), encoder.text(texts))
    assert np.array_equal(half.text(texts), encoder.text(texts).astype(np.float16).astype(np.float32))
    assert whole.card != half.card
    assert "store:float16" in half.card.preprocessing
    assert list(whole.text_notes(texts)) == list(half.text_notes(texts))
    with pytest.raises(UserError, match="takes no pictures"):
        whole.image([np.zeros((4, 4, 3), np.uint8)])


def test_systems_whose_common_queries_do_not_suffice_are_said_not_to_be_compared() -> None:
    metric = resolve_metric("fad")
    assert isinstance(metric, SetMetric)
    rng = np.random.default_rng(0)
    reference = as_embeddings(rng.standard_normal((40, 3)))
    keys = [f"k{i}" for i in range(30)]

    def system(part: slice) -> Inputs:
        own = as_embeddings(rng.standard_normal((30, 3)))
        return Inputs(dataclasses.replace(own, vectors=own.vectors[part], keys=tuple(keys[part])), reference)

    inputs = {"a": system(slice(0, 16)), "b": system(slice(15, 30))}
    scored = score_systems(metric, inputs, n_boot=20, seed=0)
    compared, why = compare_systems(metric, inputs, scored, [("a", "b")], n_boot=20, n_permutations=20, seed=0)
    assert compared == []
    assert len(why) == 1
    assert "fad of 'a' and 'b' not compared" in why[0]
