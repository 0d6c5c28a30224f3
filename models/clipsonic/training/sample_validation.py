"""Validation by samples: fixed queries, sampled and scored on a schedule, and the best models kept.

The validation loss of a diffusion model says little about how it sounds. On every so many steps, and at the end, the
averaged weights become a model folder, a system samples the queries with it, and the harness scores the wavs::

    kept/step-00004000/         a complete model folder, for the best few steps
    validation/step-00004000/   the run folder of its evaluation (record.json, examples.npz), and wavs/ of a few queries
    validation.csv              all scores of all steps, with interval, n and signature

Nothing here changes the training.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic.training.observers import Observer, Sight
from clipsonic_eval import atomic, filenames, records
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import read_json, write_csv
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.systems import resolve as resolve_system
from clipsonic_eval.types import Query, Score

KEPT, RUNS, TABLE = "kept", "validation", "validation.csv"
_NAME: Final = "samples"  # of the system in the records
_COLUMNS: Final = ("step", "metric", "value", "ci_low", "ci_high", "n", "weights", "kept", "signature")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleValidationConfig:
    """Scores of samples while a training goes on.

    Attributes:
        queries: csv of validation queries, with images where the system is queried with images. Not those of the test.
        reference: audio that distribution metrics such as FAD compare with; None: metrics without one.
        every: steps between two validations; the last step has one.
        limit: the first so many queries.
        metrics: that are computed.
        best: of these, the one that ranks the models.
        keep: number of models that are kept, the best by this metric.
        system: that is sampled.
        settings: of the system, the same at every step.
        examples: number of queries whose audio and spectrogram are kept; with class labels two of every class.
        weights: weight file by role of an encoder, where its own are not meant.
        n_bootstrap: resamples of the queries, for the intervals.
        seed: of the samples.
        batch_size: queries that are sampled together.
    """

    queries: Path
    reference: Path | None = None
    every: int = 20000
    limit: int = 500
    metrics: tuple[str, ...] = ("fad", "clap_score")
    best: str = "fad"
    keep: int = 3
    system: str = "clipsonic.systems:ImageQueried"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"guidance": 3.0, "steps": 20})
    examples: int = 6
    weights: Mapping[str, Path] = field(default_factory=dict)
    n_bootstrap: int = 1000
    seed: int = 0
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.every < 1 or self.limit < 1 or self.keep < 1 or self.batch_size < 1:
            raise ConfigError("samples: every, limit, keep and batch_size must be at least 1")
        if self.best not in self.metrics:
            raise ConfigError(f"samples: best '{self.best}' is none of the metrics {', '.join(self.metrics)}")


class SampleValidation(Observer):
    """Samples and scores the averaged weights of a run, and keeps the best.

    Args:
        config: of the validation.
        out: folder of the run.
        save: writes the model, as it is now, as a model folder: (step, folder).
        device: of the sampled system and of the encoders.
        progress: is told every result in a line.

    Raises:
        UserError: there are no queries, no reference, or a setting that the evaluation refuses.
    """

    def __init__(
        self,
        config: SampleValidationConfig,
        out: Path,
        save: Callable[[int, Path], Any],
        device: str = "cpu",
        progress: Progress = SILENT,
    ) -> None:
        self._config, self._out, self._save = config, out, save
        self._device, self._progress = device, progress
        self._queries: Sequence[Query] = list(
            read_queries(config.queries).single(config.queries, "check samples.queries")
        )[: config.limit]
        if config.reference is not None and not config.reference.exists():
            raise UserError(f"samples.reference {config.reference}: there is no such file or folder")
        self._evaluation(Path(), 0, "")

    def rehearse(self) -> None:
        """Sample one query with the untrained network: what cannot work says so before the first step, not after hours.

        Raises:
            UserError: the system cannot be loaded, or did not answer.
        """
        with tempfile.TemporaryDirectory() as folder:
            self._save(0, Path(folder) / "model")
            self._sampled(Path(folder) / "model", Path(folder) / "wavs", self._queries[:1])

    def is_due(self, step: int, steps: int) -> bool:
        """Return whether a step ends with a validation."""
        return step == steps or step % self._config.every == 0

    def look(self, step: int) -> Sight:
        """Validate the weights after so many steps; a problem is noted, and the training goes on."""
        model = self._out / KEPT / f"step-{step:08d}"
        run = self._out / RUNS / model.name
        try:
            self._save(step, model)
            weights = str(read_json(model / "card.json")["weights_sha256"])
            record = _earlier(run, weights) or self._validated(model, run, step, weights)
        except (UserError, OSError) as error:
            self._progress.note(f"step {step}: no validation by samples: {error}")
            return Sight({}, {})
        self._keep_the_best(step)
        values = {score.metric: float(score.value) for score in record.scores}
        told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        self._progress.note(f"step {step}: {told} (n {len(self._queries)}); best: {self.best(step)['folder']}")
        sounds = {f"samples/{path.stem}": path for path in sorted((run / "wavs").glob("*.wav"))}
        return Sight({f"val/{name}": value for name, value in values.items()}, sounds)

    def best(self, step: int) -> dict[str, Any]:
        """Return the best step so far by the configured metric, with its score and its folder; empty for none."""
        ranked = self._ranked(step)
        if not ranked:
            return {}
        found, score, _ = ranked[0]
        interval = None if score.ci is None else [float(end) for end in score.ci]
        about = {"metric": score.metric, "value": float(score.value), "ci": interval, "n": score.n}
        return {"step": found, **about, "signature": score.signature, "folder": f"{KEPT}/step-{found:08d}"}

    def _validated(self, model: Path, run: Path, step: int, weights: str) -> RunRecord:
        with tempfile.TemporaryDirectory() as temporary:
            wavs, scored = Path(temporary) / "wavs", Path(temporary) / "run"
            self._sampled(model, wavs, self._queries)
            record = evaluate(self._evaluation(wavs, step, weights), scored)
            (scored / filenames.RUN).unlink()  # the folder is the training's
            with atomic.replacing_folder(run) as folder:
                shutil.copytree(scored, folder, dirs_exist_ok=True)
                (folder / "wavs").mkdir()
                for key in _example_keys(scored):
                    shutil.copy2(wavs / f"{key}.wav", folder / "wavs")
        return record

    def _sampled(self, model: Path, wavs: Path, queries: Sequence[Query]) -> None:
        """Sample queries into a folder of wavs; UserError where one was not answered."""
        config = self._config
        system = resolve_system(config.system, {"device": self._device, **config.settings, "model": str(model)})
        done = sample(system, queries, wavs, seed=config.seed, batch_size=config.batch_size, name=_NAME)
        if done.skipped:
            raise UserError(f"{len(done.skipped)} queries were not answered: {done.skipped[0].reason}")

    def _evaluation(self, wavs: Path, step: int, weights: str) -> EvaluateConfig:
        config = self._config
        return resolve(
            EvaluateConfig,
            {
                "systems": {_NAME: wavs},
                "reference": config.reference,
                "metrics": list(config.metrics),
                "weights": dict(config.weights),
                "compare": False,
                "examples": config.examples,
                "n_bootstrap": config.n_bootstrap,
                "device": self._device,
                "tags": {"step": str(step), "weights": weights},
            },
            where="samples",
        )

    def _ranked(self, step: int) -> list[tuple[int, Score, RunRecord]]:
        """Return step, score and record of all validations up to a step, the best first, of equal ones the earlier."""
        found = []
        for folder in sorted((self._out / RUNS).glob("step-*")):
            if int(folder.name.removeprefix("step-")) <= step:
                record = records.read(folder)
                score = record.score(self._config.best, _NAME)
                if score is not None:
                    found.append((int(record.tags["step"]), score, record))
        return sorted(found, key=lambda x: (-x[1].value if x[1].higher_is_better else x[1].value, x[0]))

    def _keep_the_best(self, step: int) -> None:
        """Remove all models but the best, and write the table."""
        ranked = self._ranked(step)
        kept = {f"step-{found:08d}" for found, _, _ in ranked[: self._config.keep]}
        for folder in (self._out / KEPT).glob("step-*"):
            if folder.name not in kept:
                shutil.rmtree(folder)
        rows = [_row(found, score, record, kept) for found, _, record in sorted(ranked, key=lambda x: x[0])
                for score in record.scores]  # fmt: skip
        write_csv(self._out / TABLE, _COLUMNS, rows)


def _earlier(run: Path, weights: str) -> RunRecord | None:
    """Return the record of these weights, if a run that was killed got so far."""
    if not (run / filenames.RECORD).is_file():
        return None
    record = records.read(run)
    return record if record.tags.get("weights") == weights else None


def _example_keys(run: Path) -> list[str]:
    path = run / filenames.EXAMPLES
    if not path.is_file():
        return []
    with np.load(path) as arrays:
        return [str(key) for key in arrays["keys"]]


def _row(step: int, score: Score, record: RunRecord, kept: set[str]) -> dict[str, Any]:
    low, high = score.ci if score.ci else ("", "")
    name = f"step-{step:08d}"
    return {
        "step": step,
        "metric": score.metric,
        "value": score.value,
        "ci_low": low,
        "ci_high": high,
        "n": score.n,
        "weights": record.tags["weights"][:12],
        "kept": f"{KEPT}/{name}" if name in kept else "",
        "signature": score.signature,
    }
