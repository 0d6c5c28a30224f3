"""The backends of laion_clap and torchvggish, on stand-ins with the packages' interfaces."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from clipsonic_eval.encoders.clap import backends
from clipsonic_eval.encoders.clap.backends import LaionClap
from clipsonic_eval.encoders.clap.windows import WINDOW, Windowing
from clipsonic_eval.encoders.vggish import backends as vggish_backend
from clipsonic_eval.encoders.vggish.encoder import VggishEncoder
from clipsonic_eval.encoders.vggish.frontend import patches
from clipsonic_eval.encoders.vggish.network import Vggish
from clipsonic_eval.errors import ConfigError, WeightsError
from clipsonic_eval.types import Clip, EncoderCard

PATCHES = "audio_branch.patch_embed.proj.weight"
FUSION = "audio_branch.patch_embed.mel_conv2d.weight"
WORDS = "text_branch.embeddings.word_embeddings.weight"


class StandInModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


class StandInClap:
    """Answers with simple statistics, and draws from NumPy's global generator where laion_clap does."""

    def __init__(self, *, enable_fusion: bool, device: str, amodel: str) -> None:
        self.fusion, self.device, self.architecture = enable_fusion, device, amodel
        self.model, self.mode = StandInModel(), "train"

    def eval(self) -> None:
        self.mode = "eval"

    def get_audio_embedding_from_data(self, waves: list[torch.Tensor], *, use_tensor: bool) -> torch.Tensor:
        assert use_tensor
        starts = [np.random.randint(0, len(w) - WINDOW + 1) for w in waves]  # noqa: NPY002 # as the package
        return torch.stack([w[s : s + WINDOW].mean()[None] for w, s in zip(waves, starts, strict=True)])

    def get_text_embedding(self, texts: list[str], *, tokenizer: Any, use_tensor: bool) -> torch.Tensor:
        assert use_tensor
        tokens = tokenizer(texts)
        return (tokens["input_ids"] * tokens["attention_mask"]).sum(dim=1, keepdim=True)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("laion_clap")
    module.CLAP_Module = StandInClap  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "laion_clap", module)
    monkeypatch.setattr(backends, "version", lambda _: "1.1.7")


def tensors(width: int = 96, *, fusion: bool = False, scale: Any = (2.0,)) -> dict[str, torch.Tensor]:
    held = {PATCHES: torch.zeros(width, 1, 4, 4), WORDS: torch.zeros(50265, 8), "scale": torch.tensor(scale)}
    return {**held, FUSION: torch.zeros(1)} if fusion else held


def laion(**options: Any) -> LaionClap:
    return LaionClap(Path("a.pt"), tensors(**options), "cpu")


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(("width", "architecture"), [(96, "HTSAT-tiny"), (128, "HTSAT-base")])
def test_laion_claps_architecture_follows_from_the_width(width: int, architecture: str) -> None:
    network = laion(width=width)
    assert network._clap.architecture == architecture
    assert (network._clap.mode, float(network._clap.model.scale.detach())) == ("eval", 2.0)
    assert (network.dim, network.vocab_size, network.fusion) == (512, 50265, False)
    assert network.signature == "mel:its-own|text:roberta-bpe-50265|backend:laion-clap-1.1.7"
    assert laion(width=width, fusion=True)._clap.fusion


@pytest.mark.usefixtures("package")
def test_a_width_that_laion_clap_has_not_is_refused_with_the_fix() -> None:
    with pytest.raises(WeightsError, match=r"a\.pt: laion_clap has no network of width 16; take the default backend"):
        laion(width=16)


@pytest.mark.usefixtures("package")
def test_tensors_that_laion_clap_cannot_load_are_one_sentence() -> None:
    with pytest.raises(WeightsError, match=r"a\.pt: laion_clap cannot load these tensors \(size mismatch for scale"):
        laion(scale=(1.0, 2.0))


@pytest.mark.usefixtures("package")
def test_laion_claps_random_crop_follows_from_the_audio_and_leaves_the_global_generator() -> None:
    network, rule = laion(fusion=True), Windowing(truncation="random")
    wave = torch.linspace(-1, 1, 2 * WINDOW)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    first, second = network.fused(wave, rule), network.fused(wave, rule)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert float(first) == float(second)
    assert float(network.fused(wave, Windowing(truncation="random", seed=1))) != float(first)
    assert float(network.fused(wave * 0.5, rule)) != float(first) * 0.5
    with pytest.raises(ConfigError, match="fuses at random only; take truncation=random or truncation=windows"):
        network.fused(wave, Windowing(truncation="fusion"))


@pytest.mark.usefixtures("package")
def test_laion_clap_gets_our_tokens_and_their_mask() -> None:
    ids = torch.tensor([[0, 31414, 232, 2, 1, 1], [0, 5, 2, 1, 1, 1]])
    assert laion().texts(ids).tolist() == [[31414 + 232 + 2], [7]]  # padding, token 1, is masked
    assert laion().windows(torch.full((3, WINDOW), 0.25)).tolist() == [[0.25]] * 3


class StandInVgg(nn.Module):
    """torchvggish's network: ours, and the last ReLU."""

    def __init__(self) -> None:
        super().__init__()
        with torch.device("meta"):
            own = Vggish()
        self.features, self.embeddings = own.features, nn.Sequential(*own.embeddings, nn.ReLU())

    def load_state_dict(self, state: Any) -> Any:  # type: ignore[override]
        return super().load_state_dict(state, assign=True)


@pytest.fixture(scope="module")
def vggish() -> Vggish:
    with torch.device("meta"):
        network = Vggish()
    network = network.to_empty(device="cpu").eval().requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        bound = (3 / max(1, parameter[0].numel())) ** 0.5
        parameter.uniform_(-bound, bound, generator=generator)
    return network


def waveform_to_examples(data: Any, rate: int) -> torch.Tensor:
    assert rate == 16000
    return torch.from_numpy(patches(data.mean(axis=1), 96).copy())[:, None]


@pytest.fixture
def torchvggish(monkeypatch: pytest.MonkeyPatch) -> None:
    front, networks = ModuleType("torchvggish.vggish_input"), ModuleType("torchvggish.torchvggish")
    front.waveform_to_examples = waveform_to_examples  # type: ignore[attr-defined]
    networks._vgg = lambda postprocess: StandInVgg()  # type: ignore[attr-defined]
    for module in (ModuleType("torchvggish"), front, networks):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("torchvggish")
def test_torchvggishs_pipeline_gives_the_features_before_its_last_relu(vggish: Vggish) -> None:
    card = EncoderCard("vggish-exact", "0" * 64, 128, ("audio",), "", 16000)
    embed = vggish_backend.torchvggish(vggish.state_dict())
    own, packaged, after = (
        VggishEncoder(vggish, card, "cpu", hop_frames=96, exact=True, postprocess=postprocess, package=package)
        for postprocess, package in ((torch.clone, None), (torch.clone, embed), (torch.relu, embed))
    )
    noise = (0.3 * np.random.default_rng(0).standard_normal((2, 32000))).astype(np.float32)
    clips = [Clip("a", noise, 16000), Clip("short", noise[:, :15000], 16000), Clip("b", noise[:, :16000], 16000)]
    found = packaged.audio(clips)
    assert packaged.audio_rows(clips) == own.audio_rows(clips) == ["a", "a", "b"]
    np.testing.assert_allclose(found, own.audio(clips), atol=1e-5)
    assert found.min() < 0
    np.testing.assert_array_equal(after.audio(clips), np.maximum(found, 0))
    assert packaged.audio([]).shape == (0, 128)
