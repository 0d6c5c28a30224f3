from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from unit.report.gate.gate_results import EMPTY, FULL, NAMES, clap, result, verdict

from clipsonic_eval.formats import printable
from clipsonic_eval.gate.verdicts import Refusal
from clipsonic_eval.reporting.gate.junit import render

# The part of Jenkins' junit-10.xsd that is in use here: attributes (those required first) and children, in any number.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "disabled", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name"},
        {"tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": ({"name", "classname"}, {"time", "group"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "skipped": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "failure": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def _read(xml: str) -> ElementTree.Element:
    """Parse and check against the schema; return the suite."""
    root = ElementTree.fromstring(xml.encode("utf-8"))
    assert root.tag == "testsuites"
    for element in root.iter():
        required, optional, children = SCHEMA[element.tag]
        assert required <= set(element.keys()) <= required | optional, element.tag
        assert {child.tag for child in element} <= children, element.tag
        assert not children or not (element.text or "").strip(), element.tag
    (suite,) = root
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "")) == len(cases)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(attribute, "")) == sum(case.find(tag) is not None for case in cases)
    return suite


def _outcomes(suite: ElementTree.Element) -> dict[tuple[str | None, str | None], tuple[str, str | None]]:
    return {
        (case.get("classname"), case.get("name")): (case[0].tag, case[0].get("message"))
        for case in suite.findall("testcase")
    }


def test_worse_fails_undecided_is_skipped_and_refused_is_an_error_each_with_its_reason() -> None:
    assert _outcomes(_read(render(FULL))) == {
        ("ZS", "fad<+3%"): ("system-out", None),
        ("PD", "clap_score>-0.01"): ("skipped", "the reason for cannot tell"),
        ("PD", "fad<+3%"): ("failure", "the reason for worse"),
        ("ZS", "kl<+5%"): ("error", "kl of 'ZS' is in the baseline and not in the candidate; evaluate it again"),
    }


def test_the_numbers_stand_in_the_text_of_a_case() -> None:
    (case,) = _read(render(result(clap("worse")))).findall("testcase")
    assert case[0].text == "the reason for worse\n0.310 → 0.290, change −0.020 [−0.035, −0.005]"


def test_an_empty_result_is_an_error_and_not_an_empty_suite() -> None:
    assert _outcomes(_read(render(EMPTY))) == {
        ("clipsonic-eval gate", "the whole call"): ("error", "Gate: cannot be compared (nothing was compared)")
    }


@given(NAMES, NAMES)
def test_any_name_and_reason_come_back_from_the_file(system: str, sentence: str) -> None:
    found = result(
        verdict("worse", system=system, sentence=sentence),
        refusals=(Refusal(system, "kl", "kl<+5%", sentence),),
        notes=(sentence,),
    )
    expected = printable(system), printable(sentence)
    outcomes = _outcomes(_read(render(found)))
    assert outcomes[expected[0], "fad<+3%"] == ("failure", expected[1])
    assert outcomes[expected[0], "kl<+5%"] == ("error", expected[1])
