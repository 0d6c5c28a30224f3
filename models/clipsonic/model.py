"""The trained audio model: mel spectrograms, and from them waveforms, generated from CLIP or CLAP embeddings.

Stored as a model folder (:mod:`clipsonic.model_folder`) with the network in ``network/`` and ``mel.json``, the layout
and measured scale of the mel spectrogram.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clipsonic import model_folder
from clipsonic.conditions import normalised
from clipsonic.diffusion import Diffusion, DiffusionConfig, guided
from clipsonic.mel import MelConfig, MelFrontEnd
from clipsonic.networks import NETWORKS
from clipsonic.samplers import Denoiser, StepEnd, sample, training_scheduler
from clipsonic.vocoders import Vocoder, make_vocoder, waveforms
from clipsonic_eval.arraytypes import Float32, FloatArray
from clipsonic_eval.bfloat16 import Precision, chosen
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.files import read_json

if TYPE_CHECKING:
    from diffusers import ModelMixin

_FILES = model_folder.parts("network", "mel.json")


class MelDiffusion:
    """A conditional diffusion model of log-mel spectrograms, with vocoder: CLIPSonic's audio model.

    Attributes:
        network: the denoising network, in evaluation mode; see :mod:`clipsonic.networks`.
        mel: layout and scale of the mel spectrogram.
        diffusion: noise schedule.
        precision: of the network in sampling, see :attr:`executed`; sampler and noise are float32 always.
        card: JSON-serialisable; ``log_mel_range`` (``low`` and ``high`` of each band in the training data, nats),
            ``condition`` (its kind and embedding space), ``weights_sha256`` and what the trainer adds.
        vocoder: settings of :func:`clipsonic.vocoders.make_vocoder`; None: Griffin-Lim's defaults.
        batch_size: items sampled together; bounds memory.
    """

    batch_size = 64

    def __init__(
        self,
        network: ModelMixin,
        mel: MelConfig,
        diffusion: DiffusionConfig,
        card: Mapping[str, Any],
        *,
        device: str | torch.device = "cpu",
        vocoder: Mapping[str, Any] | None = None,
        precision: Precision = "fp32",
    ) -> None:
        self.device = torch.device(device)
        self.network = network.to(self.device).eval()
        self.mel = mel
        self.diffusion = diffusion
        self.precision = precision
        self.card = dict(card)
        self._front_end = MelFrontEnd(mel, device)
        self._tables = Diffusion(diffusion, device)
        self.vocoder: Vocoder = make_vocoder(mel, vocoder or {}, device=str(self.device))

    @property
    def sample_rate(self) -> int:
        """Sample rate of the generated waveforms, Hz."""
        return self.mel.sample_rate

    @cached_property
    def executed(self) -> Any:
        """The network as it is evaluated: itself, or a copy whose weights are cast to bfloat16 once."""
        if chosen(self.precision, self.device, "the network") == "fp32":
            return self.network
        executed = copy.deepcopy(self.network)
        for weight in executed.parameters():  # and no buffer: the scale of the conditions keeps its precision
            weight.data = weight.data.bfloat16()
        return executed

    @property
    def condition_dim(self) -> int:
        """Dimension of a condition embedding."""
        return int(self.network.config["condition_dim"])

    @property
    def frames(self) -> int:
        """Frames of a generated mel spectrogram, those of the training clips."""
        return int(self.network.config["frames"])

    @property
    def takes_several(self) -> bool:
        """Whether the network attends to its conditions, and so takes several per item."""
        return bool(getattr(self.network, "takes_several", False))

    def frames_of(self, duration_s: float | None) -> int:
        """Return the frames of a mel spectrogram of a duration; None: those of the training clips.

        Raises:
            ConfigError: the network takes no such number of frames; names the durations nearest to it.
        """
        if duration_s is None:
            return self.frames
        frame_s = self.mel.hop / self.sample_rate
        multiple = getattr(self.network, "frames_multiple", None)
        if multiple is None:
            raise ConfigError(
                f"duration_s: this network generates {self.frames * frame_s:g} s and no other length; leave it out"
            )
        frames = duration_s / frame_s
        if abs(frames - round(frames)) < 1e-6 and round(frames) % multiple == 0:
            return round(frames)
        below = int(frames // multiple) * multiple
        near = " or ".join(f"{n * frame_s:g}" for n in (below, below + multiple) if n)
        raise ConfigError(
            f"duration_s {duration_s:g}: this network generates multiples of {multiple * frame_s:g} s; take {near}"
        )

    def generate_mel(
        self,
        cond: FloatArray,
        seeds: Sequence[int],
        guidance: float = 1.0,
        steps: int = 20,
        sampler: str = "dpm-solver++",
        *,
        spacing: float | None = None,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        frames: int | None = None,
        step_end: StepEnd | None = None,
    ) -> torch.Tensor:
        """Generate one log-mel spectrogram per condition.

        Args:
            cond: (b, d) condition embeddings of any norm, which are L2-normalised here, then scaled by √d; or (b, k, d)
                for a network that attends to several.
            seeds: b seeds; an item depends on its own condition and seed only.
            guidance: scale w of classifier-free guidance; 1 is no guidance (and half the cost).
            steps: of the sampler.
            sampler: a name in :data:`clipsonic.samplers.SAMPLERS`.
            spacing: of its timesteps, see :func:`clipsonic.samplers.check_sampler`.
            guidance_interval: lowest and highest noise level t / T with guidance; beyond them the scale is 1 and the
                network is evaluated once instead of twice (Kynkäänniemi et al. 2024, arXiv 2404.07724).
            frames: of each; None: those of the training clips. See :meth:`frames_of`.
            step_end: called after every step of every batch, see :func:`clipsonic.samplers.sample`.

        Returns:
            (b, n_mels, frames) float32, nats, on the CPU.

        Raises:
            ShapeError: the conditions have another dimension or number.
        """
        vectors = np.asarray(cond)
        shapes = (2, 3) if self.takes_several else (2,)
        if vectors.ndim not in shapes or vectors.shape[-1] != self.condition_dim or len(vectors) != len(seeds):
            raise ShapeError(
                f"this model takes conditions (b, {self.condition_dim}) and b seeds, "
                f"got {vectors.shape} and {len(seeds)} seeds"
            )
        scaled = torch.from_numpy(normalised(vectors) * math.sqrt(self.condition_dim))  # c = √d e / |e|
        shape = (self.mel.n_mels, self.frames if frames is None else frames)
        batches = [torch.zeros(0, *shape)]
        for start in range(0, len(seeds), self.batch_size):
            rows = slice(start, start + self.batch_size)
            drawn = sample(
                self._denoiser(scaled[rows].to(self.device), guidance, guidance_interval),
                shape,
                seeds[rows],
                self.diffusion,
                sampler=sampler,
                steps=steps,
                spacing=spacing,
                device=self.device,
                step_end=step_end,
            )
            batches.append(self._front_end.denormalise(drawn).cpu())
        return torch.cat(batches)

    def vocode(self, log_mel: torch.Tensor, seeds: Sequence[int]) -> Float32:
        """Return the waveforms of log-mel spectrograms.

        A waveform whose peak exceeds full scale is scaled down as a whole; nothing is clipped.

        Args:
            log_mel: (b, n_mels, frames) float32, nats.
            seeds: b seeds, for vocoders that draw (Griffin-Lim's initial phases).

        Returns:
            (b, frames * hop) float32 in [-1, 1].
        """
        audio: Float32 = waveforms(self.vocoder, log_mel, seeds).numpy()
        return audio

    def _denoiser(self, cond: torch.Tensor, guidance: float, interval: tuple[float, float]) -> Denoiser:
        """Return the function (x_t (b, n_mels, frames), t) -> x̂_0 under conditions (b, d) and guidance."""
        low, high = self._range()
        network, dtype = self.executed, next(self.executed.parameters()).dtype
        drop = torch.zeros(len(cond), dtype=torch.bool, device=cond.device)
        twice, only_second = torch.cat([cond, cond]), torch.cat([drop, ~drop])

        def predict(x: torch.Tensor, t: int, cond: torch.Tensor, drop: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = network(x.to(dtype), torch.full((len(x),), t, device=x.device), cond, drop)
            return found.float()

        def denoise(x: torch.Tensor, t: int) -> torch.Tensor:
            if guidance == 1.0 or not interval[0] <= t / self.diffusion.steps <= interval[1]:
                predicted = predict(x, t, cond, drop)
            else:
                with_condition, without = predict(torch.cat([x, x]), t, twice, only_second).chunk(2)
                predicted = guided(with_condition, without, guidance)  # v̂ = v_∅ + w (v_c − v_∅)
            return self._tables.clean(x, predicted, t).clamp_(low, high)  # x̂_0 = α_t x_t − σ_t v̂

        return denoise

    def _range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return lowest and highest clean data at the network's scale, (n_mels, 1) each.

        Per band: bands have scales of their own, and one limit for all lets guidance drive a loud band far beyond
        anything in the training data (peaks of the waveform reached 400 times full scale).
        """
        found = self.card.get("log_mel_range") if self.diffusion.clamp_x0 else None
        if found is None:
            infinite = torch.full((self.mel.n_mels, 1), math.inf, device=self.device)
            return -infinite, infinite
        ends = torch.tensor([found["low"], found["high"]], dtype=torch.float32, device=self.device)
        low, high = self._front_end.normalise(ends[:, :, None])
        return low, high

    def save(self, folder: Path) -> Path:
        """Write the model folder and return it; ``card["weights_sha256"]`` is set from the file written."""
        self.card["diffusion"] = as_tree(self.diffusion)
        name = next(n for n in NETWORKS if NETWORKS[n] is type(self.network))
        return model_folder.write(
            folder,
            "MelDiffusion",
            "network",
            self.network,
            ("clipsonic", name),
            training_scheduler(self.diffusion),
            self.card,
            mel=as_tree(self.mel),
        )

    @classmethod
    def load(
        cls,
        folder: Path | str,
        device: str | torch.device = "cpu",
        *,
        precision: Precision = "fp32",
        vocoder: Mapping[str, Any] | None = None,
    ) -> MelDiffusion:
        """Read a model folder that :meth:`save` wrote; precision and vocoder as in the constructor.

        Raises:
            UserError: the folder is not a complete model of this kind.
            WeightsError: the weights are not those of the card, or do not fit the network.
        """
        folder = Path(folder)
        index = model_folder.read_index(folder, "MelDiffusion")
        card = model_folder.read_checked_card(folder, _FILES)
        mel = resolve(MelConfig, read_json(folder / "mel.json"), where="mel.json")
        diffusion = resolve(DiffusionConfig, card["diffusion"], where="card.json: diffusion")
        network = model_folder.read_network(NETWORKS[index["network"][1]], folder / "network")
        return cls(network, mel, diffusion, card, device=device, precision=precision, vocoder=vocoder)
