"""Published text-to-audio systems: pipelines of diffusers in the user's own folders, sampled by the study's rules.

A pipeline is asked for one sound at a time: some pad a prompt to the longest of its batch, which changes the sound.
What it gives is made mono, resampled to the study's rate, and cut or zero-padded at its end to the study's length; the
card says so. Reranking inside a pipeline is left off; ``sample --rerank`` does it for every system by the same encoder.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from clipsonic.system_config import check_template
from clipsonic.systems import PEAK_RULE
from clipsonic.vocoders import within_full_scale
from clipsonic_eval import licences
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.errors import ConfigError, WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.hashing import config_hash, file_sha256
from clipsonic_eval.media.audio import mono_at
from clipsonic_eval.stages import stage
from clipsonic_eval.types import Clip, Query
from clipsonic_eval.weight_files import COPY_FOLDER, check_hash_in_name, hub_model, stated_licence

INDEX = "model_index.json"
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_AUDIO = "mono:mean|resample:soxr-hq|cut:end|pad:zeros"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """Settings of a published system.

    Attributes:
        folder: of the pipeline, as published for diffusers, with safetensors; or the name of its repository, which
            ``clipsonic-eval weights NAME --fetch`` puts into the Hugging Face cache.
        name: name in tables; "": that of the system.
        steps: of its sampler; None: the pipeline's own default.
        guidance: scale of classifier-free guidance; None: the pipeline's own default.
        negative_prompt: what guidance moves away from; "": the pipeline's own null condition.
        template: prompt template, ``{}`` stands for the prompt.
        duration_s: length of the sounds, seconds.
        generate_s: length that the pipeline is asked for, of which ``duration_s`` are kept; None: ``duration_s``.
        sample_rate: of the sounds, Hz.
        precision: of the networks.
        device: ``auto``: a GPU if there is one.
    """

    folder: Path
    name: str = ""
    steps: int | None = None
    guidance: float | None = None
    negative_prompt: str = ""
    template: str = "{}"
    duration_s: float = 10.0
    generate_s: float | None = None
    sample_rate: int = 16000
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.duration_s <= 0 or self.sample_rate < 1 or (self.generate_s is not None and self.generate_s <= 0):
            raise ConfigError("duration_s, generate_s and sample_rate must be above 0")
        if (self.steps is not None and self.steps < 1) or (self.guidance is not None and self.guidance < 0):
            raise ConfigError("steps must be at least 1 and guidance not negative")
        check_template(self.template)


class PublishedPipeline:
    """Base of the published systems. A subclass names its pipeline and how a length is asked for."""

    pipeline_class: ClassVar[str]
    default_name: ClassVar[str]
    length_argument: ClassVar[str]

    def __init__(self, config: PipelineConfig) -> None:
        self.config = config
        self._folder = hub_model(config.folder, INDEX)
        self._index = read_index(self._folder, self.pipeline_class)
        self.pipeline = self._load(self._folder)
        self.pipeline.set_progress_bar_config(disable=True)
        self.pipeline.to(resolve_device(config.device))
        self._weights = folder_hash(self._folder)
        self._licence = stated_licence(self._folder)
        licences.tell(self.default_name, self._licence, str(config.folder))

    @property
    def name(self) -> str:
        """Name in tables."""
        return self.config.name or self.default_name

    @property
    def sample_rate(self) -> int:
        """Sample rate of the sounds, Hz."""
        return self.config.sample_rate

    @property
    def native_rate(self) -> int:
        """Sample rate of the pipeline, Hz."""
        raise NotImplementedError

    def card(self) -> dict[str, Any]:
        """Return everything the sounds depend on, and the licence of the weights."""
        config = self.config
        sampling = {name: getattr(config, name) for name in ("steps", "guidance", "negative_prompt", "template")}
        called = inspect.signature(
            type(self.pipeline).__call__
        ).parameters  # whose defaults are the installed release's
        for name, argument in (("steps", "num_inference_steps"), ("guidance", "guidance_scale")):
            if sampling[name] is None and argument in called:
                sampling[name] = called[argument].default
        return {
            "kind": type(self).__name__,
            "pipeline": self.pipeline_class,
            "weights_sha256": self._weights,
            "licence": self._licence,
            "scheduler": type(self.pipeline.scheduler).__name__,
            **sampling,
            "candidates": 1,
            "precision": config.precision,
            "native_rate": self.native_rate,
            "generate_s": config.generate_s or config.duration_s,
            "duration_s": config.duration_s,
            "audio": _AUDIO,
            "peak": PEAK_RULE,
        }

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Generate one waveform (n,) float32 in [-1, 1] per query; see :class:`clipsonic_eval.systems.System`."""
        return [self._sound(query, int(seed)) for query, seed in zip(queries, seeds, strict=True)]

    def _sound(self, query: Query, seed: int) -> Float32:
        config = self.config
        given: dict[str, Any] = {
            "num_inference_steps": config.steps,
            "guidance_scale": config.guidance,
            "negative_prompt": config.negative_prompt or None,
            self.length_argument: config.generate_s or config.duration_s,
            **self._arguments(),
        }
        with stage("pipeline"):
            try:
                found = self.pipeline(
                    config.template.replace("{}", query.prompt),
                    generator=torch.Generator().manual_seed(seed),
                    output_type="np",
                    **{name: value for name, value in given.items() if value is not None},
                ).audios[0]
            except ValueError as error:
                line = str(error).strip().partition("\n")[0]
                raise ConfigError(
                    f"{self.pipeline_class}: refuses this request ({line}); change the setting"
                ) from error
        native = Clip(query.key, np.atleast_2d(np.asarray(found, np.float32)), self.native_rate)
        samples = mono_at(native, config.sample_rate)
        n = round(config.duration_s * config.sample_rate)
        samples = np.pad(samples[:n], (0, max(0, n - len(samples))))
        sound: Float32 = within_full_scale(torch.from_numpy(samples)[None])[0].numpy()
        return sound

    def _arguments(self) -> dict[str, Any]:
        """Return further arguments of the pipeline."""
        return {}

    def _load(self, folder: Path) -> Any:
        return load_pipeline(folder, self.pipeline_class, self.config.precision)


