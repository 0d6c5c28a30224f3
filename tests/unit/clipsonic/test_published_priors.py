"""Published priors: a small pipeline folder of diffusers is imported and draws as diffusers' own pipeline does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from diffusers import KandinskyPriorPipeline, PriorTransformer, UnCLIPScheduler
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPTextModelWithProjection, CLIPTokenizer
from unit.encoders import clip_folder

from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.model import MelDiffusion
from clipsonic.networks import NetworkConfig, build
from clipsonic.prior.data import PairSource
from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.published import import_prior
from clipsonic.training.config import PriorTrainingConfig
from clipsonic.training.fine_tuning import prior_parent
from clipsonic_eval import licences
from clipsonic_eval.cli import main
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import ConfigError, SpaceError, UserError, WeightsError
from clipsonic_eval.seeds import derive
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Query

D = clip_folder.WIDTH
TEXTS = ["a photo of a dog", "cat"]
SEEDS = [3, 8]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A CLIP folder, and a pipeline folder with a prior in its space."""
    root = tmp_path_factory.mktemp("published")
    clip = clip_folder.write(root / "clip", projection=D)
    torch.manual_seed(0)
    prior = PriorTransformer(
        num_attention_heads=2, attention_head_dim=8, num_layers=2, embedding_dim=D, num_embeddings=clip_folder.PLACES
    )
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        prior.clip_mean.copy_(0.1 * torch.randn(1, D))
        prior.clip_std.copy_(torch.rand(1, D) + 0.5)
    prior.save_pretrained(root / "karlo" / "prior")
    scheduler = UnCLIPScheduler(
        variance_type="fixed_small_log", prediction_type="sample", num_train_timesteps=1000, clip_sample_range=5.0
    )
    scheduler.save_pretrained(root / "karlo" / "prior_scheduler")
    return clip, root / "karlo"


@pytest.fixture(scope="module")
def imported(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> DiffusionPrior:
    clip, karlo = folders
    out = import_prior(karlo, tmp_path_factory.mktemp("out") / "p", encoder="clip-transformers", encoder_weights=clip)
    return DiffusionPrior.load(out)


def text_tower(clip: Path) -> CLIPTextModelWithProjection:
    """The text tower of a CLIP folder as pipelines hold it."""
    whole = CLIPModel.from_pretrained(clip)
    config = whole.config.text_config
    config.projection_dim = D
    tower = CLIPTextModelWithProjection(config)
    tensors = {k: v for k, v in whole.state_dict().items() if k.startswith("text")}
    tower.load_state_dict(tensors)
    return tower.eval()


def of_diffusers(folders: tuple[Path, Path], guidance: float, steps: int) -> torch.Tensor:
    clip, karlo = folders
    pipeline = KandinskyPriorPipeline(
        prior=PriorTransformer.from_pretrained(karlo / "prior"),
        image_encoder=None,  # type: ignore[arg-type]
        text_encoder=text_tower(clip),
        tokenizer=CLIPTokenizer.from_pretrained(clip),
        scheduler=UnCLIPScheduler.from_pretrained(karlo / "prior_scheduler"),
        image_processor=None,  # type: ignore[arg-type]
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.get_zero_embed = lambda *_, **__: torch.zeros(1, D)  # type: ignore[method-assign]  # of an image encoder
    generators = [torch.Generator().manual_seed(derive(s, "0", "prior-candidate")) for s in SEEDS]
    found = pipeline(TEXTS, num_inference_steps=steps, guidance_scale=guidance, generator=generators)
    return torch.nn.functional.normalize(found.image_embeds, dim=1)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_draws_are_those_of_diffusers_pipeline(
    folders: tuple[Path, Path], imported: DiffusionPrior, guidance: float
) -> None:
    clip: Any = load_encoder("clip-transformers", folders[0])
    drawn = imported.sample(
        clip.text_projected(TEXTS),
        SEEDS,
        steps=12,
        guidance=guidance,
        tokens=clip.text_tokens(TEXTS),
        empty=(clip.text_projected([""]), clip.text_tokens([""])),
    )
    expected = of_diffusers(folders, guidance, 12).numpy()
    np.testing.assert_allclose(drawn, expected, atol=2e-3)  # the last step of their scheduler cancels in float32
    assert np.abs(expected[0] - expected[1]).max() > 0.05


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_pd_hands_the_prior_what_it_was_trained_with(
    folders: tuple[Path, Path], imported: DiffusionPrior, tmp_path: Path, guidance: float
) -> None:
    clip: Any = load_encoder("clip-transformers", folders[0])
    network = build(
        NetworkConfig("unet1d", {"channels": (16, 24), "groups": 4}), n_mels=64, frames=32, condition_dim=D, seed=0
    )
    card = {
        "condition": {"kind": "image", "space": as_tree(clip.card)},
        "log_mel_range": {"low": [-11.0], "high": [1.0]},
    }
    model = MelDiffusion(network, MelConfig(mean=(-5.0,), std=(2.0,)), DiffusionConfig(), card).save(tmp_path / "model")
    encoder = {"encoder": "clip-transformers", "encoder_weights": str(folders[0])}
    prior = {"prior": str(imported.save(tmp_path / "prior")), "prior_steps": 12, "prior_guidance": guidance}
    system: Any = resolve("clipsonic.systems:PriorGuided", {"model": str(model), **encoder, **prior})
    found = system.conditions([Query(f"{i}", text) for i, text in enumerate(TEXTS)], SEEDS)
    np.testing.assert_allclose(found, of_diffusers(folders, guidance, 12).numpy(), atol=2e-3)


def test_the_licence_of_a_published_prior_is_told_when_it_loads(
    imported: DiffusionPrior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = imported.save(tmp_path / "prior")
    monkeypatch.setattr(licences, "_told", set())
    with caplog.at_level("INFO", licences.LOGGER.name):
        DiffusionPrior.load(folder)
    (record,) = caplog.records
    assert record.getMessage() == f"prior: published weights, licence {imported.card['data']['licence']}, {folder}"


def test_training_on_from_a_published_prior_is_refused(imported: DiffusionPrior, tmp_path: Path) -> None:
    folder = imported.save(tmp_path / "prior")
    config = PriorTrainingConfig(data=PairSource(images=tmp_path), init_from=folder)
    with pytest.raises(ConfigError, match="it can be sampled, not trained on"):
        prior_parent(config, imported.card["space"])


def test_guidance_needs_the_empty_text(folders: tuple[Path, Path], imported: DiffusionPrior) -> None:
    clip: Any = load_encoder("clip-transformers", folders[0])
    with pytest.raises(ConfigError, match="guidance needs the embedding of the empty text"):
        imported.sample(clip.text_projected(TEXTS), SEEDS, guidance=4.0, tokens=clip.text_tokens(TEXTS))


def test_projected_texts_are_those_of_transformers_and_unit_vectors_their_directions(
    folders: tuple[Path, Path],
) -> None:
    clip: Any = load_encoder("clip-transformers", folders[0])
    network = text_tower(folders[0])
    tokens = CLIPTokenizer.from_pretrained(folders[0])(TEXTS, padding="max_length", return_tensors="pt")
    with torch.inference_mode():
        expected = network(tokens.input_ids).text_embeds.numpy()
    found = clip.text_projected(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found / np.linalg.norm(found, axis=1, keepdims=True), clip.text(TEXTS), atol=1e-6)


def test_the_command_writes_a_folder_with_the_space_on_its_card(folders: tuple[Path, Path], tmp_path: Path) -> None:
    clip, karlo = folders
    words = ["import-prior", str(karlo), "--encoder", "clip-transformers", "--weights", str(clip)]
    done = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "p")])
    assert done.exit_code == 0, done.output
    assert "in the space of clip-transformers" in done.output
    card = json.loads((tmp_path / "p" / "card.json").read_text())
    assert (card["text"], card["null"], card["data"]["kind"]) == ("raw", "empty text", "published")
    assert card["space"]["dim"] == D
    again = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "p"), "--json"])
    assert json.loads(again.stdout)["parameters"] == card["parameters"]


