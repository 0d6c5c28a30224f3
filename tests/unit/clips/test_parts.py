"""The steps of a preparation one by one: plan, decoding, pool, shards, finish."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic_eval import filenames
from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.clips._decoding import DecodedClip, DecodeTask, decode
from clipsonic_eval.clips._finish import clip_findings, read_skipped, summary_of
from clipsonic_eval.clips._plan import claim_output, make_plan, relative_path, remove_leftovers
from clipsonic_eval.clips._pool import Decoders, choose_workers
from clipsonic_eval.clips._shards import ShardFiles, StoredClip, matrix, read_batches, texts_sha256
from clipsonic_eval.datasets import Listing, SourceItem
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.media.audio import write_wav

RATE = 16000
AUDIO_ALONE = PrepareConfig(image_encoder=None, duration_s=0.5, workers=0, min_s=0.1)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.3 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).clip(-1, 1).astype(np.float32)


def files(folder: Path, n: int, seconds: float = 0.5) -> tuple[SourceItem, ...]:
    folder.mkdir(exist_ok=True)
    items = []
    for i in range(n):
        write_wav(folder / f"{i}.wav", noise(seconds, i), RATE)
        items.append(SourceItem(f"k{i}", folder / f"{i}.wav", prompt=f"noise {i}"))
    return tuple(items)


def stored(i: int, n_samples: int = 8, d: int | None = None) -> StoredClip:
    image = None if d is None else np.full((1, d), i, np.float32)
    return StoredClip(
        (f"k{i}", f"item{i}", None, "dog", "train"), 0.5 * i, 0.5, np.full(n_samples, i, np.float32), image
    )


# ---- plan


@pytest.mark.parametrize(("n", "size", "lengths"), [(5, 2, [2, 2, 1]), (4, 2, [2, 2]), (3, 256, [3]), (0, 2, [])])
def test_items_are_dealt_to_shards_in_order(tmp_path: Path, n: int, size: int, lengths: list[int]) -> None:
    items = files(tmp_path, n)
    plan = make_plan(tmp_path, Listing(items), dataclasses.replace(AUDIO_ALONE, shard_size=size), None)
    assert [len(shard.items) for shard in plan.shards] == lengths
    assert [shard.number for shard in plan.shards] == list(range(len(lengths)))
    assert tuple(item for shard in plan.shards for item in shard.items) == items


def test_a_shards_hash_changes_with_its_items_its_files_and_the_settings(tmp_path: Path) -> None:
    items = files(tmp_path, 4)
    config = dataclasses.replace(AUDIO_ALONE, shard_size=2)

    def hashes(changed: tuple[SourceItem, ...] = items, settings: PrepareConfig = config) -> list[str]:
        return [shard.hash for shard in make_plan(tmp_path, Listing(changed), settings, None).shards]

    before = hashes()
    assert hashes() == before
    assert hashes(settings=dataclasses.replace(config, workers=7, device="cpu")) == before
    other_prompt = (dataclasses.replace(items[0], prompt="other"), *items[1:])
    assert [a == b for a, b in zip(hashes(other_prompt), before, strict=True)] == [False, True]
    assert not set(hashes(settings=dataclasses.replace(config, duration_s=0.4))) & set(before)
    write_wav(items[3].path, noise(0.6), RATE)
    assert [a == b for a, b in zip(hashes(), before, strict=True)] == [True, False]


def test_another_plan_makes_the_folder_unfinished(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, Listing(files(tmp_path / "in", 2)), AUDIO_ALONE, None)
    (tmp_path / filenames.CLIPS).write_text("{}")
    claim_output(tmp_path, plan)
    assert not (tmp_path / filenames.CLIPS).exists()
    assert read_json(tmp_path / filenames.PLAN) == plan.tree
    (tmp_path / filenames.CLIPS).write_text("{}")
    claim_output(tmp_path, plan)
    assert (tmp_path / filenames.CLIPS).exists()


def test_paths_are_written_relative_to_the_root_where_they_lie_below_it() -> None:
    assert relative_path(Path("/a/b/c.wav"), Path("/a")) == "b/c.wav"
    assert relative_path(Path("/x/c.wav"), Path("/a")) == "/x/c.wav"


# ---- decoding


@settings(deadline=None, max_examples=20)
@given(seconds=st.floats(0.12, 2.4), duration=st.sampled_from([0.25, 0.5, 1.0]))
def test_windows_cover_an_item_without_gaps(
    tmp_path_factory: pytest.TempPathFactory, seconds: float, duration: float
) -> None:
    path = tmp_path_factory.mktemp("in") / "a.wav"
    samples = noise(seconds)
    write_wav(path, samples, RATE)
    config = dataclasses.replace(AUDIO_ALONE, window="all", duration_s=duration)
    clips: list[DecodedClip] = []
    with Decoders(0, 1.0) as decoders:
        for _, result in decoders.run([DecodeTask(0, SourceItem("a", path), config)]):
            clips += result.clips
    n = round(duration * RATE)
    rest = len(samples) - n * (len(samples) // n)
    expected = len(samples) // n + (rest / RATE >= config.min_s)
    assert len(clips) == expected
    assert [clip.key for clip in clips] == [f"a-w{i:04d}" for i in range(expected)]
    assert [clip.start_s for clip in clips] == pytest.approx([i * duration for i in range(expected)])
    heard = np.concatenate([clip.audio[: round(clip.valid_s * RATE)] for clip in clips]) if clips else np.zeros(0)
    np.testing.assert_array_equal(heard, samples[: len(heard)])
    assert all(not clip.audio[round(clip.valid_s * RATE) :].any() for clip in clips)


@pytest.mark.parametrize(("window", "begin"), [("first", 0.0), ("centre", 0.75)])
def test_one_window_is_the_first_or_the_centre(tmp_path: Path, window: Any, begin: float) -> None:
    samples = noise(2.0)
    write_wav(tmp_path / "a.wav", samples, RATE)
    result = decode(DecodeTask(0, SourceItem("a", tmp_path / "a.wav"), dataclasses.replace(AUDIO_ALONE, window=window)))
    (clip,) = result.clips
    assert clip.key == "a"
    assert clip.start_s == begin
    first = round(begin * RATE)
    np.testing.assert_array_equal(clip.audio, samples[first : first + 8000])
    assert result.next_window is None


def test_the_centre_of_a_segment_is_the_segments_own(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", noise(4.0), RATE)
    item = SourceItem("a", tmp_path / "a.wav", start_s=1.0, duration_s=2.0)
    (clip,) = decode(DecodeTask(0, item, dataclasses.replace(AUDIO_ALONE, window="centre"))).clips
    assert clip.start_s == pytest.approx(1.75)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"path": "none.wav"}, "no such file"),
        ({"path": "text.wav"}, "not readable as media"),
        ({"path": "a.wav", "start_s": 9.0}, "the audio ends before that"),
        ({"path": "short.wav"}, "less than min_s = 0.1 s"),
        ({"path": "silent.wav"}, "silence, no sample reaches"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_skip_with_its_reason(
    tmp_path: Path, item: dict[str, Any], reason: str
) -> None:
    write_wav(tmp_path / "a.wav", noise(1.0), RATE)
    write_wav(tmp_path / "short.wav", noise(0.05), RATE)
    write_wav(tmp_path / "silent.wav", np.zeros(RATE, np.float32), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    result = decode(DecodeTask(0, SourceItem("k", **{**item, "path": tmp_path / item["path"]}), AUDIO_ALONE))
    assert result.clips == []
    (skip,) = result.skipped
    assert skip.key == "k"
    assert reason in skip.reason
    assert not skip.reason.startswith(str(tmp_path))


def test_a_lower_rate_than_the_clips_is_a_finding(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", noise(1.0)[::2].copy(), RATE // 2)
    (clip,) = decode(DecodeTask(0, SourceItem("a", tmp_path / "a.wav"), AUDIO_ALONE)).clips
    assert [finding.check for finding in clip.findings] == ["rate"]
    assert "nothing above 4000 Hz" in clip.findings[0].sentence


def test_results_come_in_the_order_of_the_tasks(tmp_path: Path) -> None:
    items = files(tmp_path, 12)
    tasks = [DecodeTask(i // 5, item, AUDIO_ALONE) for i, item in enumerate(items)]
    with Decoders(0, 1.0) as decoders:
        found = list(decoders.run(tasks))
    assert [task for task, _ in found] == tasks
    assert [result.clips[0].key for _, result in found] == [item.key for item in items]


@pytest.mark.parametrize(("asked", "tasks", "expected"), [(4, 2, 2), (4, 100, 4), (0, 100, 0), (3, 0, 0)])
def test_no_more_processes_than_tasks(asked: int, tasks: int, expected: int) -> None:
    assert choose_workers(asked, tasks) == expected


def test_few_tasks_start_no_process_unless_they_are_the_last_of_many() -> None:
    assert choose_workers(None, 10) == 0
    assert choose_workers(None, 10, whole=10) == 0
    assert choose_workers(None, 10, whole=100_000) == 1  # within the limits of time and memory, like the others


# ---- shards


@pytest.mark.parametrize("d", [None, 3])
def test_a_shard_is_read_as_it_was_written(tmp_path: Path, d: int | None) -> None:
    place = ShardFiles(tmp_path, 7)
    with place.writing(8, None if d is None else (1, d)) as writer:
        writer.write([stored(0, d=d), stored(1, d=d)])
        writer.write([])
        writer.write([stored(2, d=d)])
    assert place.read() is None  # not committed
    place.commit({"hash": "h", "n_clips": 3})
    found = place.verified()
    assert found is not None
    assert (found["hash"], found["n_clips"]) == ("h", 3)
    batches = read_batches(place.arrow)
    assert [len(batch) for batch in batches] == [2, 1]
    np.testing.assert_array_equal(matrix(batches[0], "audio"), [[0.0] * 8, [1.0] * 8])
    if d is not None:
        np.testing.assert_array_equal(matrix(batches[1], "image"), [[2.0] * d])
    digests = [value for batch in batches for value in batch.column("sha256").to_pylist()]
    assert digests == [stored(i, d=d).digest() for i in range(3)]
    place.remove()
    assert not place.arrow.exists()
    assert not place.sidecar.exists()


def test_a_shard_whose_writing_fails_is_not_there(tmp_path: Path) -> None:
    place = ShardFiles(tmp_path, 0)

    def write_half() -> None:
        with place.writing(8, None) as writer:
            writer.write([stored(0)])
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_half()
    assert not place.arrow.exists()
    assert place.read() is None


def test_a_shard_with_other_bytes_is_not_verified(tmp_path: Path) -> None:
    place = ShardFiles(tmp_path, 0)
    with place.writing(8, None) as writer:
        writer.write([stored(0)])
    place.commit({})
    data = bytearray(place.arrow.read_bytes())
    data[len(data) // 2] ^= 1
    place.arrow.write_bytes(data)
    assert place.read() is not None  # as long as before
    assert place.verified() is None
    place.arrow.write_bytes(data[:-1])
    assert place.read() is None


def test_a_clips_digest_changes_with_everything_that_it_is() -> None:
    clip = stored(1, d=2)
    assert clip.image is not None
    others = [
        dataclasses.replace(clip, texts=("k2", *clip.texts[1:])),
        dataclasses.replace(clip, start_s=0.25),
        dataclasses.replace(clip, valid_s=0.4),
        dataclasses.replace(clip, audio=clip.audio + 1),
        dataclasses.replace(clip, image=clip.image + 1),
        dataclasses.replace(clip, image=None),
    ]
    assert len({one.digest() for one in (clip, *others)}) == len(others) + 1
    assert stored(1, d=2).digest() == clip.digest()


def test_the_hash_of_all_texts_sees_order_and_times(tmp_path: Path) -> None:
    hashes = set()
    for order in ([0, 1], [1, 0]):
        place = ShardFiles(tmp_path, order[0])
        with place.writing(8, None) as writer:
            writer.write([stored(i) for i in order])
        hashes.add(texts_sha256(read_batches(place.arrow)))
    assert len(hashes) == 2


def test_shards_beyond_the_plan_are_removed(tmp_path: Path) -> None:
    for number in range(3):
        with ShardFiles(tmp_path, number).writing(8, None) as writer:
            writer.write([stored(number)])
        ShardFiles(tmp_path, number).commit({})
    remove_leftovers(tmp_path, 1)
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == ["00000.arrow", "00000.json"]


# ---- finish and store


def test_equal_audio_under_two_keys_is_a_finding_of_the_second() -> None:
    sidecars = [
        {"sounds": {"a": "1", "b": "2"}, "findings": [["a", "clipping", "warning", "'a' clips"]]},
        {"sounds": {"c": "1"}},
    ]
    found = clip_findings(sidecars)
    assert [(f.check, f.keys) for f in found] == [("clipping", ("a",)), ("duplicates", ("c",))]
    assert "'c' holds the same sound as 'a'" in found[1].sentence
    assert {f.check for f in summary_of(sidecars)} == {"clipping", "duplicates"}


def test_shares_of_a_job_array_make_the_folder_of_one_machine(tmp_path: Path) -> None:
    files(tmp_path / "in", 5)
    config = dataclasses.replace(AUDIO_ALONE, shard_size=2)
    whole = prepare(tmp_path / "in", tmp_path / "whole", config)
    first = prepare(tmp_path / "in", tmp_path / "parts", config, part=(1, 2))
    assert (first.waiting, first.n_clips) == (1, None)
    assert not (tmp_path / "parts" / filenames.CLIPS).exists()
    second = prepare(tmp_path / "in", tmp_path / "parts", config, part=(2, 2))
    assert (second.waiting, second.n_clips, second.content_hash) == (0, 5, whole.content_hash)
    for one in sorted((tmp_path / "whole/shards").glob("*.arrow")):
        assert (tmp_path / "parts/shards" / one.name).read_bytes() == one.read_bytes()


def test_skipped_items_are_listed_with_path_and_reason(tmp_path: Path) -> None:
    files(tmp_path / "in", 2)
    (tmp_path / "in/bad, file.wav").write_text("x")
    done = prepare(tmp_path / "in", tmp_path / "out", AUDIO_ALONE)
    assert read_skipped(tmp_path / "out") == done.skipped
    ((key, path, reason),) = done.skipped
    assert (key, path) == ("bad__file", "bad, file.wav")
    assert reason.startswith("not readable as media")


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    files(tmp_path / "in", 1)
    done = prepare(str(tmp_path / "in"), str(tmp_path / "out"), AUDIO_ALONE)
    assert done.folder == tmp_path / "out"
    assert ClipStore.open(done.folder).keys == ("0",)


def test_the_store_gives_clips_in_any_order_without_their_padding(tmp_path: Path) -> None:
    files(tmp_path / "in", 3, seconds=0.3)
    prepare(tmp_path / "in", tmp_path / "out", dataclasses.replace(AUDIO_ALONE, shard_size=2))
    store = ClipStore.open(tmp_path / "out")
    assert len(store) == 3
    assert store.n_samples == 8000
    np.testing.assert_allclose(store.valid_s, 0.3)
    audio = store.audio(np.array([2, 0, 2]))
    assert audio.shape == (3, 8000)
    np.testing.assert_array_equal(audio[0], audio[2])
    np.testing.assert_array_equal(store.clip(0).samples[0], noise(0.3, 0))
    assert store.image_embeddings is None
    with pytest.raises(IndexError, match=r"rows must lie in \[0, 3\)"):
        store.audio(np.array([3]))


def test_splits_select_rows(tmp_path: Path) -> None:
    files(tmp_path / "in", 3)
    (tmp_path / "in/manifest.csv").write_text("key,path,split\na,0.wav,train\nb,1.wav,test\nc,2.wav,train\n")
    prepare(Source(tmp_path / "in", "manifest"), tmp_path / "out", AUDIO_ALONE)
    store = ClipStore.open(tmp_path / "out")
    assert store.rows("train").tolist() == [0, 2]
    assert store.rows("test").tolist() == [1]
    assert store.rows().tolist() == [0, 1, 2]
    with pytest.raises(UserError, match="none of the 3 clips is of split 'val'; their splits: test, train"):
        store.rows("val")


def test_a_card_of_another_form_is_damage(tmp_path: Path) -> None:
    from clipsonic_eval.files import write_json
    from clipsonic_eval.hashing import seal, unsealed

    files(tmp_path / "in", 1)
    prepare(tmp_path / "in", tmp_path / "out", AUDIO_ALONE)
    info = unsealed(read_json(tmp_path / "out" / filenames.CLIPS))
    write_json(tmp_path / "out" / filenames.CLIPS, seal({**info, "encoder": {"name": "x", "colour": "red"}}))
    with pytest.raises(UserError, match=r"damaged \(config: unknown key 'colour'"):
        ClipStore.open(tmp_path / "out")


@pytest.mark.parametrize(
    ("settings_", "why"),
    [
        ({"sample_rate": 10}, "Hz between 1000 and 384000"),
        ({"min_s": 0.0}, "need 0 < min_s <= duration_s"),
        ({"min_s": 5.0}, "need 0 < min_s <= duration_s"),
        ({"frames_per_clip": 2}, "an odd number"),
        ({"workers": -1}, "workers at least 0"),
        ({"item_limit_s": 0}, "above 0"),
    ],
)
def test_settings_that_make_no_clips_are_refused(settings_: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        PrepareConfig(**settings_)


@pytest.mark.parametrize("part", [(0, 2), (3, 2)])
def test_a_share_counts_from_one_to_the_number_of_shares(tmp_path: Path, part: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="counts from 1"):
        prepare(tmp_path, tmp_path / "out", AUDIO_ALONE, part=part)


def test_an_encoder_that_takes_no_images_is_refused(tmp_path: Path) -> None:
    files(tmp_path / "in", 1)
    with pytest.raises(UserError, match=r"takes audio.*, no images"):
        prepare(tmp_path / "in", tmp_path / "out", PrepareConfig(image_encoder="toy-audio"))
