"""Settings of an evaluation."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree, coerce
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ConfigError, unknown_name
from clipsonic_eval.harness import stored_statistics
from clipsonic_eval.harness.resolve import metric_roles

Control = Literal["shuffled", "noise", "halves"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*")


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """An evaluation of systems on the same queries; strings are taken for paths, lists for tuples.

    Attributes:
        systems: folder by name: written by ``sample``, any folder of ``<key>.wav``, or prepared clips.
        reference: real audio to compare with: a folder of media files, prepared clips, or stored statistics
            (:mod:`clipsonic_eval.harness.stored_statistics`).
        prompts: table with key, prompt and perhaps label; None: the systems' own ``samples.csv``.
        real: the queries' own audio by key, scored as a system named ``real``.
        training: audio that the systems were trained on, in the forms of ``reference``; outputs that copy it are found.
        encoders: name of the encoder by role (``audio``, ``audio_text``, ``classifier``, and any other that a metric
            has), where the default of the metrics is not meant; None leaves the metrics of a role out. The encoder of
            ``audio_text`` should not be the one that conditions a system.
        weights: weight file by role or by convention, where an encoder's own are not meant.
        metrics: names of metrics and of conventions (``fad/fadtk``, which bring their own encoder); empty: all default
            ones that can be computed.
        controls: ``shuffled`` (``real`` with shuffled prompts), ``noise`` (white noise at the level of the reference),
            ``halves`` (the distance between two random halves of the reference, as metric ``fad_halves``).
        n_bootstrap: resamples of the clips.
        n_permutations: of the paired tests.
        seed: of the bootstrap, the permutations and the controls.
        baselines: systems that every other one is compared with; empty: all pairs of the given systems.
        pairs: comparisons as ``A:B``, instead of ``baselines``.
        compare: False: no paired tests.
        tags: written into the record, e.g. split, train_seed, guidance, clip_variant.
        examples: number of queries whose mel spectrograms are kept; at least two of every class where the queries have
            labels, none with 0.
        batch_size: clips that an encoder gets at once.
        workers: threads that decode.
        device: of the encoders.
        cache: folder of the embedding cache; None: the user's.
    """

    systems: dict[str, Path]
    reference: Path | None = None
    prompts: Path | None = None
    real: Path | None = None
    training: Path | None = None
    encoders: dict[str, str | None] = field(default_factory=dict)
    weights: dict[str, Path] = field(default_factory=dict)
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
        coerce(self)
        self._check_roles()
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

    def _check_roles(self) -> None:
        """Fill in the default encoders of the roles.

        Raises:
            UserError: an encoder or weights are given for a role that no metric has, or for a convention not asked for.
        """
        roles = metric_roles()
        for role in (*self.encoders, *(name for name in self.weights if "/" not in name)):
            if role in ENCODERS:
                raise ConfigError(
                    f"'{role}' is an encoder; encoders and weights are given by role, as --encoder audio={role} and "
                    "--weights audio=FILE, or weights by the convention that brings the encoder"
                )
            if role not in roles:
                raise unknown_name("role of an encoder", role, roles)
        for name in self.weights:
            if "/" in name and name not in self.metrics:
                raise unknown_name("convention to give weights to", name, [m for m in self.metrics if "/" in m])
        defaults = {role: name for role, name in roles.items() if name}
        object.__setattr__(self, "encoders", {**defaults, **self.encoders})

    def identity(self) -> dict[str, Any]:
        """Return what decides the result: the settings, and the state of the files in place of their paths."""
        elsewhere = ("systems", "reference", "prompts", "real", "training", "batch_size", "workers", "device", "cache")
        settings = {name: value for name, value in as_tree(self).items() if name not in elsewhere}
        settings["weights"] = {name: outputs.state_of(path) for name, path in self.weights.items()}
        files = {"reference": self.reference, "prompts": self.prompts, "real": self.real, "training": self.training}
        inputs = {name: outputs.state_of(path) for name, path in files.items() if path is not None}
        if self.reference is not None and not self.reference.exists():  # FILE.npz:MODEL
            file, model = stored_statistics.parts(self.reference)
            inputs["reference"] = f"{outputs.state_of(file)}:{model}"
        systems = {name: outputs.state_of(folder) for name, folder in self.systems.items()}
        return {**settings, "inputs": inputs, "systems": systems}
