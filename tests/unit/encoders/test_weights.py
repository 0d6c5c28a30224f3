"""Weight files: hashes in names, networks filled from tensors, the caches of torch.hub and the Hugging Face hub."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.weight_files import (
    DOWNLOAD,
    check_hash_in_name,
    fill_network,
    hub_file,
    may_download,
    tensors_in,
    tensors_sha256,
    torch_hub,
)

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def linear() -> nn.Module:
    return nn.Linear(3, 2)


def tensors() -> dict[str, torch.Tensor]:
    return {"weight": torch.arange(6.0, dtype=torch.float64).reshape(2, 3), "bias": torch.ones(2, dtype=torch.float16)}


@pytest.mark.parametrize("name", [f"net-{DIGEST[:8]}.pth", "net.pth", "net-12345678.safetensors"])
def test_a_file_with_the_hash_of_its_name_or_none_passes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENT)
    check_hash_in_name(path, "fetch it again")


def test_a_file_with_another_hash_than_its_name_is_refused_with_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "net-00000000.pth"
    path.write_bytes(CONTENT)
    with pytest.raises(WeightsError, match=r"net-00000000\.pth: its sha256 does not begin with 00000000 .*; fetch it"):
        check_hash_in_name(path, "fetch it again")


def test_a_link_into_the_hubs_cache_has_the_hash_of_its_blob(tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    (blobs / DIGEST).write_bytes(CONTENT)
    link = tmp_path / "model.safetensors"
    link.symlink_to(blobs / DIGEST)
    check_hash_in_name(link, "copy it again")
    (blobs / DIGEST).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=f"does not begin with {DIGEST[:8]}"):
        check_hash_in_name(link, "copy it again")


def test_a_network_is_filled_in_float32_and_frozen() -> None:
    network = fill_network(linear, tensors(), Path("a.pt"), named="two tensors", fix="fetch it")
    assert not network.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())
    assert network(torch.ones(1, 3)).tolist() == [[4.0, 13.0]]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bias": None}, "bias"),
        ({"extra": torch.ones(1)}, "extra"),
        ({"weight": torch.ones(2, 4)}, "weight"),
    ],
)
def test_tensors_that_do_not_fit_are_named(change: dict[str, torch.Tensor | None], named: str) -> None:
    found = {k: v for k, v in {**tensors(), **change}.items() if v is not None}
    with pytest.raises(WeightsError, match=rf"a\.pt: these are not two tensors \({named}\); fetch it"):
        fill_network(linear, found, Path("a.pt"), named="two tensors", fix="fetch it")


def test_the_hash_of_tensors_depends_on_names_shapes_and_values_and_not_on_order_or_precision() -> None:
    one = tensors_sha256(tensors())
    assert one == tensors_sha256(dict(reversed(tensors().items())))
    assert one == tensors_sha256({k: v.double() for k, v in tensors().items()})
    others = (
        {**tensors(), "bias": torch.zeros(2)},
        {**tensors(), "weight": tensors()["weight"].reshape(3, 2)},
        {"weight": tensors()["weight"], "offset": tensors()["bias"]},
    )
    assert len({one, *map(tensors_sha256, others)}) == 4


def test_where_torch_hub_keeps_files_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert torch_hub() == tmp_path / "hub" / "checkpoints"
    monkeypatch.delenv("TORCH_HOME")
    assert torch_hub().is_relative_to(Path.home())


@pytest.mark.parametrize(
    ("variable", "asked", "may"), [("1", None, True), ("0", None, False), ("1", False, False), ("", True, True)]
)
def test_downloads_happen_only_if_asked_for(
    monkeypatch: pytest.MonkeyPatch, variable: str, asked: bool | None, may: bool
) -> None:
    monkeypatch.setenv(DOWNLOAD, variable)
    assert may_download(asked) is may


def test_a_file_that_is_not_in_the_cache_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub_file("nobody/nothing", "weights.pt") is None


def test_safetensors_are_preferred_to_pickles(tmp_path: Path) -> None:
    assert tensors_in(tmp_path) == ""
    (tmp_path / "pytorch_model.bin").touch()
    assert tensors_in(tmp_path) == "bin"
    (tmp_path / "model.safetensors.index.json").touch()
    assert tensors_in(tmp_path) == "safetensors"
