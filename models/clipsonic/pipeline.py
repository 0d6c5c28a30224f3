"""The audio model as a pipeline with the argument names of diffusers, from the installed package.

    pipe = CLIPSonicPipeline.from_pretrained("models/video", prior="models/prior")
    audio = pipe(prompt="a dog barks", generator=torch.Generator().manual_seed(0)).audios[0]

It samples by the systems of :mod:`clipsonic.systems`, so that equal seeds give the wavs of ``clipsonic-eval sample``.
No code is loaded from a model's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
import torch

from clipsonic import model_folder
from clipsonic.conditions import embed_frames, frames_of_query, normalised
from clipsonic.samplers import StepEnd
from clipsonic.system_config import MelSystemConfig, PriorGuidedConfig
from clipsonic.systems import MelSystem, PriorGuided, ZeroShot
from clipsonic_eval.arraytypes import AnyArray, Float32, UInt8
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.media.video import image_pixels, query_frames, query_image
from clipsonic_eval.types import Query
from clipsonic_eval.weight_files import hub_model

if TYPE_CHECKING:
    from diffusers import AudioPipelineOutput
    from PIL.Image import Image

T = TypeVar("T")
ImageInput: TypeAlias = "Image | AnyArray | str | Path"
Generators: TypeAlias = torch.Generator | Sequence[torch.Generator] | None
StepCallback: TypeAlias = Callable[["CLIPSonicPipeline", int, int, dict[str, torch.Tensor]], Mapping[str, torch.Tensor]]

_LARGEST = 2**63 - 1
_PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16"}


class _TextConditioned(MelSystem):
    """A model that was trained on captions (CLIP-TTA, CLAP-TTA)."""

    trained_on = "text"
    default_name = "TTA"


class CLIPSonicPipeline:
    """Generates audio from prompts, images or embeddings.

    Attributes:
        system: answers prompts: ZS, PD or SD where there is a prior, or a model trained on captions.
    """

    def __init__(self, system: MelSystem) -> None:
        self.system = system

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        prior: str | Path | None = None,
        torch_dtype: torch.dtype = torch.float32,
        **settings: Any,
    ) -> CLIPSonicPipeline:
        """Load a model, the encoder of its conditions, and a prior.

        Args:
            pretrained_model_name_or_path: folder that ``clipsonic-eval train`` wrote, or a repository of the Hugging
                Face hub with its files. A repository is taken from the user's cache; it is downloaded only where the
                environment variable CLIPSONIC_EVAL_DOWNLOAD is 1.
            prior: the same of a diffusion prior, which answers prompts (PD, SD); None: the text embedding itself (ZS).
            torch_dtype: ``torch.float32``, or ``torch.bfloat16`` for the network.
            **settings: of the system, by the names of :class:`~clipsonic.system_config.PriorGuidedConfig`:
                ``vocoder``, ``sampler``, ``device``, ``encoder_weights``, ``prior_steps``, …

        Raises:
            UserError: no such model, other weights than its card says, or a setting that is not accepted.
        """
        folder = hub_model(pretrained_model_name_or_path, model_folder.INDEX)
        condition = model_folder.read_card(folder, "MelDiffusion")["condition"]
        if torch_dtype not in _PRECISIONS:
            raise ConfigError(f"torch_dtype {torch_dtype}: takes torch.float32 or torch.bfloat16")
        given = {
            "model": str(folder),
            "encoder": condition["space"]["name"],
            "precision": _PRECISIONS[torch_dtype],
            **settings,
        }
        where = "CLIPSonicPipeline.from_pretrained"
        if prior is not None:
            given["prior"] = str(hub_model(prior, model_folder.INDEX))
            return cls(PriorGuided(resolve(PriorGuidedConfig, given, where=where)))
        system = ZeroShot if condition["kind"] == "image" else _TextConditioned
        return cls(system(resolve(MelSystemConfig, given, where=where)))

    def save_pretrained(self, save_directory: str | Path) -> Path:
        """Write the audio model's folder, and return it; the encoder and the prior have folders of their own."""
        return self.system.model.save(Path(save_directory))

    def to(self, device: str | torch.device) -> CLIPSonicPipeline:
        """Load the networks onto another device; returns the pipeline itself."""
        self.system = self.system.variant(device=str(device))
        return self

    @property
    def device(self) -> torch.device:
        """Where the networks are evaluated."""
        return self.system.model.device

    @property
    def sample_rate(self) -> int:
        """Sample rate of the audio, Hz."""
        return self.system.sample_rate

    def __call__(  # noqa: PLR0913 -- diffusers' arguments
        self,
        prompt: str | Sequence[str] | None = None,
        image: ImageInput | Sequence[ImageInput] | None = None,
        clip_embeds: AnyArray | torch.Tensor | None = None,
        *,
        audio_length_in_s: float | None = None,
        num_inference_steps: int = 20,
        guidance_scale: float = 2.0,
        num_waveforms_per_prompt: int = 1,
        generator: Generators = None,
        output_type: Literal["np", "pt", "latent"] = "np",
        callback_on_step_end: StepCallback | None = None,
        return_dict: bool = True,
    ) -> AudioPipelineOutput | tuple[Any]:
        """Generate audio; give one of ``prompt``, ``image`` and ``clip_embeds``.

        Args:
            prompt: one text or several.
            image: one image or several: of Pillow, (height, width, 3) uint8 RGB, or the path of an image or a video, of
                which the centre frame is taken. For a model that was trained with several frames an item may be a list
                of images, and of a video as many frames are taken as in training.
            clip_embeds: (b, d) or (d,) embeddings of the encoder that the model was trained with, of any norm; for a
                network that attends to several also (b, k, d).
            audio_length_in_s: length of the audio, seconds; None: that of the training clips.
            num_inference_steps: of the sampler.
            guidance_scale: w of classifier-free guidance; 1 is none.
            num_waveforms_per_prompt: for each input; they stand next to each other, and are not ranked.
            generator: of the noise: one, or one per waveform. One that is fresh from ``manual_seed(s)`` stands for the
                seed s of ``samples.csv``; more waveforms, and later calls, draw their seeds from it. None: other noise
                in every call.
            output_type: ``np``: (n, samples) float32; ``pt``: the same as a tensor; ``latent``: log-mel spectrograms
                (n, n_mels, frames) in nats, a tensor.
            callback_on_step_end: called as ``callback(pipe, step, timestep, {"latents": x})`` after every step of every
                64 waveforms; what it returns as ``latents`` goes on.
            return_dict: return ``AudioPipelineOutput``, whose ``audios`` is the result; else a tuple of the result.

        Raises:
            UserError: none or several of the inputs, an unreadable image, or a setting that is not accepted.
        """
        inputs = {"prompt": prompt, "image": image, "clip_embeds": clip_embeds}
        given = [name for name, value in inputs.items() if value is not None]
        if len(given) != 1:
            raise ConfigError(f"give one of prompt, image and clip_embeds; got {' and '.join(given) or 'none'}")
        if output_type not in {"np", "pt", "latent"} or num_waveforms_per_prompt < 1:
            raise ConfigError("output_type is np, pt or latent, and num_waveforms_per_prompt at least 1")
        count = num_waveforms_per_prompt
        system = self.system.variant(
            guidance=guidance_scale, steps=num_inference_steps, duration_s=audio_length_in_s
        )  # refuses what makes no sense before anything is computed
        if prompt is not None:
            prompts = np.repeat(_listed(prompt, str), count).tolist()
            seeds = _seeds(generator, len(prompts))
            conditions = self.system.conditions([Query("", text) for text in prompts], seeds)
            self.system.forget()
        else:
            vectors = self._of_images(image) if image is not None else self._of_embeddings(clip_embeds)
            conditions = np.repeat(vectors, count, axis=0)
            seeds = _seeds(generator, len(conditions))
        step_end = None if callback_on_step_end is None else self._step_end(callback_on_step_end)
        log_mel = system.log_mel(conditions, seeds, step_end)
        result = log_mel if output_type == "latent" else self.system.model.vocode(log_mel, seeds)
        if output_type == "pt":
            result = torch.from_numpy(result)
        return _output(result) if return_dict else (result,)

    def _step_end(self, callback: StepCallback) -> StepEnd:
        def step_end(step: int, t: int, x: torch.Tensor) -> torch.Tensor:
            return callback(self, step, t, {"latents": x}).get("latents", x)

        return step_end

    def _of_images(self, images: Any) -> Float32:
        """Return the conditions of images, (b, d) of L2 norm 1, or (b, k, d)."""
        if self.system.trained_on != "image":
            raise ConfigError("this model was trained on texts; give prompt or clip_embeds")
        condition = self.system.model.card["condition"]
        count = frames_of_query(condition)
        frames = [_frames(item, count) for item in _listed(images, str, Path)]
        return embed_frames(self.system.encoder, frames, condition)

    def _of_embeddings(self, embeddings: Any) -> Float32:
        """Return embeddings as conditions, (b, d) of L2 norm 1, or (b, k, d)."""
        vectors = np.asarray(embeddings.float().cpu() if isinstance(embeddings, torch.Tensor) else embeddings)
        model = self.system.model
        dim, several = model.condition_dim, model.takes_several
        if vectors.shape[-1:] != (dim,) or vectors.ndim > 2 + several:
            shapes = f"(b, k, {dim}), (b, {dim})" if several else f"(b, {dim})"
            raise ShapeError(f"clip_embeds: this model takes {shapes} or ({dim},), got {vectors.shape}")
        return normalised(np.atleast_2d(vectors).astype(np.float32))


