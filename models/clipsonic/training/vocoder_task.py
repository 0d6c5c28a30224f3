"""The training task of a vocoder: a generator and its discriminators, whose losses are taken in one step.

The published recipe moves the discriminators first and the generator against the moved ones. Here both move at once,
each along the gradient of its own loss: the generator is judged by discriminators whose weights count as constants. So
a vocoder has the training loop of every other model: its checkpoints, its average and its processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, parametrize

from clipsonic.mel import MelFrontEnd
from clipsonic.training.batches import batch_rows, held_out_split, step_generator
from clipsonic.training.loop import Network
from clipsonic.training.prefetch import Prefetch
from clipsonic.training.vocoder_config import VocoderTrainingConfig
from clipsonic.vocoders._bigvgan_network import BigVGAN
from clipsonic.vocoders._discriminators import (
    Discriminators,
    Judgement,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)
from clipsonic.vocoders._generators import GENERATORS
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.errors import UserError
from clipsonic_eval.seeds import derive

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore

_AHEAD = 512  # clips read ahead at most
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d)


class _Judged(NamedTuple):
    """Generated waveforms (b, n), and what the discriminators say of real and generated ones."""

    generated: Tensor
    by_constants: list[Judgement]
    real: list[Judgement]
    detached: list[Judgement]


class _Adversaries(nn.Module):
    """Generator and discriminators as one network."""

    def __init__(self, generator: nn.Module, discriminators: Discriminators) -> None:
        super().__init__()
        self.generator, self.discriminators = generator, discriminators
        normalised = (generator, discriminators) if isinstance(generator, BigVGAN) else (discriminators,)
        for module in [module for network in normalised for module in network.modules()]:
            if isinstance(module, _CONVOLUTIONS):
                parametrizations.weight_norm(module)

    def forward(self, log_mel: Tensor, audio: Tensor) -> _Judged:
        """Return the waveforms of log-mels (b, n_mels, frames), and how they are told from the audio (b, n)."""
        generated = self.generator(log_mel)[:, : audio.shape[1]]
        constants = {name: value.detach() for name, value in self.discriminators.named_parameters()}
        return _Judged(
            generated,
            functional_call(self.discriminators, constants, (generated,)),
            self.discriminators(audio),
            self.discriminators(generated.detach()),
        )


class VocoderTask:
    """A vocoder's :class:`clipsonic.training.loop.TrainingTask`.

    Args:
        config: of the training.
        store: prepared clips.
        rows: (n,) int64 rows of the store.
        start: generator to go on from, its weights; None: fresh weights.

    Attributes:
        module: generator and discriminators.
        training_rows: (n_train,) int64 rows of the store.
        held_out: (n_val,) int64 rows for the validation loss.
    """

    label = "vocoder"
    by_level = None  # a vocoder knows no noise levels

    def __init__(
        self, config: VocoderTrainingConfig, store: ClipStore, rows: Tensor, start: nn.Module | None = None
    ) -> None:
        self.config, self._store = config, store
        self._prefetch = Prefetch(lambda rows: torch.from_numpy(store.audio(rows)), most=_AHEAD)
        device = resolve_device(config.device)
        self._front_end = MelFrontEnd(config.mel, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(config.train.seed, "", "vocoder-weights"))
            generator = GENERATORS[config.network.name].network(config.generator())
            discriminators = Discriminators(config.periods, config.resolutions, config.discriminator_width)
        if start is not None:
            generator.load_state_dict(start.state_dict())
        self.module = _Adversaries(generator, discriminators).to(device)
        sources = [store.sources[row] for row in rows.tolist()]
        training, held_out = held_out_split(sources, config.train.validation, config.train.seed)
        self.training_rows, self.held_out = rows[torch.from_numpy(training)], rows[torch.from_numpy(held_out)]

    @property
    def waited(self) -> float:
        """Seconds spent waiting for audio so far."""
        return self._prefetch.waited

    def begin(self, step: int, shares: Sequence[slice]) -> None:
        """Begin to read the clips of these rows of the batches from a step on."""
        steps = range(step, self.config.train.steps)
        self._prefetch.expect(batch[rows].numpy() for batch in map(self._batch, steps) for rows in shares)

    def loss(self, network: Network, step: int, rows: slice) -> Tensor:
        """Return the losses of generator and discriminators on a step's segments, one scalar."""
        train, batch = self.config.train, self._batch(step)
        where = torch.rand(len(batch), generator=step_generator(train.seed, step, "segments", torch.device("cpu")))
        audio = self._segments(batch[rows], where[rows]).to(self._front_end.device)
        log_mel = self._front_end.log_mel(audio)
        judged: _Judged = network(log_mel, audio)
        distance = (self._front_end.log_mel(judged.generated) - log_mel).abs().mean()  # E |M − M̂|
        weights = self.config
        # L_G = Σ adversarial + 2 Σ features + 45 |M − M̂|, plus L_D, which reaches other weights
        return (
            adversarial_loss(judged.by_constants)
            + weights.feature_weight * feature_loss(judged.real, judged.by_constants)
            + weights.mel_weight * distance
            + discriminator_loss(judged.real, judged.detached)
        )

    def validation_loss(self, network: Network) -> float | None:
        """Return the mean absolute difference of log-mels of held-out clips, nats, or None if there are none."""
        del network  # holds the same weights as the module, and its forward judges too
        if not len(self.held_out):
            return None
        total = 0.0
        for batch in self.held_out.split(self.config.train.batch_size):
            audio = torch.from_numpy(self._store.audio(batch.numpy())).to(self._front_end.device)
            log_mel = self._front_end.log_mel(audio)
            generated = self.module.generator(log_mel)[:, : self.config.mel.samples(log_mel.shape[2])]
            total += float((self._front_end.log_mel(generated) - log_mel).abs().mean()) * len(batch)
        return total / len(self.held_out)

    def generator(self) -> nn.Module:
        """Return the generator with its weight normalisation folded in, for inference."""
        for module in list(self.module.generator.modules()):
            if parametrize.is_parametrized(module):
                parametrize.remove_parametrizations(module, "weight")
        return self.module.generator.eval()

    def _batch(self, step: int) -> Tensor:
        train = self.config.train
        return self.training_rows[batch_rows(len(self.training_rows), train.batch_size, step, train.seed)]

    def _segments(self, rows: Tensor, where: Tensor) -> Tensor:
        """Return a segment of each clip (b,), (b, n) float32; ``where`` (b,) in [0, 1) says which."""
        audio = self._prefetch.read(rows.numpy())
        length = self.config.segment
        valid = torch.from_numpy(self._store.valid_s[rows.numpy()]) * self._store.sample_rate
        room = (valid.round().long().clamp(max=audio.shape[1]) - length).clamp(min=0)  # silence follows
        begins = (where * (room + 1)).long()
        return audio.gather(1, begins[:, None] + torch.arange(length))


def check_segment(config: VocoderTrainingConfig, store: ClipStore) -> None:
    """Check that a segment fits into the clips.

    Raises:
        UserError: the clips are shorter.
    """
    if config.segment > store.n_samples:
        raise UserError(
            f"{store.folder}: clips of {store.n_samples} samples, but a segment has {config.segment}; "
            f"lower segment_frames to {store.n_samples // config.mel.hop}"
        )
