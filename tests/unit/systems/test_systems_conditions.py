"""What each system hands to the network, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.systems.tiny_systems import N, write_systems

from clipsonic_eval.clips import ClipStore
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ConfigError, MediaError, SpaceError, UserError
from clipsonic_eval.hashing import write_sums
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.media.video import centre_frame
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Query

Systems = tuple[dict[str, tuple[str, dict[str, Any]]], list[Query]]
SEEDS = [1, 2, 3, 4]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Systems:
    return write_systems(tmp_path_factory.mktemp("systems"))


def made(written: Systems, name: str, **changes: Any) -> Any:
    spec, settings = written[0][name]
    return resolve(spec, {**settings, **changes})


def test_iq_is_conditioned_on_the_centre_frame_of_the_querys_video(written: Systems) -> None:
    queries = written[1]
    expected = ENCODERS["toy-clip"](None).image([centre_frame(q.image) for q in queries if q.image is not None])
    np.testing.assert_allclose(made(written, "IQ").conditions(queries, SEEDS), expected, atol=1e-5)


def test_zs_is_conditioned_on_the_text_as_it_is(written: Systems) -> None:
    queries = written[1]
    expected = ENCODERS["toy-clip"](None).text([q.prompt for q in queries])
    np.testing.assert_allclose(made(written, "ZS").conditions(queries, SEEDS), expected, atol=1e-5)


def test_a_template_is_put_around_the_prompt(written: Systems) -> None:
    query = Query("k", "bell")
    expected = ENCODERS["toy-clip"](None).text(["a photo of bell"])
    found = made(written, "ZS", template="a photo of {}").conditions([query], [0])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_clap_tta_is_conditioned_on_its_own_clap_and_not_on_the_one_that_scores(written: Systems) -> None:
    queries = written[1]
    system = made(written, "CLAP-TTA")
    prompts = [q.prompt for q in queries]
    expected = ENCODERS["toy-clap-condition"](None).text(prompts)
    np.testing.assert_allclose(system.conditions(queries, SEEDS), expected, atol=1e-5)
    assert np.abs(ENCODERS["toy-clap"](None).text(prompts) - expected).max() > 0.01


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.0])
def test_mean_shift_adds_the_difference_of_the_centroids_and_goes_back_to_the_sphere(
    written: Systems, fraction: float
) -> None:
    import io

    import pyarrow.parquet
    from PIL import Image

    queries, encoder = written[1], ENCODERS["toy-clip"](None)
    folder = Path(written[0]["mean-shift"][1]["pairs"]["images"])
    rows = pyarrow.parquet.read_table(folder / "shard-0000.parquet").to_pylist()
    image = encoder.image([np.asarray(Image.open(io.BytesIO(r["image"]))) for r in rows]).astype(np.float64)
    text = encoder.text([r["caption"] for r in rows]).astype(np.float64)
    moved = encoder.text([q.prompt for q in queries]) + fraction * (image.mean(axis=0) - text.mean(axis=0))
    expected = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    shifted = made(written, "mean-shift", fraction=fraction)
    np.testing.assert_allclose(shifted.conditions(queries, SEEDS), expected, atol=1e-5)
    assert shifted.card()["fraction"] == fraction


def test_pd_is_conditioned_on_what_the_prior_draws(written: Systems) -> None:
    from clipsonic.prior.model import DiffusionPrior

    queries = written[1]
    prior = DiffusionPrior.load(written[0]["PD"][1]["prior"])
    text = ENCODERS["toy-clip"](None).text([q.prompt for q in queries])
    expected = prior.sample(text, SEEDS, steps=4, guidance=1.0)
    np.testing.assert_allclose(made(written, "PD").conditions(queries, SEEDS), expected, atol=1e-5)


def test_best_of_k_is_nearer_to_the_text_and_shows_in_the_card(written: Systems) -> None:
    queries = [Query(f"k{i}", f"a dog number {i}") for i in range(12)]
    one, many = made(written, "PD"), made(written, "PD", prior_candidates=6)
    text = ENCODERS["toy-clip"](None).text([q.prompt for q in queries])
    first, best = (s.conditions(queries, list(range(12))) for s in (one, many))
    assert ((best * text).sum(axis=1) >= (first * text).sum(axis=1) - 1e-6).all()
    assert (one.card()["candidates"], many.card()["candidates"]) == (1, 6)
    assert many.card()["prior"]["candidates"] == 6


def test_the_spacing_of_timesteps_is_on_the_card_and_changes_the_sound(written: Systems) -> None:
    system = made(written, "ZS", steps=3)
    spaced = system.variant(spacing=0.5)
    assert spaced.card()["spacing"] == 0.5
    assert "spacing" not in system.card()  # that of the schedule
    queries = [Query("a", "a loud bell")]
    assert not np.array_equal(spaced.generate(queries, [1])[0], system.generate(queries, [1])[0])


def test_a_guidance_interval_is_on_the_card_and_changes_the_sound(written: Systems) -> None:
    system = made(written, "ZS", steps=3)
    part = system.variant(guidance_interval=(0.0, 0.5))
    assert part.card()["guidance_interval"] == [0.0, 0.5]
    assert "guidance_interval" not in system.card()  # guidance everywhere is the rule
    queries = [Query("a", "a loud bell")]
    assert not np.array_equal(part.generate(queries, [1])[0], system.generate(queries, [1])[0])


def test_another_guidance_shares_networks_and_embeddings(written: Systems, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, system = written[1], made(written, "IQ")
    expected = system.conditions(queries, SEEDS)
    strong = system.with_guidance(4.0)
    assert strong.model is system.model
    assert (strong.card()["guidance"], system.card()["guidance"]) == (4.0, 2.0)

    def refuse(images: object) -> None:
        raise AssertionError("embedded again")

    monkeypatch.setattr(system.encoder, "image", refuse)
    np.testing.assert_array_equal(strong.conditions(queries, SEEDS), expected)
    assert np.abs(strong.generate(queries[:1], [1])[0] - system.generate(queries[:1], [1])[0]).max() > 1e-4


def test_a_variant_with_other_candidates_does_not_reuse_old_draws(written: Systems) -> None:
    queries, one = written[1], made(written, "PD")
    first = one.conditions(queries, SEEDS)
    many = one.variant(prior_candidates=8, name="best")
    assert many.prior is one.prior
    assert np.abs(many.conditions(queries, SEEDS) - first).max() > 1e-3
    np.testing.assert_array_equal(one.conditions(queries, SEEDS), first)


def test_the_same_query_twice_in_a_batch_is_embedded_once_and_answered_twice(written: Systems) -> None:
    query = written[1][0]
    twice = made(written, "PD").conditions([query, query], [5, 6])
    assert np.abs(twice[0] - twice[1]).max() > 1e-3
    same = made(written, "PD").conditions([query, query], [5, 5])
    np.testing.assert_array_equal(same[0], same[1])


def test_retrieval_answers_with_the_clip_whose_middle_frame_is_nearest(written: Systems) -> None:
    queries, system = written[1], made(written, "retrieval")
    store = ClipStore.open(Path(written[0]["retrieval"][1]["clips"]))
    frames = np.asarray(store.image_embeddings)[:, store.centre].astype(np.float64)
    text = ENCODERS["toy-clip"](None).text([q.prompt for q in queries]).astype(np.float64)
    for query, vector, sound in zip(queries, text, system.generate(queries, SEEDS), strict=True):
        cosine = frames @ vector / np.linalg.norm(frames, axis=1) / np.linalg.norm(vector)
        expected = store.audio(np.array([int(np.argmax(cosine))]))[0]
        np.testing.assert_array_equal(sound, expected, err_msg=query.key)


def test_real_mel_keeps_the_spectrum_of_the_querys_own_sound(written: Systems) -> None:
    import torch

    from clipsonic.mel import MelConfig, MelFrontEnd

    query, front_end = written[1][0], MelFrontEnd(MelConfig())
    assert query.image is not None
    own = np.pad(read_audio(query.image).mono()[:N], (0, max(0, N - read_audio(query.image).samples.shape[1])))
    sound = made(written, "real-mel").generate([query], [0])[0]
    a, b = (front_end.log_mel(torch.from_numpy(x)[None])[0].numpy() for x in (own, sound))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9
    assert np.abs(own - sound).max() > 0.01


@pytest.mark.parametrize("name", ["IQ", "real", "real-mel"])
def test_a_query_without_an_image_or_video_is_named(written: Systems, name: str) -> None:
    with pytest.raises(MediaError, match="query 'lost'"):
        made(written, name).generate([Query("lost", "rain")], [0])


def test_an_image_that_is_missing_is_named(written: Systems) -> None:
    with pytest.raises(MediaError, match=r"gone\.png: no such file"):
        made(written, "IQ").generate([Query("lost", "rain", Path("gone.png"))], [0])


def test_a_network_trained_on_texts_is_refused_for_images_and_the_other_way(written: Systems) -> None:
    video, text = written[0]["IQ"][1]["model"], written[0]["CLIP-TTA"][1]["model"]
    with pytest.raises(UserError, match="trained on text conditions, but ImageQueried needs a model trained on image"):
        made(written, "IQ", model=text)
    with pytest.raises(UserError, match="trained on image conditions, but ClipTTA needs a model trained on text"):
        made(written, "CLIP-TTA", model=video)


def test_queries_of_another_space_are_refused(written: Systems) -> None:
    with pytest.raises(SpaceError, match=r"trained in the space of toy-clip\+.*set encoder and encoder_weights"):
        made(written, "ZS", encoder="toy-clap")


def test_a_prior_of_another_space_is_refused(written: Systems, tmp_path: Path) -> None:
    other = tmp_path / "prior"
    shutil.copytree(written[0]["PD"][1]["prior"], other)
    card = json.loads((other / "card.json").read_text())
    card["space"]["weights_sha256"] = "0" * 64
    (other / "card.json").write_text(json.dumps(card))
    names = [line.split("  ")[1] for line in (other / "SHA256SUMS").read_text().splitlines()]
    write_sums(other, names)
    with pytest.raises(SpaceError, match=r"prior: trained in the space of toy-clip\+00000000"):
        made(written, "PD", prior=str(other))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("ZS", {"guidence": 2.0}, r"unknown key 'guidence'\. Did you mean 'guidance'"),
        ("ZS", {"guidance": -1.0}, "guidance must not be negative"),
        ("ZS", {"guidance_interval": (0.6, 0.2)}, "lowest and a highest noise level from 0 to 1, got 0.6 and 0.2"),
        ("ZS", {"guidance_interval": (0.0, 1.5)}, "from 0 to 1, got 0 and 1.5"),
        ("ZS", {"sampler": "dpm"}, "unknown sampler 'dpm'"),
        ("ZS", {"steps": 0}, "steps must be at least 1"),
        ("ZS", {"template": "a photo"}, "template 'a photo' must hold {} once"),
        ("retrieval", {"template": "{} {}"}, "must hold {} once"),
        ("retrieval", {"split": "train"}, "none of the 4 clips is of split 'train'"),
        ("PD", {"prior_candidates": 0}, "steps and candidates must be at least 1"),
        ("mean-shift", {"pairs": {}}, "either from `images` or from `clips`"),
        ("ZS", {"model": "nowhere"}, "nowhere: no model_index"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    written: Systems, name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        made(written, name, **changes)


def test_a_prior_is_required(written: Systems) -> None:
    spec, settings = written[0]["PD"]
    with pytest.raises(ConfigError, match="key 'prior' is required"):
        resolve(spec, {k: v for k, v in settings.items() if k != "prior"})


def test_configurations_are_frozen(written: Systems) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        made(written, "ZS").config.guidance = 3.0
