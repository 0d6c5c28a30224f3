"""``clipsonic-eval listen analyse``: the answers of a listening test as an ordinary run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli._options import PATH, json_option, out_option, overwrite_option


@click.command("analyse")
@click.argument("answers", type=PATH)
@click.option("--plan", "plan_file", type=PATH, help="plan.json of the test, or its folder; webMUSHRA's need none.")
@click.option(
    "--protocol", "protocols", multiple=True, metavar="NAME", help="What each scale of lss.csv asked; repeatable."
)
@click.option("--run", "runs", multiple=True, metavar="RUN", help="Evaluation to relate opinions to; repeatable.")
@click.option("--resamples", type=int, default=2000, help="Resamples of listeners and queries.")
@click.option("--seed", type=int, default=0, help="Seed of the resamples.")
@out_option("Run folder: record.json, csv files, listening.md, figures/.")
@overwrite_option
@json_option("the record")
@click.pass_context
def command(
    ctx: click.Context, /, answers: Path, plan_file: Path | None, protocols: tuple[str, ...], runs: tuple[str, ...],
    out: Path, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    r"""Score the systems by ANSWERS: mean opinions and preferences with intervals over listeners and queries.

    Differences of systems are freed of the levels of listeners and queries, and Holm-corrected. Everything is computed
    with the listeners that the plan's rules exclude, and without. `report` shows the run beside evaluations. ANSWERS
    may also be mushra.csv or lss.csv of a test that webMUSHRA ran.

    \b
    clipsonic-eval listen analyse answers.csv --plan plan --run runs/eval \
        --out runs/listening
    clipsonic-eval report runs/eval runs/listening --out report
    clipsonic-eval listen analyse results/mushra.csv --out runs/webmushra
    """
    from clipsonic_eval.analysis.catalogue import Catalogue
    from clipsonic_eval.analysis.runs import find
    from clipsonic_eval.checks.evaluation import NOT_COMPUTED
    from clipsonic_eval.cli import EXIT_SKIPPED
    from clipsonic_eval.cli._scores import show
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.listening import tables
    from clipsonic_eval.listening.analysis import KIND, analyse
    from clipsonic_eval.listening.relation import relations
    from clipsonic_eval.listening.run_folder import write
    from clipsonic_eval.reporting import listening

    plan, given, skipped = tables.read(answers, plan_file, protocols)
    measured = [run.record for run in find(runs)] if runs else []
    draws = {"n_boot": options["resamples"], "seed": options["seed"]}
    result = analyse(plan, given, skipped, **draws)
    write(result, out, overwrite=options["overwrite"])
    names = result.record.system_names
    controls = [name for name in names if Catalogue().completed(names).is_control(name)]
    related = relations(result.record, measured, controls=controls, **draws)
    page = listening.write(result, related, measured, out)
    show(result.record, as_json=as_json)
    if not as_json:
        click.echo(f"\n{page}")
        click.echo(f"next: clipsonic-eval report {' '.join((*runs, str(out)))} --out report", err=True)
    finish(ctx, skipped)
    if any(one.check == NOT_COMPUTED and one.severity == "error" for one in result.record.findings.get(KIND, ())):
        ctx.exit(EXIT_SKIPPED)
