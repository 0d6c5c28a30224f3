"""Weight files of the toy encoders and their vocabulary: round trips, and files that are not what they say."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.toy.encoder import load_contrastive, load_toy_audio
from clipsonic_eval.encoders.toy.network import AudioNetwork, ContrastiveNetwork
from clipsonic_eval.encoders.toy.tokenizer import BUCKETS, MAX_TOKENS, PAD, START, Vocabulary, split
from clipsonic_eval.encoders.toy.weights import as_stored, find, load, read_card, save
from clipsonic_eval.errors import UserError, WeightsError
from clipsonic_eval.types import Clip

WORDS = ["bell", "dog", "the"]
PAIR = {"channels": 3, "widths": [4, 8], "text_width": 32, "text_layers": 1, "dim": 6, "vocabulary": 2 + BUCKETS + 3}
NETWORK = {"kind": "pair-image", "shape": PAIR, "vocabulary": WORDS}
words = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)


def pair_network() -> ContrastiveNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ContrastiveNetwork(**PAIR)  # type: ignore[arg-type]


def saved(folder: Path, name: str = "toy-clip", **changes: Any) -> Path:
    path = folder / f"{name}.safetensors"
    network = {k: v for k, v in {**NETWORK, **changes}.items() if v is not None}
    save(path, pair_network().state_dict(), network, {"seed": 7})
    return path


def test_a_saved_network_is_loaded_with_its_description_and_float16_values(tmp_path: Path) -> None:
    path = saved(tmp_path)
    tensors, network, sha256 = load(path, "toy-clip", "pair-image")
    assert network == NETWORK
    assert read_card(path) == {"weights": path.name, "weights_sha256": sha256, "seed": 7}
    original = pair_network().state_dict()
    assert set(tensors) == set(original)
    for name, value in as_stored(original).items():
        assert torch.equal(tensors[name], value), name
    assert tensors["sense_projection.weight"].dtype == torch.float32


def test_what_is_stored_is_the_nearest_half_and_counters_stay_whole() -> None:
    stored = as_stored({"x": torch.tensor([1 / 3, 1e-9]), "n": torch.tensor(100_001)})
    assert stored["x"].tolist() == [np.float16(1 / 3), 0.0]
    assert int(stored["n"]) == 100_001


def test_an_encoder_of_saved_weights_answers_as_the_network_does(tmp_path: Path) -> None:
    encoder = load_contrastive("toy-clip", saved(tmp_path), "cpu", "image")
    net = pair_network().eval()
    net.load_state_dict(as_stored(net.state_dict()))
    tokens = torch.from_numpy(Vocabulary(WORDS).encode(["the dog", "a zebra"]))
    with torch.inference_mode():
        np.testing.assert_allclose(encoder.text(["the dog", "a zebra"]), net.embed_text(tokens), atol=1e-6)
    assert encoder.card.dim == 6
    with pytest.raises(UserError, match="'toy-clip' does not take audio; it takes image, text"):
        encoder.audio_rows([Clip("a", np.zeros((1, 4), np.float32), 16000)])


@pytest.mark.parametrize("entry", ["vocabulary", "shape"])
def test_a_file_that_does_not_describe_its_network_is_refused(tmp_path: Path, entry: str) -> None:
    path = saved(tmp_path, **{entry: None})
    with pytest.raises(WeightsError, match=rf"toy-clip\.safetensors: the file does not state '{entry}' of its network"):
        ENCODERS["toy-clip"](path)


@pytest.mark.parametrize(
    "shape",
    [{**PAIR, "dim": 7}, {**PAIR, "text_layers": 2}, {**PAIR, "depth": 3}, {"dim": 6}],
    ids=["another-size", "a-layer-more", "an-unknown-size", "sizes-missing"],
)
def test_tensors_of_another_network_than_the_file_describes_are_refused(tmp_path: Path, shape: dict[str, Any]) -> None:
    path = saved(tmp_path, shape=shape)
    with pytest.raises(WeightsError, match=r"toy-clip\.safetensors: the tensors do not fit the network"):
        ENCODERS["toy-clip"](path)


def test_audio_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy-audio.safetensors"
    net = AudioNetwork((4, 8), dim=5, classes=2)
    described = {"kind": "hearing", "labels": ["a", "b"], "shape": {"widths": [4, 8], "dim": 5, "classes": 3}}
    save(path, net.state_dict(), described, {})
    with pytest.raises(WeightsError, match=r"toy-audio\.safetensors: the tensors do not fit"):
        load_toy_audio("toy-audio", path, "cpu", "classes")


@pytest.mark.parametrize("card", ["[]", "{}", '{"weights_sha256": 5}'])
def test_a_card_without_the_hash_is_refused_by_name(tmp_path: Path, card: str) -> None:
    path = saved(tmp_path)
    path.with_suffix(".json").write_text(card)
    with pytest.raises(WeightsError, match=r"toy-clip\.json: the card must hold 'weights_sha256'; copy it again"):
        load(path, "toy-clip", "pair-image")


def test_a_file_that_is_no_safetensors_is_refused_even_if_its_card_has_its_hash(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "toy-clip.safetensors"
    path.write_bytes(b"not tensors")
    path.with_suffix(".json").write_text(json.dumps({"weights_sha256": hashlib.sha256(b"not tensors").hexdigest()}))
    with pytest.raises(
        WeightsError, match=r"toy-clip\.safetensors: not readable as safetensors .*; copy the file again"
    ):
        load(path, "toy-clip", "pair-image")


def test_weights_are_found_in_a_folder_or_named_or_shipped(tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert find(tmp_path, "toy-clip") == find(path, "toy-clip") == path
    assert find(None, "toy-clip").is_file()
    with pytest.raises(WeightsError, match=r"toy-audio\.safetensors: no such weight file; train it with"):
        find(tmp_path, "toy-audio")


@given(st.lists(words, max_size=60))
def test_a_text_is_its_start_its_words_and_padding(sentence: list[str]) -> None:
    vocabulary = Vocabulary(WORDS)
    (ids,) = vocabulary.encode([" ".join(sentence)])
    read = sentence[: MAX_TOKENS - 1]
    assert ids.shape == (MAX_TOKENS,)
    assert ids[0] == START
    assert (ids[1 : 1 + len(read)] > START).all()
    assert (ids[1 + len(read) :] == PAD).all()
    assert ids.max() < len(vocabulary)
    for word, token in zip(read, ids[1:], strict=False):
        assert (token >= 2 + BUCKETS) == (word in WORDS)


@given(st.lists(words, max_size=60))
def test_notes_name_each_unknown_word_once_and_say_whether_words_are_cut(sentence: list[str]) -> None:
    (note,) = Vocabulary(WORDS).text_notes([" ".join(sentence)])
    assert note.unknown == tuple(dict.fromkeys(w for w in sentence if w not in WORDS))
    assert note.cut == (len(sentence) > MAX_TOKENS - 1)


@pytest.mark.parametrize(("n", "cut"), [(MAX_TOKENS - 1, False), (MAX_TOKENS, True)])
def test_the_start_token_takes_one_of_the_32_places(n: int, cut: bool) -> None:
    vocabulary = Vocabulary(WORDS)
    assert vocabulary.text_notes(["dog " * n])[0].cut is cut
    (ids,) = vocabulary.encode(["dog " * n])
    assert np.count_nonzero(ids != PAD) == MAX_TOKENS


@given(st.lists(words, min_size=MAX_TOKENS, max_size=60))
def test_what_is_cut_changes_nothing(sentence: list[str]) -> None:
    vocabulary = Vocabulary(WORDS)
    whole, cut = vocabulary.encode([" ".join(sentence), " ".join(sentence[: MAX_TOKENS - 1])])
    np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A RED, bell!", ["a", "red", "bell"]),
        ("two-tone_siren 3x", ["two", "tone", "siren", "3x"]),
        ("Café ÉTÉ", ["café", "été"]),
        ("狗 叫", ["狗", "叫"]),
        ("...", []),
    ],
)
def test_words_are_runs_of_letters_and_digits_in_lower_case(text: str, found: list[str]) -> None:
    assert split(text) == found


def test_a_vocabulary_is_sorted_and_holds_each_word_once() -> None:
    vocabulary = Vocabulary.of(["the dog", "The bell, the dog"])
    assert vocabulary.known == ("bell", "dog", "the")
    assert len(vocabulary) == 2 + BUCKETS + 3
    assert vocabulary.encode([]).shape == (0, MAX_TOKENS)
