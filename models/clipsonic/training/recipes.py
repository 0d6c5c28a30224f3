"""Search for a training recipe: variants of one configuration, each trained for the same processor time.

A faster step buys more steps. For every variant, steps of the base recipe and of the variant are taken in turns in one
process, and the ratio of their shortest durations turns ``train.steps`` of the base into that of the variant. Each
model then answers the same image queries (IQ) and is scored on them.

Choose on validation clips; nothing here should see the test split.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic.training import audio
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.recipe_scores import evaluated
from clipsonic.training.step_cost import step_seconds
from clipsonic_eval import outputs, provenance
from clipsonic_eval.config import apply_sets, portable, resolve
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.progress import SILENT, Progress

BASE = "base.yaml"  # what the printed commands train from
_COSTLY = (
    *("clips", "mel", "condition.", "network", "crop_s", "train.batch_size", "train.optimizer", "train.precision"),
    *("train.compile", "train.channels_last", "train.gradient_"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSearch:
    """A search for a recipe.

    Attributes:
        base: of every variant: values of :class:`clipsonic.training.config.AudioTrainingConfig`.
        variants: overrides by the name of the variant, as dotted keys: ``{"train.learning_rate": 0.002}``.
        seeds: of the trainings.
        queries: csv of the validation queries, with images.
        reference: audio that the distribution metrics compare with.
        limit: the first so many queries only; None: all.
        sampling: settings of ``clipsonic.systems:ImageQueried`` that each model is sampled with, in turn.
    """

    base: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]]
    queries: Path
    reference: Path
    seeds: tuple[int, ...] = (0, 1)
    limit: int | None = None
    sampling: tuple[Mapping[str, Any], ...] = field(default_factory=lambda: ({"guidance": 3.0, "steps": 20},))

    def __post_init__(self) -> None:
        if not self.variants:
            raise ConfigError("variants: name at least one; an empty mapping is the base itself")
        for name in self.variants:
            self.training(name, 0)  # wrong keys are refused before the first training

    def training(self, variant: str, seed: int) -> dict[str, Any]:
        """Return the training configuration of a variant, at the base's number of steps."""
        if variant not in self.variants:
            raise ConfigError(f"variant '{variant}': is none of {', '.join(self.variants)}")
        tree = apply_sets(self.base, [f"{key}={json.dumps(value)}" for key, value in self.variants[variant].items()])
        tree = apply_sets(tree, [f"train.seed={seed}"])
        resolve(AudioTrainingConfig, tree).resolved()
        return tree

    def identity(self) -> dict[str, Any]:
        """Return what all results of one folder share; variants and seeds may be added."""
        tree = {"base": self.base, "queries": str(self.queries), "reference": str(self.reference)}
        return dict(portable({**tree, "limit": self.limit, "sampling": self.sampling}))


def search(config: Mapping[str, Any], out: Path, *, only: str | None = None, progress: Progress = SILENT) -> list[Path]:
    """Train and score every variant with every seed that has no result yet.

    Args:
        config: values of :class:`RecipeSearch`.
        out: gets ``<variant>/seed-<k>/`` with the model, the wavs and ``result.json``, and ``base.yaml``.
        only: the name of one variant; None: all.
        progress: shows bars and notes.

    Returns:
        The results, ``result.json`` each.

    Raises:
        UserError: a variant is no valid training, has a result with other overrides, or lacks something.
    """
    settings = resolve(RecipeSearch, config, by_set=True)
    names = tuple(settings.variants) if only is None else (only,)
    settings.training(names[0], 0)  # a misspelt name is refused before a folder is made
    results = []
    with outputs.claim(out, "recipe", settings.identity()):
        write_json(out / BASE, {"trainer": "clipsonic.training.audio:train", **portable(settings.base)})  # JSON is YAML
        for seed in settings.seeds:
            for variant in names:
                path = out / variant / f"seed-{seed}" / "result.json"
                if not path.is_file():
                    progress.note(f"• {variant}, seed {seed}")
                    _run(settings, variant, seed, path, progress)
                elif read_json(path)["overrides"] != settings.variants[variant]:
                    raise UserError(
                        f"{path}: is of other overrides than variant '{variant}' has now; give it a new name"
                    )
                results.append(path)
    return results


def _run(settings: RecipeSearch, variant: str, seed: int, path: Path, progress: Progress) -> None:
    folder = path.parent
    tree = settings.training(variant, seed)
    timed = folder / "steps.json"  # measured once, so that a resumed search trains on with the same number
    if not timed.is_file():
        base_s, step_s = step_seconds(resolve(AudioTrainingConfig, settings.base), resolve(AudioTrainingConfig, tree))
        if not any(key.startswith(_COSTLY) for key in settings.variants[variant]):
            base_s = step_s  # the same step: what was measured is noise
        steps = max(1, round(resolve(AudioTrainingConfig, tree).train.steps * base_s / step_s))
        write_json(timed, {"base_ms": 1e3 * base_s, "ms": 1e3 * step_s, "steps": steps})
    timing = read_json(timed)
    tree = apply_sets(tree, [f"train.steps={timing['steps']}"])
    started = time.process_time()
    model = audio.train(tree, folder / "model", progress=progress)
    cpu_s = time.process_time() - started
    card = read_json(model / "card.json")
    data = (settings.queries, settings.limit, settings.reference)
    evaluations = [evaluated(model, chosen, data, folder / "wavs", progress) for chosen in settings.sampling]
    overrides = dict(settings.variants[variant])
    result = {
        "variant": variant,
        "seed": seed,
        "overrides": overrides,
        "command": _command(overrides, seed, timing["steps"]),
        "cpu_s": round(cpu_s, 1),
        "ms_per_step": round(timing["ms"], 1),
        "ms_per_step_of_base": round(timing["base_ms"], 1),
        "steps": timing["steps"],
        "weights": card["weights_sha256"],
        "loss": card["loss"],
        "val_loss": card["val_loss"],
        "precision": card["precision"],
        "commit": provenance.collect()["commit"],
        "evaluations": evaluations,
    }
    write_json(path, result)


def _command(overrides: Mapping[str, Any], seed: int, steps: int) -> str:
    sets = {**overrides, "train.seed": seed, "train.steps": steps}
    words = " ".join(f"--set {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in sets.items())
    return f"clipsonic-eval train {BASE} {words} --out runs/model"
