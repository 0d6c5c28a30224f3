"""The training task of the audio model: v-prediction of log-mel spectrograms under image or text conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from clipsonic.diffusion import Diffusion
from clipsonic.training.batches import ALL_ROWS, batch_rows, held_out_split, step_generator
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.crops import Crops
from clipsonic.training.loop import Network
from clipsonic.training.loss_weighting import WithExpectedLoss, weighted
from clipsonic.training.mel_source import MelSource
from clipsonic.training.noise_levels import LossByNoiseLevel
from clipsonic_eval.arraytypes import Float32

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore


class AudioTask:
    """The audio model's :class:`clipsonic.training.loop.TrainingTask`.

    Args:
        config: of the training.
        module: the denoising network, see :mod:`clipsonic.networks`.
        mels: log-mels of the clips.
        conditions: (n, k, d) float32 of L2 norm 1: k frame embeddings per clip.

    Attributes:
        network: the denoising network, which the model keeps.
        module: what is trained: the network, with the expected loss where the weighting is learned.
        training_rows: (n_train,) int64 rows of the store.
        held_out: (n_val,) int64 rows for the validation loss.
        crops: what a step sees of the log-mels.
        by_level: losses of the training items by noise level since the last row of the log.
    """

    label = "audio model"

    def __init__(self, config: AudioTrainingConfig, module: Any, mels: MelSource, conditions: Float32) -> None:
        self.config, self.mels = config, mels
        self.network: nn.Module = module
        self.module = self.network
        if config.diffusion.weighting == "learned":
            self.module = WithExpectedLoss(self.network, config.diffusion.steps)
        self.crops = Crops(mels.store, mels.front_end.config, config.crop_s, config.train.seed)
        self._device = mels.front_end.device
        self._diffusion = Diffusion(config.diffusion, self._device)
        self.by_level = LossByNoiseLevel(self._device)
        self._conditions = torch.from_numpy(conditions) * math.sqrt(conditions.shape[-1])  # c = √d e / |e|
        self.training_rows, self.held_out = split_clips(mels.store, config)

    @property
    def waited(self) -> float:
        """Seconds spent waiting for data so far."""
        return self.mels.waited

    def begin(self, step: int, shares: Sequence[slice]) -> None:
        """Begin to read the clips of these rows of the batches from a step on."""
        steps = range(step, self.config.train.steps)
        self.mels.expect(batch[rows] for batch in map(self._batch, steps) for rows in shares)

    def loss(self, network: Network, step: int, rows: slice) -> torch.Tensor:
        """Return the loss of a step's batch, a scalar: random frames, noise levels, noise and dropped conditions."""
        train = self.config.train
        generator = step_generator(train.seed, step, "train-noise", self._device)
        batch = self._batch(step)
        x0 = self.crops.cut(self.mels.scaled(batch[rows]), self.crops.starts(batch, step)[rows])
        losses, t, log_loss = self._losses(network, batch, x0, generator, rows, dropout=self.config.condition_dropout)
        self.by_level.add(losses, t, self.config.diffusion.steps)
        return (losses if log_loss is None else weighted(losses, log_loss)).mean()

    def validation_loss(self, network: Network) -> float | None:
        """Return the loss of the held-out clips at fixed noise levels and noise, with every condition present."""
        if not len(self.held_out):
            return None
        total = 0.0
        for number, batch in enumerate(self.held_out.split(self.config.train.batch_size)):
            generator = step_generator(self.config.train.seed, number, "validation-noise", self._device)
            x0 = self.crops.cut(self.mels.scaled(batch), self.crops.middle(batch))
            losses, _, _ = self._losses(network, batch, x0, generator, ALL_ROWS, dropout=0.0)
            total += float(losses.mean()) * len(batch)
        return total / len(self.held_out)

    def _batch(self, step: int) -> torch.Tensor:
        train = self.config.train
        return self.training_rows[batch_rows(len(self.training_rows), train.batch_size, step, train.seed)]

    def _losses(
        self,
        network: Network,
        batch: torch.Tensor,
        x0: torch.Tensor,
        generator: torch.Generator,
        rows: slice,
        *,
        dropout: float,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the losses of some rows of a batch, which ``x0`` holds, (b,) each; draws are for all.

        Beside them the noise levels, and the logarithms of the expected losses where the weighting is learned.
        """
        n, device = len(batch), generator.device
        frames = self._drawn_frames(n, generator)
        t = self._diffusion.draw_timesteps(n, generator)
        drop = torch.rand(n, generator=generator, device=device) < dropout  # condition dropout trains the null
        eps = torch.randn(n, *x0.shape[1:], generator=generator, device=device)
        cond = self._conditions[batch[rows, None], frames[rows].cpu()].to(device)  # (b, k, d)
        if self.config.condition.noise:
            cond = self._blurred(cond, n, rows, generator)
        cond = cond if self.config.condition.frames == "several" else cond[:, 0]
        log_loss = None

        def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            nonlocal log_loss
            if self.config.diffusion.weighting != "learned":
                return network(x, t, cond, drop[rows])
            predicted, log_loss = network(x, t, cond, drop[rows])
            return predicted

        losses = self._diffusion.losses(predict, x0, eps[rows], t[rows])
        return losses, t[rows], None if log_loss is None else log_loss.float()

    def _drawn_frames(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """Return which frames the items of a batch are conditioned on, (n, k) int64, no frame twice."""
        there, device = self._conditions.shape[1], generator.device
        if self.config.condition.frames != "several":
            return torch.randint(there, (n, 1), generator=generator, device=device)
        k = int(torch.randint(there, (1,), generator=generator, device=device)) + 1
        return torch.rand(n, there, generator=generator, device=device).argsort(dim=1)[:, :k]

    def _blurred(self, cond: torch.Tensor, n: int, rows: slice, generator: torch.Generator) -> torch.Tensor:
        """Return the conditions (b, k, d) of some rows of n with noise, at their own length."""
        noise = torch.randn(n, *cond.shape[1:], generator=generator, device=generator.device)[rows]
        mixed = cond + self.config.condition.noise * noise
        return mixed * math.sqrt(cond.shape[-1]) / mixed.norm(dim=-1, keepdim=True)  # c ← √d (c + σ z) / |c + σ z|


def split_clips(store: ClipStore, config: AudioTrainingConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows to train on and the held-out rows of a store, (n,) int64 each, sorted.

    Raises:
        UserError: the configured split has no clips.
    """
    rows = store.rows(config.split)
    sources = [store.sources[row] for row in rows]
    training, held_out = held_out_split(sources, config.train.validation, config.train.seed)
    return torch.from_numpy(rows[training]), torch.from_numpy(rows[held_out])