def read_index(folder: Path, pipeline_class: str) -> dict[str, Any]:
    """Return ``model_index.json`` of a pipeline.

    Raises:
        WeightsError: there is none, or it describes another pipeline.
    """
    path = folder / INDEX
    index = read_json(path, WeightsError, fix="give the folder of a pipeline of diffusers, downloaded beforehand")
    found = index.get("_class_name") if isinstance(index, dict) else None
    if not isinstance(index, dict) or found != pipeline_class:
        raise WeightsError(
            f"{path}: is of a {found}, but {pipeline_class} is needed here; name the system of that class"
        )
    return index


def load_pipeline(folder: Path, pipeline_class: str, precision: str, **parts: Any) -> Any:
    """Return a pipeline of a folder; nothing is downloaded and nothing but safetensors is read.

    Args:
        folder: as published.
        pipeline_class: in diffusers.
        precision: of the networks.
        **parts: networks that replace those of the folder.

    Raises:
        WeightsError: a part is missing, damaged, or not readable.
    """
    import diffusers
    from safetensors import SafetensorError

    for file in sorted(folder.rglob("*.safetensors")):
        check_hash_in_name(file, COPY_FOLDER)
    try:
        return getattr(diffusers, pipeline_class).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, torch_dtype=DTYPES[precision], **parts
        )
    except (OSError, ValueError, RuntimeError, ImportError, AttributeError, TypeError, SafetensorError) as error:
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{folder}: not readable as a {pipeline_class} ({line}); {COPY_FOLDER}") from error


_HASHED = {".safetensors", ".json", ".txt", ".model"}


def folder_hash(folder: Path) -> str:
    """Return one hash over the weights, settings and vocabularies of a pipeline's folder."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _HASHED and path.is_file())
    return config_hash({path.relative_to(folder).as_posix(): file_sha256(path) for path in files})
