"""A sound of any length as pieces of 10 s, which is all that CLAP hears, without drawing lots.

laion_clap crops long sounds at random from NumPy's global generator, so that its scores depend on the order of the
files and differ from run to run. Here a long sound is cut into windows whose vectors are averaged; for checkpoints with
fusion, its four pieces are taken from fixed places. Their own rule is on offer too (``random``), with lots that are
drawn from the sound itself, so that they are the same in every run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ConfigError

RATE: Final = 48000
SIZE: Final = 480000  # samples of a piece
HOP: Final = 480
FRAMES: Final = SIZE // HOP + 1


@dataclass(frozen=True, slots=True)
class Cutting:
    """How a sound becomes rows.

    Attributes:
        long: of sounds above 10 s: ``windows``; ``fusion`` (checkpoints with fusion only: the whole sound shrunk, and
            the piece in the middle of each third); ``random`` (laion_clap's rule).
        hop_s: seconds from window to window.
        tail: ``aligned``: the last window ends with the sound, and short sounds are repeated as often as they fit
            and filled with zeros (laion_clap's ``repeatpad``); ``zeros``: a window begins at every hop before the end
            of the sound, and what lies beyond the end is zero (fadtk's rule).
        rows: one for each ``clip`` (the mean of its windows, normalised) or one for each ``window``.
        int16: whether samples go through 16-bit integers, as laion_clap's arrays do (its tensors do not).
        seed: of ``random``.
    """

    long: Literal["windows", "fusion", "random"] = "windows"
    hop_s: float = 10.0
    tail: Literal["aligned", "zeros"] = "aligned"
    rows: Literal["clip", "window"] = "clip"
    int16: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        choices = {"long": ("windows", "fusion", "random"), "tail": ("aligned", "zeros"), "rows": ("clip", "window")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"clap: {name} '{getattr(self, name)}' must be one of {', '.join(allowed)}")
        if round(self.hop_s * RATE) < 1:
            raise ConfigError(f"clap: hop_s {self.hop_s:g} must be above 0")

    @property
    def signature(self) -> str:
        """The rule as fields of a signature."""
        filled = "repeat-padded,last-aligned-to-end" if self.tail == "aligned" else "every-start,zero-padded"
        long = {
            "windows": f"10/{self.hop_s:g},{filled}",
            "fusion": "fusion-of-thirds'-middles,repeat-padded",
            "random": f"laion-random-from-content+{self.seed},repeat-padded",
        }[self.long]
        return (
            f"win:{long}|rows:{'mean,l2' if self.rows == 'clip' else 'window'}|int16:{'trunc' if self.int16 else 'no'}"
        )

    def starts(self, n: int) -> list[int]:
        """Return where the windows of a sound of n samples begin."""
        hop = round(self.hop_s * RATE)
        if self.tail == "zeros":
            return list(range(0, n, hop))
        if n <= SIZE or self.long != "windows":
            return [0]
        regular = list(range(0, n - SIZE + 1, hop))
        return regular if regular[-1] == n - SIZE else [*regular, n - SIZE]

    def level(self, wave: Float32) -> Float32:
        """Return the samples as the network gets them."""
        if not self.int16:
            return wave
        whole: Float32 = np.trunc(np.clip(wave, -1, 1) * np.float32(32767)) / np.float32(32767)
        return whole

    def piece(self, wave: Float32, start: int) -> Float32:
        """Return the piece of a levelled sound that begins at a sample, (480000,), filled up as the rule says."""
        if self.long == "random" and len(wave) > SIZE:
            start = int(self.lots(wave).randint(0, len(wave) - SIZE + 1))
        part = wave[start : start + SIZE]
        if self.tail == "aligned" and len(part) < SIZE:
            part = np.tile(part, SIZE // len(part))
        return np.pad(part, (0, SIZE - len(part)))

    def thirds(self, wave: Float32, frames: int) -> tuple[int, int, int]:
        """Return the first frame of each of the three pieces that are fused with the whole."""
        parts = np.array_split(np.arange(frames - FRAMES + 1), 3)
        choices = [part if len(part) else np.zeros(1, int) for part in parts]
        if self.long == "random":
            lots = self.lots(wave)
            front, middle, back = (int(lots.choice(part)) for part in choices)
        else:
            front, middle, back = (int(part[len(part) // 2]) for part in choices)
        return front, middle, back

    def lots(self, wave: Float32) -> np.random.RandomState:
        """Return a generator whose seed hangs on the sound; laion_clap draws from one of the same kind."""
        return np.random.RandomState(self.lot_seed(wave))

    def lot_seed(self, wave: Float32) -> int:
        """Return the seed of :meth:`lots`."""
        digest = hashlib.sha256(self.seed.to_bytes(8, "little", signed=True) + np.ascontiguousarray(wave).tobytes())
        return int.from_bytes(digest.digest()[:4], "little")
