"""CLIP's and CLAP's tokenizers: where prompts are cut, files that are damaged or those of another model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTextConfig
from unit.encoders import clip_folder, laion_clap_file

from clipsonic_eval.encoders import TextNote
from clipsonic_eval.encoders.clap import tokenizer as clap
from clipsonic_eval.encoders.clip import frontend
from clipsonic_eval.encoders.clip import tokenizer as clip
from clipsonic_eval.errors import WeightsError

SIZE = len(clip_folder.vocabulary())
CONFIG = CLIPTextConfig(vocab_size=SIZE, bos_token_id=SIZE - 2, eos_token_id=SIZE - 1)
MAX = clip_folder.PLACES
ROBERTA_WORDS = 300


@pytest.fixture(scope="module")
def clip_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    clip_folder.write_tokenizer(folder)
    clip_folder.write_processor(folder)
    return folder


@pytest.fixture(scope="module")
def clip_tokenizer(clip_files: Path) -> Any:
    return clip.load_tokenizer(clip_files, CONFIG)


@pytest.fixture(scope="module")
def roberta_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laion_clap_file.write_tokenizer(tmp_path_factory.mktemp("roberta"), words=ROBERTA_WORDS)


@pytest.fixture(scope="module")
def roberta(roberta_files: Path) -> Any:
    return clap.load(roberta_files, None, ROBERTA_WORDS)


sentences = st.lists(st.sampled_from(["dog", "cat", "photo", "a"]), min_size=1, max_size=120).map(" ".join)


@given(sentence=sentences)
@settings(deadline=None, max_examples=40)
def test_clips_tokens_are_byte_pairs_between_start_and_end(clip_tokenizer: Any, sentence: str) -> None:
    expected = clip_folder.tokens(sentence)
    encoded = clip.encode(clip_tokenizer, [sentence], MAX)
    assert encoded.input_ids.shape == (1, MAX)
    assert encoded.input_ids[0, : len(expected)].tolist() == expected
    assert int(encoded.attention_mask.sum()) == len(expected)
    assert set(encoded.input_ids[0, len(expected) :].tolist()) <= {SIZE - 1}  # padded with the end token


@pytest.mark.parametrize(("dogs", "cut"), [(1, False), (MAX - 2, False), (MAX - 1, True), (500, True)])
def test_clip_notes_a_prompt_that_is_cut(clip_tokenizer: Any, dogs: int, cut: bool) -> None:
    assert clip.text_notes(clip_tokenizer, ["dog " * dogs], MAX) == [TextNote(cut=cut)]
    assert clip.text_notes(clip_tokenizer, [], MAX) == []


def test_what_clip_cuts_does_not_change_the_tokens(clip_tokenizer: Any) -> None:
    kept, longer = "dog " * (MAX - 2), "dog " * (MAX - 2) + "cat photo"
    ids = clip.encode(clip_tokenizer, [kept, longer], MAX).input_ids
    assert ids[0].tolist() == ids[1].tolist()
    assert ids[0, -1] == SIZE - 1


def test_clip_reads_words_that_it_does_not_know_byte_by_byte(clip_tokenizer: Any) -> None:
    first, second, capitals = clip.encode(clip_tokenizer, ["zebra", "zebrb", "ZEBRA"], MAX).input_ids.tolist()
    assert first != second
    assert first == capitals
    assert sum(token < SIZE - 2 for token in first) == len("zebra")


def test_clips_signature_names_the_vocabulary_and_the_length(
    clip_tokenizer: Any, clip_files: Path, tmp_path: Path
) -> None:
    name = clip.signature(clip_tokenizer, MAX)
    assert name.startswith(f"text:clip-bpe-{SIZE}+")
    assert name.endswith(f",cut-{MAX}")
    assert clip.signature(clip_tokenizer, 64) != name
    words = json.loads((clip_files / "vocab.json").read_text())
    words["!"], words['"'] = words['"'], words["!"]  # the same size, two tokens exchanged
    for file in ("merges.txt", "tokenizer_config.json"):
        (tmp_path / file).write_bytes((clip_files / file).read_bytes())
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    assert clip.signature(clip.load_tokenizer(tmp_path, CONFIG), MAX) != name


def test_a_damaged_tokenizer_of_clip_is_refused_with_its_folder(tmp_path: Path) -> None:
    clip_folder.write_tokenizer(tmp_path)
    (tmp_path / "vocab.json").write_text('{"a": ')
    with pytest.raises(WeightsError, match=r"the tokenizer's files are missing or damaged .*copy or fetch") as caught:
        clip.load_tokenizer(tmp_path, CONFIG)
    assert str(caught.value).startswith(f"{tmp_path}: ")
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_another_size_than_clips_network_is_refused(clip_files: Path) -> None:
    other = CLIPTextConfig(vocab_size=SIZE + 5, bos_token_id=SIZE - 2, eos_token_id=SIZE - 1)
    with pytest.raises(WeightsError, match=f"the tokenizer knows {SIZE} tokens and the network {SIZE + 5}; are"):
        clip.load_tokenizer(clip_files, other)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"size": "large"}', '{"do_center_crop": true, "crop_size": {"side": 3}}'],
    ids=["cut", "a-list", "a-word", "no-height"],
)
def test_an_image_processor_that_is_not_readable_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json is not readable .*; copy or fetch") as caught:
        frontend.load_processor(tmp_path, 32)
    assert str(caught.value).startswith(f"{tmp_path}: ")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"do_resize": False}, "image:rgb,centre-32x32-floor,times-0.00392157,mean-"),
        ({"size": {"height": 40, "width": 50}}, "image:rgb,40x50-bicubic-pil,centre-32x32-floor,"),
        ({"size": {"height": 32, "width": 32}, "do_center_crop": False}, "image:rgb,32x32-bicubic-pil,times-"),
        ({"resample": 2}, "image:rgb,short-side-32-bilinear-pil,"),
        ({"do_normalize": False}, "image:rgb,short-side-32-bicubic-pil,centre-32x32-floor,times-0.00392157"),
    ],
)
def test_an_image_processors_steps_stand_in_its_signature(
    clip_files: Path, tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    stated = json.loads((clip_files / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**stated, **change}))
    found = frontend.signature(frontend.load_processor(tmp_path, 32))
    assert found.startswith(field)
    assert found != frontend.signature(frontend.load_processor(clip_files, 32))


def test_pixels_are_the_normalised_crop(clip_files: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    found = frontend.pixels(frontend.load_processor(clip_files, 32), [image, image[:, :60]]).numpy()
    for row, picture in zip(found, (image, image[:, :60]), strict=True):
        np.testing.assert_allclose(row, clip_folder.pixels(picture), atol=1e-5)


@pytest.mark.parametrize("words", [1, 20, 200])
def test_clap_pads_to_77_tokens_and_cuts_there(roberta: Any, words: int) -> None:
    text = "bell " * words
    ids = clap.encode(roberta, [text, "a bell"])
    whole = roberta(text).input_ids
    assert ids.shape == (2, clap.MAX_TOKENS)
    used = min(len(whole), clap.MAX_TOKENS)
    assert ids[0, : used - 1].tolist() == whole[: used - 1]
    assert int(ids[0, used - 1]) == whole[-1]  # the end token is kept
    assert set(ids[0, used:].tolist()) <= {clap.PAD}
    assert clap.text_notes(roberta, [text]) == [TextNote(cut=len(whole) > clap.MAX_TOKENS)]
    assert clap.text_notes(roberta, []) == []


def test_clap_notes_a_cut_from_the_78th_token_on(roberta: Any) -> None:
    texts = ["a" * n for n in range(1, 200)]  # one letter more costs at most one token more
    sizes = [len(ids) for ids in roberta(texts).input_ids]
    assert clap.MAX_TOKENS in sizes
    assert [note.cut for note in clap.text_notes(roberta, texts)] == [size > clap.MAX_TOKENS for size in sizes]


def test_clap_takes_a_tokenizer_from_the_hub_cache(
    roberta_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    weights = tmp_path / "weights"
    assert clap.find(weights, None) is None
    cached = tmp_path / "models--roberta-base"
    snapshot = cached / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    for file in ("vocab.json", "merges.txt"):
        (snapshot / file).write_bytes((roberta_files / file).read_bytes())
    assert clap.find(weights, None) == snapshot
    assert len(clap.load(weights, None, ROBERTA_WORDS)) == ROBERTA_WORDS
    assert clap.find(weights, tmp_path / "named") is None  # a folder that is named is not replaced by another


def test_a_vocabulary_of_robertas_size_must_be_robertas(roberta_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clap, "_ROBERTA", ROBERTA_WORDS)
    with pytest.raises(WeightsError, match="has another vocabulary than RoBERTa's; fetch roberta-base's"):
        clap.load(roberta_files, None, ROBERTA_WORDS)


def test_a_tokenizer_for_another_text_tower_is_refused_with_both_sizes(roberta_files: Path) -> None:
    with pytest.raises(WeightsError, match="knows 300 tokens and the text tower 50265; it needs RoBERTa's"):
        clap.load(roberta_files, None, 50265)
