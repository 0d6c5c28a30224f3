from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from clipsonic import model_folder
from clipsonic.diffusion import DiffusionConfig
from clipsonic.networks import NetworkConfig, build
from clipsonic.networks.unet1d import UNet1D
from clipsonic.samplers import training_scheduler
from clipsonic_eval.errors import UserError, WeightsError

FILES = model_folder.parts("net", "extra.json")


def network() -> Any:
    options = {"channels": (8, 8), "embedding": 8, "groups": 4, "heads": 0}
    return build(NetworkConfig("unet1d", options), n_mels=8, frames=8, condition_dim=4, seed=0)


def write(folder: Path, card: dict[str, Any] | None = None) -> Path:
    scheduler = training_scheduler(DiffusionConfig())
    card = {"seed": 3} if card is None else card
    return model_folder.write(folder, "Kind", "net", network(), ("ours", "unet1d"), scheduler, card, extra={"a": 1})


def test_a_folder_holds_its_parts_and_an_index_of_their_classes(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {*FILES, "model_index.json", "SHA256SUMS"}
    assert model_folder.read_index(folder, "Kind") == {
        "_class_name": "Kind",
        "format": 1,
        "net": ["ours", "unet1d"],
        "scheduler": ["diffusers", "DDPMScheduler"],
    }
    assert json.loads((folder / "extra.json").read_text()) == {"a": 1}


def test_the_card_names_the_weights_and_counts_the_parameters(tmp_path: Path) -> None:
    card: dict[str, Any] = {"seed": 3}
    folder = write(tmp_path / "m", card)
    assert model_folder.read_checked_card(folder, FILES) == card
    assert card["parameters"] == sum(t.numel() for t in load_file(folder / FILES[0]).values())
    assert len(card["weights_sha256"]) == 64


def test_a_network_comes_back_to_the_bit(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    again = model_folder.read_network(UNet1D, folder / "net")
    assert all((a == b).all() for a, b in zip(network().parameters(), again.parameters(), strict=True))


def test_a_folder_that_is_written_again_is_incomplete_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "m")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(model_folder, "write_sums", stop)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "m")
    with pytest.raises(UserError, match=r"no model_index\.json here"):
        model_folder.read_index(folder, "Kind")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"_class_name": "Other", "format": 1}, "holds a model of kind Other, but Kind is needed"),
        ({"_class_name": "Kind", "format": 7}, "format 7, but this release reads 1"),
        ([], "holds a model of kind None"),
    ],
)
def test_an_index_of_something_else_is_refused(tmp_path: Path, index: Any, message: str) -> None:
    folder = write(tmp_path / "m")
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=message):
        model_folder.read_index(folder, "Kind")


def test_weights_of_another_model_are_refused_even_with_good_sums(tmp_path: Path) -> None:
    from clipsonic_eval.hashing import write_sums

    folder = write(tmp_path / "m")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "weights_sha256": "0" * 64}))
    write_sums(folder, FILES)
    with pytest.raises(WeightsError, match=r"but card\.json names 000000000000…; it belongs to another model"):
        model_folder.read_checked_card(folder, FILES)


def test_weights_that_do_not_fit_their_configuration_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    config = json.loads((folder / "net" / "config.json").read_text())
    (folder / "net" / "config.json").write_text(json.dumps({**config, "embedding": 16}))
    with pytest.raises(WeightsError, match="net: the weights do not fit the network"):
        model_folder.read_network(UNet1D, folder / "net")
