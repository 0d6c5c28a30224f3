"""CLAP from LAION's own files against the laion_clap package, weights equal and random, front end included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.types import Clip

KINDS = {"tiny": ("HTSAT-tiny", False), "fusion": ("HTSAT-tiny", True), "base": ("HTSAT-base", False)}


@pytest.fixture(scope="module")
def package() -> Iterator[Any]:
    """The package; what it would fetch from a hub is made here instead, its networks are untouched."""
    from transformers import BartTokenizer, BertTokenizer, RobertaConfig, RobertaModel, RobertaTokenizer

    def roberta(*_: Any, **__: Any) -> RobertaModel:
        sizes = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
        return RobertaModel(RobertaConfig(**sizes))

    with pytest.MonkeyPatch.context() as patch:
        for tokenizer in (BartTokenizer, BertTokenizer, RobertaTokenizer):
            patch.setattr(tokenizer, "from_pretrained", lambda *_, **__: None)
        patch.setattr(RobertaModel, "from_pretrained", roberta)
        import laion_clap

        yield laion_clap


@pytest.fixture(scope="module", params=list(KINDS))
def pair(request: pytest.FixtureRequest, package: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Their module, and its tensors as a file like the published ones."""
    size, fusion = KINDS[request.param]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = package.CLAP_Module(enable_fusion=fusion, device="cpu", amodel=size)
        constants = ("extractor", "attn_mask", "position_ids")
        for name, value in module.model.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(-30 if ".bn0." in name else 0, 0.3)
            elif name.endswith("running_var"):
                value.uniform_(200, 400) if ".bn0." in name else value.uniform_(0.5, 2)
            elif value.is_floating_point() and value.ndim and not any(part in name for part in constants):
                value.add_(0.02 * torch.randn_like(value))
    module.eval()
    path = tmp_path_factory.mktemp(request.param) / "weights.pt"
    state = {f"module.{name}": value for name, value in module.model.state_dict().items()}
    torch.save({"epoch": 1, "best": np.float64(1), "state_dict": state}, path, pickle_protocol=4)
    return module, path


def sound(key: str, seconds: float) -> Clip:
    rng = np.random.default_rng(len(key) + round(seconds * 100))
    n = round(seconds * 48000)
    swell = 0.05 + 0.4 * np.abs(np.sin(np.arange(n) / 48000 * 2))
    return Clip(key, (swell * rng.standard_normal((1, n))).clip(-1.2, 1.2).astype(np.float32), 48000)


@pytest.mark.parametrize("backend", ["transformers", "laion-clap"])
def test_sounds_up_to_ten_seconds(pair: tuple[Any, Path], backend: str) -> None:
    module, path = pair
    clips = [sound("a", 3), sound("b", 4.7), sound("c", 10)]
    with torch.no_grad():
        wanted = np.concatenate([module.get_audio_embedding_from_data(x=c.samples) for c in clips])
    found = ENCODERS["clap-laion"](path, backend=backend).audio(clips)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3  # the weights tell sounds apart
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("seconds", [10.003, 23.1])
def test_long_sounds_by_random_crops(pair: tuple[Any, Path], seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import transforms

    module, path = pair
    ours = ENCODERS["clap-laion"](path, truncation="random")
    clip = sound("long", seconds)
    # torchvision did not smooth when LAION trained, and does now: the older behaviour is the one that we follow
    resize = transforms.Resize
    monkeypatch.setattr(transforms, "Resize", lambda size: resize(size, antialias=False))
    rule = ours._windowing
    np.random.seed(rule.content_seed(rule.quantised(clip.samples[0])))  # noqa: NPY002
    with torch.no_grad():
        wanted = module.get_audio_embedding_from_data(x=clip.samples)
    np.testing.assert_allclose(ours.audio([clip]), wanted, atol=1e-6)
    theirs = ENCODERS["clap-laion"](path, truncation="random", backend="laion-clap")
    np.testing.assert_allclose(theirs.audio([clip]), wanted, atol=1e-6)


@pytest.mark.parametrize("backend", ["transformers", "laion-clap"])
def test_texts(pair: tuple[Any, Path], backend: str) -> None:
    module, path = pair
    ids = torch.randint(5, 50265, (5, 77), generator=torch.Generator().manual_seed(0))
    for row, length in enumerate((3, 10, 77, 5, 20)):
        ids[row, 0] = 0
        ids[row, length - 1] = 2
        ids[row, length:] = 1
    given = {"input_ids": ids, "attention_mask": (ids != 1).long()}
    with torch.no_grad():
        wanted = module.get_text_embedding([""], tokenizer=lambda _: given)
        found = ENCODERS["clap-laion"](path, backend=backend)._network.texts(ids).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_samples_that_do_not_go_through_integers(pair: tuple[Any, Path]) -> None:
    module, path = pair
    clip = sound("a", 10)
    with torch.no_grad():
        wanted = module.get_audio_embedding_from_data(x=torch.from_numpy(clip.samples), use_tensor=True).numpy()
    np.testing.assert_allclose(ENCODERS["clap-laion"](path, int16=False).audio([clip]), wanted, atol=1e-6)
