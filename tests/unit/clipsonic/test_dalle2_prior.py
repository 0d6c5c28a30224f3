"""LAION's prior: its published files are imported, drawn from, and refused in sentences where they are something else.

That network and draws are those of the package dalle2-pytorch is judged in tests/reference/test_dalle2_prior.py; the
numbers below are its.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from unit.clipsonic import dalle2_files
from unit.encoders import clip_folder

from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.model import MelDiffusion
from clipsonic.networks import NetworkConfig, build
from clipsonic.prior.dalle2 import Dalle2Prior
from clipsonic.prior.data import PairSource
from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import predict_x0
from clipsonic.prior.published import dalle2_folder, import_prior
from clipsonic.training.config import PriorTrainingConfig
from clipsonic.training.fine_tuning import prior_parent
from clipsonic_eval.cli import main
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import ConfigError, SpaceError, UserError, WeightsError
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Query

D = 32
TEXTS = ["a photo of a dog", "cat"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder.write(tmp_path_factory.mktemp("clip") / "clip", projection=D)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A download of the repository: a card, and the prior in a folder of its own."""
    root = tmp_path_factory.mktemp("published")
    (root / "README.md").write_text("---\nlicense: mit\n---\n# Priors\n")
    dalle2_files.write(root / "prior")
    return root


@pytest.fixture(scope="module")
def imported(clip: Path, published: Path, tmp_path_factory: pytest.TempPathFactory) -> DiffusionPrior:
    out = tmp_path_factory.mktemp("imported") / "p"
    return DiffusionPrior.load(import_prior(published, out, encoder="clip-transformers", encoder_weights=clip))


def into(folder: Path, clip: Path) -> DiffusionPrior:
    out = import_prior(folder, folder / "out", encoder="clip-transformers", encoder_weights=clip)
    return DiffusionPrior.load(out)


def predicted(prior: DiffusionPrior) -> torch.Tensor:
    asked = dalle2_files.request()
    texts = prior.conditions(asked["text"].numpy(), (asked["tokens"].numpy(), asked["mask"].numpy()))
    with torch.no_grad():
        return predict_x0(prior.network, asked["x"], asked["t"], texts)


def test_predictions_are_the_packages_numbers(imported: DiffusionPrior) -> None:
    torch.testing.assert_close(predicted(imported)[:, :4], dalle2_files.PREDICTED, atol=5e-5, rtol=1e-4)


def test_at_laions_size_it_has_as_many_weights_as_others_have_counted() -> None:
    """101,894,016 trainable weights with 256 places (code of MindEye); two vectors of guidance are not read here."""
    with torch.device("meta"):
        network = Dalle2Prior(max_text_len=256)
    assert sum(p.numel() for p in network.parameters()) == 101_894_016 - 2 * 768


def test_a_draw_depends_on_its_text_and_seed_and_has_norm_1(clip: Path, imported: DiffusionPrior) -> None:
    encoder: Any = load_encoder("clip-transformers", clip)
    text, tokens = encoder.text(TEXTS), encoder.text_tokens(TEXTS)
    drawn = imported.sample(7.0 * text, [3, 8], steps=5, tokens=tokens)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1.0, atol=1e-6)
    alone = imported.sample(text[1:], [8], steps=5, tokens=(tokens[0][1:], tokens[1][1:]))
    np.testing.assert_allclose(alone[0], drawn[1], atol=1e-5)
    other = imported.sample(text, [4, 8], steps=5, tokens=tokens)
    assert np.abs(other[0] - drawn[0]).max() > 2e-5  # random weights look at the noise little
    assert np.abs(other[1] - drawn[1]).max() < 2e-6


def test_places_without_text_hold_learned_vectors_whatever_the_encoder_gives_there(imported: DiffusionPrior) -> None:
    asked = dalle2_files.request()
    noisy = torch.where(asked["mask"][..., None], asked["tokens"], torch.full((1,), 9.0))
    found = imported.network(asked["x"], asked["t"], asked["text"], noisy, asked["mask"]).predicted_image_embedding
    torch.testing.assert_close(found, predicted(imported))


def test_the_card_names_layout_licence_and_what_guidance_may_be(imported: DiffusionPrior) -> None:
    assert imported.card["data"]["layout"] == "dalle2-pytorch"
    assert imported.card["data"]["licence"] == "mit"
    assert (imported.card["text"], imported.card["null"]) == ("unit", "none")
    in_the_signature = imported.identity(steps=64, guidance=1.0, candidates=2)
    assert in_the_signature["data"] == imported.card["data"]
    assert [in_the_signature[name] for name in ("steps", "guidance", "candidates")] == [64, 1.0, 2]


def test_guidance_other_than_1_is_refused_before_anything_is_sampled(
    clip: Path, imported: DiffusionPrior, tmp_path: Path
) -> None:
    network = build(
        NetworkConfig("unet1d", {"channels": (16, 24), "groups": 4}), n_mels=64, frames=32, condition_dim=D, seed=0
    )
    card = {
        "condition": {"kind": "image", "space": imported.card["space"]},
        "log_mel_range": {"low": [-11.0], "high": [1.0]},
    }
    model = MelDiffusion(network, MelConfig(mean=(-5.0,), std=(2.0,)), DiffusionConfig(), card).save(tmp_path / "model")
    settings = {
        "model": str(model), "encoder": "clip-transformers", "encoder_weights": str(clip), "prior_steps": 4,
        "prior": str(imported.save(tmp_path / "prior")),
    }  # fmt: skip
    with pytest.raises(ConfigError, match="came without a null condition, so its guidance must be 1, got 4"):
        resolve("clipsonic.systems:PriorGuided", {**settings, "prior_guidance": 4})
    system: Any = resolve("clipsonic.systems:PriorGuided", settings)
    found = system.conditions([Query(f"{i}", text) for i, text in enumerate(TEXTS)], [3, 8])
    encoder: Any = load_encoder("clip-transformers", clip)
    drawn = imported.sample(encoder.text(TEXTS), [3, 8], steps=4, tokens=encoder.text_tokens(TEXTS))
    np.testing.assert_allclose(found, drawn, atol=1e-6)
    assert system.card()["prior"]["data"]["licence"] == "mit"


