from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from unit.report.gate.gate_results import EMPTY, FULL, NAMES, REFUSAL, result, verdict

from clipsonic_eval.gate.verdicts import GateResult, Refusal
from clipsonic_eval.reporting.gate.text import render


def test_the_whole_result_reads_from_the_question_to_the_outcome() -> None:
    assert render(FULL, width=110) == (
        "question: one model against another on the same queries; error term: clips, paired by key\n"
        "baseline: main (contents 1a2b3c4d)\n"
        "candidate: runs/eval\n"
        "\n"
        "System  Metric      Limit             Baseline → candidate  Change                   Verdict\n"
        "PD      fad         fad<+3%           23.40 → 23.90         +0.50 [0.20, 0.80]       worse\n"
        "PD      clap_score  clap_score>-0.01  0.310 → 0.290         −0.020 [−0.035, −0.005]  cannot tell\n"
        "ZS      fad         fad<+3%           23.40 → 23.90         +0.50 [0.20, 0.80]       not worse\n"
        "\n"
        "worse: PD fad<+3%: the reason for worse\n"
        "cannot tell: PD clap_score>-0.01: the reason for cannot tell\n"
        "refused: ZS kl<+5%: kl of 'ZS' is in the baseline and not in the candidate; evaluate it again\n"
        "note: one seed a side\n"
        "Gate: worse (1 worse, 1 cannot tell, 1 not worse, 1 refused)\n"
    )


def test_a_result_without_anything_says_that_nothing_was_compared() -> None:
    assert render(EMPTY) == "Gate: cannot be compared (nothing was compared)\n"


def test_a_refusal_of_the_whole_call_stands_alone() -> None:
    assert "refused: the record is the baseline itself\n" in render(
        result(refusals=(Refusal("", "", "", "the record is the baseline itself"),))
    )


def test_reasons_are_wrapped_and_long_names_are_cut_to_the_width() -> None:
    long = result(verdict("worse", system="a-system-with-a-very-long-name-" * 3, sentence="word " * 60))
    lines = render(long, width=90).splitlines()
    assert max(map(len, lines)) <= 90
    assert any("…" in line for line in lines)


@given(NAMES, NAMES, st.integers(20, 200))
def test_no_name_breaks_a_line_or_reaches_the_terminal_as_a_command(system: str, sentence: str, width: int) -> None:
    hostile = result(
        verdict("worse", system=system, sentence=sentence),
        refusals=(Refusal(system, "kl", "kl<+5%", sentence), REFUSAL),
        notes=(sentence,),
        candidate={"name": system},
    )
    shown = render(hostile, width=width)
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert shown.splitlines()[-1] == "Gate: worse (1 worse, 2 refused)"
    assert len(shown.split("\n")) == len(shown.splitlines()) + 1


def test_systems_that_are_refused_for_the_same_reason_share_a_line() -> None:
    why = "the two sides do not compare (contents of the reference set: 1a against 2b); evaluate both alike"
    alike = [Refusal(name, "fad", "fad<+3%", f"fad of '{name}': {why}") for name in ("IQ", "ZS", "PD")]
    other = Refusal("SD", "fad", "fad<+3%", "fad of 'SD': n is 60 and 48; evaluate the same number of clips")
    text = render(GateResult((), (*alike, other)), width=200)
    assert f"refused: fad<+3% of IQ, ZS, PD: {why}" in text
    assert "refused: SD fad<+3%: fad of 'SD': n is 60 and 48" in text
