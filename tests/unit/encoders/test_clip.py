"""CLIP: towers, tokens and pictures against NumPy and PIL; folders that are not whole; where weights come from."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from unit.encoders import clip_folder

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.clip.weights import MODELS
from clipsonic_eval.errors import ShapeError, UserError, WeightsError
from clipsonic_eval.types import Clip
from clipsonic_eval.weight_files import DOWNLOAD

NAME = "clip-transformers"
TEXTS = ["a dog", "a photo of a cat", "dog dog cat", "word " * 100]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return clip_folder.write(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(folder):
    return ENCODERS[NAME](folder)


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture
def tiny_l14(monkeypatch) -> None:
    """Lets the small network pass for the published one."""
    sizes = MODELS["clip-vit-l-14"]._replace(dim=24, patch=clip_folder.PATCH, layers=clip_folder.LAYERS)
    monkeypatch.setitem(MODELS, "clip-vit-l-14", sizes)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


PICTURES = [picture(40, 40), picture(32, 57, 1), picture(200, 90, 2), picture(20, 20, 3), picture(3, 50, 4)]


def test_the_square_of_a_picture_alone_gives_its_embedding_to_the_bit(encoder) -> None:
    pictures = [*PICTURES, picture(37, 111, 5), picture(101, 64, 6)]
    squares = [encoder.image_square.cut(one) for one in pictures]
    assert {one.shape for one in squares} == {(encoder.image_square.side, encoder.image_square.side, 3)}
    assert np.array_equal(encoder.image(squares), encoder.image(pictures))


def test_pictures_are_embedded_as_the_paper_says(encoder, folder) -> None:
    expected = np.stack([clip_folder.Restated(folder).image(p) for p in PICTURES])
    found = encoder.image(PICTURES)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 2e-6
    assert np.abs(expected[0] - expected[1]).max() > 1e-2  # the pictures do differ


@pytest.mark.parametrize("old_end", [False, True])
def test_texts_are_embedded_as_the_paper_says(old_end, tmp_path) -> None:
    folder = clip_folder.write(tmp_path, old_end=old_end)
    restated = clip_folder.Restated(folder)
    expected = np.stack([restated.text(clip_folder.tokens(t)) for t in TEXTS])
    assert np.abs(ENCODERS[NAME](folder).text(TEXTS) - expected).max() < 2e-6
    assert np.abs(expected[0] - expected[1]).max() > 1e-2


def test_tokens_are_the_text_towers_states_and_their_mask(encoder, folder) -> None:
    hidden, mask = encoder.text_tokens(TEXTS)
    assert hidden.shape == (len(TEXTS), 77, clip_folder.WIDTH)
    assert hidden.dtype == np.float32
    assert mask.shape == (len(TEXTS), 77)
    assert mask.dtype == np.bool_
    restated = clip_folder.Restated(folder)
    for text, states, there in zip(TEXTS, hidden, mask, strict=True):
        numbers = clip_folder.tokens(text)
        assert there.sum() == len(numbers)
        assert there[: len(numbers)].all()
        assert np.abs(states[: len(numbers)] - restated.states(numbers)).max() < 1e-5


def test_the_diffusion_prior_takes_tokens_and_does_not_look_beyond_the_mask(encoder) -> None:
    from clipsonic.prior.network import PriorNetworkConfig, TextConditions, build_network, predict_x0

    hidden, mask = (torch.from_numpy(part) for part in encoder.text_tokens(TEXTS[:2]))
    width = hidden.shape[2]
    network = build_network(PriorNetworkConfig(heads=2, head_dim=8, layers=1, text_tokens=77), width, seed=0)
    network.eval()
    pooled = torch.zeros(2, width)
    beyond = hidden.masked_fill(~mask[:, :, None], 9.0)
    with torch.inference_mode():
        one, other = (
            predict_x0(network, torch.ones(2, width), torch.tensor([5, 5]), TextConditions(pooled, states, mask))
            for states in (hidden, beyond)
        )
    assert torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(one[0], one[1], atol=1e-4)


def test_case_and_spaces_do_not_matter_and_words_do(encoder) -> None:
    a, b, c = encoder.text(["a dog", "  A   DOG", "a cat"])
    assert np.array_equal(a, b)
    assert np.abs(a - c).max() > 1e-2


def test_results_are_unit_vectors_that_do_not_depend_on_the_batch(encoder, folder) -> None:
    small = ENCODERS[NAME](folder, batch_size=2)
    for together, alone, again in (
        (encoder.image(PICTURES), np.concatenate([encoder.image([p]) for p in PICTURES]), small.image(PICTURES)),
        (encoder.text(TEXTS), np.concatenate([encoder.text([t]) for t in TEXTS]), small.text(TEXTS)),
    ):
        assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-6)
        assert np.array_equal(together, alone)  # to the bit
        assert np.abs(together - again).max() < 2e-6
    for one, other in zip(encoder.text_tokens(TEXTS), small.text_tokens(TEXTS), strict=True):
        assert np.allclose(one, other, atol=1e-5)
    alone = np.concatenate([encoder.text_tokens([t])[0] for t in TEXTS])
    assert np.array_equal(alone, encoder.text_tokens(TEXTS)[0])


@pytest.mark.parametrize("size", [1, 3, 8])
def test_with_batches_of_one_size_no_item_depends_on_its_neighbours(folder, encoder, size) -> None:
    sized = ENCODERS[NAME](folder, batch_size=size)
    rows, texts = sized.image(PICTURES), sized.text(TEXTS)
    order = [3, 0, 4, 2, 1]
    np.testing.assert_array_equal(sized.image([PICTURES[k] for k in order]), rows[order])
    np.testing.assert_array_equal(np.concatenate([sized.text([text]) for text in TEXTS]), texts)
    np.testing.assert_allclose(rows, encoder.image(PICTURES), atol=1e-6)  # another size differs by rounding
    assert sized.card.preprocessing == f"{encoder.card.preprocessing}|batch:{size}"


def test_a_prompt_is_cut_after_77_tokens_and_the_note_says_so(encoder) -> None:
    kept, cut = "dog " * 75, "dog " * 75 + "cat"
    np.testing.assert_array_equal(*(encoder.text([text]) for text in (kept, cut)))
    assert [note.cut for note in encoder.text_notes([kept, cut])] == [False, True]
    assert all(note.unknown == () for note in encoder.text_notes(TEXTS))


def test_nothing_asked_is_nothing_answered(encoder) -> None:
    assert encoder.text([]).shape == encoder.image([]).shape == (0, 24)
    assert encoder.text_tokens([])[0].shape == (0, 77, clip_folder.WIDTH)


def test_the_card_states_everything_that_is_done(encoder) -> None:
    card = encoder.card
    assert (card.name, card.dim, card.modalities, card.sample_rate) == (NAME, 24, ("image", "text"), None)
    stated = (
        "image:rgb,short-side-32-bicubic-pil,centre-32x32-floor,times-0.00392157,"
        "mean-0.48145466/0.4578275/0.40821073,std-0.26862954/0.26130258/0.27577711|text:clip-bpe-521+"
    )
    assert card.preprocessing.startswith(stated)
    assert card.preprocessing.endswith(",cut-77|layer:projection,l2|dtype:fp32")


def test_bfloat16_is_close_and_another_space(encoder, folder) -> None:
    coarse = ENCODERS[NAME](folder, precision="bf16")
    assert coarse.card.preprocessing.endswith("|dtype:bf16")
    for one, other in ((coarse.image(PICTURES), encoder.image(PICTURES)), (coarse.text(TEXTS), encoder.text(TEXTS))):
        assert one.dtype == np.float32
        cosine = (one * other).sum(axis=1)
        assert cosine.min() > 0.99
        assert cosine.max() < 1 - 1e-7
        assert np.linalg.norm(one, axis=1) == pytest.approx(1, abs=1e-6)


def test_the_hash_is_of_the_tensors_and_not_of_how_they_are_filed(encoder, folder, tmp_path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(folder / "model.safetensors")
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name}{list(tensors[name].shape)}\0".encode() + tensors[name].numpy().tobytes())
    assert encoder.card.weights_sha256 == digest.hexdigest()
    shards = clip_folder.write(tmp_path / "shards", max_shard_size="60KB")
    assert len(list(shards.glob("model-*.safetensors"))) > 1
    pickled = Path(shutil.copytree(folder, tmp_path / "pickled", ignore=shutil.ignore_patterns("*.safetensors")))
    torch.save(tensors, pickled / "pytorch_model.bin")
    for other in (shards, pickled):
        loaded = ENCODERS[NAME](other)
        assert loaded.card == encoder.card.__class__(**{**_fields(encoder.card), "source": other.name})
        assert np.abs(loaded.text(TEXTS) - encoder.text(TEXTS)).max() < 1e-6
    moved = ENCODERS[NAME](clip_folder.write(tmp_path / "moved", seed=1))
    assert moved.card.weights_sha256 != encoder.card.weights_sha256


def _fields(card) -> dict[str, object]:
    return {name: getattr(card, name) for name in card.__dataclass_fields__}


def test_position_numbers_that_older_files_hold_are_no_news(encoder, copied) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    tensors["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    tensors["vision_model.embeddings.position_ids"] = torch.arange(5)[None]
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    assert ENCODERS[NAME](copied).card.weights_sha256 == encoder.card.weights_sha256


def test_what_is_no_picture_and_sound_are_refused(encoder) -> None:
    for wrong in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(ShapeError, match="images must be uint8"):
            encoder.image([wrong])
    with pytest.raises(UserError, match="'clip-transformers' does not take audio; it takes image, text"):
        encoder.audio([Clip("a", np.zeros((1, 9), np.float32), 16000)])
    with pytest.raises(UserError, match="does not take audio"):
        encoder.audio_rows([])


def test_an_empty_tokenizer_is_refused(copied) -> None:
    # transformers makes one of two tokens out of nothing, without a word
    for name in ("vocab.json", "merges.txt"):
        (copied / name).unlink()
    with pytest.raises(WeightsError, match=r"knows \d tokens and the network 521; are tokenizer.json"):
        ENCODERS[NAME](copied)


def test_a_tokenizer_file_of_the_newer_kind_gives_the_same_texts(encoder, copied) -> None:
    from transformers import CLIPTokenizer

    CLIPTokenizer.from_pretrained(copied).save_pretrained(copied)
    for name in ("vocab.json", "merges.txt"):
        (copied / name).unlink()
    assert (copied / "tokenizer.json").is_file()
    loaded = ENCODERS[NAME](copied)
    assert loaded.card.preprocessing == encoder.card.preprocessing
    assert np.array_equal(loaded.text(TEXTS), encoder.text(TEXTS))


def test_a_text_that_is_read_at_another_token_than_its_end_is_refused(copied) -> None:
    config = json.loads((copied / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 7
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="texts end in token 520, but the network reads them at 7"):
        ENCODERS[NAME](copied)


def test_pictures_of_another_size_than_the_network_takes_are_refused(copied) -> None:
    clip_folder.write_processor(copied, side=64)
    with pytest.raises(WeightsError, match="makes images of 64 x 64 pixels, the network takes 32 x 32"):
        ENCODERS[NAME](copied)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "config.json is missing; name its folder"),
        ("model.safetensors", r"neither model\.safetensors nor pytorch_model\.bin"),
        ("preprocessor_config.json", "preprocessor_config.json is missing"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused_by_name(copied, missing, message) -> None:
    (copied / missing).unlink()
    with pytest.raises(WeightsError, match=message):
        ENCODERS[NAME](copied)


@pytest.mark.parametrize("fault", ["missing", "extra", "shape", "damaged"])
def test_tensors_that_do_not_fit_are_refused_not_filled_at_random(copied, fault) -> None:
    from safetensors.torch import load_file, save_file

    path = copied / "model.safetensors"
    tensors = load_file(path)
    if fault == "missing":
        del tensors["text_projection.weight"]
    elif fault == "extra":
        tensors["adapter.weight"] = torch.zeros(3)
    elif fault == "shape":
        tensors["text_projection.weight"] = torch.zeros(24, 31)
    save_file(tensors, path, metadata={"format": "pt"})
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"tensors are not those of its config|not readable as a CLIP"):
        ENCODERS[NAME](copied)


class _Bomb:
    def __reduce__(self):
        return Path.touch, (Path("bomb-went-off"),)


def test_pickled_weights_that_would_run_code_are_refused_and_do_not_run(copied, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    (copied / "model.safetensors").unlink()
    torch.save({"logit_scale": torch.zeros(()), "extra": _Bomb()}, copied / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="not readable as a CLIP"):
        ENCODERS[NAME](copied)
    assert not Path("bomb-went-off").exists()


def test_a_model_of_another_kind_is_refused(copied) -> None:
    (copied / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    with pytest.raises(WeightsError, match="of model type 'siglip', needed is 'clip'"):
        ENCODERS[NAME](copied)


@pytest.mark.parametrize("name", MODELS)
def test_another_size_than_the_name_says_is_refused(folder, name) -> None:
    with pytest.raises(WeightsError, match=r"24 dimensions, patch 16, 2 layers, but openai/clip-vit-.* has \d+"):
        ENCODERS[name](folder)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("clip-vit-l-14", 427_616_513), ("clip-vit-b-16", 149_620_737), ("clip-vit-b-32", 151_277_313)],
)
def test_the_sizes_that_names_stand_for_are_those_of_the_published_networks(name, parameters) -> None:
    # parameter counts of the released checkpoints; the rest of a shape follows from the three numbers and CLIP's rules
    from transformers import CLIPConfig, CLIPModel

    model = MODELS[name]
    large = model.layers == 24
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12} if large else {}
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16} if large else {}
    vision |= {"patch_size": model.patch, "num_hidden_layers": model.layers}
    with torch.device("meta"):
        net = CLIPModel(CLIPConfig(projection_dim=model.dim, text_config=text, vision_config=vision))
    assert sum(p.numel() for p in net.parameters()) == parameters


def hub(monkeypatch, root: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))


def cached(root: Path, folder: Path) -> Path:
    """Lay a folder into a cache as the hub's client does."""
    place = root / "models--openai--clip-vit-large-patch14"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40)
    return Path(shutil.copytree(folder, place / "snapshots" / ("0" * 40)))