def test_training_on_from_it_is_refused(imported: DiffusionPrior, tmp_path: Path) -> None:
    config = PriorTrainingConfig(data=PairSource(images=tmp_path), init_from=imported.save(tmp_path / "prior"))
    with pytest.raises(ConfigError, match="it can be sampled, not trained on"):
        prior_parent(config, imported.card["space"])


def test_the_command_finds_the_layout_and_says_the_licence(clip: Path, published: Path, tmp_path: Path) -> None:
    words = ["import-prior", str(published), "--encoder", "clip-transformers", "--weights", str(clip)]
    done = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "p")])
    assert done.exit_code == 0, done.output
    assert "layout: dalle2-pytorch, licence: mit" in done.output
    again = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "p"), "--json"])
    assert json.loads(again.stdout)["licence"] == "mit"


def test_without_a_readme_the_licence_is_not_guessed(clip: Path, tmp_path: Path) -> None:
    folder = dalle2_files.write(tmp_path / "a" / "prior")
    assert into(folder, clip).card["data"]["licence"] == "not stated in the folder"


def test_averaged_weights_of_a_training_checkpoint_and_the_name_of_earlier_releases_are_read(
    clip: Path, imported: DiffusionPrior, tmp_path: Path
) -> None:
    folder = dalle2_files.write(tmp_path / "prior")
    tensors = dalle2_files.published_tensors()
    tensors["net.null_text_embed"] = tensors.pop("net.null_text_encodings")
    raw = {name: value + 1.0 for name, value in tensors.items()}
    (folder / "best.pth").unlink()
    torch.save({"model": raw, "ema_model": tensors, "step": torch.tensor([7])}, folder / "latest.pth")
    torch.testing.assert_close(predicted(into(folder, clip)), predicted(imported))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"predict_v": True}, "prior.predict_v is True, but only priors with False"),
        ({"beta_schedule": "linear"}, "prior.beta_schedule is linear, but only priors with cosine"),
        ({"sampling_clamp_l2norm": True}, "prior.sampling_clamp_l2norm is True"),
        ({"num_timesteps": None}, "net.num_timesteps is None, but only priors with 40"),
        ({"num_time_embeds": 2}, "net.num_time_embeds is 2, but only priors with 1"),
        ({"depth": 3}, "best.pth: these are not the tensors that prior_config.json beside them describes"),
    ],
)
def test_settings_that_are_not_supported_are_named(
    clip: Path, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    folder = dalle2_files.write(tmp_path / "prior", **changes)
    with pytest.raises(WeightsError, match=sentence):
        into(folder, clip)


def test_damaged_files_give_a_sentence_with_the_mend(clip: Path, tmp_path: Path) -> None:
    folder = dalle2_files.write(tmp_path / "prior")
    whole = (folder / "best.pth").read_bytes()
    (folder / "best.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"best.pth: not readable as tensors alone .*; copy or fetch the whole"):
        into(folder, clip)
    tensors = dalle2_files.published_tensors()
    del tensors["net.null_text_encodings"]
    torch.save(tensors, folder / "best.pth")
    with pytest.raises(WeightsError, match=r"holds no net.null_text_encodings, .* use the best.pth of laion"):
        into(folder, clip)
    tensors = dalle2_files.published_tensors()
    name = "net.causal_transformer.layers.1.0.rotary_emb.freqs"
    tensors[name] = tensors[name] + 1.0
    torch.save(tensors, folder / "best.pth")
    with pytest.raises(WeightsError, match="its layers have different rotary frequencies"):
        into(folder, clip)
    (folder / "best.pth").rename(folder / "first.pth")
    torch.save(tensors, folder / "second.pth")
    with pytest.raises(WeightsError, match=r"needs best.pth or one other .pth .*, found first.pth, second.pth"):
        into(folder, clip)
    (folder / "prior_config.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"says nothing of prior.net.dim and prior.net.depth"):
        into(folder, clip)


def test_another_clip_than_the_settings_name_is_refused(published: Path, clip: Path, tmp_path: Path) -> None:
    other: Any = SimpleNamespace(name="clip-vit-b-32")
    with pytest.raises(
        SpaceError, match="trained with ViT-L/14, but clip-vit-b-32 is named; give --encoder clip-vit-l"
    ):
        dalle2_folder.read(published, other)
    narrow = clip_folder.write(tmp_path / "clip")
    with pytest.raises(SpaceError, match="takes embeddings of 32 dimensions and 77 hidden states, but clip"):
        import_prior(published, tmp_path / "p", encoder="clip-transformers", encoder_weights=narrow)
    with pytest.raises(UserError, match=r"no prior here; .* or one with prior_config.json and best.pth"):
        import_prior(clip, tmp_path / "p", encoder="clip-transformers", encoder_weights=clip)
