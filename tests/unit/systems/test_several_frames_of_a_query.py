"""Models trained with several frames are queried with several: of a video, of lists of images, of embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from unit.clipsonic.test_several_frames import ATTENDS
from unit.systems.tiny_systems import CLIP_DIM, FRAMES, RATE, N, unit, write_model

from clipsonic import CLIPSonicPipeline
from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.model import MelDiffusion
from clipsonic.networks import NetworkConfig, build
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.media.video import read_frames
from clipsonic_eval.systems import resolve as resolve_system
from clipsonic_eval.types import Query

FPS, K = 10.0, 3


class Made(NamedTuple):
    """Models by how they were trained, queries by videos, and the embeddings of the videos' frames (b, k, d)."""

    models: dict[str, Path]
    queries: list[Query]
    embedded: np.ndarray[Any, Any]


def write_attending(folder: Path) -> Path:
    """Write an untrained model that attends to its conditions."""
    mel = MelConfig(mean=(-5.0,), std=(2.0,))
    network = build(resolve(NetworkConfig, ATTENDS), n_mels=mel.n_mels, frames=FRAMES, condition_dim=CLIP_DIM, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.05 * torch.randn(weights.shape, generator=generator))
    space = as_tree(load_encoder("toy-clip").card)
    card = {
        "identity": "untrained",
        "log_mel_range": {"low": [-11.0] * mel.n_mels, "high": [1.0] * mel.n_mels},
        "condition": {"kind": "image", "space": space, "frames": "several", "n_frames": K},
    }
    return MelDiffusion(network, mel, DiffusionConfig(), card).save(folder)


def write_averaging(folder: Path) -> Path:
    model = MelDiffusion.load(write_model(folder.with_name("single"), "image"))
    model.card["condition"] |= {"frames": "mean", "n_frames": K}
    return model.save(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("frames")
    models = {"several": write_attending(root / "several"), "mean": write_averaging(root / "mean")}
    queries = []
    for i in range(2):
        rng = np.random.default_rng(i)
        blocks = rng.integers(0, 255, (K, 4, 4, 3), dtype=np.uint8).repeat(16, axis=1).repeat(16, axis=2)
        write_video(root / f"v{i}.mp4", blocks, FPS, np.zeros(N, np.float32), RATE)
        queries.append(Query(f"v{i}", "a dog", root / f"v{i}.mp4"))
    frames = [frame for q in queries if q.image for frame in read_frames(q.image, [(j + 0.5) / FPS for j in range(K)])]
    embedded = load_encoder("toy-clip").image(frames).reshape(2, K, -1)
    return Made({**models, "single": root / "single"}, queries, embedded)


def iq(made: Made, model: str, **settings: Any) -> Any:
    return resolve_system(
        "clipsonic.systems:ImageQueried", {"model": str(made.models[model]), "steps": 3, "device": "cpu", **settings}
    )


def test_a_network_that_attends_gets_the_frames_of_the_video(made: Made) -> None:
    system = iq(made, "several")
    np.testing.assert_allclose(system.conditions(made.queries, [1, 2]), unit(made.embedded), atol=1e-5)
    assert system.card()["frames"] == K
    two = system.variant(frames=2).conditions(made.queries, [1, 2])
    assert two.shape == (2, 2, CLIP_DIM)
    one = system.variant(frames=1)
    assert "frames" not in one.card()
    np.testing.assert_allclose(one.conditions(made.queries, [1, 2])[:, 0], unit(made.embedded[:, 1]), atol=1e-5)
    sounds = [np.stack(system.generate(made.queries, [1, 2])), np.stack(one.generate(made.queries, [1, 2]))]
    assert np.abs(sounds[0] - sounds[1]).max() > 1e-4


def test_a_model_of_mean_frames_gets_the_mean_of_as_many(made: Made) -> None:
    found = iq(made, "mean").conditions(made.queries, [1, 2])
    np.testing.assert_allclose(found, unit(unit(made.embedded).mean(axis=1)), atol=1e-5)


def test_an_image_stands_for_any_number_of_frames(made: Made, tmp_path: Path) -> None:
    assert made.queries[0].image is not None
    Image.fromarray(read_frames(made.queries[0].image, [0.0])[0]).save(tmp_path / "a.png")
    query = Query("a", "a dog", tmp_path / "a.png")
    for model in ("several", "mean"):
        several, one = (np.stack(iq(made, model, frames=k).generate([query], [1])) for k in (K, 1))
        np.testing.assert_allclose(several, one, atol=1e-3)
    assert iq(made, "several").conditions([query, made.queries[0]], [1, 1]).shape == (2, K, CLIP_DIM)


def test_a_model_of_single_frames_takes_one(made: Made) -> None:
    assert iq(made, "single").conditions(made.queries, [1, 2]).shape == (2, CLIP_DIM)
    with pytest.raises(ConfigError, match="frames 3: this model was trained on single frames and takes one"):
        iq(made, "single", frames=3)
    with pytest.raises(ConfigError, match="frames must be at least 1, got 0"):
        iq(made, "several", frames=0)


def test_the_pipeline_takes_videos_lists_of_images_and_embeddings_alike(made: Made) -> None:
    pipe = CLIPSonicPipeline.from_pretrained(made.models["several"], device="cpu")
    videos = [query.image for query in made.queries]
    images = [read_frames(path, [(j + 0.5) / FPS for j in range(K)]) for path in videos if path is not None]
    inputs: list[dict[str, Any]] = [{"image": videos}, {"image": images}, {"clip_embeds": made.embedded}]
    sounds = []
    for given in inputs:
        generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
        sounds.append(np.asarray(pipe(**given, num_inference_steps=3, generator=generators).audios))
    np.testing.assert_array_equal(sounds[0], sounds[1])
    np.testing.assert_allclose(sounds[2], sounds[0], atol=1e-5)
    by_command = np.stack(iq(made, "several", guidance=2.0).generate(made.queries, [1, 2]))
    np.testing.assert_allclose(sounds[0], by_command, atol=1e-6)


def test_the_pipeline_refuses_what_the_model_was_not_trained_for(made: Made) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    several = CLIPSonicPipeline.from_pretrained(made.models["several"], device="cpu")
    with pytest.raises(ShapeError, match=r"takes the same number of images per item, got \[2, 3\]"):
        several(image=[[pixels] * 2, [pixels] * 3])
    single = CLIPSonicPipeline.from_pretrained(made.models["single"], device="cpu")
    with pytest.raises(ShapeError, match="takes one image per item"):
        single(image=[[pixels] * 2])
    with pytest.raises(ShapeError, match=r"clip_embeds: this model takes \(b, 128\) or \(128,\), got \(2, 3, 128\)"):
        single(clip_embeds=made.embedded)