@pytest.mark.usefixtures("tiny_l14")
def test_weights_come_from_the_hub_cache_without_a_network(encoder, folder, tmp_path, monkeypatch) -> None:
    hub(monkeypatch, tmp_path)
    cached(tmp_path, folder)
    loaded = ENCODERS["clip-vit-l-14"]()
    assert loaded.card.name == "clip-vit-l-14"
    assert loaded.card.source == "https://huggingface.co/openai/clip-vit-large-patch14"
    assert np.array_equal(loaded.text(TEXTS), encoder.text(TEXTS))


def test_without_weights_the_model_and_the_command_are_named(tmp_path, monkeypatch, folder) -> None:
    hub(monkeypatch, tmp_path)
    monkeypatch.delenv(DOWNLOAD, raising=False)
    message = (
        "openai/clip-vit-large-patch14 is not in the Hugging Face cache; get it with 'clipsonic-eval weights "
        "openai/clip-vit-large-patch14 --fetch' or from https://huggingface.co/openai/clip-vit-large-patch14"
    )
    with pytest.raises(WeightsError, match=message):
        ENCODERS["clip-vit-l-14"]()
    (cached(tmp_path, folder) / "model.safetensors").unlink()  # a cache that holds the tokenizer alone
    with pytest.raises(WeightsError, match=message):
        ENCODERS["clip-vit-l-14"]()
    with pytest.raises(WeightsError, match="'clip-transformers' has no weights of its own; name a folder"):
        ENCODERS[NAME]()


