"""What encoders share: refusals, options, notes on texts, batches of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from clipsonic_eval.encoders import ENCODERS, EncoderBase, TextNote, load_encoder, text_notes
from clipsonic_eval.encoders._base import check_image
from clipsonic_eval.encoders._batches import in_batches, in_batches_of_equal_length, mono_samples
from clipsonic_eval.errors import ConfigError, ShapeError, UserError
from clipsonic_eval.types import Clip, EncoderCard

CARD = EncoderCard("mute", "0" * 64, 4, ("text", "image"), "")


def test_a_base_encoder_refuses_every_modality_and_names_those_on_its_card() -> None:
    encoder = EncoderBase(CARD)
    assert encoder.card is CARD
    for ask, modality in ((encoder.audio, "audio"), (encoder.audio_rows, "audio"), (encoder.text, "text")):
        with pytest.raises(UserError, match=f"'mute' does not take {modality}; it takes text, image: choose another"):
            ask([])  # type: ignore[operator]
    with pytest.raises(UserError, match="does not take image"):
        encoder.image([])


def test_an_encoder_without_notes_reads_texts_as_they_are() -> None:
    assert text_notes(EncoderBase(CARD), ["a", "b"]) == [TextNote(), TextNote()]
    long = "zebra " * 50
    assert text_notes(load_encoder("toy-clap"), ["a bell", long]) == [TextNote(), TextNote(("zebra",), True)]


def test_weights_may_be_named_by_a_string(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weight file"):
        load_encoder("toy-clip", str(tmp_path))


@pytest.mark.parametrize("name", ["toy-clip", "vggish", "panns-cnn14", "passt", "clip-vit-b-32"])
def test_an_option_that_an_encoder_does_not_take_is_refused_before_weights_are_looked_for(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: no option 'hop'; there are "):
        load_encoder(name, hop=1)


def test_an_unknown_encoder_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown encoder 'vgish'\. Did you mean 'vggish'"):
        load_encoder("vgish")


def test_every_loader_says_in_one_line_what_it_gives() -> None:
    for name in ENCODERS:
        line = (ENCODERS[name].__doc__ or "").strip().partition("\n")[0]
        assert 20 < len(line) < 110, name
        assert line.endswith("."), name


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4), (0, 8, 3), (8, 8, 3, 1)])
def test_arrays_that_are_no_rgb_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"images must be uint8 of shape \(height, width, 3\)"):
        check_image(np.zeros(shape, np.uint8))
    check_image(np.zeros((2, 5, 3), np.uint8))


def test_a_network_always_gets_batches_of_one_size() -> None:
    seen: list[tuple[int, ...]] = []

    def forward(x: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(x.shape))
        return 2 * x

    x = torch.arange(14.0).reshape(7, 2)
    found = in_batches(forward, x, size=3, device="cpu", dim=2)
    np.testing.assert_array_equal(found, 2 * x.numpy())
    assert seen == [(3, 2)] * 3
    empty = in_batches(forward, x[:0], size=3, device="cpu", dim=5)
    assert (empty.shape, empty.dtype) == ((0, 5), np.float32)


def test_waveforms_share_a_batch_only_with_those_of_their_length_and_keep_their_order() -> None:
    seen: list[tuple[int, ...]] = []

    def forward(x: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(x.shape))
        return x.sum(dim=1, keepdim=True)

    waves = [np.full(n, n, np.float32) for n in (5, 3, 5, 4, 5, 3)]
    found = in_batches_of_equal_length(forward, waves, size=lambda n: 10 // n, device="cpu", dim=1)
    np.testing.assert_array_equal(found[:, 0], [25, 9, 25, 16, 25, 9])
    assert sorted(seen) == [(2, 4), (2, 5), (2, 5), (3, 3)]
    assert in_batches_of_equal_length(forward, [], size=lambda n: n, device="cpu", dim=3).shape == (0, 3)


def test_mono_is_resampled_and_never_empty() -> None:
    stereo = Clip("a", np.stack([np.ones(4410), np.zeros(4410)]).astype(np.float32), 44100)
    mono = mono_samples(stereo, 16000)
    assert mono.shape == (1600,)
    assert mono[800] == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(ShapeError, match="clip 'b': audio must hold at least one sample"):
        mono_samples(Clip("b", np.zeros((1, 0), np.float32), 16000), 16000)
