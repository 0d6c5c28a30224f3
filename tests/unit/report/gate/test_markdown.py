from __future__ import annotations

import re

from hypothesis import given
from unit.report.gate.gate_results import EMPTY, FULL, NAMES, result, verdict

from clipsonic_eval.gate.verdicts import Refusal
from clipsonic_eval.reporting.gate.markdown import render


def _table(page: str) -> list[list[str]]:
    """Return the cells of every row of the table, as GitHub splits them: at bars without a backslash."""
    rows = [line for line in page.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)(?:\\\\)*\|", row)[1:-1] for row in rows]


def test_the_page_has_outcome_question_table_refusals_and_notes() -> None:
    page = render(FULL)
    assert page.startswith("### Gate: worse (1 worse, 1 cannot tell, 1 not worse, 1 refused)\n\nQuestion: one model")
    assert "| PD | fad | fad\\<+3% | 23.40 → 23.90 | +0.50 [0.20, 0.80] | **worse** | the reason for worse |" in page
    assert "- **refused** ZS kl\\<+5%: kl of 'ZS' is in" in page
    assert (
        page.index("- **refused**")
        < page.index("- one seed a side")
        < page.index("- baseline: main (contents 1a2b3c4d)")
    )
    assert len(_table(page)) == 5  # heading, rule, three verdicts


def test_an_empty_result_has_no_table() -> None:
    assert render(EMPTY) == "### Gate: cannot be compared (nothing was compared)\n"


def test_a_system_name_can_be_no_link_and_no_html() -> None:
    page = render(result(verdict(system="[click](http://x)<img src=x>")))
    assert "[click]\\(http://x)\\<img src=x>" in page


@given(NAMES, NAMES)
def test_no_name_adds_a_cell_or_a_line(system: str, sentence: str) -> None:
    plain = render(result(verdict("worse"), refusals=(Refusal("PD", "kl", "kl<+5%", "reason"),), notes=("note",)))
    hostile = render(
        result(
            verdict("worse", system=system, sentence=sentence),
            refusals=(Refusal(system, "kl", "kl<+5%", sentence),),
            notes=(sentence,),
            candidate={"name": system},
        )
    )
    assert len(hostile.splitlines()) == len(plain.splitlines())
    assert {len(row) for row in _table(hostile)} == {7}