@pytest.mark.usefixtures("tiny_l14")
@pytest.mark.parametrize("how", ["option", "environment"])
def test_weights_are_fetched_only_when_asked_for(folder, tmp_path, monkeypatch, how) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = []

    def fetch(repository: str, *, local_files_only: bool = False, allow_patterns: list[str] | None = None) -> str:
        if local_files_only:
            raise LocalEntryNotFoundError("not there")
        asked.append((repository, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setenv(DOWNLOAD, "0")
    with pytest.raises(WeightsError, match="not in the Hugging Face cache"):
        ENCODERS["clip-vit-l-14"]()
    assert asked == []
    options = {"download": True} if how == "option" else {}
    if how == "environment":
        monkeypatch.setenv(DOWNLOAD, "1")
    assert ENCODERS["clip-vit-l-14"](**options).card.dim == 24
    assert asked == [("openai/clip-vit-large-patch14", ["*.json", "merges.txt", "model.safetensors"])]


def test_a_failed_fetch_is_one_sentence(tmp_path, monkeypatch) -> None:
    hub(monkeypatch, tmp_path)  # the tests run in the hub's offline mode
    with pytest.raises(WeightsError, match=r"could not be fetched .*; try 'hf download"):
        ENCODERS["clip-vit-b-32"](download=True)


def test_loading_leaves_logs_and_progress_bars_as_they_were(folder, capfd) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    capfd.readouterr()
    ENCODERS[NAME](folder)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


def test_a_damaged_blob_of_the_hubs_cache_is_refused(folder, tmp_path) -> None:
    from clipsonic_eval.hashing import file_sha256

    snapshot, blobs = tmp_path / "snapshots" / "main", tmp_path / "blobs"
    shutil.copytree(folder, snapshot)
    blobs.mkdir()
    weights = snapshot / "model.safetensors"
    blob = blobs / file_sha256(weights)
    weights.rename(blob)
    weights.symlink_to(blob)
    assert ENCODERS[NAME](snapshot).card.dim == 24
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 0x04
    blob.write_bytes(data)
    with pytest.raises(WeightsError, match=f"model.safetensors: its sha256 does not begin with {blob.name[:8]}"):
        ENCODERS[NAME](snapshot)
