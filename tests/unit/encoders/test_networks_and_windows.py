"""Networks and windows of PaSST, PANNs and the toy encoders against PyTorch's own layers and at any length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from clipsonic_eval.encoders._audioset import audioset_labels
from clipsonic_eval.encoders._logmel import LogMel
from clipsonic_eval.encoders.panns.frontend import AT_16K, AT_32K, published_matrices
from clipsonic_eval.encoders.panns.network import Cnn14, build
from clipsonic_eval.encoders.passt.frontend import RATE
from clipsonic_eval.encoders.passt.network import WIDTH, _Attention, _Block
from clipsonic_eval.encoders.passt.windows import SHORTEST, WINDOW, windows
from clipsonic_eval.encoders.toy.network import ContrastiveNetwork
from clipsonic_eval.encoders.toy.tokenizer import BUCKETS, Vocabulary
from clipsonic_eval.encoders.vggish.encoder import _hop_frames
from clipsonic_eval.encoders.vggish.network import quantised_pca
from clipsonic_eval.errors import ConfigError

lengths = st.integers(1, 5 * WINDOW)


@given(n=lengths)
@settings(max_examples=40, deadline=None)
def test_segments_lie_side_by_side_and_only_a_rest_below_150_ms_is_dropped(n: int) -> None:
    wave = np.arange(1, n + 1, dtype=np.float32)
    found = windows(wave, "segments")
    joined = np.concatenate(found)
    kept = int(np.count_nonzero(joined))
    np.testing.assert_array_equal(joined[:kept], wave[:kept])
    assert n - kept < 0.15 * RATE
    assert kept == n or n > WINDOW  # a short clip is never dropped
    assert all(len(part) == WINDOW for part in found[:-1])
    assert SHORTEST <= len(found[-1]) <= WINDOW


@pytest.mark.parametrize(("rest", "count"), [(0.15 * RATE - 1, 1), (0.15 * RATE, 2)])
def test_a_rest_of_150_ms_is_the_shortest_that_is_kept(rest: float, count: int) -> None:
    assert len(windows(np.ones(WINDOW + round(rest), np.float32), "segments")) == count


@given(n=lengths)
@settings(max_examples=40, deadline=None)
def test_overlapping_windows_start_every_five_seconds_and_cover_all_audio(n: int) -> None:
    wave = np.arange(1, n + 1, dtype=np.float32)
    found = windows(wave, "overlapping")
    for k, part in enumerate(found):
        begin = k * WINDOW // 2
        audio = part[: max(0, n - begin)]
        np.testing.assert_array_equal(audio, wave[begin : begin + len(audio)])
        assert not part[len(audio) :].any()
    assert (len(found) - 1) * WINDOW // 2 + WINDOW >= n
    assert len(found) == max(1, -(-(n - WINDOW // 2) // (WINDOW // 2)))


@pytest.mark.parametrize(("seconds", "length"), [(0.1, SHORTEST), (1.5, 1.5 * RATE), (1.51, WINDOW), (9.9, WINDOW)])
def test_overlapping_windows_above_one_and_a_half_seconds_are_padded(seconds: float, length: float) -> None:
    (window,) = windows(np.ones(round(seconds * RATE), np.float32), "overlapping")
    assert len(window) == length


@pytest.fixture(scope="module")
def block() -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _Block().eval().requires_grad_(requires_grad=False)


@torch.inference_mode()
def test_passts_attention_is_pytorchs_multihead_attention(block: Any) -> None:
    own: _Attention = block.attn
    theirs = nn.MultiheadAttention(WIDTH, 12, batch_first=True).eval()
    theirs.in_proj_weight.copy_(own.qkv.weight)
    theirs.in_proj_bias.copy_(own.qkv.bias)
    theirs.out_proj.load_state_dict(own.proj.state_dict())
    x = torch.randn(2, 7, WIDTH, generator=torch.Generator().manual_seed(1))
    expected, _ = theirs(x, x, x, need_weights=False)
    torch.testing.assert_close(own(x), expected, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_passts_block_is_pytorchs_pre_norm_transformer_layer(block: Any) -> None:
    theirs = nn.TransformerEncoderLayer(
        WIDTH, 12, 4 * WIDTH, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    ).eval()
    names = {
        "self_attn.in_proj_weight": "attn.qkv.weight",
        "self_attn.in_proj_bias": "attn.qkv.bias",
        "self_attn.out_proj.weight": "attn.proj.weight",
        "self_attn.out_proj.bias": "attn.proj.bias",
        **{f"linear{k}.{p}": f"mlp.fc{k}.{p}" for k in (1, 2) for p in ("weight", "bias")},
        **{f"norm{k}.{p}": f"norm{k}.{p}" for k in (1, 2) for p in ("weight", "bias")},
    }
    own = block.state_dict()
    theirs.load_state_dict({name: own[ours] for name, ours in names.items()})
    x = torch.randn(1, 5, WIDTH, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(block(x), theirs(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("front", [AT_16K, AT_32K], ids=str)
def test_published_matrices_as_convolutions_are_our_front_end(front: LogMel) -> None:
    """A checkpoint's front end, run as torchlibrosa runs it: two strided convolutions and a matrix."""
    matrices = published_matrices(front)
    wave = 0.1 * torch.randn(1, 1, 4000, generator=torch.Generator().manual_seed(0))
    padded = nn.functional.pad(wave, (front.n_fft // 2, front.n_fft // 2), mode="reflect")
    real, imaginary = (
        nn.functional.conv1d(padded, matrices[f"spectrogram_extractor.stft.conv_{part}.weight"], stride=front.hop)
        for part in ("real", "imag")
    )
    power = (real**2 + imaginary**2).transpose(1, 2) @ matrices["logmel_extractor.melW"]
    torch.testing.assert_close(front(wave[0]), 10 * power.clamp(min=1e-10).log10(), atol=2e-3, rtol=0)


def test_a_cnn14_is_built_from_the_shapes_of_its_tensors() -> None:
    widths = (2, 3, 4, 5, 6, 7)
    state = Cnn14(widths, classes=5).eval().state_dict()
    net = build(dict(state))
    mel = torch.zeros(2, 64, 64)
    assert net(mel).shape == (2, 5)
    assert net.features(mel).shape == (2, 7)
    assert (net.features(mel) >= 0).all()
    assert not any(p.requires_grad for p in net.parameters())
    del state["conv_block3.bn2.bias"]
    with pytest.raises(RuntimeError, match=r"conv_block3\.bn2\.bias"):
        build(dict(state))


def test_audiosets_labels_are_the_published_527_in_their_order() -> None:
    labels = audioset_labels()
    assert len(labels) == len(set(labels)) == 527
    assert (labels[0], labels[74], labels[526]) == ("Speech", "Dog", "Field recording")


@given(st.integers(1, 500))
def test_a_hop_of_whole_frames_is_taken_and_any_other_refused(frames: int) -> None:
    assert _hop_frames(frames / 100) == frames
    with pytest.raises(ConfigError, match=r"vggish: hop_s .* must be a multiple of 0\.01 s above 0"):
        _hop_frames(frames / 100 + 0.004)


@pytest.mark.parametrize("hop_s", [0.0, -0.96, 0.001])
def test_a_hop_of_nothing_is_refused(hop_s: float) -> None:
    with pytest.raises(ConfigError, match="must be a multiple of"):
        _hop_frames(hop_s)


@pytest.mark.parametrize(("value", "quantised"), [(-9, 0), (-2, 0), (0, 128), (1, 191), (2, 255), (9, 255)])
def test_eight_bits_cover_minus_two_to_two(value: float, quantised: int) -> None:
    features, means = torch.full((1, 128), value + 0.5), torch.full((128,), 0.5)
    found = quantised_pca(features, torch.eye(128), means)
    assert found.unique().tolist() == [quantised]


@pytest.fixture(scope="module")
def pair() -> ContrastiveNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ContrastiveNetwork(1, [4, 8], 32, 2, 6, 2 + BUCKETS + 3).eval()


@torch.inference_mode()
def test_padding_and_neighbours_do_not_change_a_toy_text(pair: ContrastiveNetwork) -> None:
    vocabulary = Vocabulary(["bell", "dog", "the"])
    tokens = torch.from_numpy(vocabulary.encode(["the dog", "the bell the dog the bell", ""]))
    together = pair.embed_text(tokens)
    alone = torch.cat([pair.embed_text(row[None]) for row in tokens])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    assert (together[0] - together[1]).abs().max() > 1e-3


@torch.inference_mode()
def test_the_order_of_words_matters_to_the_toy_text_tower(pair: ContrastiveNetwork) -> None:
    tokens = torch.from_numpy(Vocabulary(["bell", "dog", "the"]).encode(["dog bell", "bell dog", "Dog, bell!"]))
    one, other, punctuated = pair.embed_text(tokens)
    assert (one - other).abs().max() > 1e-4
    torch.testing.assert_close(one, punctuated)
