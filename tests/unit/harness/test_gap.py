"""Gap runs: from features, prepared-like arrays and audio; what the scores say about a prior."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from fake_encoders import FakeEncoder, tone

from clipsonic_eval import records
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import analyse
from clipsonic_eval.analysis.runs import find
from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.errors import ConfigError, ShapeError, SpaceError, UserError
from clipsonic_eval.harness.gap import GapConfig, gap
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.metrics.gap import gap_scores
from clipsonic_eval.signature import comparable, explain_difference
from clipsonic_eval.types import Embeddings, EncoderCard, Score

CARD = EncoderCard("clip", "0" * 64, 8, ("image", "text"), "")
N = 120
KEYS = tuple(f"k{i:03d}" for i in range(N))


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Pictures and texts that share something, on two cones."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((N, 8))
    image = shared + 0.3 * rng.standard_normal((N, 8)) + 3 * np.eye(8)[0]
    text = shared + 1.0 * rng.standard_normal((N, 8)) + 3 * np.eye(8)[1]
    return {"image": image.astype(np.float32), "text": text.astype(np.float32)}


def embeddings(vectors: np.ndarray, modality: str = "image") -> Embeddings:
    return Embeddings(vectors, KEYS, modality, CARD)  # type: ignore[arg-type]


def by_name(scores: list[Score]) -> dict[tuple[str, str], Score]:
    return {(s.metric, s.system): s for s in scores}


def test_every_statistic_has_an_interval_that_holds_its_value() -> None:
    a = arrays()
    scores = gap_scores(
        embeddings(a["image"]), embeddings(a["text"], "text"), {"PD": embeddings(a["image"])}, n_boot=100
    )
    assert len(by_name(scores)) == len(scores)
    for score in scores:
        assert score.ci is not None
        assert score.ci[0] - 1e-9 <= score.value <= score.ci[1] + 1e-9, score.metric
        assert score.n == N
        assert score.signature.startswith(f"{score.metric}|num:1|enc:clip+00000000|encnum:1|vec:l2|")


def test_a_perfect_prior_closes_everything_and_a_copy_of_the_text_nothing() -> None:
    a = arrays()
    image, text = embeddings(a["image"]), embeddings(a["text"], "text")
    found = by_name(gap_scores(image, text, {"perfect": image, "copy": embeddings(a["text"])}, n_boot=50))
    for metric in ("gap_closed_centroid", "gap_closed", "gap_closed_centred"):
        assert found[metric, "perfect"].value == pytest.approx(1.0)
        assert found[metric, "copy"].value == pytest.approx(0.0, abs=1e-12)
    assert found["recall_at_1_to_image", "perfect"].value == 1.0
    assert found["separability", "text"].value > 0.95


def test_moving_the_cloud_closes_the_centroid_gap_but_not_the_centred_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "features.npz", **arrays(), keys=np.array(KEYS))  # type: ignore[arg-type]
    record = gap(GapConfig(tmp_path / "features.npz", n_bootstrap=60), tmp_path / "run")
    found = by_name(list(record.scores))
    assert found["gap_closed_centroid", "mean-shift"].value > 0.9
    assert found["gap_closed", "mean-shift"].value > 0.3
    assert found["gap_closed_centred", "mean-shift"].value == pytest.approx(0.0, abs=0.05)
    assert ("separability", "mean-shift") not in found  # its items are not independent
    assert records.read(tmp_path / "run") == record
    assert record.kind == "gap"


def test_where_a_shift_was_learnt_is_in_its_signature(tmp_path: Path) -> None:
    """A mean-shift of the evaluation's own other half and one that was brought along are two things of one name."""
    a = arrays()
    np.savez(tmp_path / "f.npz", **a, keys=np.array(KEYS))  # type: ignore[arg-type]
    np.savez(tmp_path / "m.npz", keys=np.array(KEYS), vectors=a["text"] + np.float32(0.02))
    own, brought = (
        gap(GapConfig(tmp_path / "f.npz", n_bootstrap=30, prior=prior, tags={"train_seed": seed}), tmp_path / seed)
        for seed, prior in (("0", {}), ("1", {"mean-shift": tmp_path / "m.npz"}))
    )
    first, second = (by_name(list(record.scores)) for record in (own, brought))
    moved = [key for key in first if key[1] == "mean-shift"]
    assert ("gap_closed_centroid", "mean-shift") in moved
    for key in moved:
        a_, b_ = first[key].signature, second[key].signature
        assert explain_difference(a_, b_) == ("origin of the vectors in the image's place: other-half against given")
        assert not comparable(a_, b_, same_system=True)
        assert comparable(a_, first[key[0], "text"].signature if key[0] == "matched_cosine" else b_)
    with pytest.raises(UserError, match=r"of 'mean-shift', train_seed 1: signature .* does not match"):
        analyse(sort(find([tmp_path / "0", tmp_path / "1"])))


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "features.npz", **arrays(), keys=np.array(KEYS))  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path / "empty")
    config = GapConfig(str(tmp_path / "features.npz"), n_bootstrap=30)  # type: ignore[arg-type] # strings are paths too
    assert gap(config, None).scores == gap(config, tmp_path / "run").scores
    assert not list((tmp_path / "empty").iterdir())


