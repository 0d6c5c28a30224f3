"""Validation by samples: fixed queries, sampled and scored on a schedule, and the best models kept.

The validation loss of a diffusion model says little about how it sounds. On every so many steps, and at the end, the
averaged weights become a model folder, a system samples the queries with it, and the harness scores the wavs::

    kept/step-00004000/         a complete model folder, for the best few steps
    validation/step-00004000/   the run folder of its evaluation (record.json, examples.npz), and wavs/ of a few queries
    validation.csv              all scores of all steps, with interval, n and signature

Nothing here changes the training. Under torchrun the processes share the queries, in a folder that all see.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch

from clipsonic.training.observers import Observer, Sight
from clipsonic.training.processes import one_writer, place
from clipsonic.training.sample_scores import SAMPLES, SampleScorer, SampleValidationConfig
from clipsonic_eval import records
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import write_csv
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

_PROBLEMS: Final = (UserError, OSError, RuntimeError)  # RuntimeError: a GPU without memory left
KEPT, RUNS, TABLE = "kept", "validation", "validation.csv"
_COLUMNS: Final = ("step", "metric", "value", "ci_low", "ci_high", "n", "weights", "kept", "signature")


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
        self._config, self._out, self._save, self._progress = config, out, save, progress
        self._scorer, self._device = SampleScorer(config, device), torch.device(device)

    def rehearse(self) -> None:
        """Sample one query with the untrained network: what cannot work says so before the first step, not after hours.

        Raises:
            UserError: the system cannot be loaded, or did not answer.
        """
        with tempfile.TemporaryDirectory() as folder:
            self._save(0, Path(folder))
            self._scorer.rehearse(Path(folder))

    def is_due(self, step: int, steps: int) -> bool:
        """Return whether a step ends with a validation."""
        return step == steps or step % self._config.every == 0

    def look(self, step: int) -> Sight:
        """Validate the weights after so many steps; a problem is noted, and the training goes on.

        Every process samples a share of the queries. What one of them could not do, the main one does.
        """
        model = self._out / KEPT / f"step-{step:08d}"
        run, wavs = self._out / RUNS / model.name, self._out / RUNS / ".wavs"
        part = place(self._device)
        problem: Exception | None = None
        with one_writer(self._device) as writes:
            try:
                if writes:
                    shutil.rmtree(wavs, ignore_errors=True)
                    self._save(step, model)
            except _PROBLEMS as error:
                problem = error
        with one_writer(self._device), contextlib.suppress(*_PROBLEMS):
            if part[1] > 1:
                self._scorer.help(model, run, wavs, part)
        if not writes:
            return Sight({}, {})
        try:
            if problem is not None:
                raise problem
            record = self._scorer.score(model, run, {"step": str(step)}, wavs if part[1] > 1 else None)
            self._keep_the_best(step)
            best = self.best(step).get("folder", "")
        except _PROBLEMS as error:
            self._progress.note(f"step {step}: no validation by samples: {error}")
            return Sight({}, {})
        finally:
            shutil.rmtree(wavs, ignore_errors=True)
        values = {score.metric: float(score.value) for score in record.scores}
        told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        self._progress.note(f"step {step}: {told} (n {len(self._scorer.queries)}); best: {best}")
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

    def _ranked(self, step: int) -> list[tuple[int, Score, RunRecord]]:
        """Return step, score and record of all validations up to a step, the best first, of equal ones the earlier."""
        found = []
        for folder in sorted((self._out / RUNS).glob("step-*")):
            if int(folder.name.removeprefix("step-")) <= step:
                record = records.read(folder)
                score = record.score(self._config.best, SAMPLES)
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
