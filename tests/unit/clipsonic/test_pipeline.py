"""The pipeline against ``clipsonic-eval sample``: the same wavs for the same seeds, by diffusers' names."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from diffusers import AudioPipelineOutput
from PIL import Image
from unit.systems.tiny_systems import CLIP_DIM, RATE, N, write_model, write_prior, write_videos

from clipsonic import CLIPSonicPipeline
from clipsonic.model import MelDiffusion
from clipsonic_eval.cli import main
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import ConfigError, MediaError, ShapeError, UserError, WeightsError
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.media.video import query_image
from clipsonic_eval.types import Query

STEPS = 3
EMBEDS = np.random.default_rng(3).standard_normal((2, CLIP_DIM))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_model(root / "video", "image")
    write_model(root / "tta", "text")
    write_prior(root / "prior")
    return root


@pytest.fixture(scope="module")
def queries(root: Path) -> list[Query]:
    return write_videos(root / "videos", 2)


@pytest.fixture(scope="module")
def pipe(root: Path) -> CLIPSonicPipeline:
    return CLIPSonicPipeline.from_pretrained(root / "video", device="cpu")


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def audios(pipe: CLIPSonicPipeline, *arguments: Any, **named: Any) -> np.ndarray[Any, Any]:
    output = pipe(*arguments, **{"num_inference_steps": STEPS, **named})
    assert isinstance(output, AudioPipelineOutput)
    return np.asarray(output.audios)


@pytest.mark.parametrize(
    ("system", "model", "prior", "by"),
    [
        ("clipsonic.systems:ZeroShot", "video", None, "prompt"),
        ("clipsonic.systems:ImageQueried", "video", None, "image"),
        ("clipsonic.systems:PriorGuided", "video", "prior", "prompt"),
        ("paired_tta.systems:ClipTTA", "tta", None, "prompt"),
    ],
)
def test_equal_seeds_give_the_wavs_of_the_command(
    root: Path, queries: list[Query], tmp_path: Path, system: str, model: str, prior: str | None, by: str
) -> None:
    with (tmp_path / "q.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("key", "prompt", "path"), *((q.key, q.prompt, q.image) for q in queries)])
    settings = {"model": root / model, "steps": STEPS, "guidance": 3, "device": "cpu"}
    if prior:
        settings |= {"prior": root / prior, "prior_steps": 4}
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    done = CliRunner().invoke(
        main, ["sample", system, *sets, "--queries", str(tmp_path / "q.csv"), "--out", str(tmp_path / "wavs")]
    )
    assert done.exit_code == 0, done.output
    with (tmp_path / "wavs" / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    extra = {"prior": root / prior, "prior_steps": 4} if prior else {}
    pipe = CLIPSonicPipeline.from_pretrained(root / model, device="cpu", **extra)
    inputs = {"prompt": [row["prompt"] for row in rows], "image": [q.image for q in queries]}[by]
    generators = seeded(*(int(row["seed"]) for row in rows))
    got = audios(pipe, **{by: inputs}, guidance_scale=3, generator=generators)
    for row, audio in zip(rows, got, strict=True):
        np.testing.assert_array_equal(audio, read_audio(tmp_path / "wavs" / row["file"]).samples[0])


def test_a_fresh_generator_stands_for_its_seed_and_a_used_one_for_new_noise(pipe: CLIPSonicPipeline) -> None:
    (generator,) = seeded(5)
    first, again = (audios(pipe, "a dog", generator=generator) for _ in range(2))
    assert np.abs(first - again).max() > 1e-3
    np.testing.assert_array_equal(first, audios(pipe, "a dog", generator=seeded(5)))
    np.testing.assert_array_equal(again, audios(pipe, "a dog", generator=_advanced(5)))
    free = [audios(pipe, "a dog") for _ in range(2)]
    assert np.abs(free[0] - free[1]).max() > 1e-3


def _advanced(seed: int) -> torch.Generator:
    (generator,) = seeded(seed)
    torch.randint(2**63 - 1, (1,), generator=generator)
    return generator


def test_one_generator_serves_many_waveforms_and_leaves_the_global_one(pipe: CLIPSonicPipeline) -> None:
    state = torch.random.get_rng_state()
    many = audios(pipe, ["a dog", "rain"], num_waveforms_per_prompt=2, generator=seeded(5)[0])
    audios(pipe, "a dog")
    assert torch.equal(state, torch.random.get_rng_state())
    assert many.shape == (4, N)
    _, *drawn = torch.randint(2**63 - 1, (4,), generator=seeded(5)[0]).tolist()
    each = audios(pipe, ["a dog", "a dog", "rain", "rain"], generator=seeded(5, *drawn))
    np.testing.assert_array_equal(many, each)  # of the same batch: networks round by its size
    assert np.abs(many[0] - many[1]).max() > 1e-3
    with pytest.raises(ConfigError, match="generator: 1 for 2 waveforms"):
        pipe("a dog", num_waveforms_per_prompt=2, generator=seeded(1))


def test_an_image_is_the_same_from_a_path_an_array_and_pillow(pipe: CLIPSonicPipeline, queries: list[Query]) -> None:
    assert queries[0].image is not None
    pixels = query_image(queries[0].image)
    inputs = [queries[0].image, str(queries[0].image), pixels, Image.fromarray(pixels), [pixels], pixels[None]]
    made = [audios(pipe, image=image, generator=seeded(1)) for image in inputs]
    assert all(np.array_equal(made[0], other) for other in made[1:])


def test_embeddings_of_any_norm_and_type_are_the_condition(pipe: CLIPSonicPipeline) -> None:
    vectors = load_encoder("toy-clip").text(["a dog barks", "rain"])
    by_text = audios(pipe, prompt=["a dog barks", "rain"], generator=seeded(1, 2))
    np.testing.assert_allclose(by_text, audios(pipe, clip_embeds=7 * vectors, generator=seeded(1, 2)), atol=1e-5)
    by_tensor = audios(pipe, clip_embeds=torch.from_numpy(vectors).to(torch.float64), generator=seeded(1, 2))
    np.testing.assert_allclose(by_text, by_tensor, atol=1e-5)
    assert audios(pipe, clip_embeds=vectors[0], generator=seeded(1)).shape == (1, N)


def test_steps_guidance_and_length_act(pipe: CLIPSonicPipeline) -> None:
    plain = audios(pipe, clip_embeds=EMBEDS, generator=seeded(1, 2), guidance_scale=1)
    assert np.abs(plain - audios(pipe, clip_embeds=EMBEDS, generator=seeded(1, 2), guidance_scale=4)).max() > 1e-3
    more = pipe(clip_embeds=EMBEDS, generator=seeded(1, 2), guidance_scale=1, num_inference_steps=5)
    assert np.abs(plain - np.asarray(more.audios)).max() > 1e-3
    assert audios(pipe, clip_embeds=EMBEDS, audio_length_in_s=2 * N / RATE).shape == (2, 2 * N)


def test_outputs_are_arrays_tensors_or_spectrograms(pipe: CLIPSonicPipeline) -> None:
    call = {"clip_embeds": EMBEDS, "num_inference_steps": STEPS}
    sound = pipe(**call, generator=seeded(1, 2)).audios
    assert (sound.shape, sound.dtype) == ((2, N), np.float32)
    tensor = pipe(**call, generator=seeded(1, 2), output_type="pt").audios
    np.testing.assert_array_equal(tensor.numpy(), sound)
    log_mel = pipe(**call, generator=seeded(1, 2), output_type="latent").audios
    np.testing.assert_array_equal(pipe.system.model.vocode(log_mel, [1, 2]), sound)
    (alone,) = pipe(**call, generator=seeded(1, 2), return_dict=False)
    np.testing.assert_array_equal(alone, sound)


def test_a_callback_sees_every_step_and_may_change_what_goes_on(pipe: CLIPSonicPipeline) -> None:
    seen: list[tuple[int, int, tuple[int, ...]]] = []

    def watch(pipeline: Any, step: int, timestep: int, kept: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        assert pipeline is pipe
        seen.append((step, timestep, tuple(kept["latents"].shape)))
        return {}

    call = {"clip_embeds": EMBEDS, "output_type": "latent", "num_inference_steps": STEPS}
    watched = pipe(**call, generator=seeded(1, 2), callback_on_step_end=watch).audios
    assert [step for step, _, _ in seen] == [0, 1, 2]
    assert seen[0][1] > seen[1][1] > seen[2][1]
    assert {shape for _, _, shape in seen} == {(2, 64, N // 160)}
    assert torch.equal(watched, pipe(**call, generator=seeded(1, 2)).audios)
    zeros = pipe(
        **call, generator=seeded(1, 2), callback_on_step_end=lambda p, i, t, kept: {"latents": 0 * kept["latents"]}
    ).audios
    assert torch.allclose(zeros, torch.full_like(zeros, -5.0))  # the mean of the data


def test_a_saved_pipeline_is_a_model_folder_again(pipe: CLIPSonicPipeline, tmp_path: Path) -> None:
    again = CLIPSonicPipeline.from_pretrained(pipe.save_pretrained(tmp_path / "m"), device="cpu")
    a, b = (audios(p, "a dog", generator=seeded(3)) for p in (pipe, again))
    np.testing.assert_array_equal(a, b)
    assert MelDiffusion.load(tmp_path / "m").card == pipe.system.model.card
    assert again.to("cpu") is again
    assert (again.device, again.sample_rate) == (torch.device("cpu"), RATE)


def test_bfloat16_stays_near(root: Path, pipe: CLIPSonicPipeline) -> None:
    rough = CLIPSonicPipeline.from_pretrained(root / "video", torch_dtype=torch.bfloat16, device="cpu")
    call = {"clip_embeds": EMBEDS, "output_type": "latent", "num_inference_steps": STEPS}
    a, b = (p(**call, generator=seeded(1, 2)).audios for p in (pipe, rough))
    assert 0 < float((a - b).abs().mean()) < 0.1


def test_wrong_inputs_are_one_sentence(root: Path, pipe: CLIPSonicPipeline, tmp_path: Path) -> None:
    for call, error, message in [
        ({}, ConfigError, "got none"),
        ({"prompt": "a", "clip_embeds": EMBEDS}, ConfigError, "got prompt and clip_embeds"),
        ({"prompt": "a", "num_inference_steps": 0}, ConfigError, "at least 1, got 0"),
        ({"prompt": "a", "guidance_scale": -1}, ConfigError, "guidance must not be negative"),
        ({"prompt": "a", "audio_length_in_s": 0.123}, ConfigError, "take"),
        ({"prompt": "a", "output_type": "wav"}, ConfigError, "output_type is np, pt or latent"),
        ({"prompt": "a", "num_waveforms_per_prompt": 0}, ConfigError, "at least 1"),
        ({"clip_embeds": np.zeros((1, 3))}, ShapeError, "clip_embeds: this model takes"),
        ({"clip_embeds": np.zeros(CLIP_DIM)}, ShapeError, "zero or not finite"),
        ({"image": np.zeros((4, 4), np.uint8)}, ShapeError, "uint8 RGB"),
        ({"image": tmp_path / "none.png"}, MediaError, "none.png"),
    ]:
        with pytest.raises(error, match=message):
            pipe(**call)
    texts = CLIPSonicPipeline.from_pretrained(root / "tta", device="cpu")
    with pytest.raises(ConfigError, match="trained on texts"):
        texts(image=np.zeros((4, 4, 3), np.uint8))


def test_wrong_models_are_one_sentence(root: Path, tmp_path: Path) -> None:
    load = CLIPSonicPipeline.from_pretrained
    with pytest.raises(UserError, match=r"no model_index.json here"):
        load(tmp_path)
    with pytest.raises(UserError, match="kind DiffusionPrior, but MelDiffusion"):
        load(root / "prior")
    with pytest.raises(WeightsError, match="no such folder, and no repository of this name"):
        load("someone/no-such-model")
    with pytest.raises(ConfigError, match="Did you mean 'sampler'"):
        load(root / "video", smapler="ddim")
    with pytest.raises(ConfigError, match=r"torch_dtype torch.float16"):
        load(root / "video", torch_dtype=torch.float16)
    with pytest.raises(UserError, match="PriorGuided needs a model"):
        load(root / "tta", prior=root / "prior")


def test_a_repository_in_the_cache_is_a_model(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, local_files_only: str(root / "video"))
    assert audios(CLIPSonicPipeline.from_pretrained("lab/clipsonic", device="cpu"), "a dog").shape == (1, N)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, local_files_only: str(tmp_path))
    with pytest.raises(WeightsError, match=r"has no model_index.json"):
        CLIPSonicPipeline.from_pretrained("lab/other", device="cpu")
