"""Sets of audio and their embeddings: what is skipped, what is cached, what does not matter."""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from fake_encoders import FakeClasses, FakeEncoder, card, tone

from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.audio_sets import reference_set, system_set
from clipsonic_eval.harness.cache import embedding_cache
from clipsonic_eval.harness.embedder import Embedder
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.types import Query


def write(folder: Path, n: int = 6) -> Path:
    for i in range(n):
        write_wav(folder / f"q{i}.wav", tone(300 + 200 * i, seed=i), 16000)
    return folder


def reasons(skipped: object) -> dict[str, str]:
    return {s.key: s.reason for s in skipped}  # type: ignore[attr-defined]


def test_a_folder_of_wavs_is_held_against_the_queries(tmp_path: Path) -> None:
    found = system_set("s", write(tmp_path), ["q0", "q1", "q9"])
    assert [item.key for item in found.items] == ["q0", "q1"]
    why = reasons(found.skipped)
    assert "missing" in why["q9"]
    assert "extra" in why["q5"]


def test_the_list_of_a_samples_folder_is_believed_only_if_the_bytes_agree(tmp_path: Path) -> None:
    write(tmp_path, 3)
    with (tmp_path / "samples.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["key", "file", "prompt", "label", "sha256"])
        rows.writerow(["first", "q0.wav", "tone 300", "low", file_sha256(tmp_path / "q0.wav")])
        rows.writerow(["second", "q1.wav", "tone 500", "", "0" * 64])
    found = system_set("s", tmp_path, None)
    asked = {"first": Query("first", "tone 300", label="low"), "second": Query("second", "tone 500")}
    assert found.queries == asked
    assert "q2.wav is not in samples.csv" in reasons(found.skipped)["q2"]
    embedded = Embedder({"audio": FakeEncoder()}).embed(found, ["audio"])
    assert embedded.keys == ("first",)
    assert "its sha256 is not the one in samples.csv" in reasons(embedded.skipped)["second"]


def test_a_changed_card_of_a_system_is_not_believed(tmp_path: Path) -> None:
    from clipsonic_eval.harness.audio_sets import read_card
    from clipsonic_eval.hashing import config_hash

    path = tmp_path / "system.json"
    body = {"seed": 1, "sizes": {"9": [1, 2], "10": 0.1}}
    path.write_text(json.dumps({"name": "mine", **body, "card_hash": config_hash(body)}))
    assert read_card(path)["seed"] == 1
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 3'))
    with pytest.raises(UserError, match="does not match its card_hash; remove it or sample again"):
        read_card(path)


def test_the_second_file_of_a_key_is_skipped_by_name(tmp_path: Path) -> None:
    import soundfile

    write(tmp_path, 1)
    soundfile.write(tmp_path / "q0.flac", tone(300), 16000)
    found = system_set("s", tmp_path, None)
    assert len(found.items) == 1
    assert "q0.wav: q0.flac has the same key" in reasons(found.skipped)["q0"]


def test_bad_clips_are_left_out_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path, 3)
    write_wav(tmp_path / "silent.wav", np.zeros(4000, np.float32), 16000)
    write_wav(tmp_path / "integers.wav", np.rint(32767 * tone(300)), 16000)
    write_wav(tmp_path / "huge.wav", 1e30 * tone(300), 16000)
    write_wav(tmp_path / "nan.wav", np.full(4000, np.nan, np.float32), 16000)
    write_wav(tmp_path / "short.wav", tone(300)[:50], 16000)
    (tmp_path / "text.wav").write_text("not audio at all")
    (tmp_path / "cut.wav").write_bytes((tmp_path / "q0.wav").read_bytes()[:3000])
    embedded = Embedder({"audio": FakeEncoder()}, batch_size=4).embed(system_set("s", tmp_path, None), ["audio"])
    assert embedded.keys == ("q0", "q1", "q2", "silent")  # silence is sound
    why = reasons(embedded.skipped)
    assert set(why) == {"nan", "short", "text", "cut", "integers", "huge"}
    assert "divide its samples by 32768" in why["integers"]
    assert "in another unit" in why["huge"]
    assert "not finite" in why["nan"]
    assert "too short" in why["short"]


