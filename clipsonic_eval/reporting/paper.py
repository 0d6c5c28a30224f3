"""The table of a paper: systems and metrics, one spread behind each value, the best and what is not worse than it.

Values are rounded by their own spread: to its first significant digit, and one more where that is 1. The best system of
each metric is bold; one that is not significantly worse is underlined (:mod:`clipsonic_eval.analysis.best`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from clipsonic_eval.analysis.best import against_best, best_systems
from clipsonic_eval.analysis.catalogue import CONTROLS
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.errors import UserError, listed, unknown_name
from clipsonic_eval.formats import decimals_of_error, interval, number, percent
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import decimals, heading, title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.options import PaperTable
from clipsonic_eval.reporting.tables import NONE, check_columns, first_of_metric, n_notes, span
from clipsonic_eval.types import Score

SEEDS = "seeds"
INTERVAL = "interval"


class _Marks(NamedTuple):
    """The best system of each metric, and the comparison of each other system with it by (metric, system)."""

    best: Mapping[str, str]
    others: Mapping[tuple[str, str], Comparison]


def ablation(varied: Mapping[str, Results], asked: PaperTable, setting: str) -> TextTable:
    """Return the table of a setting: its values in rows, in a section for each system; marks are within a section.

    Args:
        varied: from :func:`clipsonic_eval.analysis.ablation.ablation`.
        asked: columns and spread.
        setting: that was varied.

    Raises:
        UserError: signatures of a column are not comparable, or the spread over seeds is asked for where there is none.
    """
    from pandas import concat

    scores = [score for one in varied.values() for score in one.table.scores]
    check_columns(scores)
    asked = asked._replace(spread=_spread(scores, asked.spread), systems=())
    made = []
    for section, one in varied.items():
        metrics = tuple(metric for metric in asked.metrics if metric in one.table.metric_names)
        part = table(one, asked._replace(metrics=metrics), setting)
        made.append(replace(part, cells=part.cells.set_axis([section] * len(part.cells))))
    cells = concat([part.cells for part in made]).map(lambda cell: cell if isinstance(cell, Text) else NONE)
    tests = dict.fromkeys(f"{title(c.metric)}: {c.test}" for one in varied.values() for c in one.against_best)
    notes = [*_notes(scores, asked.spread), *n_notes(scores)]
    notes += [f"Tests against the best value of a system, Holm's correction within it: {'; '.join(tests)}."] * bool(
        tests
    )
    for section, one in varied.items():
        notes += [f"{section}: {note}" for note in _untested(one, one.table.scores, _marks(one, one.table.scores))]
    caption = f"Over values of {setting}, all else alike. {made[0].caption}"
    return TextTable(caption, cells, tuple(notes), f"tab:{setting}")


def table(results: Results, asked: PaperTable, head: str = "System", *, label: str = "tab:results") -> TextTable:
    """Return the table of the paper.

    Args:
        results: with at least one score.
        asked: columns, rows and spread.
        head: heading of the names of the rows.
        label: LaTeX label.

    Raises:
        UserError: no such metric or system, no second training seed for a spread over seeds, or signatures of a column
            that are not comparable.
    """
    scores = _chosen(results, asked)
    check_columns(scores)
    spread = _spread(scores, asked.spread)
    marks = _marks(results, scores if asked.systems else results.table.scores)
    sections: dict[str, list[list[Score]]] = {}
    for style in results.catalogue.ordered(s.system for s in scores):
        sections.setdefault(style.group, []).append([s for s in scores if s.system == style.name])
    rows = sections if len(sections) > 1 else {"": [row for section in sections.values() for row in section]}
    n = {s.n for s in scores}
    columns = [Column(head, text=lambda row: Text(row[0].system))]
    columns += [Column(heading(s), text=partial(_cell, m, spread, marks)) for m, s in first_of_metric(scores).items()]
    columns += [Column("n", text=lambda row: Text(span(s.n for s in row)))] if len(n) > 1 else []
    return TextTable(
        caption=_caption(results, scores, spread),
        cells=markup.cells(columns, rows),
        notes=(*_notes(scores, spread), *n_notes(scores), *_tests(marks), *_untested(results, scores, marks)),
        label=label,
    )


def _marks(results: Results, scores: Sequence[Score]) -> _Marks:
    """Return the marks among the systems of some scores."""
    tests = results.against_best
    if len(scores) < len(results.table.scores):
        kept = results.runs.pooled.get((results.runs.clip_variant, ""))
        tests = against_best(results.runs.table, {(s.metric, s.system): s for s in scores}, results.catalogue, kept)
    return _Marks(best_systems(scores, results.catalogue), {(c.metric, c.b): c for c in tests})


def _chosen(results: Results, asked: PaperTable) -> list[Score]:
    """Return the scores of the table in the order of its columns.

    Raises:
        UserError: the runs have no such metric or system.
    """
    record = results.table
    for what, names, known in (
        ("metric", asked.metrics, record.metric_names),
        ("system", asked.systems, record.system_names),
    ):
        for name in names:
            if name not in known:
                raise unknown_name(f"{what} of these runs", name, known)
    metrics, systems = asked.metrics or record.metric_names, asked.systems or record.system_names
    return [s for metric in metrics for s in record.scores if s.metric == metric and s.system in systems]


def _spread(scores: Sequence[Score], asked: str) -> str:
    """Return which spread the table shows.

    Raises:
        UserError: there is none of that name, or only one training seed.
    """
    several = any(s.seed_std is not None for s in scores)
    if asked not in ("", SEEDS, INTERVAL):
        raise unknown_name("spread", asked, (SEEDS, INTERVAL))
    if asked == SEEDS and not several:
        raise UserError(
            "the runs are of one training seed, so there is no spread over seeds; show the interval over clips "
            "(--spread interval), or tag the runs of several seeds with train_seed"
        )
    return asked or (SEEDS if several else INTERVAL)


def _cell(metric: str, spread: str, marks: _Marks, scores: Sequence[Score]) -> Text:
    """Return the cell of one metric in a system's row."""
    score = next((s for s in scores if s.metric == metric), None)
    if score is None:
        return NONE
    half = (score.ci[1] - score.ci[0]) / 2 if score.ci else 0.0
    deviation = score.seed_std or 0.0
    error = deviation if spread == SEEDS and deviation > 1e-9 * abs(score.value) else half  # seeds may agree
    places = decimals_of_error(error) if error > 0 else decimals(metric)
    text = number(score.value, places)
    if spread == SEEDS and score.seed_std is not None:
        text += f" ± {number(score.seed_std, places)}"
    against = marks.others.get((metric, score.system))
    return Text(
        text,
        bold=marks.best.get(metric) == score.system,
        small=interval(score.ci, places) if spread == INTERVAL else "",
        underline=against is not None and not against.significant,
    )


