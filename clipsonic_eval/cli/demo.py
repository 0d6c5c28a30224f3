"""``clipsonic-eval demo``: the whole study in miniature, from nothing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipsonic_eval import class_shares
from clipsonic_eval.cli._options import json_option, out_option, overwrite_option, set_option

if TYPE_CHECKING:
    from clipsonic_eval.records import RunRecord
    from clipsonic_eval.study.run import StudyResult
    from clipsonic_eval.types import Score


@click.command("demo")
@out_option("Output folder.", default="runs/demo")
@click.option("--fast", is_flag=True, help="Every stage at its smallest size (the numbers mean nothing).")
@click.option("--seeds", type=click.IntRange(min=1), default=1, help="Training seeds 0 to N-1.")
@set_option("audio_steps=4000")
@overwrite_option
@json_option()
def command(out: Path, fast: bool, seeds: int, sets: tuple[str, ...], overwrite: bool, as_json: bool) -> None:
    """Run the whole study in miniature: write toy videos, train every system, score them, write the report.

    Needs no GPU and no download. Can be stopped at any point; run again to continue.
    """
    from clipsonic_eval.config import apply_sets, resolve
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.study.config import FAST, StudyConfig
    from clipsonic_eval.study.run import run_study

    values = apply_sets({**(FAST if fast else {}), "train_seeds": list(range(seeds))}, sets)
    words = ["clipsonic-eval demo", *(["--fast"] if fast else []), *([f"--seeds {seeds}"] if seeds > 1 else [])]
    words += [f"--set {shlex.quote(item)}" for item in sets]
    if fast and out == Path("runs/demo"):
        out = Path("runs/demo-fast")  # not into the default folder of the full study
    result = run_study(resolve(StudyConfig, values), out, Bars(), command=" ".join(words), overwrite=overwrite)
    click.echo(json.dumps(_tree(result)) if as_json else _screen(result))


def _tree(result: StudyResult) -> dict[str, Any]:
    record, seeds = _pooled(result)
    return {
        "report": str(result.report.out),
        "headline": result.report.headline,
        "train_seeds": seeds,
        "guidance": dict(result.guidance),
        "worst_class": class_shares.worst_by_system(record.scores),
        "timings_s": dict(result.timings_s),
        "seconds": round(result.seconds, 1),
        "peak_mib": round(result.peak_mib),
    }


def _pooled(result: StudyResult) -> tuple[RunRecord, int]:
    """Return the scores on the test queries, pooled over the training seeds as in the report, and how many seeds."""
    from clipsonic_eval import records

    runs = sorted((result.layout.root / "runs").glob("test-seed-*"))
    first = records.read(runs[0])
    return records.read(result.report.out / "records" / f"pooled-{first.tags['clip_variant']}"), len(runs)


def _screen(result: StudyResult) -> str:
    """Return the scores, the headline, and where everything is."""
    from clipsonic_eval.formats import aligned
    from clipsonic_eval.study.sampling import METRICS

    record, seeds = _pooled(result)
    rows = [["system", *METRICS, "worst class"]]
    worst = class_shares.worst_by_system(record.scores)
    for name in dict.fromkeys(s.system for s in record.scores):
        scores = [record.score(m, name) for m in METRICS]
        lowest = f"{worst[name]['class']} {worst[name]['share']:.2f}" if name in worst else "–"
        if any(scores):
            rows.append([name, *map(_cell, scores), lowest])
    n = max((s.n for s in record.scores), default=0)
    trained = "one training seed" if seeds == 1 else f"means over {seeds} training seeds"
    lines = [
        "",
        aligned(rows),
        "",
        f"95 % intervals over {n} test queries, {trained}; FAD and size error: lower is better, the others: higher.",
        *([result.report.headline] if result.report.headline else []),
        "This is a toy world; the report says what it shows and what it does not show.",
        "",
        f"report   {result.report.out / 'README.md'}",
        f"listen   {result.report.out / 'page.html'}",
        f"figures  {result.report.out / 'figures'}",
        f"audio    {result.layout.root}/seed-*/wavs/test/<system>/<query>.wav",
        f"videos   {result.layout.world / 'test'}",
        f"done in {result.seconds / 60:.1f} min (all stages {sum(result.timings_s.values()) / 60:.1f} min), "
        f"peak memory {result.peak_mib / 1024:.1f} GiB",
    ]
    return "\n".join(lines)


def _cell(score: Score | None) -> str:
    if score is None:
        return "–"
    interval = f" [{score.ci[0]:.3g}, {score.ci[1]:.3g}]" if score.ci else ""
    return f"{score.value:.3g}{interval}"
