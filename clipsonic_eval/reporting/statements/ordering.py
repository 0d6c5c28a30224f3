"""Is IQ ≥ PD > ZS? By metric, and in one headline."""

from __future__ import annotations

from typing import Literal

from clipsonic_eval.analysis import names
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements.wording import listed, sentence, verdict

Outcome = Literal["holds", "not shown", "does not hold"]


def outcome(results: Results, metric: str) -> Outcome | None:
    """Return whether IQ ≥ PD > ZS holds on a metric; None where it was not tested.

    It holds if PD is better than ZS and PD is not better than IQ, separated at 0.05 after Holm's correction; it does
    not hold if ZS is better than PD or PD better than IQ; otherwise it is not shown.
    """
    prior = results.pair(metric, "PD", "ZS")
    picture = results.pair(metric, "IQ", "PD")
    if prior is None or picture is None:
        return None
    if (prior.separated and not prior.a_better) or (picture.separated and not picture.a_better):
        return "does not hold"
    return "holds" if prior.separated else "not shown"


def outcomes(results: Results) -> dict[str, Outcome]:
    """Return the outcome by metric, for those that were tested."""
    metrics = names.ordered_metrics(m for m, _ in results.cells)
    found = {m.name: outcome(results, m.name) for m in metrics}
    return {m: o for m, o in found.items() if o is not None}


def headline(results: Results) -> str:
    """Say in one sentence whether the paper's ordering came out."""
    found = outcomes(results)
    if not found:
        return ""
    parts = []
    words: dict[Outcome, str] = {"holds": "holds", "not shown": "is not shown", "does not hold": "does not hold"}
    for kind, text in words.items():
        on = [names.metric(m).in_text for m, o in found.items() if o == kind]
        if on:
            parts.append(f"{text} on {listed(on)}")
    return " ".join([f"The ordering IQ ≥ PD > ZS {listed(parts)}.", *_steps(results, list(found))])


def _steps(results: Results, metrics: list[str]) -> list[str]:
    """Say which of the two steps is to blame where the ordering does not hold: one sentence, if there is anything."""
    if "does not hold" not in outcomes(results).values():
        return []
    steps = (
        ("PD", "ZS", True, "PD is better than ZS"),
        ("PD", "ZS", False, "ZS is better than PD"),
        ("IQ", "PD", False, "PD is better than IQ"),
    )
    said = []
    for a, b, a_better, words in steps:
        pairs = {m: results.pair(m, a, b) for m in metrics}
        on = [names.metric(m).in_text for m, p in pairs.items() if p and p.separated and p.a_better == a_better]
        said += [f"{words} on {listed(on)}"] if on else []
    return [sentence(said)] if said else []


def details(results: Results) -> list[str]:
    """Return a sentence per metric with the two steps of the ordering, and one for what was not tested."""
    missing = [s for s in ("IQ", "PD", "ZS") if not results.has(s)]
    if missing:
        known = len(missing) < 3
        return [f"The ordering IQ ≥ PD > ZS was not tested: no scores of {listed(missing)}."] if known else []
    lines = []
    for metric, kind in outcomes(results).items():
        prior, picture = results.pair(metric, "PD", "ZS"), results.pair(metric, "IQ", "PD")
        assert prior is not None
        assert picture is not None
        text = sentence([verdict(prior), verdict(picture)])
        if kind == "holds" and not picture.separated:
            text += " The ordering holds here in its weak form: IQ is not worse than PD, but not shown to be better."
        lines.append(text)
    untested = [
        m.in_text for m in names.ordered_metrics(m for m, _ in results.cells) if m.name not in outcomes(results)
    ]
    if untested:
        lines.append(f"On {listed(untested)} the ordering was not tested: the runs hold no paired tests of it.")
    return lines