def test_a_set_without_any_usable_clip_is_an_error(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.full(400, 300.0, np.float32), 16000)
    with pytest.raises(UserError, match=r"s: none of its 1 audio files is usable; the first: a: holds integers"):
        Embedder({"audio": FakeEncoder()}).embed(system_set("s", tmp_path, None), ["audio"])
    with pytest.raises(UserError, match="no such folder"):
        system_set("s", tmp_path / "nowhere", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no audio here"):
        system_set("s", tmp_path / "empty", None)


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (4, 3), (64, 2)])
def test_batches_and_threads_do_not_change_embeddings(tmp_path: Path, batch_size: int, workers: int) -> None:
    audio = system_set("s", write(tmp_path), None)
    encoders = {"audio": FakeEncoder(), "classifier": FakeClasses()}
    plain = Embedder(encoders).embed(audio, ["audio", "classifier"])
    other = Embedder(encoders, batch_size=batch_size, workers=workers).embed(audio, ["audio", "classifier"])
    for role in encoders:
        assert other.spaces[role].keys == plain.spaces[role].keys
        assert np.array_equal(other.spaces[role].vectors, plain.spaces[role].vectors)
    assert plain.spaces["classifier"].keys[:4] == ("q0", "q0", "q1", "q1")


def test_what_is_cached_is_not_embedded_again_wherever_it_lies(tmp_path: Path) -> None:
    first, second = FakeEncoder(), FakeEncoder()
    cache = tmp_path / "cache"
    a = Embedder({"audio": first}, cache=cache).embed(reference_set(write(tmp_path / "a")), ["audio"])
    (tmp_path / "a").rename(tmp_path / "b")
    b = Embedder({"audio": second}, cache=cache).embed(reference_set(tmp_path / "b"), ["audio"])
    assert first.heard == 6
    assert second.heard == 0
    assert np.array_equal(a.spaces["audio"].vectors, b.spaces["audio"].vectors)


def test_changed_bytes_under_the_same_name_are_embedded_again(tmp_path: Path) -> None:
    encoder, cache = FakeEncoder(), tmp_path / "cache"
    folder = write(tmp_path / "a")
    Embedder({"audio": encoder}, cache=cache).embed(reference_set(folder), ["audio"])
    write_wav(folder / "q0.wav", tone(4000), 16000)
    Embedder({"audio": encoder}, cache=cache).embed(reference_set(folder), ["audio"])
    assert encoder.heard == 7


