"""Samples of a model on fixed queries, and their scores: what trainings and averages of weights are validated by."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval import atomic, filenames, records
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.harness.sample_shares import Share
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.systems import resolve as resolve_system
from clipsonic_eval.types import Query

SAMPLES: Final = "samples"  # name of the system in the records


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleValidationConfig:
    """Scores of samples while a training goes on.

    Attributes:
        queries: csv of validation queries, with images where the system is queried with images. Not those of the test.
        reference: audio that distribution metrics such as FAD compare with; None: metrics without one.
        every: steps between two validations; the last step has one.
        limit: the first so many queries; None: all.
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
    limit: int | None = 500
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
        if min(self.every, self.keep, self.batch_size, 1 if self.limit is None else self.limit) < 1:
            raise ConfigError("samples: every, limit, keep and batch_size must be at least 1")
        if self.best not in self.metrics:
            raise ConfigError(f"samples: best '{self.best}' is none of the metrics {', '.join(self.metrics)}")


class SampleScorer:
    """Samples the queries of a configuration with a model, and scores the wavs.

    Args:
        config: of the validation.
        device: of the sampled system and of the encoders.

    Attributes:
        queries: that are sampled.

    Raises:
        UserError: there are no queries, no reference, or a setting that the evaluation refuses.
    """

    def __init__(self, config: SampleValidationConfig, device: str = "cpu") -> None:
        self._config, self._device = config, device
        read = read_queries(config.queries).single(config.queries, "check samples.queries")
        self.queries: Sequence[Query] = list(read)[: config.limit]
        if config.reference is not None and not config.reference.exists():
            raise UserError(f"samples.reference {config.reference}: there is no such file or folder")
        self._evaluation(Path(), {})

    def rehearse(self, model: Path) -> None:
        """Sample one query, to see that it can be done.

        Raises:
            UserError: the system cannot be loaded, or did not answer.
        """
        with tempfile.TemporaryDirectory() as folder:
            self._sample(model, Path(folder) / "wavs", self.queries[:1])

    def score(self, model: Path, run: Path, tags: Mapping[str, str], sampled: Path | None = None) -> RunRecord:
        """Sample and score all queries, or return the record of the same weights that is there already.

        Args:
            model: folder of the model.
            run: gets the run folder of the evaluation, and ``wavs/`` of a few queries.
            tags: of the record, beside ``weights``.
            sampled: folder of wavs to which :meth:`help` has added some of this model's.

        Raises:
            UserError: a query was not answered, or the evaluation failed.
        """
        weights = str(read_json(model / "card.json")["weights_sha256"])
        known = _record_of(run, weights)
        if known is not None:
            return known
        with tempfile.TemporaryDirectory() as temporary:
            wavs, scored = sampled or Path(temporary) / "wavs", Path(temporary) / "run"
            record = self.record(model, wavs, scored, {**tags, "weights": weights})
            (scored / filenames.RUN).unlink()  # the folder belongs to another command
            with atomic.replacing_folder(run) as folder:
                shutil.copytree(scored, folder, dirs_exist_ok=True)
                (folder / "wavs").mkdir()
                for key in _example_keys(scored):
                    shutil.copy2(wavs / f"{key}.wav", folder / "wavs")
        return record

    def help(self, model: Path, run: Path, wavs: Path, part: tuple[int, int]) -> None:
        """Sample one of several shares of the queries for another process that calls :meth:`score`.

        Args:
            model: folder of the model.
            run: where the other process looks for a record.
            wavs: folder that all processes see.
            part: the share, (i, n) with i in 1..n.

        Raises:
            UserError: the system cannot be loaded.
        """
        if _record_of(run, str(read_json(model / "card.json")["weights_sha256"])) is None:
            self._sample(model, wavs, Share(self.queries, part))

    def record(
        self, model: Path, wavs: Path, run: Path | None, tags: Mapping[str, str], progress: Progress = SILENT
    ) -> RunRecord:
        """Sample and score all queries.

        Args:
            model: folder of the model.
            wavs: gets the wavs; those that are there already are kept.
            run: gets the run folder of the evaluation; None: there is none.
            tags: of the record.
            progress: shows bars and notes.

        Raises:
            UserError: a query was not answered, or the evaluation failed.
        """
        self._sample(model, wavs, self.queries, progress)
        return evaluate(self._evaluation(wavs, tags), run, progress=progress)

    def _sample(self, model: Path, wavs: Path, queries: Sequence[Query] | Share, progress: Progress = SILENT) -> None:
        """Sample queries into a folder of wavs; UserError where one was not answered."""
        config = self._config
        system = resolve_system(config.system, {"device": self._device, **config.settings, "model": str(model)})
        how: dict[str, Any] = {"seed": config.seed, "batch_size": config.batch_size, "name": SAMPLES}
        done = sample(system, queries, wavs, **how, progress=progress)
        if done.skipped:
            raise UserError(f"{wavs}: {len(done.skipped)} queries were not answered: {done.skipped[0].reason}")

    def _evaluation(self, wavs: Path, tags: Mapping[str, str]) -> EvaluateConfig:
        config = self._config
        return resolve(
            EvaluateConfig,
            {
                "systems": {SAMPLES: wavs},
                "reference": config.reference,
                "metrics": list(config.metrics),
                "weights": dict(config.weights),
                "compare": False,
                "examples": config.examples,
                "n_bootstrap": config.n_bootstrap,
                "device": self._device,
                "tags": dict(tags),
            },
            where="samples",
        )


def _record_of(run: Path, weights: str) -> RunRecord | None:
    """Return the record in a run folder, None if it is of other weights or there is none."""
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
