"""LAION's prior with equal weights against the package dalle2-pytorch, from its own files: network and draws."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from unit.clipsonic import dalle2_files
from unit.encoders import clip_folder

from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import predict_x0
from clipsonic.prior.published import import_prior
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.seeds import derive

# imported by the package for its decoder and its trainer, which nothing here calls
UNUSED = (
    "coca_pytorch", "ema_pytorch", "kornia", "kornia.augmentation", "kornia.filters", "pytorch_warmup", "resize_right",
    "vector_quantize_pytorch", "x_clip",
)  # fmt: skip
SEEDS = [3, 8]
SETTINGS = {
    "as published": {},
    "other norms": {"norm_in": True, "norm_out": False, "normformer": False},
    "bare": {"rotary_emb": False, "final_proj": False, "dim_head": 16},
    "more places than tokens": {"max_text_len": 90},
    "without hidden states": {"condition_on_text_encodings": False},
    "another scale": {"image_embed_scale": 3.0},
}


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in UNUSED:
        monkeypatch.setitem(sys.modules, name, MagicMock())
    return importlib.import_module("dalle2_pytorch.dalle2_pytorch")


def theirs(package: Any, folder: Path, changes: dict[str, Any]) -> Any:
    """Build the package's prior from its settings and write its files."""
    dalle2_files.write(folder, **changes)
    settings = json.loads((folder / "prior_config.json").read_text())["prior"]
    kept = {k: v for k, v in settings.items() if k not in {"clip", "net"}}
    prior = package.DiffusionPrior(package.DiffusionPriorNetwork(**settings["net"]), **kept).eval()
    shapes = {k.removeprefix("net."): tuple(v.shape) for k, v in prior.state_dict().items() if k.startswith("net.")}
    fixed = {name for name in shapes if name.endswith("freqs")}
    weights = dalle2_files.weights_by_name({k: v for k, v in shapes.items() if k not in fixed})
    prior.load_state_dict({f"net.{k}": v for k, v in weights.items()}, strict=False)
    torch.save(prior.state_dict(), folder / "best.pth")
    return prior


def ours(folder: Path, tmp_path: Path) -> DiffusionPrior:
    clip = clip_folder.write(tmp_path / "clip", projection=32)
    out = import_prior(folder, tmp_path / "out", encoder="clip-transformers", encoder_weights=clip)
    return DiffusionPrior.load(out)


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=list(SETTINGS))
def test_predictions_are_those_of_the_package(package: Any, tmp_path: Path, changes: dict[str, Any]) -> None:
    prior = theirs(package, tmp_path / "prior", changes)
    found = ours(tmp_path / "prior", tmp_path)
    asked = dalle2_files.request()
    tokens = (asked["tokens"], asked["mask"]) if prior.condition_on_text_encodings else None
    encodings = None if tokens is None else tokens[0].masked_fill(~tokens[1][..., None], 0.0)
    texts = found.conditions(asked["text"].numpy(), tokens and (tokens[0].numpy(), tokens[1].numpy()))
    with torch.no_grad():
        expected = prior.net(asked["x"], asked["t"], text_embed=asked["text"], text_encodings=encodings)
        predicted = predict_x0(found.network, asked["x"], asked["t"], texts)
    if not changes:
        torch.testing.assert_close(expected[:, :4], dalle2_files.PREDICTED, atol=2e-5, rtol=1e-4)
    assert float(expected.std()) > 0.05
    assert float((expected[0] - expected[1]).abs().max()) > 0.05
    torch.testing.assert_close(predicted, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["as published", "another scale"])
def test_draws_are_those_of_the_package(
    package: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = theirs(package, tmp_path / "prior", SETTINGS[name])
    found = ours(tmp_path / "prior", tmp_path)
    clip: Any = load_encoder("clip-transformers", tmp_path / "clip")
    texts = ["a photo of a dog", "cat"]
    tokens = clip.text_tokens(texts)
    drawn = found.sample(clip.text(texts), SEEDS, steps=40, tokens=tokens)

    generators = [torch.Generator().manual_seed(derive(seed, "0", "prior-candidate")) for seed in SEEDS]

    def noise(*_: Any, **__: Any) -> torch.Tensor:
        return torch.stack([torch.empty(32).normal_(generator=g) for g in generators])

    monkeypatch.setattr(torch, "randn", noise)
    monkeypatch.setattr(torch, "randn_like", noise)
    encodings = torch.from_numpy(tokens[0]).masked_fill(~torch.from_numpy(tokens[1])[..., None], 0.0)
    condition = {"text_embed": torch.from_numpy(clip.text(texts)), "text_encodings": encodings}
    expected = prior.p_sample_loop((2, 32), text_cond=condition)
    expected = torch.nn.functional.normalize(expected, dim=1).numpy()
    assert np.abs(expected[0] - expected[1]).max() > 0.05
    np.testing.assert_allclose(drawn, expected, atol=1e-4)
