from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from unit.clipsonic.fakes import FakeStore

from clipsonic.conditions import ConditionSpec
from clipsonic.model_folder import WEIGHTS
from clipsonic.prior import data as prior_data
from clipsonic.prior.data import Pairs, PairSource, load_pairs, pairs_of_clips, read_captions
from clipsonic.prior.network import PriorNetworkConfig
from clipsonic.training import prior_task
from clipsonic.training.batches import held_out_split
from clipsonic.training.config import PriorOptimisation, PriorTrainingConfig
from clipsonic.training.prior import train, train_on
from clipsonic_eval.errors import ConfigError, MediaError, SpaceError, UserError
from clipsonic_eval.types import EncoderCard

T = TypeVar("T")
D = 16
CARD = EncoderCard("toy-clip", "ab" * 32, D, ("image", "text"), "size:64")


class KilledAt:
    """Progress that kills the run at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def track(self, items: Iterable[T], *, label: str, total: int | None = None, done: int = 0) -> Iterator[T]:
        del label, total
        for number, item in enumerate(items, start=done):
            if number == self.step:
                raise KeyboardInterrupt
            yield item

    def note(self, text: str) -> None:
        raise AssertionError(text)


class FakeClip:
    """Embeds a text by its words and a picture by its mean colour; counts what it is asked."""

    def __init__(self, weights: Path | None = None, *, device: str = "cpu") -> None:
        del weights, device
        self.card = CARD

    asked = 0

    def text(self, texts: list[str]) -> NDArray[np.float32]:
        seeds = [sum(map(ord, text)) for text in texts]
        return self._unit(np.stack([np.random.default_rng(s).standard_normal(D) for s in seeds]))

    def image(self, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        FakeClip.asked += len(pictures)
        means = [np.concatenate([p.mean(axis=(0, 1)), np.ones(D - 3)]) for p in pictures]
        return self._unit(np.stack(means))

    @staticmethod
    def text_tokens(texts: list[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return np.ones((len(texts), 3, D), np.float32), np.ones((len(texts), 3), bool)

    @staticmethod
    def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(autouse=True)
def fake_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeClip.asked = 0
    loaders: dict[str, Any] = {"toy-clip": FakeClip, "tokenless": lambda weights: object()}
    for module in (prior_data, prior_task):
        monkeypatch.setattr(module, "load_encoder", lambda name, weights=None: loaders[name](weights))


def pairs(n: int = 60, k: int = 2) -> Pairs:
    rng = np.random.default_rng(0)
    text, image = rng.standard_normal((n, D)), rng.standard_normal((n, k, D)) + 1.0
    image /= np.linalg.norm(image, axis=-1, keepdims=True)
    text /= np.linalg.norm(text, axis=-1, keepdims=True)
    names = tuple(f"pair {i}" for i in range(n))
    return Pairs(text.astype(np.float32), image.astype(np.float32), names, names, CARD, "c0ffee", "images")


def config(**train_values: Any) -> PriorTrainingConfig:
    values = {"steps": 6, "batch_size": 8, "checkpoint_every": 3, "log_every": 2, "validate_every": 3, "warmup": 2}
    return PriorTrainingConfig(
        PairSource(images=Path("unused")),
        network=PriorNetworkConfig(heads=2, head_dim=8, layers=1),
        train=PriorOptimisation(**{**values, **train_values}),
        device="cpu",
    )


def log(folder: Path) -> list[dict[str, str]]:
    with (folder / "train_log.csv").open(newline="") as stream:
        return [{k: row[k] for k in ("step", "loss", "val_loss", "lr")} for row in csv.DictReader(stream)]


def png(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(buffer, "png")
    return buffer.getvalue()


def write_shards(folder: Path, n: int = 6, **columns: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = {
        "key": [f"p{i}" for i in range(n)],
        "image": [png((40 * i, 10, 255 - 40 * i)) for i in range(n)],
        "caption": [f"caption {i}" for i in range(n)],
        **columns,
    }
    for number, rows in enumerate((slice(0, n // 2), slice(n // 2, n))):
        part = pyarrow.table({k: v[rows] for k, v in table.items() if v is not None})
        pyarrow.parquet.write_table(part, folder / f"shard-{number:04d}.parquet")
    return folder


def test_a_killed_run_continues_to_the_same_weights_and_log(tmp_path: Path) -> None:
    whole = train_on(pairs(), config(), tmp_path / "whole")
    for step in (1, 4, 5):
        with pytest.raises(KeyboardInterrupt):
            train_on(pairs(), config(), tmp_path / "pieces", progress=KilledAt(step))
    pieces = train_on(pairs(), config(), tmp_path / "pieces")
    assert log(whole) == log(pieces)
    a, b = (load_file(folder / "prior" / WEIGHTS) for folder in (whole, pieces))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_finished_run_is_found_finished_wherever_its_pairs_lie_and_another_is_refused(tmp_path: Path) -> None:
    out = train_on(pairs(), config(), tmp_path / "m")
    before = (out / "prior" / WEIGHTS).stat().st_mtime_ns
    moved = dataclasses.replace(config(), data=PairSource(images=Path("elsewhere")))
    assert train_on(pairs(), moved, out) == out
    assert (out / "prior" / WEIGHTS).stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"train.seed: 0 → 1"):
        train_on(pairs(), config(seed=1), out)


def test_the_card_says_what_was_learnt_from_what(tmp_path: Path) -> None:
    out = train_on(pairs(), config(), tmp_path / "m")
    card = json.loads((out / "card.json").read_text())
    assert card["data"] == {"kind": "images", "sha256": "c0ffee", "n": 60}
    assert card["space"]["weights_sha256"] == CARD.weights_sha256
    assert (card["seed"], card["steps"], card["held_out"]["n"]) == (0, 6, 6)
    expected = (pairs().text[:, None] * pairs().image[:, :1]).sum(axis=-1)[:, 0]
    held = held_out_split(pairs().sources, config().train.validation, config().train.seed)[1]
    assert card["held_out"]["text_cosine"] == pytest.approx(float(expected[held].mean()), abs=1e-4)


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    files = [train_on(pairs(), config(seed=s), tmp_path / f"{s}") / "prior" / WEIGHTS for s in (0, 1)]
    first, second = (load_file(file)["proj_in.weight"] for file in files)
    assert not torch.equal(first, second)


def test_pairs_of_one_source_are_on_one_side() -> None:
    sources = tuple(f"video {i // 5}" for i in range(200))
    training_rows, held = held_out_split(sources, 12, 0)
    assert sorted([*training_rows.tolist(), *held.tolist()]) == list(range(200))
    assert 0 < len(held) <= 12
    assert not {sources[i] for i in training_rows} & {sources[i] for i in held}


def test_hidden_states_of_texts_are_asked_of_the_encoder(tmp_path: Path) -> None:
    with_tokens = dataclasses.replace(config(), network=PriorNetworkConfig(2, 8, 1, text_tokens=3))
    out = train_on(pairs(), with_tokens, tmp_path / "m")
    assert json.loads((out / "prior" / "config.json").read_text())["num_embeddings"] == 3
    with pytest.raises(ConfigError, match="encoder 'tokenless' offers no hidden states"):
        train_on(pairs(), dataclasses.replace(with_tokens, encoder="tokenless"), tmp_path / "other")


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 image-caption pairs are too few"):
        train_on(pairs(1), config(), tmp_path / "m")


def test_pictures_are_embedded_once_and_in_order(tmp_path: Path) -> None:
    source = PairSource(images=write_shards(tmp_path / "pictures"))
    first = load_pairs(source, "toy-clip")
    encoder = FakeClip()
    expected = encoder.image([np.full((2, 2, 3), (40 * i, 10, 255 - 40 * i), np.uint8) for i in range(6)])
    np.testing.assert_allclose(first.image[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(first.text, encoder.text([f"caption {i}" for i in range(6)]), atol=1e-6)
    assert (first.captions[4], first.sources[4], first.kind) == ("caption 4", "p4", "images")
    FakeClip.asked = 0
    again = load_pairs(source, "toy-clip")
    assert FakeClip.asked == 0
    np.testing.assert_array_equal(again.image, first.image)
    assert again.content == first.content


def test_changed_pictures_are_embedded_again(tmp_path: Path) -> None:
    source = PairSource(images=write_shards(tmp_path / "pictures"), cache=tmp_path / "cache")
    first = load_pairs(source, "toy-clip")
    write_shards(tmp_path / "pictures", caption=[f"other {i}" for i in range(6)])
    again = load_pairs(source, "toy-clip")
    assert FakeClip.asked == 12
    assert again.content != first.content
    assert again.captions[0] == "other 0"
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 2
    assert not (tmp_path / "pictures" / "embeddings").exists()


def test_pictures_in_the_layout_of_hugging_face_are_read(tmp_path: Path) -> None:
    nested = [{"bytes": png((40 * i, 10, 255 - 40 * i)), "path": None} for i in range(6)]
    flat = load_pairs(PairSource(images=write_shards(tmp_path / "a")), "toy-clip")
    found = load_pairs(PairSource(images=write_shards(tmp_path / "b", image=nested)), "toy-clip")
    np.testing.assert_array_equal(found.image, flat.image)


def test_the_means_are_over_all_texts_and_all_pictures() -> None:
    text, image = pairs().means()
    np.testing.assert_allclose(text, pairs().text.astype(np.float64).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(image, pairs().image.astype(np.float64).reshape(-1, D).mean(axis=0), atol=1e-12)


def test_frames_are_paired_with_captions_by_key_or_source() -> None:
    store = FakeStore(n=6)
    by_key = pairs_of_clips(store, {"clip1": "one", "clip4": "four"}, ConditionSpec())
    assert (by_key.captions, by_key.sources) == (("one", "four"), ("video0", "video2"))
    assert store.image_embeddings is not None
    np.testing.assert_allclose(by_key.image, store.image_embeddings[[1, 4]], atol=1e-6)
    np.testing.assert_allclose(by_key.text, FakeClip().text(["one", "four"]), atol=1e-6)
    by_source = pairs_of_clips(store, {"video1": "both"}, ConditionSpec())
    assert by_source.captions == ("both", "both")
    own = pairs_of_clips(store, None, ConditionSpec())
    assert len(own) == 6
    assert own.kind == "clips"
    store.captions = (("one", "two"), (), *store.captions[2:])
    several = pairs_of_clips(store, None, ConditionSpec())
    assert several.captions[:3] == ("one", "two", store.prompts[2])
    assert several.sources[:3] == ("video0", "video0", "video1")
    np.testing.assert_allclose(several.image[:3], store.image_embeddings[[0, 0, 2]], atol=1e-6)


def test_clips_without_any_caption_are_refused() -> None:
    with pytest.raises(UserError, match=r"none of the 6 clips has a caption \(the first key is 'clip0'"):
        pairs_of_clips(FakeStore(n=6), {"x": "y"}, ConditionSpec())
    with pytest.raises(UserError, match="split: train"):
        pairs_of_clips(FakeStore(n=6), None, ConditionSpec(), split="train")


def test_frames_of_another_encoder_are_refused() -> None:
    with pytest.raises(SpaceError, match="embedded by 'toy-clip', but the condition asks for 'other'"):
        pairs_of_clips(FakeStore(n=6), None, ConditionSpec("image", "other"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"caption": None}, "column 'caption' is missing; found: key, image"),
        ({"image": [b"no picture"] * 6}, "image 'p0': not readable"),
    ],
)
def test_shards_that_cannot_be_used_are_named(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    folder = write_shards(tmp_path / "pictures", **columns)
    with pytest.raises((UserError, MediaError), match=message):
        load_pairs(PairSource(images=folder), "toy-clip")


def test_a_file_that_is_no_parquet_and_a_folder_without_shards_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no shard-\*\.parquet here"):
        load_pairs(PairSource(images=tmp_path), "toy-clip")
    (tmp_path / "shard-0000.parquet").write_text("nothing of the kind")
    with pytest.raises(UserError, match=r"shard-0000\.parquet: not readable as Parquet"):
        load_pairs(PairSource(images=tmp_path), "toy-clip")


@pytest.mark.parametrize(
    ("text", "message"),
    [("key,words\na,b\n", "column 'prompt' is missing; found: key, words"), ("", "the file is empty")],
)
def test_a_list_of_captions_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_captions(path)
    with pytest.raises(UserError, match="no such file"):
        read_captions(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": {}}, "either from `images` or from `clips`"),
        ({"data": {"images": "a", "clips": "b"}}, "either from `images` or from `clips`"),
        ({"data": {"images": "a", "captions": "b"}}, "belong to `clips`"),
        ({"data": {"images": "a"}, "condition_dropout": 1.0}, "must be in"),
        ({"data": {"images": "a"}, "train": {"stepps": 1}}, "Did you mean 'steps'"),
        ({"data": {"images": "a"}, "network": {"layers": 0}}, "must be at least 1"),
        ({}, "key 'data' is required"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(values, tmp_path / "m")


def test_the_whole_way_from_shards_to_a_prior(tmp_path: Path) -> None:
    tree = {
        "data": {"images": str(write_shards(tmp_path / "pictures", n=20))},
        "network": {"heads": 2, "head_dim": 8, "layers": 1},
        "train": {"steps": 2, "batch_size": 4},
        "device": "cpu",
    }
    out = train(tree, tmp_path / "m")
    assert {p.name for p in out.iterdir()} >= {"prior", "scheduler", "card.json", "model_index.json", "config.json"}
    assert json.loads((out / "config.json").read_text())["train"]["learning_rate"] == 1e-3


class _Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def track(self, items: Any, *, label: str, total: int | None = None, done: int = 0) -> Any:
        return iter(items)

    def note(self, text: str) -> None:
        self.notes.append(text)


def _flip(path: Path, at: int, n: int) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + n] = bytes(b ^ 0x04 for b in data[at : at + n])
    path.write_bytes(data)


def test_damaged_embeddings_of_pairs_are_named_and_made_again(tmp_path: Path) -> None:
    source = PairSource(images=write_shards(tmp_path / "pictures"))
    first = load_pairs(source, "toy-clip")
    (kept,) = (tmp_path / "pictures" / "embeddings").iterdir()
    _flip(kept, kept.stat().st_size // 4, 4)
    notes = _Notes()
    again = load_pairs(source, "toy-clip", progress=notes)
    assert np.array_equal(again.image, first.image)
    assert np.array_equal(again.text, first.text)
    assert len(notes.notes) == 1
    assert str(kept) in notes.notes[0]
    assert "the pairs are embedded again" in notes.notes[0]


def test_a_damaged_shard_of_the_toy_world_is_named(tmp_path: Path) -> None:
    from clipsonic_eval.toyworld.write import WorldConfig, write_world

    write_world(WorldConfig(videos=0, pictures=6, pairs=0, val=0, test=0, reference=0, workers=1), tmp_path)
    shard = tmp_path / "pictures" / "shard-0000.parquet"
    _flip(shard, shard.read_bytes().index(b"JFIF") + 400, 40)  # inside the first JPEG, which decodes all the same
    with pytest.raises(UserError, match=r"shard-0000.parquet: damaged .*CRC.*; make it again"):
        load_pairs(PairSource(images=tmp_path / "pictures"), "toy-clip")


def test_a_picture_that_is_a_bomb_is_named(tmp_path: Path) -> None:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("1", (9000, 8000)).save(stream, "PNG")
    folder = write_shards(tmp_path / "pictures", image=[stream.getvalue()] * 6)
    with pytest.raises(UserError, match=r"image 'p0'.*9000 x 8000 pixels; at most 67108864"):
        load_pairs(PairSource(images=folder), "toy-clip")