def test_what_is_no_prior_of_that_clip_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    clip, karlo = folders
    with pytest.raises(UserError, match="give the folder of an unCLIP pipeline"):
        import_prior(tmp_path, tmp_path / "p", encoder="toy-clip")
    with pytest.raises(SpaceError, match="takes hidden states of CLIP, which toy-clip lacks"):
        import_prior(karlo, tmp_path / "p", encoder="toy-clip")
    other = clip_folder.write(tmp_path / "clip")
    with pytest.raises(SpaceError, match="takes embeddings of 32 dimensions and 77 hidden states, but clip"):
        import_prior(karlo, tmp_path / "p", encoder="clip-transformers", encoder_weights=other)
    alone = tmp_path / "alone"
    PriorTransformer.from_pretrained(karlo / "prior").save_pretrained(alone / "prior")
    with pytest.raises(WeightsError, match="has neither prior_scheduler nor scheduler"):
        import_prior(alone, tmp_path / "p", encoder="clip-transformers", encoder_weights=clip)
    UnCLIPScheduler(prediction_type="epsilon").save_pretrained(alone / "scheduler")
    with pytest.raises(WeightsError, match="predicts epsilon, a prior predicts 'sample'"):
        import_prior(alone, tmp_path / "p", encoder="clip-transformers", encoder_weights=clip)


def test_damaged_priors_of_diffusers_give_a_sentence_with_the_mend(folders: tuple[Path, Path], tmp_path: Path) -> None:
    clip, karlo = folders
    folder = tmp_path / "karlo"
    shutil.copytree(karlo, folder)
    weights = folder / "prior" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()

    def imported() -> None:
        import_prior(folder, tmp_path / "p", encoder="clip-transformers", encoder_weights=clip)

    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"prior: the weights do not fit .*; copy or fetch the whole folder again"):
        imported()
    tensors = load_file(karlo / "prior" / weights.name)
    del tensors["proj_in.weight"]
    save_file(tensors, weights)
    with pytest.raises(WeightsError, match=r"lacks tensors of the network \('proj_in.weight' first\); copy or fetch"):
        imported()
    weights.write_bytes(whole)
    (folder / "prior" / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"prior: the weights do not fit .*; copy or fetch the whole folder again"):
        imported()
