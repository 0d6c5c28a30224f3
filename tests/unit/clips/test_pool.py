"""An item that takes the life, the time or the memory of the process that decodes it costs only itself."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.clips import ClipStore, _pool, preparation, prepare
from clipsonic_eval.clips._build import build_shards
from clipsonic_eval.clips._decoding import Decoded, DecodeTask, decode
from clipsonic_eval.clips._pool import Decoders
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.datasets import Member, SourceItem
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.types import Skip


class Deadly(str):
    """A text that ends the process that receives it, as the kernel ends one that takes too much memory."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return os._exit, (137,)


class Slow(str):
    """A text that takes a minute to receive."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return time.sleep, (60,)


def sounds(folder: Path, n: int) -> list[SourceItem]:
    for i in range(n):
        write_wav(folder / f"{i}.wav", np.full(16000, 0.1 + 0.01 * i, np.float32), 16000)
    return [SourceItem(str(i), folder / f"{i}.wav", prompt=f"sound {i}") for i in range(n)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (Deadly, "the decoder crashes on it (exit code 137), twice"),
        (Slow, "decoding it takes more than 0.3 s (item_limit_s allows more), twice"),
    ],
)
def test_an_item_that_kills_or_keeps_two_processes_is_left_out_and_the_others_go_on(
    tmp_path: Path, text: Callable[[], str], reason: str
) -> None:
    items = sounds(tmp_path, 4)
    items[1] = dataclasses.replace(items[1], prompt=text())
    config = PrepareConfig(duration_s=0.1, min_s=0.1, image_encoder=None)
    tasks = [DecodeTask(i, item, config) for i, item in enumerate(items)]
    tasks[1] = dataclasses.replace(tasks[1], config=dataclasses.replace(config, item_limit_s=0.1))
    with Decoders(2, 1.0) as decoders:
        results = list(decoders.run(tasks))
    assert [task.item.key for task, _ in results] == ["0", "1", "2", "3"]
    found = [decoded for _, decoded in results]
    assert [len(decoded.clips) for decoded in found] == [1, 0, 1, 1]
    assert [decoded.over_limit for decoded in found] == [False, True, False, False]
    (skip,) = found[1].skipped
    assert (skip.key, skip.reason) == ("1", reason)


def _full_disk(task: DecodeTask) -> Decoded:
    raise OSError(28, f"No space left on device: {task.item.key}")


def test_an_error_of_the_machine_stops_the_job_and_is_no_fault_of_the_item(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = multiprocessing.Pipe()
    monkeypatch.setattr(_pool, "decode", _full_disk)
    monkeypatch.setattr(_pool, "_initialise", lambda limit, folder: None)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(_pool.os, "_exit", lambda code: None)  # how a decoder ends when its connection is closed
    ours.send(DecodeTask(0, SourceItem("a", Path("a.wav")), PrepareConfig(image_encoder=None)))
    served = threading.Thread(target=_pool._serve, args=(theirs, 1.0, Path()), daemon=True)
    served.start()
    assert ours.recv() is None  # ready
    answer = ours.recv()
    ours.close()
    served.join()
    assert isinstance(answer, OSError)
    assert "No space left on device" in str(answer)


def test_what_a_killed_decoder_had_copied_from_a_tar_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The member is 8 GiB long, all of it a hole of the file: it is still being copied when the time is over."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with (tmp_path / "a.tar").open("wb") as tar:
        tar.truncate(2**33)
    item = SourceItem("a", tmp_path / "a.tar", member=Member("a.wav", 0, 2**33))
    config = PrepareConfig(duration_s=0.05, min_s=0.05, image_encoder=None, item_limit_s=0.1)
    copied: set[str] = set()
    end = _pool._Child.end

    def look(child: Any) -> None:
        copied.update(path.name for path in temporary.rglob("item*"))
        end(child)

    monkeypatch.setattr(_pool._Child, "end", look)
    with Decoders(1, 1.0) as decoders:
        ((_, result),) = decoders.run([DecodeTask(0, item, config)])
    assert "takes more than" in result.skipped[0].reason
    assert copied == {"item.wav"}
    assert list(temporary.iterdir()) == []


def test_an_item_that_takes_more_memory_than_allowed_is_left_out(tmp_path: Path) -> None:
    items = sounds(tmp_path, 3)
    n = 400 * 2**20  # bytes of sound, all of them holes of the file
    head = b"RIFF" + struct.pack("<I", n + 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    with items[1].path.open("wb") as stream:
        stream.write(head + b"data" + struct.pack("<I", n))
        stream.truncate(n + 44)
    config = PrepareConfig(duration_s=30000.0, image_encoder=None, item_limit_gib=0.3)
    with Decoders(1, config.item_limit_gib) as decoders:
        ((_, result),) = decoders.run([DecodeTask(0, items[1], config)])
    assert "item_limit_gib" in result.skipped[0].reason
    assert result.over_limit


def test_a_process_serves_many_items_and_none_is_left_behind(tmp_path: Path) -> None:
    before = set(multiprocessing.active_children())
    items = sounds(tmp_path, 3)
    tasks = [DecodeTask(0, item, PrepareConfig(duration_s=0.5, image_encoder=None)) for item in items]
    with Decoders(1, 1.0) as decoders:
        for _ in decoders.run(tasks):
            (child,) = set(multiprocessing.active_children()) - before
            assert child.name == "decode"
    assert set(multiprocessing.active_children()) <= before


def test_a_job_that_is_left_in_the_middle_waits_for_no_slow_item(tmp_path: Path) -> None:
    items = sounds(tmp_path, 4)
    items[2] = dataclasses.replace(items[2], prompt=Slow())
    tasks = [DecodeTask(0, item, PrepareConfig(duration_s=0.5, image_encoder=None)) for item in items]
    before = set(multiprocessing.active_children())
    with Decoders(2, 1.0) as decoders:
        next(decoders.run(tasks))
    assert set(multiprocessing.active_children()) <= before


def test_items_over_a_limit_are_tried_again_when_it_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sounds(tmp_path / "in", 4)
    config = PrepareConfig(duration_s=0.5, image_encoder=None, workers=0, shard_size=2, item_limit_s=1.0)

    def with_a_slow_item(*args: Any, **kwargs: Any) -> None:
        def late(task: DecodeTask) -> Decoded:
            if task.item.key == "3" and task.config.item_limit_s < 2:
                return Decoded([], [Skip("3", "decoding it takes more than 2 s, twice")], over_limit=True)
            return decode(task)

        monkeypatch.setattr("clipsonic_eval.clips._pool.decode", late)
        build_shards(*args, **kwargs)

    monkeypatch.setattr(preparation, "build_shards", with_a_slow_item)
    assert prepare(tmp_path / "in", tmp_path / "out", config).skipped == (
        ("3", "3.wav", "decoding it takes more than 2 s, twice"),
    )
    first = (tmp_path / "out/shards/00000.arrow").stat().st_mtime_ns
    lower = dataclasses.replace(config, item_limit_s=0.5)
    assert len(prepare(tmp_path / "in", tmp_path / "out", lower).skipped) == 1
    higher = dataclasses.replace(config, item_limit_s=3.0)
    assert prepare(tmp_path / "in", tmp_path / "out", higher).skipped == ()
    assert ClipStore.open(tmp_path / "out").keys == ("0", "1", "2", "3")
    assert (tmp_path / "out/shards/00000.arrow").stat().st_mtime_ns == first


@pytest.mark.parametrize(
    ("frames", "seconds", "windows"), [(0, 1800.0, 16), (1, 1800.0, 3), (3, 1800.0, 1), (0, 2.0, 4)]
)
def test_large_frames_and_long_windows_are_decoded_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, seconds: float, windows: int
) -> None:
    from clipsonic_eval.clips import _decoding

    monkeypatch.setattr(_decoding, "MAX_PIXELS", 3 * 64 * 64)  # as if frames of 64 x 64 were nearly of 8K
    monkeypatch.setattr(_decoding, "_MAX_SECONDS", seconds)
    path = tmp_path / "a.mp4"
    tone = (0.3 * np.sin(np.arange(16000 * 10) / 5)).astype(np.float32)
    write_video(path, np.zeros((10, 64, 64, 3), np.uint8), 1, tone, 16000)
    encoder = "toy-clip" if frames else None
    config = PrepareConfig(
        duration_s=0.5, image_encoder=encoder, frames_per_clip=max(1, frames), window="all", min_s=0.1
    )
    found = decode(DecodeTask(0, SourceItem("a", path), config))
    assert found.next_window == windows
    assert all(len(clip.frames) == frames for clip in found.clips)
    assert len(found.clips) == windows
