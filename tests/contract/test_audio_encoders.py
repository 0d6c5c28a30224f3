"""What every encoder of sound promises, on random weights in the published layouts (small where the layout allows it).

A new encoder that is not in this list fails the first test.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from unit.encoders import (
    aesthetics_folder,
    clip_folder,
    codec_folder,
    imagebind_file,
    laion_clap_file,
    mert_folder,
    openl3_file,
    published_panns,
    synchformer_file,
)

from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.encoders.panns.frontend import AT_16K, AT_32K
from clipsonic_eval.encoders.panns.weights import FILES
from clipsonic_eval.encoders.passt.network import Passt
from clipsonic_eval.encoders.vggish.network import Vggish
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.harness.embedder import Embedder
from clipsonic_eval.types import Clip

LADDER_DB = (50, 25, 5)
TOYS = ("toy-audio", "toy-audio-classes", "toy-audio-count", "toy-audio-size", "toy-clap", "toy-clap-condition")
NO_SOUND = {"toy-clip", "clip-vit-l-14", "clip-vit-b-16", "clip-vit-b-32", "clip-transformers"}
SAME_CODE = {  # as clap-laion, sizes aside; as passt, and slow
    *(f"clap-laion-{kind}" for kind in ("audio", "fusion", "music", "music-speech")),
    "passt-features",
    "mert-v1-330m",
    "openl3-env",
}
FRAMES = ("mert-v1-95m", "encodec-24k", "encodec-48k", "dac-44k")


def _network(make: Callable[[], Any], path: Path) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = make()
        for value in net.parameters():
            if value.ndim > 1:  # of a size that keeps sounds apart through all layers
                torch.nn.init.normal_(value, std=float((2 / value[0].numel()) ** 0.5))
    save_file(net.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    root = tmp_path_factory.mktemp("weights")
    vggish = _network(Vggish, root / "vggish.safetensors")
    passt = _network(Passt, root / "passt.safetensors")
    for rate, front in ((32000, AT_32K), (16000, AT_16K)):
        torch.save(published_panns.checkpoint(published_panns.tensors(rate)), root / FILES[front])
    clap = laion_clap_file.write(root / "clap.pt", laion_clap_file.network())
    fusion = laion_clap_file.write(root / "fusion.pt", laion_clap_file.network(fusion=True))
    folder = root / "clap-folder"
    laion_clap_file.network().save_pretrained(folder)
    panns = ("panns-cnn14", "panns-cnn14-features", "panns-cnn14-16k", "panns-cnn14-16k-features")
    return {
        **{name: ENCODERS[name]() for name in TOYS},
        **{name: ENCODERS[name](root) for name in panns},
        "vggish": ENCODERS["vggish"](vggish),
        "vggish-exact": ENCODERS["vggish-exact"](vggish),
        "passt": ENCODERS["passt"](passt),
        "clap-laion": ENCODERS["clap-laion"](clap),
        "clap-laion, fusion": ENCODERS["clap-laion"](fusion),
        "clap-laion, windows": ENCODERS["clap-laion"](clap, rows="window", hop_s=1, tail="zeros"),
        "clap-transformers": ENCODERS["clap-transformers"](folder),
        "synchformer": ENCODERS["synchformer"](synchformer_file.write(root / "synchformer")),
        "imagebind": ENCODERS["imagebind"](imagebind_file.write(root / "imagebind")),
        "audiobox-aesthetics": ENCODERS["audiobox-aesthetics"](aesthetics_folder.write(root / "aesthetics")),
        "openl3-music": ENCODERS["openl3-music"](openl3_file.write_tensors(root / "openl3.safetensors")),
        "openl3-music, channels": ENCODERS["openl3-music"](root / "openl3.safetensors", channels="both"),
        "mert-v1-95m": mert_folder.load(mert_folder.write(root / "mert")),
        **{name: codec_folder.load(name, codec_folder.write(root / name, name)) for name in FRAMES[1:]},
    }


NAMES = (
    *TOYS,
    "panns-cnn14",
    "panns-cnn14-features",
    "panns-cnn14-16k",
    "panns-cnn14-16k-features",
    "vggish",
    "vggish-exact",
    "passt",
    "clap-laion",
    "clap-laion, fusion",
    "clap-laion, windows",
    "clap-transformers",
    "audiobox-aesthetics",
    "imagebind",
    "synchformer",
    "openl3-music",
    "openl3-music, channels",
    *FRAMES,
)


def sound(key: str, seconds: float = 1.2, rate: int = 16000, channels: int = 1, db: float | None = None) -> Clip:
    """A chord with a beat over a floor of noise, and other noise so many dB below it.

    The floor is there for networks that have not learned anything: to them a band that was empty and is not is as far
    away as can be.
    """
    rng = np.random.default_rng(sum(map(ord, key)))
    t = np.arange(round(seconds * rate)) / rate
    pitches = rng.uniform(200, 3000, 3)
    wave = sum(np.sin(2 * np.pi * hz * t) for hz in pitches) / 3 * (0.3 + 0.2 * np.sin(2 * np.pi * 3 * t))
    wave = wave + 0.03 * rng.standard_normal(len(t))
    if db is not None:
        level = float(np.sqrt(np.mean(wave**2))) * 10 ** (-db / 20)
        wave = wave + level * np.random.default_rng(1).standard_normal(len(t))
    return Clip(key, np.tile(wave / max(1.0, np.abs(wave).max()), (channels, 1)).astype(np.float32), rate)


def test_every_encoder_of_sound_is_tested() -> None:
    assert set(ENCODERS) - NO_SOUND - SAME_CODE == {name.partition(",")[0] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_rows(encoders: dict[str, Encoder], name: str) -> None:
    encoder = encoders[name]
    clips = [sound("a"), sound("b", 1.5, 44100, 2), sound("c", 2.5, 22050), sound("d", 1.2)]
    rows = encoder.audio(clips)
    keys = encoder.audio_rows(clips)
    assert rows.dtype == np.float32
    assert rows.shape == (len(keys), encoder.card.dim)
    assert np.isfinite(rows).all()
    assert list(dict.fromkeys(keys)) == list("abcd")
    assert encoder.audio([]).shape == (0, encoder.card.dim)
    assert encoder.audio_rows([]) == []
    assert "audio" in encoder.card.modalities
    # neither order nor batch nor repetition changes a bit
    alone = np.concatenate([encoder.audio([clip]) for clip in clips])
    np.testing.assert_array_equal(alone, rows)
    turned = encoder.audio(clips[::-1])
    by_key = {key: turned[[k == key for k in encoder.audio_rows(clips[::-1])]] for key in "abcd"}
    np.testing.assert_array_equal(np.concatenate([by_key[key] for key in "abcd"]), rows)


@pytest.mark.parametrize("name", NAMES)
def test_rows_move_away_with_noise(encoders: dict[str, Encoder], name: str) -> None:
    encoder = encoders[name]
    clean = encoder.audio([sound(key) for key in "abcde"]).astype(np.float64)
    away = []
    for db in LADDER_DB:
        noisy = encoder.audio([sound(key, db=db) for key in "abcde"])
        away.append(float(np.linalg.norm(noisy - clean, axis=1).mean()))
    assert away == sorted(away)
    assert away[0] < 0.3 * away[-1]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused(encoders: dict[str, Encoder], name: str) -> None:
    encoder = encoders[name]
    for modality, ask in (("text", lambda: encoder.text(["a"])), ("image", lambda: encoder.image([]))):
        if modality not in encoder.card.modalities:
            with pytest.raises(UserError, match=f"does not take {modality}"):
                ask()
    empty = [Clip("x", np.zeros((1, 0), np.float32), 16000)]
    if name == "vggish-exact":  # it gives sounds too short for a patch no row
        assert len(encoder.audio(empty)) == 0
    else:
        with pytest.raises(ShapeError, match="at least one sample"):
            encoder.audio(empty)


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_that_is_not_finite_is_listed_and_the_others_go_on(
    encoders: dict[str, Encoder], name: str, tmp_path: Path
) -> None:
    import soundfile

    from clipsonic_eval.harness.audio_sets import reference_set

    for key in "ab":
        clip = sound(key)
        samples = clip.samples[0].copy()
        if key == "b":
            samples[100] = np.nan
        soundfile.write(tmp_path / f"{key}.wav", samples, clip.sample_rate, subtype="FLOAT")
    found = Embedder({"fad": encoders[name]}).embed(reference_set(tmp_path), ["fad"])
    assert found.keys == ("a",)
    assert [(skip.key, "not finite" in skip.reason) for skip in found.skipped] == [("b", True)]


@pytest.mark.parametrize("name", NAMES)
def test_its_card_names_what_changes_its_numbers(encoders: dict[str, Encoder], name: str) -> None:
    card = encoders[name].card
    assert len(card.weights_sha256) == 64
    for field in ("rate:", "resample:", "mono:", "win:"):
        assert field in card.preprocessing
    assert card.sample_rate


def test_clip_folder_is_the_encoder_of_pictures(tmp_path: Path) -> None:
    encoder = ENCODERS["clip-transformers"](clip_folder.write(tmp_path))
    with pytest.raises(UserError, match="does not take audio"):
        encoder.audio([sound("a")])
