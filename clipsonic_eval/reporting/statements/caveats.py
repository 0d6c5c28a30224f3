"""Limits of the numbers, from the records themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.formats import p_value
from clipsonic_eval.metric_cards import biased_in_n
from clipsonic_eval.records import ALPHA
from clipsonic_eval.reporting.headings import in_text, title
from clipsonic_eval.reporting.statements.wording import listed, plural
from clipsonic_eval.reporting.tables import span

_DRAWS = re.compile(r"-(\d+)(?:,|$)")  # how the tests end: paired-sign-flip-10000


def read(results: Results) -> list[str]:
    """Return the limits that a reader has to know."""
    lines = []
    if found(results, "world"):
        lines.append(
            "The encoders know one small synthetic world only, and these clips are not known to be from it: the "
            "numbers mean nothing. Evaluate with pretrained encoders."
        )
    if results.table.scores:
        lines += _sizes(results)
        lines.append(
            "An interval is over test clips with the trained systems as they are; it covers neither another training "
            "set nor another encoder."
        )
    lines += _resolution(results)
    return [*lines, *_skipped(results), *_findings(results), *_code(results)]


def found(results: Results, check: str) -> bool:
    """Return whether a check found something in any run."""
    return any(f.check == check for run in results.runs.all_runs for g in run.record.findings.values() for f in g)


def _skipped(results: Results) -> list[str]:
    skipped = sum(len(items) for run in results.runs.all_runs for items in run.record.skipped.values())
    if not skipped:
        return []
    return [
        f"The runs skipped {plural(skipped, 'item')} (an item counts once per run); their records list them with the "
        "reasons."
    ]


def _code(results: Results) -> list[str]:
    made = [run.record.provenance for run in results.runs.all_runs]
    commits = {str(provenance.get("commit")) for provenance in made}
    lines = [f"The runs were made at {len(commits)} commits of the code."] if len(commits) > 1 else []
    if any(provenance.get("uncommitted_changes") for provenance in made):
        lines.append("Some runs were made with uncommitted changes in the code.")
    return lines


_QUOTED = ("unanswered", "identical", "not_computed", "left_out", "unknown_words", "cut_prompts")  # in their own words
_ELSEWHERE = ("world", "unequal_n")  # in other sentences of the report


def _findings(results: Results) -> list[str]:
    """Return the findings that are quoted, and of every other check the systems and its first finding."""
    others: dict[str, list[tuple[str, str]]] = {}
    quoted: dict[str, None] = {}
    for run in results.runs.all_runs:
        for system, findings in run.record.findings.items():
            for finding in findings:
                if finding.check in _QUOTED:
                    quoted[f"{system}: {finding.sentence}."] = None
                elif finding.check not in _ELSEWHERE:
                    others.setdefault(finding.check, []).append((system, finding.sentence))
    return list(quoted) + [_first(found) for _, found in sorted(others.items())]


def _first(found: Sequence[tuple[str, str]]) -> str:
    """Return what one check found: the first finding, and where there are more."""
    system, sentence = found[0]
    more = [name for name in dict.fromkeys(name for name, _ in found) if name != system]
    also = f"; the same check found something in {listed(more)} too" if more else ""
    return f"{system}: {sentence}{also}."


def _resolution(results: Results) -> list[str]:
    """Return the metrics whose tests have too few resamples for a p-value ever to survive the correction."""
    comparisons, lines = results.table.comparisons, []
    for metric in dict.fromkeys(c.metric for c in comparisons):
        drawn = [_DRAWS.search(c.test) for c in comparisons if c.metric == metric]
        draws = min((int(m[1]) for m in drawn if m), default=0)
        least = len(comparisons) / (draws + 1)  # smallest p of the test, 1 / (draws + 1), after Holm's correction
        if draws and least > ALPHA:
            lines.append(
                f"{title(metric)}: with {draws} resamples no test can give p below {p_value(1 / (draws + 1))}, after "
                f"correction over {len(comparisons)} rows {p_value(min(1.0, least))}: nothing can be significant here, "
                "however clear its interval; evaluate with more resamples."
            )
    return lines


def _sizes(results: Results) -> list[str]:
    table = results.table
    lines = [f"n = {span((s.n for s in table.scores), ' to ')} test clips."]
    biased = [in_text(metric) for metric in table.metric_names if biased_in_n(metric)]
    if biased:
        it = "its expectation depends" if len(biased) == 1 else "their expectations depend"
        lines.append(f"Compare {listed(biased)} at equal n only: {it} on n.")
    return lines + (_untested(results) if len(table.system_names) > 1 else [])


def _untested(results: Results) -> list[str]:
    """Return the metrics without a comparison in the table: nothing was tested, or no pair that belongs there."""
    shown = {c.metric for c in results.table.comparisons}
    tested = {c.metric for run in results.runs.table for c in run.record.comparisons}
    missing = [metric for metric in results.table.metric_names if metric not in shown]
    none = [in_text(metric) for metric in missing if metric not in tested]
    others = [in_text(metric) for metric in missing if metric in tested]
    lines = []
    if none:
        lines.append(f"No paired test was made for {listed(none)}: differences there may be chance.")
    if others:
        lines.append(
            f"The paired tests of {listed(others)} in the records answer none of the questions of this report; name "
            "the pair when evaluating (--pair A:B) to have it here."
        )
    return lines