def test_another_encoder_card_is_another_cache(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    folder = write(tmp_path / "a")
    Embedder({"audio": encoder}, cache=tmp_path / "cache").embed(reference_set(folder), ["audio"])
    encoder.card = dataclasses.replace(encoder.card, preprocessing="rate:8k")
    Embedder({"audio": encoder}, cache=tmp_path / "cache").embed(reference_set(folder), ["audio"])
    assert encoder.heard == 12


def test_a_killed_job_goes_on_where_it_was(tmp_path: Path) -> None:
    audio = system_set("s", write(tmp_path / "a", 9), None)
    broken = FakeEncoder()
    broken.fail_after = 4
    with pytest.raises(KeyboardInterrupt):
        Embedder({"audio": broken}, cache=tmp_path / "cache", batch_size=2).embed(audio, ["audio"])
    fresh = FakeEncoder()
    found = Embedder({"audio": fresh}, cache=tmp_path / "cache", batch_size=2).embed(audio, ["audio"])
    assert fresh.heard == 5
    assert np.array_equal(
        found.spaces["audio"].vectors, Embedder({"audio": fresh}).embed(audio, ["audio"]).spaces["audio"].vectors
    )


def test_a_damaged_shard_is_a_miss_not_a_crash(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = embedding_cache(tmp_path, card("e", 2))
    for digest in ("a", "b"):
        cache.put(digest, np.ones((2, 2), np.float32))
        cache.flush()
    indices = sorted(tmp_path.rglob("*.npz"))
    indices[0].write_bytes(indices[0].read_bytes()[:40])
    with caplog.at_level(logging.WARNING):
        again = embedding_cache(tmp_path, card("e", 2))
    assert sum(d in again for d in ("a", "b")) == 1
    assert "damaged shard" in caplog.text


def test_flipped_bytes_of_cached_vectors_are_embedded_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, cache, encoder = write(tmp_path / "a"), tmp_path / "cache", FakeEncoder()
    whole = Embedder({"audio": encoder}, cache=cache).embed(reference_set(folder), ["audio"]).spaces["audio"].vectors
    (shard,) = cache.glob("fake-audio-*/*.npy")
    data = bytearray(shard.read_bytes())
    at = len(data) // 2
    data[at : at + 4] = bytes(b ^ 0x04 for b in data[at : at + 4])  # still finite numbers of float32
    shard.write_bytes(data)
    for heard in (7, 7):  # the one clip, and what was embedded again is found the next time
        with caplog.at_level(logging.WARNING):
            again = Embedder({"audio": encoder}, cache=cache).embed(reference_set(folder), ["audio"])
        assert np.array_equal(again.spaces["audio"].vectors, whole)
        assert encoder.heard == heard
    assert "damaged vectors of a clip in the cache" in caplog.text
    assert str(shard.with_suffix(".npz")) in caplog.text


def test_a_file_that_needs_too_much_memory_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clipsonic_eval.harness import audio_sets

    real = audio_sets.read_audio

    def hungry(path: Path, *, key: str) -> object:
        if path.name == "q1.wav":
            raise MemoryError
        return real(path, key=key)

    monkeypatch.setattr(audio_sets, "read_audio", hungry)
    embedded = Embedder({"audio": FakeEncoder()}).embed(reference_set(write(tmp_path, 3)), ["audio"])
    assert embedded.keys == ("q0", "q2")
    assert "more memory than there is" in reasons(embedded.skipped)["q1"]


def test_a_cache_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: is a file, not a folder; --cache names a folder"):
        embedding_cache(tmp_path / "file" / "cache", card("e", 2))


def test_an_encoder_that_takes_no_audio_is_refused(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    encoder.card = dataclasses.replace(encoder.card, modalities=("text", "image"))
    with pytest.raises(UserError, match="takes no audio"):
        Embedder({"audio": encoder}).embed(system_set("s", write(tmp_path), None), ["audio"])


def test_keys_match_through_a_suffix_or_another_form_of_letters_and_it_is_said(tmp_path: Path) -> None:
    write(tmp_path, 2)
    write_wav(tmp_path / "cafe\u0301.wav", tone(300), 16000)
    found = system_set("s", tmp_path, ["q0.wav", "q1", "caf\u00e9"])
    assert [item.key for item in found.items] == ["caf\u00e9", "q0.wav", "q1"]
    assert not found.skipped
    assert "2 files match their key except for suffix or Unicode form" in found.notes[0]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (["Q0"], "a key is 'Q0', a file 'q0': they differ in upper and lower case"),
        (["q001"], "a key is 'q001', a file 'q1': they differ in the zeros before numbers"),
        (["sound_q1"], "a key is 'sound_q1', a file 'q1': one has more around it"),
        (["zebra"], "a key is 'zebra', a file 'q0': the two seem to belong to different sets"),
    ],
)
def test_where_nothing_matches_an_example_of_each_side_and_the_reason_are_given(
    tmp_path: Path, keys: list[str], why: str
) -> None:
    found = system_set("s", write(tmp_path, 2), keys)
    with pytest.raises(UserError, match=f"s: none of its 2 audio files answers a query; {why}"):
        Embedder({"audio": FakeEncoder()}).embed(found, ["audio"])


def test_what_is_found_skipped_and_left_out_adds_up(tmp_path: Path) -> None:
    write(tmp_path, 4)
    (tmp_path / "text.wav").write_text("not audio")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "q9.npy").write_text("x")
    (tmp_path / "below").mkdir()
    found = system_set("s", tmp_path, ["q0", "q1", "text", "absent"])
    done = Embedder({"audio": FakeEncoder()}).embed(found, ["audio"])
    assert (found.found, len(done.keys), len(done.skipped), found.left_out) == (7, 2, 4, 4)
    assert "left out by suffix: 1 .npy, 1 .txt" in found.notes[0]
    assert "1 folders in it were not searched" in found.notes[1]


def test_a_foreign_samples_csv_is_read_like_all_tables(tmp_path: Path) -> None:
    write(tmp_path, 4)
    rows = ["q0.wav;rain;x", "q1.wav;nan;", "q2.wav;a;b;c", "../q3.wav;rain;x", "q1.wav;wind;"]
    (tmp_path / "samples.csv").write_text("\n".join(["filename;caption;class", *rows]) + "\n", encoding="utf-16")
    found = system_set("s", tmp_path, None)
    assert [item.key for item in found.items] == ["q0", "q1"]
    assert found.queries == {"q0": Query("q0", "rain", label="x")}
    why = reasons(found.skipped)
    assert {"line-4", "q3", "q1", "q2"} <= set(why)
