"""Results of the gate, made by hand."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from clipsonic_eval.gate.verdicts import GateResult, Outcome, Refusal, Verdict
from clipsonic_eval.stats.evidence import Evidence

# any characters: control characters, surrogates, marks of Markdown, XML and workflow commands
NAMES = st.one_of(
    st.text(st.characters(), min_size=1, max_size=30), st.text("a|*_`<>&\"'[]()\\%:,\r\n\x1b\x00￾", min_size=1)
)


def evidence(harm: float, lower: float, upper: float) -> Evidence:
    return Evidence(harm, (upper - lower) / 3.3, lower, upper, 0.02, 480, "clips", "paired-sign-flip-hall-10000")


def verdict(outcome: Outcome = "not worse", **changes: Any) -> Verdict:
    """FAD of PD, 23.4 in the baseline and 23.9 in the candidate."""
    fields: dict[str, Any] = {
        "system": "PD",
        "metric": "fad",
        "limit": "fad<+3%",
        "question": "same queries",
        "outcome": outcome,
        "baseline": 23.4,
        "candidate": 23.9,
        "margin": 0.702,
        "sentence": f"the reason for {outcome}",
        "evidence": evidence(0.5, 0.2, 0.8),
    }
    return Verdict(**fields | changes)


def clap(outcome: Outcome = "cannot tell", **changes: Any) -> Verdict:
    """CLAP score of PD, which falls by 0.02."""
    fields = {"metric": "clap_score", "limit": "clap_score>-0.01", "baseline": 0.31, "candidate": 0.29, "margin": 0.01}
    return verdict(outcome, **{**fields, "evidence": evidence(0.02, 0.005, 0.035), **changes})


REFUSAL = Refusal("ZS", "kl", "kl<+5%", "kl of 'ZS' is in the baseline and not in the candidate; evaluate it again")


def result(*verdicts: Verdict, refusals: tuple[Refusal, ...] = (), **changes: Any) -> GateResult:
    """A result with both sides named."""
    sides = {"baseline": {"name": "main", "records": ["1a2b3c4d5e"]}, "candidate": {"name": "runs/eval"}}
    return GateResult(verdicts, refusals, **{**sides, **changes})


FULL = result(
    verdict("not worse", system="ZS"), clap(), verdict("worse"), refusals=(REFUSAL,), notes=("one seed a side",)
)
EMPTY = GateResult(())
