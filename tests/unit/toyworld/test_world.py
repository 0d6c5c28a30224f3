"""The toy world: equal streams give equal scenes, and what is seen and heard moves the right way."""

from __future__ import annotations

import csv
import dataclasses

import av
import numpy as np
import pyarrow.parquet
import pytest

from clipsonic_eval import toyworld
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.seeds import stream
from clipsonic_eval.toyworld.captions import NOUNS, VERBS
from clipsonic_eval.toyworld.write import WorldConfig, write_world


def _scene(**changes: object) -> toyworld.Scene:
    base = toyworld.sample_scene(stream(0, "base", "test"), "video")
    plain = {
        "style": "plain",
        "weather": "sunny",
        "distractor": None,
        "place": "snow",
        "colour": "red",
        "x": 0.0,
        "y": 0.0,
    }
    return dataclasses.replace(base, **{**plain, **changes})


def _centroid_hz(wave: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(wave)) ** 2
    return float((power * np.fft.rfftfreq(len(wave), 1 / toyworld.RATE)).sum() / power.sum())


@pytest.mark.parametrize("domain", ["web", "video"])
def test_equal_streams_give_equal_scene_picture_sound_and_caption(domain):
    first, second = stream(3, "k", "t"), stream(3, "k", "t")
    a, b = toyworld.sample_scene(first, domain), toyworld.sample_scene(second, domain)
    assert a == b
    assert np.array_equal(toyworld.render_image(a, first), toyworld.render_image(b, second))
    assert np.array_equal(toyworld.render_sound(a, first), toyworld.render_sound(b, second))
    assert toyworld.caption(a, first) == toyworld.caption(b, second)


def test_other_keys_give_other_scenes():
    scenes = {toyworld.sample_scene(stream(3, str(k), "t"), "web") for k in range(50)}
    assert len(scenes) == 50


def test_video_domain_is_narrower_than_web():
    def seen(domain: toyworld.Domain) -> set[str]:
        return {toyworld.sample_scene(stream(1, str(k), domain), domain).place for k in range(400)}

    assert seen("video") < seen("web")


def test_unknown_domain_and_caption_style_are_refused():
    rng = stream(0, "", "t")
    with pytest.raises(ConfigError, match="domain must be one of web, video"):
        toyworld.sample_scene(rng, "film")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="style must be one of full, audio"):
        toyworld.caption(_scene(), rng, style="long")  # type: ignore[arg-type]


@pytest.mark.parametrize("source", toyworld.SOURCES)
def test_sound_has_its_length_and_stays_in_range(source):
    for count in (1, 2, 3):
        wave = toyworld.render_sound(_scene(source=source, count=count, size=0.5), stream(0, source, "t"))
        assert wave.shape == (toyworld.SAMPLES,)
        assert wave.dtype == np.float32
        assert 0.4 < np.abs(wave).max() <= 0.901


@pytest.mark.parametrize("source", toyworld.SOURCES)
def test_bigger_sources_sound_lower(source):
    small, big = (
        np.mean(
            [
                _centroid_hz(toyworld.render_sound(_scene(source=source, size=size), stream(k, "", "t")))
                for k in range(6)
            ]
        )
        for size in (0.1, 0.9)
    )
    assert big < 0.8 * small


@pytest.mark.parametrize("source", toyworld.SOURCES)
def test_bigger_sources_are_drawn_bigger(source):
    def changed(size: float) -> int:
        # The object's pixels are those that differ from the same picture with a hardly visible object colour change.
        rendered = [
            toyworld.render_image(_scene(source=source, size=size, count=1, colour=colour), stream(0, "", "t"))
            for colour in ("red", "blue")
        ]
        return int((np.abs(rendered[0].astype(int) - rendered[1]).max(axis=2) > 60).sum())

    assert changed(0.95) > 1.3 * changed(0.05)


