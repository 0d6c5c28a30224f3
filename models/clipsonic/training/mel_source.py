"""Log-mel spectrograms of training clips: from memory, or read ahead from disk, or computed from audio read ahead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from clipsonic.mel import MelConfig, MelFrontEnd, measured
from clipsonic.training.mel_cache import MelCache
from clipsonic.training.prefetch import Prefetch
from clipsonic.training.processes import joined
from clipsonic_eval.arraytypes import Float32, IntArray
from clipsonic_eval.checks.audio import ANOTHER_UNIT
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import SILENT, Progress

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore

PART = 64  # clips that are read, and converted to log-mels, together
BUFFER_MB = 256
_SCALE_CLIPS = 2048  # on which the scale of the log-mels is measured


class MelSource:
    """Log-mels of a store's clips by row: in memory where they fit, else on disk, else computed when asked for.

    Args:
        store: the clips.
        mel: layout, and scale if it is configured.
        device: of the front end.
        cache_mb: the log-mels are cached if they take no more MiB.
        folder: of a cache on disk; None: no such cache.
        readers: threads that read ahead.
        progress: shows a bar.

    Attributes:
        store: the clips.
        front_end: layout, scale and device.
        frames: of every log-mel.
    """

    def __init__(
        self,
        store: ClipStore,
        mel: MelConfig,
        device: str | torch.device = "cpu",
        *,
        cache_mb: int,
        folder: Path | None = None,
        readers: int = 1,
        progress: Progress = SILENT,
    ) -> None:
        self.store, self.front_end = store, MelFrontEnd(mel, device)
        self.frames = mel.frames(store.n_samples)
        self._cached: torch.Tensor | None = None
        self._kept = None if folder is None else self._on_disk(folder, progress)
        load, one = (
            (self._audio, store.n_samples) if self._kept is None else (self._kept_mels, mel.n_mels * self.frames)
        )
        self._prefetch = Prefetch(load, most=max(PART, int(BUFFER_MB * 2**20 / (4 * one))), readers=readers)
        if 4 * len(store) * mel.n_mels * self.frames <= cache_mb * 2**20:
            cached = torch.empty(len(store), mel.n_mels, self.frames)
            for start in progress.track(range(0, len(store), PART), label="log-mels"):
                rows = np.arange(start, min(start + PART, len(store)))
                cached[start : start + len(rows)] = self._compute(rows).cpu()
            self._cached = cached

    @property
    def waited(self) -> float:
        """Seconds spent waiting for audio so far."""
        return self._prefetch.waited

    def expect(self, batches: Iterable[torch.Tensor]) -> None:
        """Read audio in the background: the log-mels of these rows, (b,) int64 each, are asked for next, in order."""
        if self._cached is None:
            self._prefetch.expect(part.numpy() for rows in batches for part in rows.split(PART))

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the log-mels of rows (b,) int64, (b, n_mels, frames) float32, nats, on the device of the front end."""
        if self._cached is not None:
            return self._cached[rows].to(self.front_end.device)
        return torch.cat([self._compute(part.numpy()) for part in rows.split(PART)])

    def scaled(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the log-mels of rows (b,) int64 at the network's scale, (b, n_mels, frames) float32."""
        return self.front_end.normalise(self(rows))

    def measure_scale(self, rows: IntArray, *, per_band: bool) -> dict[str, list[float]]:
        """Measure the range of the log-mels on an even spread of rows, and their scale unless it is configured.

        Args:
            rows: (n,) of the clips to train on.
            per_band: each mel band to zero mean and unit deviation; else all with the same two numbers.

        Returns:
            ``low`` and ``high`` of each band, nats.
        """
        spread = torch.from_numpy(rows)[:: max(1, math.ceil(len(rows) / _SCALE_CLIPS))]
        values = self(spread)
        if not self.front_end.config.mean:
            scaled = measured(self.front_end.config, values, per_band=per_band)
            self.front_end = MelFrontEnd(scaled, self.front_end.device)
        ends = {"low": values.amin(dim=(0, 2)), "high": values.amax(dim=(0, 2))}
        return {end: [round(float(x), 4) for x in bands] for end, bands in ends.items()}

    def _compute(self, rows: IntArray) -> torch.Tensor:
        found = self._prefetch.read(rows).to(self.front_end.device, non_blocking=True)
        return self.front_end.log_mel(found) if self._kept is None else found

    def _on_disk(self, folder: Path, progress: Progress) -> MelCache:
        """Fill the cache on disk together with the other processes, and open it."""
        layout = replace(self.front_end.config, mean=(), std=())
        device = self.front_end.device.type  # another kind of device rounds differently
        name = config_hash([self.store.content_hash, as_tree(layout), len(self.store), self.frames, device])
        cache = MelCache(folder, name, (len(self.store), layout.n_mels, self.frames))
        state = joined(self.front_end.device)

        def compute(rows: IntArray) -> Float32:
            mels: Float32 = self.front_end.log_mel(self._audio(rows)).cpu().numpy()
            return mels

        cache.fill(compute, share=(state.process_index, state.num_processes), progress=progress)
        state.wait_for_everyone()
        cache.open()
        return cache

    def _kept_mels(self, rows: IntArray) -> torch.Tensor:
        assert self._kept is not None
        return self._pinned(self._kept.read(rows))

    def _audio(self, rows: IntArray) -> torch.Tensor:
        """Return the audio of rows (b,), (b, n_samples) float32, on the host."""
        audio = self.store.audio(rows)
        _check_unit(audio, [self.store.keys[row] for row in rows])
        return self._pinned(torch.from_numpy(audio))

    def _pinned(self, found: torch.Tensor) -> torch.Tensor:
        """Return a tensor where a GPU, if there is one, can fetch it by itself."""
        return found.pin_memory() if self.front_end.device.type == "cuda" else found


def _check_unit(audio: Float32, keys: Sequence[str]) -> None:
    """Refuse audio that would ruin every step it enters: `prepare` leaves it out, other ways into a store may not.

    Raises:
        UserError: a clip (b, n_samples) peaks above 4 times full scale or is not finite.
    """
    peaks = np.abs(audio).max(axis=1, initial=0.0)
    bad = np.flatnonzero(~(peaks <= ANOTHER_UNIT))
    if len(bad):
        raise UserError(
            f"clip '{keys[bad[0]]}' peaks at {peaks[bad[0]]:.3g} times full scale, its samples are in another unit; "
            "prepare the clips again, which leaves such clips out"
        )


def united(a: Mapping[str, list[float]], b: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return the range of each band, ``low`` and ``high``, over two sets of log-mels."""
    picks = (("low", min), ("high", max))
    return {end: [pick(x, y) for x, y in zip(a[end], b[end], strict=True)] for end, pick in picks}