def test_features_of_any_layout_give_the_same_numbers(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    a = arrays()
    np.savez(tmp_path / "a.npz", **a)  # type: ignore[arg-type]
    np.save(tmp_path / "b.npy", np.stack([a["image"], a["text"]]))
    pandas.DataFrame({k: list(v) for k, v in a.items()}).to_parquet(tmp_path / "c.parquet")
    runs = [
        gap(GapConfig(tmp_path / name, n_bootstrap=30, mean_shift=False, space="mine"), tmp_path / f"run-{name}")
        for name in ("a.npz", "b.npy", "c.parquet")
    ]
    assert runs[0].scores == runs[1].scores == runs[2].scores


def test_a_prior_from_a_file_is_scored_on_the_common_keys(tmp_path: Path) -> None:
    a = arrays()
    np.savez(tmp_path / "f.npz", **a, keys=np.array(KEYS))  # type: ignore[arg-type]
    np.savez(tmp_path / "pd.npz", keys=np.array(KEYS[::-1][:100]), vectors=a["image"][::-1][:100])
    record = gap(
        GapConfig(tmp_path / "f.npz", prior={"PD": tmp_path / "pd.npz"}, n_bootstrap=30, mean_shift=False),
        tmp_path / "run",
    )
    found = by_name(list(record.scores))
    assert found["matched_cosine", "PD"].value == pytest.approx(1.0)
    assert found["matched_cosine", "PD"].n == 100


def test_the_projection_shows_the_two_clouds_apart(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", **arrays())  # type: ignore[arg-type]
    gap(GapConfig(tmp_path / "f.npz", n_bootstrap=30), tmp_path / "run")
    with np.load(tmp_path / "run" / "projection.npz", allow_pickle=False) as found:
        image, text, moved = found["image"], found["text"], found["mean-shift"]
        assert image.shape == text.shape == moved.shape == (N, 2)
        assert np.allclose(image.mean(axis=0) + text.mean(axis=0), 0, atol=1e-5)
        apart = np.linalg.norm(image.mean(axis=0) - text.mean(axis=0))
        assert np.linalg.norm(image.mean(axis=0) - moved.mean(axis=0)) < 0.1 * apart
        assert "centred" in str(found["method"])


def test_audio_against_its_prompts_is_a_gap_too(tmp_path: Path) -> None:
    with (tmp_path / "prompts.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["key", "prompt"])
        for i, pitch in enumerate(np.geomspace(300, 5000, 12)):
            write_wav(tmp_path / "wavs" / f"q{i:02d}.wav", tone(pitch, seed=i, noise=0.01), 16000)
            rows.writerow([f"q{i:02d}", f"tone {pitch}"])
        rows.writerow(["gone", "tone 440"])
    write_wav(tmp_path / "wavs" / "q03.wav", np.float32(8) * tone(800), 16000)
    config = GapConfig(
        tmp_path / "wavs", prompts=tmp_path / "prompts.csv", encoder="fake", n_bootstrap=30, cache=tmp_path / "cache"
    )
    record = gap(config, tmp_path / "run", encoder=FakeEncoder("fake-clap", unit=True))
    found = by_name(list(record.scores))
    assert found["audio_audio_cosine", "audio"].n == 12
    assert found["matched_cosine", "text"].value > found["unmatched_cosine", "text"].value
    assert [s.key for s in record.skipped["source"]] == ["gone"]
    assert [(f.check, f.keys) for f in record.findings["source"]] == [("peak", ("q03",))]


def test_sources_that_hold_no_pairs_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "half.npz", image=np.ones((6, 3)))
    np.savez(tmp_path / "odd.npz", image=np.ones((6, 3)), text=np.ones((6, 4)))
    np.savez(tmp_path / "objects.npz", image=np.array([{}], dtype=object), text=np.ones((6, 4)))
    np.save(tmp_path / "flat.npy", np.ones((6, 3)))
    (tmp_path / "text.npz").write_text("no arrays")
    for name, error, message in (
        ("half.npz", UserError, "needs the arrays 'image' and 'text'"),
        ("odd.npz", ShapeError, "array 'text' must be floating point of the shape of 'image'"),
        ("objects.npz", UserError, "without pickles"),
        ("flat.npy", ShapeError, r"must be \(2, n, d\)"),
        ("text.npz", UserError, "without pickles"),
        ("nowhere", UserError, "neither prepared clips"),
    ):
        with pytest.raises(error, match=message):
            gap(GapConfig(tmp_path / name, n_bootstrap=30), tmp_path / "run")


def test_zero_vectors_and_missing_encoders_are_told(tmp_path: Path) -> None:
    a = arrays()
    a["text"][7] = 0
    np.savez(tmp_path / "f.npz", **a, keys=np.array(KEYS))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="text embedding of 'k007' is zero"):
        gap(GapConfig(tmp_path / "f.npz"), tmp_path / "run")
    (tmp_path / "wavs").mkdir()
    with pytest.raises(ConfigError, match="name an encoder"):
        gap(GapConfig(tmp_path / "wavs"), tmp_path / "run")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos of coloured noise, prepared with the toy CLIP; one has no prompt."""
    root = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    for i in range(7):
        frames = np.broadcast_to(rng.integers(0, 255, (1, 8, 8, 3)), (8, 8, 8, 3)).repeat(8, 1).repeat(8, 2)
        write_video(root / f"v{i}.mp4", frames.astype(np.uint8), 8, tone(400 + 100 * i, seed=i).repeat(4), 16000)
    with (root / "prompts.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["key", "prompt"], *([f"v{i}", f"picture number {i}"] for i in range(6))])
    settings = PrepareConfig(duration_s=1.0, window="first", image_encoder="toy-clip", workers=1, device="cpu")
    prepare(Source(root, prompts=root / "prompts.csv"), root / "clips", settings)
    return root / "clips"


def test_prepared_clips_are_held_against_their_prompts(clips: Path, tmp_path: Path) -> None:
    record = gap(GapConfig(clips, encoder="toy-clip", n_bootstrap=30), tmp_path / "run")
    found = by_name(list(record.scores))
    assert found["centroid_distance", "text"].n == 6
    assert "|enc:toy-clip+" in found["matched_cosine", "text"].signature
    assert [s.key for s in record.skipped["source"]] == ["v6"]


def test_prompts_by_another_encoder_than_the_pictures_are_refused(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="embedded by toy-clip"):
        gap(GapConfig(clips, n_bootstrap=30), tmp_path / "run", encoder=FakeEncoder())
    with pytest.raises(ConfigError, match="--encoder toy-clip"):
        gap(GapConfig(clips, n_bootstrap=30), tmp_path / "run")