def test_more_events_are_heard_when_more_objects_are_there():
    def onsets(count: int) -> int:
        wave = toyworld.render_sound(_scene(source="drum", size=0.5, count=count), stream(0, "", "t"))
        level = np.sqrt((wave.reshape(-1, 320) ** 2).mean(axis=1))  # 20 ms
        loud = level > 0.5 * level.max()
        return int((loud[1:] & ~loud[:-1]).sum() + loud[0])

    assert [onsets(c) for c in (1, 2, 3)] == [1, 2, 3]


@pytest.mark.parametrize("style", ["full", "audio"])
def test_captions_always_name_the_source(style):
    for k in range(600):
        rng = stream(5, str(k), "t")
        scene = toyworld.sample_scene(rng, "web")
        words = toyworld.caption(scene, rng, style=style).split()
        assert {w for pair in NOUNS[scene.source] for w in pair} & set(words)


def test_nouns_belong_to_one_source_each():
    nouns = [w for pairs in NOUNS.values() for pair in pairs for w in pair]
    assert len(nouns) == len(set(nouns))
    assert set(NOUNS) == set(VERBS) == set(toyworld.SOURCES)


def test_audio_captions_never_name_what_is_only_seen():
    visual = {"red", "crimson", "night", "beach", "photo", "picture", "left", "right", "ball", "snow", "fog"}
    for k in range(400):
        rng = stream(6, str(k), "t")
        assert not visual & set(toyworld.caption(toyworld.sample_scene(rng, "web"), rng, style="audio").split())


def test_frames_move_but_keep_their_scene():
    frames = toyworld.render_frames(_scene(), stream(0, "", "t"), 5)
    assert frames.shape == (5, 64, 64, 3)
    steps = np.abs(np.diff(frames.astype(int), axis=0)).mean()
    other = toyworld.render_frames(_scene(place="stage", weather="night"), stream(1, "", "t"), 1)
    assert 1 < steps < np.abs(frames[:1].astype(int) - other).mean()


@pytest.mark.parametrize("key", ["a", "b", "c"])
def test_a_picture_is_the_first_frame_of_its_video(key):
    scene = toyworld.sample_scene(stream(0, key, "scene"), "video")
    frames = toyworld.render_frames(scene, stream(0, key, "t"), 5)
    assert np.array_equal(toyworld.render_image(scene, stream(0, key, "t")), frames[0])
    assert np.array_equal(toyworld.render_frames(scene, stream(0, key, "t"), 3), frames[:3])


def test_the_sounding_objects_keep_their_area_from_frame_to_frame_and_everything_else_changes():
    kept, changed = [], []
    for k in range(12):
        scenes = [
            _scene(source="dog", count=1, size=0.5, colour=colour, weather="cloudy") for colour in ("red", "blue")
        ]
        red, blue = (toyworld.render_frames(scene, stream(k, "", "t"), 5).astype(int) for scene in scenes)
        objects = np.abs(red - blue).max(axis=3) > 40
        area = objects.sum(axis=(1, 2))
        kept.append(area.std() / area.mean())
        corner = red[:, :12, :12].mean(axis=(1, 2))  # sky and whoever passes by
        changed.append(np.abs(np.diff(corner, axis=0)).mean())
    assert np.mean(kept) < 0.15  # the size can be told from any frame
    assert np.mean(changed) > 10


def test_silent_objects_come_and_go():
    # The red share of a picture whose scenery, light and sounding objects hold no red: only other objects bring it.
    def red(frame: np.ndarray) -> int:
        r, g, b = frame.astype(int).transpose(2, 0, 1)
        return int(((r > 1.8 * g) & (r > 1.8 * b) & (r > 90)).sum())

    scenes = [_scene(source="dog", colour="blue", place="meadow", count=1, size=0.0)] * 30
    seen = np.array(
        [[red(f) > 12 for f in toyworld.render_frames(s, stream(k, "", "t"), 5)] for k, s in enumerate(scenes)]
    )
    assert 0.05 < seen.mean() < 0.6
    assert (seen.any(axis=1) & ~seen.all(axis=1)).sum() >= 3


