"""The trained audio model: a diffusers-style folder, and sound from conditions.

Layout of a folder::

    model_index.json                                names of the parts; written last, so its presence means "complete"
    network/config.json, diffusion_pytorch_model.safetensors
    scheduler/scheduler_config.json                 the training schedule, readable by diffusers
    mel.json                                        MelConfig with its measured scale
    card.json                                       what was trained on what: hashes, seed, steps, condition space
    SHA256SUMS                                      of all these but the first; checked before anything is believed
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from clipsonic.conditions import normalised
from clipsonic.diffusion import Diffusion, DiffusionConfig, guided
from clipsonic.mel import MelConfig, MelFrontEnd
from clipsonic.networks import NETWORKS
from clipsonic.precision import Precision, autocast
from clipsonic.samplers import SamplerSettings, sample, training_scheduler
from clipsonic.vocoders import VOCODERS, Vocoder, within_full_scale
from clipsonic_eval import atomic
from clipsonic_eval.arraytypes import Float32, FloatArray
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.errors import ShapeError, UserError, WeightsError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import check_sums, file_sha256, write_sums

FORMAT = 1
WEIGHTS = "diffusion_pytorch_model.safetensors"
_PARTS = (f"network/{WEIGHTS}", "network/config.json", "scheduler/scheduler_config.json", "mel.json", "card.json")


class MelDiffusion:
    """A conditional diffusion model of log-mels with everything that sampling needs.

    Attributes:
        network: see :mod:`clipsonic.networks`; in evaluation mode.
        mel: layout and scale.
        diffusion: schedule.
        precision: of the network in sampling. ``bf16`` or ``auto`` takes half the time on processors made for it and
            moved the log-mels of a toy model by 0.002 on average, 0.06 at most (natural log); sampler and
            noise stay float32.
        card: JSON-serialisable; ``log_mel_range`` (``low`` and ``high`` of each band in the training data,
            natural log), ``condition``, ``weights_sha256`` and what the trainer adds.
    """

    def __init__(
        self,
        network: nn.Module,
        mel: MelConfig,
        diffusion: DiffusionConfig,
        card: Mapping[str, Any],
        *,
        device: str | torch.device = "cpu",
        vocoder: Vocoder | None = None,
        precision: Precision = "fp32",
    ) -> None:
        self.device = torch.device(device)
        self.network = network.to(self.device).eval()
        self._sizes: Mapping[str, Any] = getattr(network, "config")  # noqa: B009 -- ConfigMixin's, unknown to nn.Module
        self.mel = mel
        self.diffusion = diffusion
        self.precision = precision
        self.card = dict(card)
        self._front_end = MelFrontEnd(mel, device)
        self._tables = Diffusion(diffusion, device)
        self.vocoder: Vocoder = vocoder or VOCODERS["griffin-lim"](mel, device=str(self.device))

    @property
    def sample_rate(self) -> int:
        """Hz of what :meth:`generate_audio` returns."""
        return self.mel.sample_rate

    @property
    def condition_dim(self) -> int:
        """Width of a condition."""
        return int(self._sizes["condition_dim"])

    @property
    def frames(self) -> int:
        """Frames of a generated log-mel."""
        return int(self._sizes["frames"])

    def generate_mel(
        self,
        cond: FloatArray,
        seeds: Sequence[int],
        guidance: float = 1.0,
        steps: int = 20,
        sampler: str = "dpm-solver++",
        *,
        batch_size: int = 64,
    ) -> torch.Tensor:
        """Draw one log-mel per condition.

        Args:
            cond: (b, d) embeddings of any norm; they are L2-normalised here, then scaled by sqrt(d).
            seeds: one per condition; an item depends on its own condition and seed only.
            guidance: w of ``uncond + w (cond - uncond)``; 1 is no guidance (and costs half).
            steps: of the sampler.
            sampler: a name in :data:`clipsonic.samplers.SAMPLERS`.
            batch_size: items worked on together, bounds memory.

        Returns:
            (b, n_mels, frames) float32 natural log-mels, on the CPU.

        Raises:
            ShapeError: conditions of another width or number.
        """
        settings = SamplerSettings(sampler, steps)
        vectors = np.asarray(cond)
        if vectors.ndim != 2 or vectors.shape[1] != self.condition_dim or len(vectors) != len(seeds):
            raise ShapeError(
                f"this model takes conditions (b, {self.condition_dim}) and b seeds, "
                f"got {vectors.shape} and {len(seeds)} seeds"
            )
        scaled = torch.from_numpy(normalised(vectors) * math.sqrt(self.condition_dim))
        shape = (self.mel.n_mels, self.frames)
        parts = [torch.zeros(0, *shape)]
        for start in range(0, len(seeds), batch_size):
            rows = slice(start, start + batch_size)
            drawn = sample(
                self._denoiser(scaled[rows].to(self.device), guidance),
                shape,
                seeds[rows],
                settings,
                diffusion=self.diffusion,
                device=self.device,
            )
            parts.append(self._front_end.denormalise(drawn).cpu())
        return torch.cat(parts)

    def generate_audio(
        self,
        cond: FloatArray,
        seeds: Sequence[int],
        guidance: float = 1.0,
        steps: int = 20,
        sampler: str = "dpm-solver++",
        *,
        batch_size: int = 64,
    ) -> Float32:
        """Draw one waveform per condition, (b, frames * hop) float32 in [-1, 1]; arguments as in :meth:`generate_mel`.

        A waveform whose peak lies above full scale is scaled down as a whole; nothing is clipped.
        """
        log_mel = self.generate_mel(cond, seeds, guidance, steps, sampler, batch_size=batch_size)
        audio: Float32 = within_full_scale(self.vocoder(log_mel, seeds)).numpy()
        return audio

    def _denoiser(self, cond: torch.Tensor, guidance: float) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Return (x_t, t) -> predicted clean data under a condition."""
        low, high = self._range()
        drop = torch.zeros(len(cond), dtype=torch.bool, device=cond.device)

        def predict(*inputs: torch.Tensor) -> torch.Tensor:
            with autocast(self.precision, self.device):
                v: torch.Tensor = self.network(*inputs)
            return v.float()

        def denoise(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            if guidance == 1.0:
                v = predict(x, t, cond, drop)
            else:
                twice = [torch.cat([a, a]) for a in (x, t, cond)]
                with_condition, without = predict(*twice, torch.cat([drop, ~drop])).chunk(2)
                v = guided(with_condition, without, guidance)
            clean = self._tables.x0_from_v(x, v, t)
            return clean.clamp(low, high)

        return denoise

    def _range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what clean data may lie between at the network's scale, (n_mels, 1) each.

        Band by band: bands have scales of their own, and one limit for all lets guidance drive a loud band far beyond
        anything in the training data (peaks of the sound came out at 400 times full scale).
        """
        found = self.card.get("log_mel_range") if self.diffusion.clamp_x0 else None
        if found is None:
            whole = torch.full((self.mel.n_mels, 1), math.inf, device=self.device)
            return -whole, whole
        ends = torch.tensor([found["low"], found["high"]], dtype=torch.float32, device=self.device)
        low, high = self._front_end.normalise(ends[:, :, None])
        return low, high

    def save(self, folder: Path) -> Path:
        """Write the folder (see the module) and return it; ``card["weights_sha256"]`` is set from what was written."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model_index.json").unlink(missing_ok=True)
        with atomic.replacing_folder(folder / "network") as part:
            save_pretrained: Callable[..., None] = getattr(self.network, "save_pretrained")  # noqa: B009
            save_pretrained(part, safe_serialization=True)
        with atomic.replacing_folder(folder / "scheduler") as part:
            training_scheduler(self.diffusion).save_pretrained(part)
        write_json(folder / "mel.json", as_tree(self.mel))
        self.card["weights_sha256"] = file_sha256(folder / "network" / WEIGHTS)
        self.card["diffusion"] = as_tree(self.diffusion)
        self.card["parameters"] = sum(p.numel() for p in self.network.parameters())
        write_json(folder / "card.json", self.card)
        write_sums(folder, _PARTS)
        name = next(n for n in NETWORKS if NETWORKS[n] is type(self.network))
        index = {
            "_class_name": "MelDiffusion",
            "format": FORMAT,
            "network": ["clipsonic", name],
            "scheduler": ["diffusers", "DDPMScheduler"],
        }
        write_json(folder / "model_index.json", index)
        return folder

    @classmethod
    def load(
        cls, folder: Path | str, device: str | torch.device = "cpu", *, precision: Precision = "fp32"
    ) -> MelDiffusion:
        """Read what :meth:`save` wrote.

        Raises:
            UserError: the folder is no complete model of this kind.
            WeightsError: the weights are not the ones that the card names, or do not fit the network.
        """
        folder = Path(folder)
        index = read_index(folder, "MelDiffusion")
        card = read_checked_card(folder, _PARTS, _PARTS[0])
        mel = resolve(MelConfig, read_json(folder / "mel.json"), where="mel.json")
        diffusion = resolve(DiffusionConfig, card["diffusion"], where="card.json: diffusion")
        try:
            network = NETWORKS[index["network"][1]].from_pretrained(
                folder / "network", use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
            )
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"{folder / 'network'}: the weights do not fit the network ({reason})") from error
        return cls(network, mel, diffusion, card, device=device, precision=precision)


