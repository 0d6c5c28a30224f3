"""The gate's result as JUnit XML, which the test reports of GitLab, Jenkins and many actions for GitHub read.

There is no one standard. This is the common part of Jenkins' schema ``junit-10.xsd`` and of what GitLab documents: one
suite; ``classname``, ``name`` and ``time`` on every case; the reason as ``message`` and as text.
"""

from __future__ import annotations

import dataclasses
from typing import Final
from xml.etree import ElementTree

from clipsonic_eval.formats import printable
from clipsonic_eval.gate.verdicts import GateResult, Outcome, Refusal, Verdict
from clipsonic_eval.reporting.gate import rows

_SUITE: Final = "clipsonic-eval gate"
_ELEMENT: Final[dict[Outcome, str]] = {"worse": "failure", "cannot tell": "skipped"}


def render(result: GateResult) -> str:
    """Return the result as XML: a case per limit and system.

    Worse is a failure, cannot tell is skipped with the reason, and a limit that was refused is an error.
    """
    refusals = result.refusals
    if not result.verdicts and not refusals:
        refusals = (Refusal("", "", "", rows.outcome(result)),)  # an empty suite would pass
    cases = [_verdict(verdict) for verdict in result.verdicts] + [_refusal(refusal) for refusal in refusals]
    suite = ElementTree.Element("testsuite", name=_SUITE, tests=str(len(cases)))
    for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(element) is not None for case in cases)))
    suite.set("time", "0")
    suite.extend(cases)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(
        [*rows.questions(result), *rows.notes(result), rows.outcome(result)]
    )
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def _verdict(verdict: Verdict) -> ElementTree.Element:
    case, reason = _case(verdict), printable(verdict.sentence)
    text = f"{reason}\n{rows.values(verdict)}, change {rows.change(verdict)}"
    if verdict.outcome == "not worse":
        ElementTree.SubElement(case, "system-out").text = text
    else:
        ElementTree.SubElement(case, _ELEMENT[verdict.outcome], type=verdict.outcome, message=reason).text = text
    return case


def _refusal(refusal: Refusal) -> ElementTree.Element:
    case, reason = _case(refusal), printable(refusal.sentence)
    ElementTree.SubElement(case, "error", type="cannot be compared", message=reason).text = reason
    return case


def _case(row: Verdict | Refusal) -> ElementTree.Element:
    name = rows.subject(dataclasses.replace(row, system="")) or "the whole call"
    return ElementTree.Element("testcase", classname=printable(row.system) or _SUITE, name=name, time="0")
