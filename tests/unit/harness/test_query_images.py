"""Queries that ask by images or videos: embedded, cached, skipped, scored."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoders import FakeEncoder, tone
from PIL import Image

import clipsonic_eval as ce
from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.query_images import embed_images
from clipsonic_eval.harness.resolve import ConventionEncoder
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.metrics import image_audio_score

PITCHES = {f"q{i}": 300.0 * 1.4**i for i in range(8)}


class Shown(FakeEncoder):
    """Hears pitch, and reads it from the brightness of an image; counts what it sees."""

    def __init__(self) -> None:
        super().__init__("shown", unit=True)
        modalities = ("audio", "image")
        self.card = type(self.card)("shown", "f" * 64, self.card.dim, modalities, "rate:16k", 16000)
        self.seen = 0

    def image(self, pictures: Sequence[Any]) -> Any:
        """Embed the tone whose number is the brightness over 20."""
        self.seen += len(pictures)
        pitches = [300 * 1.4 ** round(float(picture.mean()) / 20) for picture in pictures]
        return np.stack([self._vector(tone(pitch)) for pitch in pitches])


class Watching(Shown):
    """Takes the first and the last frame of a video."""

    def video_times(self, duration_s: float) -> list[float]:
        """Both ends."""
        return [0.0, duration_s]

    def video(self, videos: Sequence[Sequence[Any]]) -> Any:
        """The last frame decides."""
        assert all(len(video) == 2 for video in videos)
        return self.image([video[-1] for video in videos])


def picture(path: Path, brightness: int) -> Path:
    Image.fromarray(np.full((16, 16, 3), brightness, np.uint8)).save(path)
    return path


@pytest.fixture
def world(tmp_path: Path) -> Path:
    rows = []
    for i, (key, pitch) in enumerate(PITCHES.items()):
        write_wav(tmp_path / "good" / f"{key}.wav", tone(pitch, seed=i, noise=0.01), 16000)
        write_wav(tmp_path / "bad" / f"{key}.wav", tone(3000, seed=i, noise=0.3), 16000)
        picture(tmp_path / f"{key}.png", 20 * i)
        rows.append((key, "a tone", f"{key}.png"))
    with (tmp_path / "queries.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("key", "prompt", "image"), *rows])
    return tmp_path


def config(world: Path, **more: Any) -> EvaluateConfig:
    systems = {"good": world / "good", "bad": world / "bad"}
    given = {"prompts": world / "queries.csv", "metrics": ("image_audio_score",), "cache": world / "cache", **more}
    return EvaluateConfig(systems, n_bootstrap=40, n_permutations=40, **given)


def run(world: Path, encoder: Any, **more: Any) -> Any:
    return evaluate(config(world, **more), None, encoders={"audio_image": encoder})


def test_the_system_that_sounds_as_its_images_look_has_the_higher_score(world: Path) -> None:
    record = run(world, Shown())
    good, bad = (record[name, "image_audio_score"] for name in ("good", "bad"))
    assert good.value > 0.95 > bad.value
    assert good.n == 8
    assert list(record.hashes["images"]) == ["embeddings/audio_image"]
    assert record.comparisons


def test_other_images_are_other_queries_in_the_signature(world: Path) -> None:
    first = run(world, Shown())["good", "image_audio_score"]
    again = run(world, Shown())["good", "image_audio_score"]
    picture(world / "q3.png", 10)
    other = run(world, Shown())["good", "image_audio_score"]
    assert first.signature == again.signature != other.signature


def test_images_are_embedded_once_and_never_taken_for_the_sound_of_the_same_file(world: Path) -> None:
    encoder = Shown()
    run(world, encoder)
    assert encoder.seen == 8
    run(world, encoder)
    assert encoder.seen == 8
    found = embed_images({"q1": world / "q1.png"}, encoder, cache=world / "cache")
    np.testing.assert_array_equal(found.embeddings.vectors, encoder.image([np.full((4, 4, 3), 20, np.uint8)]))


def test_an_image_that_cannot_be_read_is_listed_and_its_query_not_scored(world: Path) -> None:
    (world / "q2.png").write_bytes(b"no image")
    (world / "q5.png").unlink()
    record = run(world, Shown())
    assert record["good", "image_audio_score"].n == 6
    skips = record.skipped["images"]
    assert [skip.key for skip in skips] == ["q2", "q5"]
    assert "not readable as an image" in skips[0].reason
    assert "q5.png" in skips[1].reason


def test_no_image_at_all_is_one_sentence(world: Path) -> None:
    for path in world.glob("*.png"):
        path.unlink()
    with pytest.raises(UserError, match=r"none of the 8 images of the queries is usable; the first: q0:"):
        run(world, Shown())
    (world / "queries.csv").write_text("key,prompt\nq0,a tone\nq1,a tone\n")
    with pytest.raises(
        ConfigError, match="image_audio_score cannot be computed: no query has an image; give --prompts"
    ):
        run(world, Shown())


def test_an_encoder_without_images_is_refused(world: Path) -> None:
    with pytest.raises(UserError, match="'fake-audio' takes no images"):
        run(world, FakeEncoder())


def test_a_video_is_its_centre_frame_unless_the_encoder_takes_videos(tmp_path: Path) -> None:
    frames = np.zeros((30, 32, 32, 3), np.uint8)
    frames[10:20], frames[20:] = 60, 120
    path = tmp_path / "v.mp4"
    write_video(path, frames, 10, tone(400)[None], 16000)
    middle, last = (embed_images({"q": path}, one()).embeddings.vectors for one in (Shown, Watching))
    assert np.abs(middle - Shown().image([frames[15]])).max() < 1e-6
    assert np.abs(last - Shown().image([frames[29]])).max() < 1e-6
    assert np.abs(middle - last).max() > 0.05


class Comparing(Watching):
    """Compares in time: how far the pitch that is heard is from the one that is shown, for both halves of a clip."""

    def offsets(self, sound: Any, video: Any) -> Any:
        """Twice the distance."""
        distance = float(np.linalg.norm(sound - video))
        return np.array([distance, -distance], np.float32)


def test_offsets_are_between_each_clip_and_the_video_of_its_query(world: Path) -> None:
    asked = config(world, metrics=("desync",), real=world / "good", controls=("shuffled",))
    record = evaluate(asked, None, encoders={"audio_video": Comparing()})
    good, bad, shuffled = (record[name, "desync"] for name in ("good", "bad", "shuffled"))
    assert good.value < 0.3 < min(bad.value, shuffled.value)
    assert (good.n, good.n_rows) == (8, 16)
    assert good.per_clip["q3"] >= 0
    assert "queries:" in good.signature


def test_behind_a_convention_an_encoder_still_takes_videos_and_compares() -> None:
    convention = ConventionEncoder(Comparing(), CONVENTIONS["desync/av-benchmark"])
    assert convention.video_times(3.0) == [0.0, 3.0]
    assert convention.offsets(np.ones((1, 8)), np.ones((1, 8))).tolist() == [0.0, 0.0]
    assert not hasattr(ConventionEncoder(FakeEncoder(), CONVENTIONS["desync/av-benchmark"]), "offsets")
    assert not hasattr(convention, "colour")


def test_a_system_that_leaves_queries_unanswered_is_scored_without_silence(world: Path) -> None:
    (world / "good" / "q0.wav").unlink()
    record = evaluate(config(world, metrics=("desync",)), None, encoders={"audio_video": Comparing()})
    assert record["good", "desync"].n == 7
    assert record["good", "desync"].details["unanswered"] == 1
    assert "value_with_unanswered" not in record["good", "desync"].details


def test_the_function_takes_tables_and_files_by_key(world: Path) -> None:
    encoder, options = Shown(), {"cache": world / "cache", "n_boot": 0}
    by_table = ce.image_audio_score(world / "good", images=world / "queries.csv", encoder=encoder, **options)
    assert by_table.value == pytest.approx(run(world, encoder)["good", "image_audio_score"].value)
    some = {key: world / f"{key}.png" for key in ("q1", "q4")}
    with pytest.warns(UserWarning, match="6 clips skipped, the first: q0: extra"):
        of_some = ce.image_audio_score(world / "good", images=some, encoder=encoder, **options)
    assert set(of_some.per_clip) == set(some)
    with pytest.raises(UserError, match=r"images must be embedded, so name an encoder, e\.g\. encoder='imagebind'"):
        ce.image_audio_score(np.ones((2, 3)), images=some)


def test_vectors_in_the_same_direction_score_one_and_opposite_ones_minus_one() -> None:
    rows = np.random.default_rng(0).standard_normal((20, 6))
    assert image_audio_score(3 * rows, images=rows).value == pytest.approx(1)
    assert image_audio_score(-rows, images=rows).value == pytest.approx(-1)
