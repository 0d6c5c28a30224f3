"""The model card of a model folder, ``README.md``: how it was trained, what it scores, in the hub's metadata.

The metadata are written and read back by huggingface_hub's own classes. Every result of the ``model-index`` carries its
interval, number of clips, seed and signature, and comes from a run whose system has this very model's weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic import model_folder
from clipsonic_eval.atomic import replacing
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_text
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

FILE = "README.md"
_TASK = "text-to-audio"
_REQUIRED = ("task_type", "dataset_type", "dataset_name", "metric_type", "metric_value")


def write_model_card(
    folder: Path,
    runs: Sequence[RunRecord] = (),
    *,
    name: str = "",
    dataset: str = "",
    licence: str = "",
) -> Path:
    """Write ``README.md`` into a model folder, checked as the hub would.

    Args:
        folder: of an audio model or a prior.
        runs: evaluations; their scores of systems with this model enter.
        name: of the model; "": that of the folder.
        dataset: what the runs evaluated on, e.g. ``VGGSound test``; required with runs.
        licence: of the weights, as the hub abbreviates it, e.g. ``cc-by-4.0``; "": not stated.

    Returns:
        The file.

    Raises:
        UserError: no model there, a run without a system of this model, results without a data set's name, or a value
            that is not finite.
    """
    from huggingface_hub import ModelCard, ModelCardData

    card = model_folder.read_any_card(folder)
    name = name or folder.resolve().name
    results = [result for run in runs for result in _results(run, card, dataset, folder)]
    data = ModelCardData(
        model_name=name,
        license=licence or None,
        library_name="clipsonic-eval",
        pipeline_tag=_TASK,
        tags=["clipsonic", _TASK, "audio"],
        eval_results=results or None,
    )
    content = f"---\n{data.to_yaml()}\n---\n\n{_body(name, folder, card, results)}"
    check_model_card(content, str(folder / FILE))
    with replacing(folder / FILE) as temporary:
        ModelCard(content).save(temporary)
    return folder / FILE


def check_model_card(content: str, where: str) -> list[EvalResult]:
    """Read a card as the hub does, offline, and return its results.

    Raises:
        UserError: metadata that the hub would not accept, or a result that lacks a field.
    """
    from huggingface_hub import ModelCard

    try:
        data = ModelCard(content).data
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{where}: its metadata are not those of a model card ({error}); write it again") from error
    results: list[EvalResult] = list(getattr(data, "eval_results", None) or [])
    for result in results:
        lacking = [field for field in _REQUIRED if getattr(result, field) in {None, ""}]
        if lacking or not isinstance(result.metric_value, int | float) or not math.isfinite(result.metric_value):
            wrong = lacking[0] if lacking else f"a value that is no finite number ({result.metric_value})"
            raise UserError(f"{where}: a result of {result.metric_type} lacks or breaks {wrong}; evaluate it again")
    return results


def read_model_card(folder: Path) -> list[EvalResult]:
    """Return the results of the model card of a folder, checked.

    Raises:
        UserError: there is none, or it is not valid.
    """
    path = folder / FILE
    return check_model_card(read_text(path, UserError, fix="write it with `clipsonic-eval model-card`"), str(path))


def _results(run: RunRecord, card: Mapping[str, Any], dataset: str, folder: Path) -> list[EvalResult]:
    """Return the results of a run's systems that have this model's weights."""
    mine = [name for name, system in run.systems.items() if card["weights_sha256"] in _weights(system)]
    if not mine:
        raise UserError(
            f"{folder}: no system of the run has this model's weights ({card['weights_sha256'][:12]}…), but "
            f"{', '.join(run.systems) or 'no known ones'}; give an evaluation of its own wavs"
        )
    if not dataset:
        raise UserError("a result needs the name of its data set, e.g. --dataset 'VGGSound test'")
    return [_result(score, dataset, run) for score in run.scores if score.system in mine]


def _weights(system: Mapping[str, Any]) -> Iterator[Any]:
    for part in ("model", "prior"):
        if isinstance(system.get(part), Mapping):
            yield system[part].get("weights_sha256")


def _result(score: Score, dataset: str, run: RunRecord) -> EvalResult:
    from huggingface_hub import EvalResult

    return EvalResult(
        task_type=_TASK,
        dataset_type=dataset.lower().replace(" ", "-"),
        dataset_name=dataset,
        dataset_config=score.system,
        dataset_split=run.tags.get("split"),
        metric_type=score.metric,
        metric_name=f"{score.metric} of {score.system}",
        metric_value=score.value,
        metric_args={
            **_interval(score),
            "n": score.n,
            "seed": score.seed,
            "unit": score.unit,
            "higher_is_better": score.higher_is_better,
            "signature": score.signature,
        },
    )


def _interval(score: Score) -> dict[str, Any]:
    """Return the interval of a score; the hub's classes drop what is None."""
    if score.ci is None:
        return {}
    return {"interval": list(score.ci), "interval_level": score.ci_level, "interval_method": score.ci_method}