def _caption(results: Results, scores: Sequence[Score], spread: str) -> str:
    n, seeds = span(s.n for s in scores), max(len(s.by_seed) for s in scores)
    if spread == SEEDS:
        said = f"Mean ± standard deviation over {seeds} training seeds; n = {n} test clips."
    else:
        level = percent(scores[0].ci_level)
        said = f"In brackets: {level} interval over the n = {n} test clips"
        said += f", of the mean over {seeds} training seeds." if seeds > 1 else "."
    controls = any(results.catalogue.is_control(s.system) for s in scores)
    return (
        f"{said} Bold: best system; underlined: not significantly worse (paired tests at 0.05 after Holm's correction)"
        + (f"; {CONTROLS} excluded." if controls else ".")
    )


def _notes(scores: Sequence[Score], spread: str) -> Iterator[str]:
    for first in first_of_metric(scores).values():
        method = f", interval: {first.ci_method}" if spread == INTERVAL else ""
        yield f"{heading(first)}: {markup.code(first.signature)}{method}"


def _tests(marks: _Marks) -> Iterator[str]:
    """Yield the tests that the marks rest on, and the family of their correction."""
    tests = dict.fromkeys(f"{title(c.metric)}: {c.test}" for c in marks.others.values())
    if tests:
        yield f"Tests against the best ({len(marks.others)} in the family of the correction): {'; '.join(tests)}."


def _untested(results: Results, scores: Sequence[Score], marks: _Marks) -> Iterator[str]:
    """Yield for each metric the systems that could not be tested against the best one."""
    for metric, best in marks.best.items():
        others = [s.system for s in scores if s.metric == metric and s.system != best]
        left = [s for s in others if not results.catalogue.is_control(s) and (metric, s) not in marks.others]
        if left:
            yield f"Not tested against the best in {title(metric)}: {listed(left, 8)}."
