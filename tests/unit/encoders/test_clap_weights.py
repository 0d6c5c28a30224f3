"""CLAP's weights: sizes from shapes, names, places, folders with missing or unexpected tensors, front ends."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from unit.encoders import laion_clap_file as published

from clipsonic_eval.encoders.clap import weights
from clipsonic_eval.encoders.clap.frontend import front_end, read_front_end
from clipsonic_eval.encoders.clap.weights import CHECKPOINTS, ClapCheckpoint, build, find, read_folder, renamed
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.weight_files import DOWNLOAD, read_transformers


@pytest.fixture(scope="module")
def network() -> Any:
    return published.network()


@pytest.fixture(scope="module")
def saved(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clap")
    network.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.fixture
def tensors(network: Any) -> dict[str, torch.Tensor]:
    return {name.removeprefix("module."): value for name, value in published.tensors(network).items()}


def rewritten(folder: Path, change: dict[str, torch.Tensor | None]) -> Path:
    """Replace or (None) remove tensors of a folder."""
    path = folder / "model.safetensors"
    held = {**load_file(path), **change}
    save_file({k: v for k, v in held.items() if v is not None}, path, metadata={"format": "pt"})
    return folder


def test_the_sizes_of_a_checkpoint_follow_from_the_shapes_of_its_tensors(network: Any, tensors: Any) -> None:
    model, front = build("clap-laion", Path("a.pt"), tensors)
    audio, text = model.config.audio_config, model.config.text_config
    assert (audio.depths, audio.num_attention_heads) == ([1, 2, 1, 1], [1, 1, 2, 2])
    assert (audio.patch_embeds_hidden_size, audio.hidden_size, audio.enable_fusion) == (16, 128, False)
    assert (text.vocab_size, text.hidden_size, text.intermediate_size, text.num_hidden_layers) == (300, 64, 48, 2)
    assert (text.max_position_embeddings, text.layer_norm_eps, model.config.projection_dim) == (80, 1e-5, 24)
    assert front == front_end(fusion=False)
    original = network.state_dict()
    for name, value in model.state_dict().items():
        if not name.startswith("logit_scale") and value.is_floating_point():
            torch.testing.assert_close(value, original[name])


def test_fused_query_key_and_value_are_taken_apart_in_this_order() -> None:
    qkv = torch.arange(12.0).reshape(6, 2)
    found = renamed({"audio_branch.layers.0.blocks.1.attn.qkv.weight": qkv, "audio_transform.sequential.0.bias": qkv})
    stem = "audio_model.audio_encoder.layers.0.blocks.1.attention.self"
    assert set(found) == {f"{stem}.{part}.weight" for part in ("query", "key", "value")}
    for k, part in enumerate(("query", "key", "value")):
        torch.testing.assert_close(found[f"{stem}.{part}.weight"], qkv[2 * k : 2 * k + 2])


@pytest.mark.parametrize("missing", ["text_branch.encoder.layer.", "audio_branch.layers.2.", "audio_projection."])
def test_a_checkpoint_without_a_whole_part_is_refused_with_what_is_missing(
    tensors: dict[str, torch.Tensor], missing: str
) -> None:
    less = {name: value for name, value in tensors.items() if not name.startswith(missing)}
    with pytest.raises(WeightsError, match=r"a\.pt: these are no tensors of a CLAP of LAION \(.* is missing\); name a"):
        build("clap-laion", Path("a.pt"), less)


def test_a_folder_gives_the_network_that_was_saved_and_the_hash_of_its_tensors(saved: Path, network: Any) -> None:
    model, front, sha256 = read_folder(saved)
    assert front == front_end(fusion=False)
    assert len(sha256) == 64
    original = network.state_dict()
    assert all(torch.equal(value, original[name]) for name, value in model.state_dict().items())
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"text_projection.linear1.weight": None}, "text_projection.linear1.weight"),
        ({"adapter.weight": torch.ones(2)}, "adapter.weight"),
        ({"text_projection.linear1.weight": torch.ones(3, 3)}, "text_projection.linear1.weight"),
    ],
    ids=["missing", "unexpected", "shape"],
)
def test_a_folder_with_other_tensors_than_its_configuration_is_refused_by_the_first(
    folder: Path, change: dict[str, torch.Tensor | None], named: str
) -> None:
    with pytest.raises(
        WeightsError, match=r"tensors are not those of its config\.json|not readable as a CLAP"
    ) as caught:
        read_folder(rewritten(folder, change))
    message = str(caught.value)
    assert message.startswith(f"{folder}: ")
    assert message.endswith("copy or fetch the whole folder again")
    if "those of its config" in message:
        assert named in message


def test_buffers_that_the_network_computes_may_be_there_or_not(folder: Path, saved: Path) -> None:
    name = "text_model.embeddings.position_ids"
    _, _, expected = read_folder(saved)
    assert read_folder(rewritten(folder, {name: None}))[2] == expected
    assert read_folder(rewritten(folder, {name: torch.arange(80)[None]}))[2] == expected


@pytest.mark.parametrize("content", ["", "{", "[]", '"clap"', "null"])
def test_a_config_that_is_no_object_is_refused_by_name(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(WeightsError, match=r"config\.json") as caught:
        read_folder(folder)
    assert "\n" not in str(caught.value)


def test_unexpected_tensors_are_allowed_only_by_their_ending(folder: Path) -> None:
    from transformers import ClapConfig, ClapModel

    rewritten(folder, {"head.extra_scale": torch.ones(1)})
    buffers = ("position_ids", "token_type_ids")
    read_transformers(folder, ClapConfig, ClapModel, extra=("extra_scale", *buffers), missing=buffers)
    with pytest.raises(WeightsError, match=r"'head\.extra_scale' first"):
        read_transformers(folder, ClapConfig, ClapModel, extra=("scale_extra", *buffers), missing=buffers)


@pytest.mark.parametrize(
    "stated",
    [{"sampling_rate": 44100}, {"fft_window_size": 2048}, {"hop_length": 320}, {"feature_size": 80}],
    ids=lambda stated: next(iter(stated)),
)
def test_a_front_end_of_other_sizes_is_refused_with_ours(tmp_path: Path, stated: dict[str, int]) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    with pytest.raises(WeightsError, match=r"another front end than 48 kHz, window 1024, hop 480, 64 bands, without"):
        read_front_end(tmp_path, fusion=False)


@pytest.mark.parametrize("content", ["{", "[]", '{"frequency_min": "low"}', '{"frequency_max": null}'])
def test_a_front_end_that_is_not_readable_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json.*copy or fetch the whole folder again"):
        read_front_end(tmp_path, fusion=False)


def test_a_front_end_takes_the_corners_that_are_stated(tmp_path: Path) -> None:
    trained = read_front_end(tmp_path, fusion=True)  # nothing is stated: that of the training
    assert (trained.fmin, trained.fmax, trained.scale) == (50, 14000, "htk")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"frequency_min": 0, "frequency_max": 20000}))
    front = read_front_end(tmp_path, fusion=False)
    assert (front.fmin, front.fmax, front.scale) == (0, 20000, "slaney")
    grid = np.arange(513) * 48000 / 1024
    assert front.filters()[(grid > 14000) & (grid < 19000)].any()


@pytest.fixture
def nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv(DOWNLOAD, raising=False)
    monkeypatch.setitem(weights.CHECKPOINTS, "clap-laion-audio", ClapCheckpoint("best.pt", 16))


@pytest.mark.usefixtures("nothing_cached")
def test_a_checkpoint_that_the_laion_clap_package_downloaded_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path / "empty"), str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package if name == "laion_clap" else None)
    with pytest.raises(WeightsError, match=r"best\.pt is neither in the Hugging Face cache nor in the laion_clap"):
        find("clap-laion-audio", None)
    (tmp_path / "best.pt").touch()
    assert find("clap-laion-audio", None) == tmp_path / "best.pt"


@pytest.mark.usefixtures("nothing_cached")
def test_a_checkpoint_is_fetched_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def fetched(repository: str, names: list[str], *, command: str) -> Path:
        asked.append((repository, names, command))
        return tmp_path

    monkeypatch.setattr(weights, "hub_download", fetched)
    with pytest.raises(WeightsError, match="clipsonic-eval weights clap-laion-audio --fetch"):
        find("clap-laion-audio", None)
    assert not asked
    assert find("clap-laion-audio", None, download=True) == tmp_path / "best.pt"
    monkeypatch.setenv(DOWNLOAD, "1")
    assert find("clap-laion-audio", None) == tmp_path / "best.pt"
    assert asked == [("lukewys/laion_clap", ["best.pt"], "'hf download lukewys/laion_clap best.pt'")] * 2


def test_checkpoints_differ_in_file_and_only_one_fuses() -> None:
    assert len({known.file for known in CHECKPOINTS.values()}) == len(CHECKPOINTS) == 4
    assert [name for name, known in CHECKPOINTS.items() if known.fusion] == ["clap-laion-fusion"]
    assert all(len(known.sha256) in (0, 64) for known in CHECKPOINTS.values())