def _body(name: str, folder: Path, card: Mapping[str, Any], results: Sequence[EvalResult]) -> str:
    space = card.get("space") or card.get("condition", {}).get("space", {})
    is_prior = "space" in card
    lines = [
        f"# {name}",
        "",
        f"A {'diffusion prior' if is_prior else 'text-to-audio model'} in the manner of CLIPSonic "
        "([Dong et al. 2023](https://arxiv.org/abs/2306.09635)), written by clipsonic-eval.",
        "",
        "```python",
        "from clipsonic import CLIPSonicPipeline",
        "",
        'pipe = CLIPSonicPipeline.from_pretrained("AUDIO MODEL", prior="THIS FOLDER")'
        if is_prior
        else 'pipe = CLIPSonicPipeline.from_pretrained("THIS FOLDER")',
        'audio = pipe(prompt="a dog barks").audios[0]',
        "```",
        "",
        "| | |",
        "|---|---|",
        *(f"| {label} | {value} |" for label, value in _facts(card, space)),
    ]
    if results:
        lines += ["", "## Results", "", *_table(results)]
    lines += [
        "",
        f"Hashes of all files: `SHA256SUMS`; everything else that is known of the training: `{model_folder.CARD}`.",
        "",
    ]
    return "\n".join(lines)


def _facts(card: Mapping[str, Any], space: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "weights", f"{card['parameters'] / 1e6:.2f} M, SHA-256 `{card['weights_sha256']}`"
    licence = f", licence {space['licence']}" if space.get("licence") else ""
    yield "embedding space", f"{space.get('name')}, weights `{str(space.get('weights_sha256'))[:12]}`{licence}"
    for label, key in (
        ("conditioned on", "condition"),
        ("training steps", "steps"),
        ("training seed", "seed"),
        ("clips", "clips"),
        ("number of clips", "n_clips"),
        ("identity of the run", "identity"),
    ):
        value = card.get(key)
        if key == "condition" and isinstance(value, Mapping):
            value = value.get("kind")
        if value is not None:
            yield label, value


def _table(results: Sequence[EvalResult]) -> Iterator[str]:
    yield "| data | system | metric | value | interval | n |"
    yield "|---|---|---|---|---|---|"
    for result in results:
        found = result.metric_args or {}
        ends = found.get("interval")
        interval = f"[{ends[0]:.4g}, {ends[1]:.4g}]" if ends else ""
        yield (
            f"| {result.dataset_name} | {result.dataset_config} | {result.metric_type} | {result.metric_value:.4g} | "
            f"{interval} | {found['n']} |"
        )
    yield ""
    yield "Signatures, which name everything that changes a value:"
    yield ""
    signatures = dict.fromkeys((result.metric_args or {})["signature"] for result in results)
    yield from (f"- `{signature}`" for signature in signatures)