def _listed(value: Any, *single: type) -> list[Any]:
    """Return several inputs as a list, and one as a list of one; an array or an image of Pillow is one."""
    is_one = isinstance(value, single) or not isinstance(value, Sequence)
    if is_one and isinstance(value, np.ndarray) and value.ndim == 4:
        return list(value)
    return [value] if is_one else list(value)


def _frames(item: Any, count: int) -> list[UInt8]:
    """Return the images of an item: those of a list, ``count`` frames of a video, else the one that it is."""
    if isinstance(item, str | Path):
        return query_frames(Path(item), count)
    return [_pixels(image) for image in (item if isinstance(item, list | tuple) else [item])]


def _pixels(image: Any) -> UInt8:
    """Return an image as (height, width, 3) uint8 RGB."""
    if isinstance(image, str | Path):
        return query_image(Path(image))
    if not isinstance(image, np.ndarray):
        return image_pixels(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ShapeError(f"image: takes (height, width, 3) uint8 RGB, got {image.dtype} {image.shape}")
    return image


def _seeds(generator: Generators, n: int) -> list[int]:
    """Return the seeds of n waveforms, and advance the generators."""
    if generator is None:
        return torch.randint(_LARGEST, (n,), generator=_of_the_system()).tolist()
    if isinstance(generator, torch.Generator):
        first = generator.initial_seed() if _fresh(generator) else None
        drawn = torch.randint(_LARGEST, (n,), generator=generator, device=generator.device).tolist()
        return drawn if first is None else [first, *drawn[1:]][:n]
    if len(generator) != n:
        raise ConfigError(f"generator: {len(generator)} for {n} waveforms; give one, or one for each waveform")
    return [seed for one in generator for seed in _seeds(one, 1)]


def _fresh(generator: torch.Generator) -> bool:
    """Return whether nothing was drawn from a generator since it was seeded."""
    untouched = torch.Generator(generator.device).manual_seed(generator.initial_seed())
    return torch.equal(untouched.get_state(), generator.get_state())


def _of_the_system() -> torch.Generator:
    """Return a generator that the operating system's randomness seeds; the global one stays as it is."""
    generator = torch.Generator()
    generator.seed()
    return generator


def _output(audios: Any) -> AudioPipelineOutput:
    from diffusers import AudioPipelineOutput

    return AudioPipelineOutput(audios=audios)
