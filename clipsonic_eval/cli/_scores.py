"""Scores and comparisons as plain text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from clipsonic_eval import class_shares
from clipsonic_eval.config import as_tree
from clipsonic_eval.formats import aligned, p_value
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

_SHOWN = 5


def show(record: RunRecord, *, as_json: bool, transposed: bool = False) -> None:
    """Print a record: to stdout its numbers, to stderr what looks wrong and what was skipped.

    Args:
        record: the run.
        as_json: print it as JSON.
        transposed: metrics as rows, for runs of many metrics and few systems.
    """
    if as_json:
        worst = class_shares.worst_by_system(record.scores)
        tree = {**as_tree(record), **({"worst_class": worst} if worst else {})}
        click.echo(json.dumps(tree, ensure_ascii=False))
        return
    _scores(record.scores, transposed=transposed)
    for name, lowest in class_shares.worst_by_system(record.scores).items():
        if lowest["share"] != 1:
            click.echo(f"worst class of {name}: {lowest['class']} {lowest['share']:.3f} (n = {lowest['n']})")
    _comparisons(record)
    click.echo("")
    for text in dict.fromkeys(_without_n(s) for s in record.scores):
        click.echo(text)
    warn(record)


def warn(record: RunRecord) -> None:
    """Print to stderr what looks wrong, errors first, and what was skipped."""
    for name, count in record.sets.items():
        rest = f"{count.skipped} skipped, {count.left_out} left out"
        click.echo(f"{name}: {count.found} found, {count.used} used, {rest}", err=True)
    for name, findings in record.findings.items():
        for finding in sorted(findings, key=lambda f: f.severity != "error")[:_SHOWN]:
            click.echo(f"{finding.severity} {name}: {finding.sentence}", err=True)
        if len(findings) > _SHOWN:
            click.echo(f"{name}: {len(findings) - _SHOWN} more, see findings.csv", err=True)
    for name, skips in record.skipped.items():
        for skip in skips[:_SHOWN]:
            click.echo(f"skipped {name}: {skip.key}: {skip.reason}", err=True)
        if len(skips) > _SHOWN:
            click.echo(f"skipped {name}: {len(skips) - _SHOWN} more, see skipped.csv", err=True)


def _without_n(score: Score) -> str:
    from clipsonic_eval.signature import parse

    signature = parse(score.signature)
    return "|".join([signature.metric, *(f"{k}:{v}" for k, v in signature.fields if k != "n")])


def _scores(scores: Sequence[Score], *, transposed: bool) -> None:
    metrics = list(dict.fromkeys(s.metric for s in scores))
    systems = list(dict.fromkeys(s.system for s in scores))
    cells = {(s.metric, s.system): s for s in scores}
    heads = {m: next(s for s in scores if s.metric == m) for m in metrics}
    arrows = {m: f"{m} {'↑' if heads[m].higher_is_better else '↓'}" for m in metrics}
    if transposed:
        rows = [["", *systems]]
        rows += [[m, *(_cell(cells.get((m, s))) for s in systems)] for m in metrics]
    else:
        rows = [["", *(arrows[m] for m in metrics), "n"]]
        for system in systems:
            own = [cells.get((m, system)) for m in metrics]
            counts = sorted({s.n for s in own if s is not None})
            rows.append([system, *(_cell(s) for s in own), "–".join(map(str, counts))])
    click.echo(aligned(rows))


def _cell(score: Score | None) -> str:
    if score is None:
        return "–"
    if score.ci is None:
        return f"{score.value:.4g}"
    return f"{_number(score.value)} [{_number(score.ci[0])}, {_number(score.ci[1])}]"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _comparisons(record: RunRecord) -> None:
    if not record.comparisons:
        return
    click.echo("")
    rows = [["", "difference", "p", "p (Holm)", "d_z", "n"]]
    for c in record.comparisons:
        low, high = c.ci if c.ci else (float("nan"), float("nan"))
        rows.append(
            [
                f"{c.metric}: {c.a} − {c.b}",
                f"{_signed(c.difference)} [{_signed(low)}, {_signed(high)}]",
                p_value(c.p_value),
                p_value(c.p_holm),
                "–" if c.effect_size is None else f"{c.effect_size:+.2f}",
                str(c.n),
            ]
        )
    click.echo(aligned(rows))


def _signed(value: float) -> str:
    return f"{value:+.3f}" if abs(value) < 10 else f"{value:+.2f}"
