"""Audio of any length as windows of 10 s, the input length of CLAP, without random crops.

laion_clap crops audio above 10 s at random from NumPy's global generator, so that its scores depend on the order of the
files and differ from run to run. Here long audio is cut into windows whose vectors are averaged; for checkpoints with
feature fusion, the four inputs are taken from fixed places. Its own rule is an option (``truncation="random"``), with a
generator seeded by the audio itself: the same crop in every run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ConfigError

RATE: Final = 48000  # Hz
WINDOW: Final = 480000  # samples, 10 s
HOP: Final = 480  # samples from frame to frame
FRAMES: Final = WINDOW // HOP + 1  # of a window

_CHOICES: Final = {
    "truncation": ("windows", "fusion", "random"),
    "tail": ("aligned", "zeros"),
    "rows": ("clip", "window"),
}


@dataclass(frozen=True, slots=True)
class Windowing:
    """How audio becomes windows, and windows become rows.

    Attributes:
        truncation: of audio above 10 s: ``windows``; ``fusion`` (checkpoints with feature fusion only: the whole audio
            shrunk, and the window in the middle of each third); ``random`` (laion_clap's rule).
        hop_s: seconds from window to window.
        tail: ``aligned``: the last window ends with the audio, and short audio is repeated as often as it fits and
            zero-padded (laion_clap's ``repeatpad``); ``zeros``: a window starts at every hop before the end of the
            audio and is zero-padded (fadtk's rule).
        rows: one per ``clip`` (the normalised mean of its windows) or one per ``window``.
        int16: round samples through 16-bit integers, as laion_clap does with arrays (and not with tensors).
        seed: of ``random``.
    """

    truncation: Literal["windows", "fusion", "random"] = "windows"
    hop_s: float = 10.0
    tail: Literal["aligned", "zeros"] = "aligned"
    rows: Literal["clip", "window"] = "clip"
    int16: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"clap: {name} '{getattr(self, name)}' must be one of {', '.join(allowed)}")
        if round(self.hop_s * RATE) < 1:
            raise ConfigError(f"clap: hop_s {self.hop_s:g} must be above 0")

    @property
    def signature(self) -> str:
        """The rule as fields of a signature."""
        padding = "repeat-padded,last-aligned-to-end" if self.tail == "aligned" else "every-start,zero-padded"
        rule = {
            "windows": f"10/{self.hop_s:g},{padding}",
            "fusion": "fusion-of-thirds'-middles,repeat-padded",
            "random": f"laion-random-from-content+{self.seed},repeat-padded",
        }[self.truncation]
        rows = "mean,l2" if self.rows == "clip" else "window"
        return f"win:{rule}|rows:{rows}|int16:{'trunc' if self.int16 else 'no'}"

    def starts(self, n: int) -> list[int]:
        """Return the first sample of each window of audio with n samples."""
        hop = round(self.hop_s * RATE)
        if self.tail == "zeros":
            return list(range(0, n, hop))
        if n <= WINDOW or self.truncation != "windows":
            return [0]
        regular = list(range(0, n - WINDOW + 1, hop))
        return regular if regular[-1] == n - WINDOW else [*regular, n - WINDOW]

    def quantised(self, wave: Float32) -> Float32:
        """Return samples as the network gets them, (n,) -> (n,) float32."""
        if not self.int16:
            return wave
        whole: Float32 = np.trunc(np.clip(wave, -1, 1) * np.float32(32767)) / np.float32(32767)
        return whole

    def window(self, wave: Float32, start: int) -> Float32:
        """Return the window that starts at a sample of quantised audio (n,), padded to (480000,) float32."""
        if self.truncation == "random" and len(wave) > WINDOW:
            start = int(self.rng(wave).randint(0, len(wave) - WINDOW + 1))
        part = wave[start : start + WINDOW]
        if self.tail == "aligned" and len(part) < WINDOW:
            part = np.tile(part, WINDOW // len(part))
        return np.pad(part, (0, WINDOW - len(part)))

    def thirds(self, wave: Float32, frames: int) -> tuple[int, int, int]:
        """Return the first frames of the three windows that are fused with the whole of audio (n,), ``frames`` long."""
        parts = np.array_split(np.arange(frames - FRAMES + 1), 3)
        choices = [part if len(part) else np.zeros(1, int) for part in parts]
        if self.truncation == "random":
            rng = self.rng(wave)
            front, middle, back = (int(rng.choice(part)) for part in choices)
        else:
            front, middle, back = (int(part[len(part) // 2]) for part in choices)
        return front, middle, back

    def rng(self, wave: Float32) -> np.random.RandomState:
        """Return a generator seeded by the audio (n,); of the kind that laion_clap draws from."""
        return np.random.RandomState(self.content_seed(wave))

    def content_seed(self, wave: Float32) -> int:
        """Return the seed of :meth:`rng`, from the bytes of the audio (n,) and ``seed``."""
        digest = hashlib.sha256(self.seed.to_bytes(8, "little", signed=True) + np.ascontiguousarray(wave).tobytes())
        return int.from_bytes(digest.digest()[:4], "little")


def windowing_for(name: str, options: Mapping[str, Any], *, fusion: bool) -> Windowing:
    """Return the windowing of an encoder from a loader's options; the default follows from the checkpoint.

    Args:
        name: of the encoder, for error messages.
        options: fields of :class:`Windowing`.
        fusion: whether the checkpoint fuses features.

    Raises:
        ConfigError: an unknown option, a value that is not allowed, or options that exclude each other.
    """
    known = sorted(field.name for field in fields(Windowing))
    if unknown := sorted(set(options) - set(known)):
        raise ConfigError(f"{name}: no option '{unknown[0]}'; there are {', '.join(known)}")
    default = "fusion" if fusion and "tail" not in options else "windows"
    rule = Windowing(**{"truncation": default, **options})
    if rule.truncation == "fusion" and not fusion:
        raise ConfigError(f"{name}: truncation=fusion needs a checkpoint with fusion; this one takes windows or random")
    if rule.truncation != "windows" and (rule.rows == "window" or rule.tail == "zeros"):
        raise ConfigError(
            f"{name}: truncation={rule.truncation} gives one row per clip; take truncation=windows with rows and tail"
        )
    return rule
