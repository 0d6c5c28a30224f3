"""Tables and sentences of bench records: latency, rates and memory of each case, where its time goes, and ratios."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

from clipsonic_eval.analysis.runs import BENCH, Run
from clipsonic_eval.bench.quantities import HOST_AND_GAPS, PERCENTILES, QUANTITIES, STAGE, is_quantity, quantity
from clipsonic_eval.bench.tables import conventions, ratios, significant
from clipsonic_eval.formats import arrow, decimals_of, interval, number, percent
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.tables import NONE
from clipsonic_eval.signature import parse
from clipsonic_eval.types import Score

_NUMBER = re.compile(r"\d+(\.\d+)?")
_Case = Sequence[Score]  # the scores of one case: a row of the table for people


def cases(runs: Sequence[Run]) -> list[list[Score]]:
    """Return the scores of every case of bench records, in their order."""
    return [
        [s for s in run.record.scores if s.system == label and is_quantity(s.metric)]
        for run in runs
        for label in run.record.system_names
    ]


def tables(runs: Sequence[Run]) -> tuple[dict[str, TextTable], dict[str, str]]:
    """Return the tables ``cost`` and ``stages`` of bench records, for people and as CSV; none without a record."""
    found = cases(runs)
    scores = [score for case in found for score in case]
    if not scores:
        return {}, {}
    sections = _by_machine(found)
    columns = {"cost": _columns(_plain(scores)), "stages": _columns(_stages(scores))}
    rows = {
        "cost": [s for s in scores if not s.metric.startswith(STAGE)],
        "stages": [s for s in scores if s.metric.startswith(STAGE)],
    }
    captions = {"cost": _cost_caption(scores), "stages": _STAGES}
    shown = {
        name: TextTable(captions[name], markup.cells(columns[name], sections), _notes(rows[name]), f"tab:{name}")
        for name in columns
        if rows[name]
    }
    return shown, {name: markup.csv(columns[name], rows[name]) for name in shown}


_STAGES = (
    "Where the time of a request goes: mean seconds of each stage, and its share. The outermost stages and the rest, "
    "host and gaps, add up to the mean latency; a stage within another (per step) is shown per entry."
)


def _cost_caption(scores: Sequence[Score]) -> str:
    text = "Latency from request to finished result on the host, in seconds; 95 % order-statistic intervals in brackets"
    if any(name not in {s.metric for s in scores} for name in PERCENTILES):
        text += "; a percentile without an interval at this number of requests is left out"
    return f"{text}. First call, load and memory: of each fresh process."


def _by_machine(found: Iterable[_Case]) -> dict[str, list[_Case]]:
    """Return the cases by machine, whose times do not compare; one section without a title where there is one."""
    sections: dict[str, list[_Case]] = {}
    for case in found:
        sections.setdefault(parse(case[0].signature).get("machine") or "", []).append(case)
    return {f"machine {m}": own for m, own in sections.items()} if len(sections) > 1 else {"": [*sections.popitem()[1]]}


def _plain(scores: Iterable[Score]) -> list[str]:
    present = {s.metric for s in scores}
    return [name for name in QUANTITIES if name in present]


def _stages(scores: Iterable[Score]) -> list[str]:
    names = list(dict.fromkeys(s.metric for s in scores if s.metric.startswith(STAGE)))
    return [*(n for n in names if n != HOST_AND_GAPS), *(n for n in names if n == HOST_AND_GAPS)]


def _columns(names: Sequence[str]) -> list[Column]:
    """Return the columns: a row of the table is a case, a row of the CSV file one quantity of it."""
    return [
        Column("Case", "case", value=lambda s: s.system, text=lambda case: Text(case[0].system)),
        *(Column(_heading(name), text=partial(_cell, name)) for name in names),
        Column(csv_name="quantity", value=lambda s: s.metric),
        Column(csv_name="value", value=lambda s: s.value),
        Column(csv_name="ci_low", value=lambda s: s.ci and s.ci[0]),
        Column(csv_name="ci_high", value=lambda s: s.ci and s.ci[1]),
        Column(csv_name="ci_method", value=lambda s: s.ci_method),
        Column("n", "n", value=lambda s: s.n, text=_requests),
        Column(csv_name="unit", value=lambda s: s.unit),
        Column(csv_name="share", value=lambda s: s.details.get("share")),
        Column(csv_name="signature", value=lambda s: s.signature),
    ]


def _heading(name: str) -> str:
    what = quantity(name)
    title = f"{what.title[:1].upper()}{what.title[1:]}"
    if name.startswith(STAGE):
        return title
    unit = "" if " " in what.unit else f" ({what.unit})"  # a ratio says in its title what it is
    return f"{title}{unit} {arrow(what.higher_is_better)}"


def _cell(name: str, case: _Case) -> Text:
    score = _score(case, name)
    if score is None:
        return NONE
    if score.ci is not None:
        places = decimals_of(score.value, score.ci)
        return Text(number(score.value, places), small=interval(score.ci, places))
    small = f"({percent(score.details['share'])})" if "share" in score.details else ""
    if "per_request" in score.details:
        small = f"× {score.details['per_request']:g}"
    return Text(significant(score.value, quantity(name).digits), small=small)


def _requests(case: _Case) -> Text:
    latency = _score(case, "latency") or case[0]
    return Text(str(latency.n))


def _score(case: _Case, name: str) -> Score | None:
    return next((s for s in case if s.metric == name), None)


def _notes(scores: Iterable[Score]) -> tuple[str, ...]:
    first: dict[str, Score] = {}
    for score in scores:
        if score.metric in ("latency", HOST_AND_GAPS):
            first.setdefault(score.metric, score)
    return tuple(f"{quantity(s.metric).title}: {markup.code(s.signature)}" for s in first.values())


# --- sentences


def sentences(runs: Sequence[Run]) -> list[str]:
    """Return what bench records say in words: papers' convention, ratios of interleaved targets, and remarks."""
    records = [run.record for run in runs]
    said = [line for record in records for line in (*conventions(record), *ratios(record))]
    return [f"{line.rstrip('.')}." for line in (*said, *remarks(records))]


def remarks(records: Iterable[RunRecord]) -> list[str]:
    """Return what bench records noticed; what several cases share, up to the numbers in it, once."""
    benches = [record for record in records if record.kind == BENCH]
    alike: dict[str, list[str]] = {}
    for record in benches:
        for label, found in record.findings.items():
            for finding in found:
                alike.setdefault(_NUMBER.sub("", finding.sentence), []).append(f"{label}: {finding.sentence}")
        for label, skips in record.skipped.items():
            for skip in skips:
                alike.setdefault(f"{label}{skip.reason}", []).append(f"{label} was not measured: {skip.reason}")
    n = sum(len(record.system_names) for record in benches)
    return [
        lines[0] + (f" (so or alike {len(lines)} of {n} cases)" if len(lines) > 1 else "") for lines in alike.values()
    ]