def read_index(folder: Path, kind: str) -> dict[str, Any]:
    """Return ``model_index.json`` of a model folder.

    Raises:
        UserError: there is none, or it describes something else than ``kind``.
    """
    path = folder / "model_index.json"
    if not path.is_file():
        raise UserError(f"{folder}: no model_index.json here; give a folder that `clipsonic-eval train` finished")
    index = read_json(path, mend="train the model again")
    if not isinstance(index, dict) or index.get("_class_name") != kind:
        found = index.get("_class_name") if isinstance(index, dict) else None
        raise UserError(f"{folder}: holds a model of kind {found}, but {kind} is needed here")
    if index.get("format") != FORMAT:
        raise UserError(
            f"{folder}: format {index.get('format')}, but this release reads {FORMAT}; train the model again"
        )
    return index


def read_checked_card(folder: Path, parts: Sequence[str], weights: str) -> dict[str, Any]:
    """Return ``card.json`` of a model folder once all its files have the bytes that were written.

    Args:
        folder: of the model.
        parts: names of its files, relative.
        weights: the one among them whose hash the card names.

    Raises:
        WeightsError: a file is missing, damaged or changed, or the weights are not the card's.
    """
    if not (folder / weights).is_file():
        raise WeightsError(f"{folder / weights}: the weights are missing; copy the whole folder")
    sums = check_sums(folder, parts, WeightsError, mend="train the model again or copy the whole folder")
    card: dict[str, Any] = read_json(folder / "card.json", WeightsError)
    if sums[weights] != card["weights_sha256"]:
        raise WeightsError(
            f"{folder / weights}: sha256 {sums[weights][:12]}…, but card.json names {card['weights_sha256'][:12]}…; it "
            "belongs to another model, train again or copy the whole folder"
        )
    return card
