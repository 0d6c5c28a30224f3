"""What an evaluation can be told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clipsonic_eval.errors import ConfigError

Control = Literal["shuffled", "noise", "halves"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*")
ROLES = ("audio", "audio_text", "classifier")


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """Which encoder embeds for what; None: the metrics of that role are left out.

    Attributes:
        audio: audio features for Fréchet and kernel distances.
        audio_text: audio and text in one space, for the CLAP score; not the one that conditions a system.
        classifier: class log-probabilities.
        weights: weight files by role, or by convention, where an encoder's own are not meant.
    """

    audio: str | None = "toy-audio"
    audio_text: str | None = "toy-clap"
    classifier: str | None = "toy-audio-classes"
    weights: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(role for role in self.weights if role not in ROLES and "/" not in role)
        if unknown:
            raise ConfigError(f"weights of '{unknown[0]}': roles are {', '.join(ROLES)} and names of conventions")

    def name(self, role: str) -> str | None:
        """Return the encoder of a role."""
        return {"audio": self.audio, "audio_text": self.audio_text, "classifier": self.classifier}[role]


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """An evaluation of systems on the same queries.

    Attributes:
        systems: folder by name: written by ``sample``, any folder of ``<key>.wav``, or prepared clips.
        reference: real audio to compare with: a folder of any media files, prepared clips, or stored statistics
            (:mod:`clipsonic_eval.harness.stored_statistics`).
        prompts: csv with key, prompt and perhaps label; None: what the systems' own ``samples.csv`` say.
        training: what the systems were trained on (as ``reference``): outputs that copy a clip of it are named.
        real: the queries' own audio by key, scored as a system named ``real``.
        encoders: by role.
        metrics: which, also by names of conventions (``fad/fadtk``), which bring an encoder of their own; empty: all
            default ones for which there is an encoder and what they need.
        controls: ``shuffled`` (``real`` with the prompts dealt anew), ``noise`` (white, at the reference's level),
            ``halves`` (the distance of two random halves of the reference, as metric ``fad_halves``).
        n_bootstrap: resamples of the clips.
        n_permutations: of the paired tests.
        seed: of the bootstrap, the permutations and the controls.
        baselines: systems that every other one is compared with; empty: all pairs, the controls made here aside.
        pairs: comparisons as ``A:B``, instead of ``baselines``.
        compare: False: no paired tests.
        tags: written into the record, e.g. split, train_seed, guidance, clip_variant.
        examples: queries whose log-mel pictures are kept.
        batch_size: clips that an encoder gets at once.
        workers: threads that decode.
        device: of the encoders.
        cache: folder of embeddings by content; None: the user's cache folder.
    """

    systems: dict[str, Path]
    reference: Path | None = None
    prompts: Path | None = None
    real: Path | None = None
    training: Path | None = None
    encoders: EncoderChoice = field(default_factory=EncoderChoice)
    metrics: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    n_bootstrap: int = 2000
    n_permutations: int = 10000
    seed: int = 0
    baselines: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    compare: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    examples: int = 6
    batch_size: int = 64
    workers: int = 2
    device: str = "cpu"
    cache: Path | None = None

    def __post_init__(self) -> None:
        self._coerce()
        if not self.systems and self.real is None:
            raise ConfigError("no system to evaluate; give at least one NAME=FOLDER")
        for name in self.systems:
            if not _NAME.fullmatch(name) or name == "reference":
                raise ConfigError(f"system name '{name}': use letters, digits and . _ + @ -, and not 'reference'")
        made = {"real": self.real is not None, **{y: y in self.controls for y in ("shuffled", "noise")}}
        for name, is_made in made.items():
            if is_made and name in self.systems:
                raise ConfigError(f"system '{name}' is given and also asked to be made; take one away")
        if min(self.n_bootstrap, self.n_permutations) < 20:
            raise ConfigError("n_bootstrap and n_permutations must be at least 20, better 2000 and more")
        if self.batch_size < 1 or self.workers < 1 or self.examples < 0:
            raise ConfigError("batch_size and workers must be at least 1, examples at least 0")
        if self.training is not None and self.reference is None:
            raise ConfigError("training needs a reference: it says how near to a training clip other real clips lie")
        for pair in self.pairs:
            if pair.count(":") != 1:
                raise ConfigError(f"pair '{pair}': expected A:B with the names of two systems")

    def _coerce(self) -> None:
        """Make paths of strings, and tuples of lists, so that a notebook may give either."""
        paths = {name: Path(folder) for name, folder in self.systems.items()}
        object.__setattr__(self, "systems", paths)
        for name in ("reference", "prompts", "real", "training", "cache"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else Path(given))
        for name in ("metrics", "controls", "baselines", "pairs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
