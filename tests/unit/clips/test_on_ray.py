"""Shards built as tasks of an engine are those of this process, byte for byte (a small engine in Ray's place)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from fake_ray import FakeRay, installed

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.clips import _on_ray as on_ray
from clipsonic_eval.clips import _orders as orders
from clipsonic_eval.datasets import Member, SourceItem
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.encode import write_video

RATE = 16000
SETTINGS = PrepareConfig(duration_s=0.5, image_encoder="toy-clip", shard_size=2, workers=0)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = installed(monkeypatch)
    on_ray._encoder.cache_clear()
    return fake


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    frames = np.stack([np.full((48, 48, 3), 40 * k, np.uint8) for k in range(5)])
    for k in range(5):
        tone = 0.5 * np.sin(2 * np.pi * (300 + 100 * k) * np.arange(RATE) / RATE)
        write_video(folder / f"v{k}.mp4", frames, 5, tone.astype(np.float32), RATE)
    (folder / "v2-text.mp4").write_text("no video")
    return folder


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "shards").iterdir())}


def test_shards_and_sidecars_are_those_of_the_local_engine(videos: Path, tmp_path: Path, ray: FakeRay) -> None:
    local = prepare(videos, tmp_path / "local", SETTINGS)
    there = prepare(videos, tmp_path / "ray", dataclasses.replace(SETTINGS, engine="ray"))
    assert shards(tmp_path / "ray") == shards(tmp_path / "local")
    assert (there.content_hash, there.skipped) == (local.content_hash, local.skipped)
    assert not (tmp_path / "ray/orders").exists()
    assert ray.options == {"num_cpus": 1, "num_gpus": 0.0, "max_retries": 0}
    assert all(isinstance(part, str) for part in ray.attempts)  # names travel, data do not


def test_one_engine_goes_on_where_another_stopped(videos: Path, tmp_path: Path, ray: FakeRay) -> None:
    there = dataclasses.replace(SETTINGS, engine="ray")
    prepare(videos, tmp_path / "whole", SETTINGS)
    assert prepare(videos, tmp_path / "clips", SETTINGS, part=(1, 3)).waiting == 2
    assert prepare(videos, tmp_path / "clips", there, part=(2, 3)).waiting == 1
    assert len(ray.attempts) == 1
    assert prepare(videos, tmp_path / "clips", there).waiting == 0
    assert len(ray.attempts) == 2
    assert shards(tmp_path / "clips") == shards(tmp_path / "whole")
    (tmp_path / "clips/shards/00001.arrow").write_bytes(b"damaged")
    prepare(videos, tmp_path / "clips", there)
    assert len(ray.attempts) == 3
    assert shards(tmp_path / "clips") == shards(tmp_path / "whole")


def test_a_shard_that_is_whole_is_not_built_twice(videos: Path, tmp_path: Path, ray: FakeRay) -> None:
    """As when Ray runs a task again although the first did not die: its node was only out of reach."""
    del ray
    prepare(Source(videos), tmp_path / "clips", SETTINGS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "clips/shards").iterdir()}
    hash_ = read_json(tmp_path / "clips/shards/00000.json")["hash"]
    order = tmp_path / "clips/orders/00000.json"
    write_json(
        order,
        {
            "root": str(videos),
            "config": {"image_encoder": None},
            "encoder": None,
            "number": 0,
            "hash": hash_,
            "items": [],
        },
    )
    assert on_ray.build(str(order)) == {"shard": 0, "clips": 2}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "clips/shards").iterdir()} == before


def test_other_weights_on_a_node_are_refused(
    videos: Path, tmp_path: Path, ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ray
    load = on_ray.load_image_encoder

    def other(config: PrepareConfig) -> object:
        encoder = load(config)
        assert encoder is not None
        monkeypatch.setattr(encoder, "_card", dataclasses.replace(encoder.card, weights_sha256="0" * 64))
        return encoder

    monkeypatch.setattr(on_ray, "load_image_encoder", other)
    with pytest.raises(UserError, match="image encoder toy-clip: other weights here than where prepare was started"):
        prepare(videos, tmp_path / "clips", dataclasses.replace(SETTINGS, engine="ray"))


def test_a_relative_source_is_found_from_another_folder(
    videos: Path, tmp_path: Path, ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ray
    sound = tmp_path / "in"
    write_wav(sound / "a.wav", np.full(RATE, 0.25, np.float32), RATE)
    monkeypatch.chdir(tmp_path)
    build = on_ray.build

    def elsewhere(order: str) -> object:
        monkeypatch.chdir(videos)
        try:
            return build(order)
        finally:
            monkeypatch.chdir(tmp_path)

    monkeypatch.setattr(on_ray, "build", elsewhere)
    config = PrepareConfig(duration_s=0.5, image_encoder=None, workers=0, engine="ray")
    prepare("in", "out", config)
    assert ClipStore.open(tmp_path / "out").keys == ("a",)


def test_a_gpu_for_tasks_without_any_is_refused() -> None:
    with pytest.raises(ConfigError, match="say how much of a GPU a task gets"):
        PrepareConfig(engine="ray", device="cuda")
    assert PrepareConfig(engine="ray", device="cuda", gpus_per_task=0.25).identity() == PrepareConfig().identity()


@pytest.mark.parametrize("gpus", [-1.0, 1.5])
def test_a_share_of_several_gpus_is_refused(gpus: float) -> None:
    with pytest.raises(ConfigError, match="a share of one GPU, or a whole number"):
        PrepareConfig(gpus_per_task=gpus)


def test_an_order_keeps_where_an_item_lies_and_what_it_was_cut_from() -> None:
    member = Member("a/0.wav", 512, 2000)
    item = SourceItem("k", Path("/x/0.tar"), 1.5, None, "rain", None, "train", video="v", member=member)
    written = json.loads(json.dumps([item.key, str(item.path), *orders._rest(item)]))
    assert orders._item(written) == item
