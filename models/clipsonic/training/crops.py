"""Random crops: what a training step sees of clips that are longer than what the model generates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from clipsonic.mel import MelConfig
from clipsonic.training.batches import step_generator
from clipsonic_eval.errors import ConfigError

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore


class Crops:
    """Stretches of log-mel spectrograms, drawn anew in every step, in the sound and not in the zeros after it.

    The log-mel of a clip is computed as a whole, so that the frames at the ends of a crop see the sound beside it.

    Args:
        store: the clips.
        mel: layout of the log-mels.
        seconds: length of a crop; None: whole clips.
        seed: of the run.

    Attributes:
        frames: of a crop.

    Raises:
        ConfigError: the clips are shorter.
    """

    def __init__(self, store: ClipStore, mel: MelConfig, seconds: float | None, seed: int) -> None:
        whole = mel.frames(store.n_samples)
        self.frames = whole if seconds is None else mel.frames(round(seconds * mel.sample_rate))
        if self.frames > whole:
            raise ConfigError(
                f"crop_s: {seconds:g} seconds are more than the clips have ({store.n_samples / mel.sample_rate:g}); "
                "prepare longer clips, or leave it out"
            )
        self._seed, self._whole = seed, self.frames == whole
        sounding = torch.from_numpy(store.valid_s) * mel.sample_rate / mel.hop
        self._room = (sounding.round().long().clamp(max=whole) - self.frames).clamp(min=0)

    def starts(self, rows: torch.Tensor, step: int) -> torch.Tensor:
        """Return the first frame of each row's crop in a step, (b,) int64 for rows (b,), uniform over its sound."""
        generator = step_generator(self._seed, step, "crops", torch.device("cpu"))
        u = torch.rand(len(rows), generator=generator, dtype=torch.float64)
        return (u * (self._room[rows] + 1)).long()  # ⌊u (r + 1)⌋, u ~ Uniform[0, 1)

    def middle(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the first frame of the crop in the middle of each row's sound, (b,) int64 for rows (b,)."""
        return self._room[rows] // 2

    def cut(self, mels: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
        """Return the crops (b, n_mels, frames) of log-mels (b, n_mels, whole) from their first frames (b,) on."""
        if self._whole:
            return mels
        columns = starts.to(mels.device)[:, None] + torch.arange(self.frames, device=mels.device)
        return mels.gather(2, columns[:, None].expand(-1, mels.shape[1], -1))
