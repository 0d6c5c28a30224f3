"""Models from post-hoc averages: a finished run and a length in, a model folder out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from clipsonic.model import MelDiffusion
from clipsonic.prior.model import DiffusionPrior
from clipsonic.training import posthoc_ema
from clipsonic.training.sample_scores import SAMPLES, SampleScorer, SampleValidationConfig
from clipsonic_eval import outputs
from clipsonic_eval.config import resolve
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json

_KINDS: Final[dict[str, Any]] = {"MelDiffusion": MelDiffusion, "DiffusionPrior": DiffusionPrior}
_NEVER_TRAINED: Final = ("clip_mean", "clip_std")  # the scale of a prior's embeddings, measured once
_OF_OTHER_WEIGHTS: Final = ("loss", "val_loss", "best_by_samples", "held_out")


def reconstruct(
    model: Path, lengths: Sequence[float], out: Path, *, step: int | None = None, score: bool = False
) -> list[dict[str, Any]]:
    """Write a model folder for each length of the average, and perhaps score samples of each.

    Args:
        model: folder of a finished run that stored averages (``train.ema_lengths``).
        lengths: σ of each, in (0, 0.28].
        out: gets a folder ``ema-<length>`` for each.
        step: where the averages end; None: at the last stored step.
        score: sample and score each as the run's own validation did (``samples`` in its configuration).

    Returns:
        For each length its folder, step, hash of the weights, number of stored averages that it is made of, and the
        error of its profile (:func:`clipsonic.training.posthoc_ema.coefficients`); with ``score`` also ``scores``, each
        with value, interval, n and signature, and ``rank``, 1 for the best.

    Raises:
        UserError: the folder holds no finished run or no averages, or a length is out of range.
    """
    index = model / "model_index.json"
    kind = read_json(index).get("_class_name") if index.is_file() else None
    if kind not in _KINDS:
        raise UserError(f"{model}: holds no finished audio model or prior; give a folder that `train` wrote")
    for length in lengths:
        posthoc_ema.exponent(length)  # refused before anything is read
    found = posthoc_ema.stored(model)
    end = found[-1].step if step is None else step
    used = [one for one in found if one.step <= end]
    if not used:
        raise UserError(f"step {end}: the first averages were stored at step {found[0].step}")
    validation = _validation(model) if score else None
    card = read_json(model / "card.json")
    results = []
    with outputs.claim(out, "ema", {"weights": card["weights_sha256"], "step": end}):
        for length in lengths:
            results.append(_write(kind, model, used, (end, length), out / f"ema-{length:g}"))
        if validation is not None:
            _score(results, validation, out)
    return results


def _validation(model: Path) -> SampleValidationConfig:
    samples = read_json(model / "config.json").get("samples")
    if samples is None:
        raise UserError(
            f"{model}: was trained without validation by samples (samples.queries, …), so there is nothing to score "
            "by; sample and evaluate the averages yourself"
        )
    return resolve(SampleValidationConfig, samples, where="config.json: samples")


def _score(results: list[dict[str, Any]], config: SampleValidationConfig, out: Path) -> None:
    """Score the models of some results, and add scores and ranks to them."""
    scorer = SampleScorer(config, str(resolve_device("auto")))
    ranks = []
    for result in results:
        folder = Path(result["folder"])
        tags = {"step": str(result["step"]), "ema_length": f"{result['length']:g}"}
        record = scorer.score(folder, out / "validation" / folder.name, tags)
        result["scores"] = {
            score.metric: {"value": score.value, "ci": score.ci, "n": score.n, "signature": score.signature}
            for score in record.scores
        }
        best = record.score(config.best, SAMPLES)
        ranks.append(math.inf if best is None else -best.value if best.higher_is_better else best.value)
    for result, rank in zip(results, ranks, strict=True):
        result["rank"] = 1 + sum(other < rank for other in ranks)


def _write(
    kind: str, folder: Path, used: Sequence[posthoc_ema.Stored], at: tuple[int, float], out: Path
) -> dict[str, Any]:
    step, length = at
    chosen, error = posthoc_ema.coefficients(used, step, length)
    model = _KINDS[kind].load(folder)
    # a network that is trained with its expected loss is a part of what is trained (clipsonic.training.loss_weighting)
    weighting = read_json(folder / "config.json").get("diffusion", {}).get("weighting")
    part = "network." if weighting == "learned" else ""
    parameters = {part + name: p for name, p in model.network.named_parameters() if name not in _NEVER_TRAINED}
    for name, value in posthoc_ema.averaged(used, chosen, list(parameters)).items():
        parameters[name].data.copy_(value)
    about = {"length": length, "step": step, "stored": len(used), "profile_error": float(f"{error:.3g}")}
    made_from = {"steps": step, "averaged_from": model.card["weights_sha256"], "ema": about}
    model.card = {k: v for k, v in model.card.items() if k not in _OF_OTHER_WEIGHTS} | made_from
    model.save(out)
    return {"folder": str(out), **about, "weights": model.card["weights_sha256"]}
