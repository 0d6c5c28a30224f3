"""Which part of an item becomes which clip, with which pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.encode import write_video

RATE = 16000
RAMP = np.linspace(0.1, 0.9, 4 * RATE, dtype=np.float32)  # its value tells the time


def wav(folder: Path, name: str = "a.wav", samples: np.ndarray = RAMP, rate: int = RATE) -> Path:
    folder.mkdir(exist_ok=True)
    write_wav(folder / name, samples.astype(np.float32), rate)
    return folder


def made(source: Path | Source, out: Path, *, overwrite: bool = False, **settings: Any) -> ClipStore:
    prepare(
        source,
        out,
        PrepareConfig(**{"image_encoder": None, "workers": 0, "duration_s": 1.0, **settings}),
        overwrite=overwrite,
    )
    return ClipStore.open(out)


def test_first_centre_and_all(tmp_path: Path) -> None:
    folder = wav(tmp_path / "in", samples=RAMP[: round(3.7 * RATE)])
    first = made(folder, tmp_path / "first")
    assert (first.keys, first.start_s.tolist()) == (("a",), [0.0])
    np.testing.assert_array_equal(first.audio(np.array([0]))[0], RAMP[:RATE])
    centre = made(folder, tmp_path / "centre", window="centre")
    assert centre.start_s.tolist() == pytest.approx([1.35])
    np.testing.assert_array_equal(centre.audio(np.array([0]))[0], RAMP[21600 : 21600 + RATE])
    every = made(folder, tmp_path / "all", window="all")
    assert every.keys == ("a-w0000", "a-w0001", "a-w0002", "a-w0003")
    assert set(every.sources) == {"a"}
    assert every.valid_s.tolist() == pytest.approx([1, 1, 1, 0.7])
    sound = every.audio(np.arange(4))
    np.testing.assert_array_equal(sound[:3].ravel(), RAMP[: 3 * RATE])
    np.testing.assert_array_equal(sound[3, : round(0.7 * RATE)], RAMP[3 * RATE : round(3.7 * RATE)])
    assert not sound[3, round(0.7 * RATE) :].any()
    assert every.clip(3).samples.shape == (1, round(0.7 * RATE))


def test_a_long_item_is_decoded_in_parts_without_a_seam(tmp_path: Path) -> None:
    samples = np.sin(np.arange(round(20.5 * 8000)) / 7.0).astype(np.float32)  # more windows than are read at a time
    folder = wav(tmp_path / "in", samples=samples, rate=8000)
    store = made(folder, tmp_path / "out", window="all", sample_rate=8000)
    assert len(store) == 21
    found = store.audio(np.arange(21)).ravel()[: len(samples)]
    np.testing.assert_array_equal(found, samples)


def test_a_segment_ends_where_the_list_says(tmp_path: Path) -> None:
    wav(tmp_path / "in")
    (tmp_path / "in" / "manifest.csv").write_text("key,path,start_s,duration_s\na,a.wav,1.25,0.75\nb,a.wav,9,1\n")
    source = Source(tmp_path / "in", "manifest")
    done = prepare(source, tmp_path / "out", PrepareConfig(image_encoder=None, workers=0, duration_s=1.0))
    assert [(key, reason) for key, _, reason in done.skipped] == [("b", "no sound at 9 s; the audio ends before that")]
    store = ClipStore.open(tmp_path / "out")
    assert store.valid_s.tolist() == [0.75]
    np.testing.assert_array_equal(store.audio(np.array([0]))[0, :12000], RAMP[20000:32000])


def test_pictures_come_from_the_middle_of_equal_parts_of_the_window(tmp_path: Path) -> None:
    frames = np.stack([np.full((48, 48, 3), 25 * k, np.uint8) for k in range(10)])
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4", frames, 5, RAMP[: 2 * RATE], RATE)
    store = made(tmp_path / "in", tmp_path / "out", image_encoder="toy-clip", frames_per_clip=3, duration_s=2.0)
    embeddings = store.image_embeddings
    assert embeddings is not None
    assert embeddings.shape == (1, 3, 128)
    assert store.centre == 1
    encoder = ENCODERS["toy-clip"](None)
    shown = [frames[k] for k in (1, 5, 8)]  # on screen at 1/3, 1 and 5/3 s
    # against all levels: each embedding is nearest to the one of its own frame
    everything = encoder.image(list(frames))
    for found, wanted in zip(embeddings[0], encoder.image(shown), strict=True):
        distances = np.linalg.norm(everything - found, axis=1)
        assert np.argmin(distances) == np.argmin(np.linalg.norm(everything - wanted, axis=1))


def test_short_and_silent_items_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    folder = wav(tmp_path / "in")
    wav(folder, "short.wav", RAMP[:160])
    wav(folder, "silent.wav", np.zeros(RATE))
    done = prepare(folder, tmp_path / "out", PrepareConfig(image_encoder=None, workers=0, duration_s=1.0))
    reasons = {key: reason for key, _, reason in done.skipped}
    assert reasons.keys() == {"short", "silent"}
    assert reasons["short"].startswith("0.010 s of audio")
    assert "silence" in reasons["silent"]
    kept = made(folder, tmp_path / "kept", keep_silence=True, min_s=0.01)
    assert kept.keys == ("a", "short", "silent")


def test_the_number_of_workers_and_shards_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    rng = np.random.default_rng(0)
    for k in range(7):
        wav(folder, f"{k}.wav", rng.uniform(-0.5, 0.5, 44100), 44100)
    one = made(folder, tmp_path / "one")
    for name, settings in {"two": {"workers": 2}, "small": {"shard_size": 2, "batch_clips": 1}}.items():
        other = made(folder, tmp_path / name, **settings)
        assert other.content_hash == one.content_hash
        np.testing.assert_array_equal(other.audio(np.arange(7)), one.audio(np.arange(7)))


def test_what_changed_is_made_again_and_other_folders_are_left_alone(tmp_path: Path) -> None:
    folder = wav(tmp_path / "in")
    before = made(folder, tmp_path / "out").content_hash
    assert made(folder, tmp_path / "out").content_hash == before
    with pytest.raises(UserError, match=r"config.duration_s: 1.0 → 0.5.*--overwrite"):
        made(folder, tmp_path / "out", duration_s=0.5)
    assert ClipStore.open(tmp_path / "out").content_hash == before
    wav(folder, "a.wav", RAMP / 2)
    assert made(folder, tmp_path / "out", overwrite=True).content_hash != before
    assert made(folder, tmp_path / "out", overwrite=True, duration_s=0.5).n_samples == 8000
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="mine"):
        made(folder, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_a_damaged_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="clipsonic-eval prepare"):
        ClipStore.open(tmp_path)
    made(wav(tmp_path / "in"), tmp_path / "out")
    shard = next((tmp_path / "out").rglob("*.arrow"))
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(UserError, match="the same prepare command makes anew"):
        ClipStore.open(tmp_path / "out")


def test_rows_outside_are_an_error_and_a_store_travels_as_its_path(tmp_path: Path) -> None:
    import pickle

    store = made(wav(tmp_path / "in"), tmp_path / "out")
    for row in (-1, 1):
        with pytest.raises(IndexError, match=r"\[0, 1\)"):
            store.audio(np.array([row]))
    there = pickle.dumps(store)
    assert len(there) < 1000
    np.testing.assert_array_equal(pickle.loads(there).audio(np.array([0])), store.audio(np.array([0])))


@pytest.mark.parametrize(
    "settings", [{"sample_rate": 10}, {"min_s": 5.0}, {"frames_per_clip": 2}, {"shard_size": 0}, {"workers": -1}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        PrepareConfig(**settings)