def test_frames_of_a_video_differ_to_the_toy_clip_but_less_than_those_of_others():
    videos = []
    for k in range(24):
        rng = stream(0, str(k), "t")
        videos.append(toyworld.render_frames(toyworld.sample_scene(rng, "video"), rng, 5))
    x = ENCODERS["toy-clip"]().image([frame for video in videos for frame in video])  # type: ignore[attr-defined]
    cosines = (x @ x.T).reshape(24, 5, 24, 5)
    own = np.mean([cosines[k, i, k, j] for k in range(24) for i in range(5) for j in range(i)])
    others = np.mean([cosines[k, :, m] for k in range(24) for m in range(k)])
    assert others + 0.2 < own < 0.975
    # a still video would have 1: what changes is seen, and the scene stays what it is


_SMALL = WorldConfig(videos=4, pictures=6, pairs=3, val=1, test=1, val_reference=2, reference=1, workers=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_world(_SMALL, tmp_path_factory.mktemp("world") / "w")


def test_written_videos_have_picture_and_sound_of_the_right_length(world):
    files = sorted(world.glob("*/*.mp4"))
    assert len(files) == 6
    for file in files:
        with av.open(str(file)) as container:
            frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        with av.open(str(file)) as container:
            audio = [f.to_ndarray() for f in container.decode(audio=0)]
            rate = container.streams.audio[0].rate
        assert len(frames) == 5
        assert frames[0].shape == (64, 64, 3)
        assert rate == 16000
        # AAC works in frames of 1024 samples and may keep its last one whole.
        assert toyworld.SAMPLES <= sum(a.shape[1] for a in audio) <= toyworld.SAMPLES + 2048


def test_tables_and_shards_name_every_item_once(world):
    rows = {p.stem: list(csv.DictReader(p.read_text().splitlines())) for p in world.glob("*.csv")}
    expected = {
        "video_labels": 4,
        "video_captions": 4,
        "video_attributes": 4,
        "pairs": 3,
        "val": 1,
        "test": 1,
        "val_reference": 2,
    }
    assert {name: len(found) for name, found in rows.items()} == {**expected, "reference": 1}
    assert list(rows["video_labels"][0]) == ["id", "start", "label", "split"]
    for name in ("val", "test", "video_attributes"):
        assert all(row["count"] in "123" and 0 <= float(row["size"]) <= 1 for row in rows[name])
    for name in ("pairs", "val", "test", "val_reference", "reference"):
        assert all((world / row["path"]).is_file() and row["prompt"] and row["label"] for row in rows[name])
    table = pyarrow.parquet.read_table(world / "pictures" / "shard-0000.parquet")
    assert table.column_names == ["key", "image", "caption"]
    assert len(set(table["key"].to_pylist())) == 6


def test_a_killed_writing_continues_to_the_same_world(world, tmp_path):
    class StopError(RuntimeError):
        pass

    class Stopping:
        def track(self, items, *, label, total=None, done=0):
            for k, item in enumerate(items):
                if k == 5:
                    raise StopError
                yield item

        def note(self, text):
            pass

    out = tmp_path / "again"
    with pytest.raises(StopError):
        write_world(_SMALL, out, Stopping())
    untouched = sorted(out.glob("videos/*.mp4"))[0]
    stamp = untouched.stat().st_mtime_ns
    write_world(_SMALL, out, SILENT)
    assert untouched.stat().st_mtime_ns == stamp
    names = sorted(p.relative_to(world) for p in world.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file())
    assert all((world / n).read_bytes() == (out / n).read_bytes() for n in names)


def test_a_folder_with_another_world_is_refused(world):
    with pytest.raises(ConfigError, match="another size or seed"):
        write_world(dataclasses.replace(_SMALL, seed=1), world)


def test_negative_sizes_are_refused():
    with pytest.raises(ConfigError, match="pairs must be at least 0"):
        WorldConfig(pairs=-1)
