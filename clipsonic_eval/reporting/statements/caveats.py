"""What limits the numbers, from the records themselves."""

from __future__ import annotations

import re

from clipsonic_eval.analysis import names
from clipsonic_eval.formats import p_value
from clipsonic_eval.records import ALPHA
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements.wording import listed, plural

_DRAWS = re.compile(r"-(\d+)(?:,|$)")  # how the tests end: paired-sign-flip-10000


def read(results: Results) -> list[str]:
    """Return the limits that a reader has to know."""
    lines = []
    if _says(results, "world"):
        lines.append(
            "The encoders know the toy world of the demo only, and this material is not known to be from it: these "
            "numbers mean nothing. Evaluate with pretrained encoders."
        )
    elif _is_toy(results):
        lines.append(
            "The world is small and synthetic (a dozen sound sources, drawn pictures, templated captions) and so are "
            "its encoders: the numbers compare systems within it and say nothing about their level on real material."
        )
    if results.cells:
        lines += _sizes(results)
        lines.append(
            "An interval is over test clips with the trained systems as they are; it covers neither another training "
            "set nor another encoder."
        )
    lines += _resolution(results)
    skipped = sum(len(items) for run in results.runs.all_runs for items in run.record.skipped.values())
    if skipped:
        lines.append(
            f"The runs skipped {plural(skipped, 'item')} (an item counts once a run); "
            "their records list them with the reasons."
        )
    lines += _suspicions(results)
    commits = {str(r.record.provenance.get("commit")) for r in results.runs.all_runs}
    if len(commits) > 1:
        lines.append(f"The runs were made at {len(commits)} commits of the code.")
    if any(r.record.provenance.get("uncommitted_changes") for r in results.runs.all_runs):
        lines.append("Some runs were made with uncommitted changes in the code.")
    return lines


_QUOTED = ("unanswered", "identical", "not_computed", "left_out", "unknown_words", "cut_prompts")  # said as they are
_SAID = ("world", "unequal_n")  # said elsewhere in the report


def _says(results: Results, check: str) -> bool:
    """Say whether a check found something in any run."""
    return any(f.check == check for run in results.runs.all_runs for g in run.record.findings.values() for f in g)


def _suspicions(results: Results) -> list[str]:
    """Say which checks found something, in which systems."""
    found: dict[str, set[str]] = {}
    quoted: dict[str, None] = {}
    for run in results.runs.all_runs:
        for system, findings in run.record.findings.items():
            for finding in findings:
                if finding.check in _QUOTED:
                    quoted[f"{system}: {finding.sentence}."] = None
                elif finding.check not in _SAID:
                    found.setdefault(finding.check, set()).add(system)
    return list(quoted) + [
        f"The check for {check.replace('_', ' ')} found something in {listed(sorted(systems))}; the records say what."
        for check, systems in sorted(found.items())
    ]


def _resolution(results: Results) -> list[str]:
    """Say where a test has too few resamples for its p-value ever to survive the correction."""
    lines = []
    for metric in names.ordered_metrics(p.metric for p in results.pairs):
        found = [_DRAWS.search(p.test) for p in results.pairs if p.metric == metric.name]
        draws = min((int(m[1]) for m in found if m), default=0)
        least = len(results.pairs) / (draws + 1)
        if draws and least > ALPHA:
            lines.append(
                f"{metric.title}: with {draws} resamples no test can give p below {p_value(1 / (draws + 1))}, after "
                f"correction over {len(results.pairs)} rows {p_value(min(1.0, least))}: nothing can be separated here, "
                "however clear its interval; evaluate with more resamples."
            )
    return lines


def _is_toy(results: Results) -> bool:
    """Say whether toy encoders made the numbers; runs on other material than theirs say so in their findings."""
    signatures = [s.signature for run in results.runs.all_runs for s in run.record.scores]
    return any("toy-" in s for s in signatures)


def _sizes(results: Results) -> list[str]:
    from clipsonic_eval.harness.resolve import biased_in_n

    counts = sorted({c.n for c in results.cells.values()})
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    lines = [f"n = {n} test clips."]
    biased = [m.in_text for m in names.ordered_metrics(m for m, _ in results.cells) if biased_in_n(m.name)]
    if biased:
        it = "its expectation depends" if len(biased) == 1 else "their expectations depend"
        lines.append(f"Compare {listed(biased)} at equal n only: {it} on n.")
    return lines + (_untested(results) if len({s for _, s in results.cells}) > 1 else [])


def _untested(results: Results) -> list[str]:
    """Say for which metrics the table of pairs has nothing: no test was made, or none that answers its questions."""
    shown = {p.metric for p in results.pairs}
    made = {c.metric for run in results.runs.table for c in run.record.comparisons}
    missing = [m for m in names.ordered_metrics(m for m, _ in results.cells) if m.name not in shown]
    none, others = ([m.in_text for m in missing if (m.name in made) == other] for other in (False, True))
    lines = []
    if none:
        lines.append(f"No paired test was made for {listed(none)}: differences there may be chance.")
    if others:
        lines.append(
            f"The paired tests of {listed(others)} in the records answer none of the questions of this report; name "
            "the pair when evaluating (--pair A:B) to have it here."
        )
    return lines
