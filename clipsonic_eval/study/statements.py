"""Sentences about CLIPSonic's systems: functions from results to sentences, for the summary of a report.

IQ: image queries; ZS: zero-shot text queries; PD: text queries through the diffusion prior. Each rule has a sentence
for "holds", "is not shown" and "does not hold".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Literal

import numpy as np

from clipsonic_eval.analysis.pooling import better_than
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting.headings import in_text, title
from clipsonic_eval.reporting.statements import caveats
from clipsonic_eval.reporting.statements.controls import ranked, value
from clipsonic_eval.reporting.statements.wording import about, listed, p_text, plural, sentence
from clipsonic_eval.reporting.sweep import metrics

Outcome = Literal["holds", "not shown", "does not hold"]


def ordering(results: Results, metric: str) -> Outcome | None:
    """Return whether IQ ≥ PD > ZS holds on a metric; None where it was not tested.

    It holds if PD is better than ZS and PD is not better than IQ, significant at 0.05 after Holm's correction; it does
    not hold if ZS is better than PD or PD better than IQ; otherwise it is not shown.
    """
    prior = results.table.comparison(metric, "PD", "ZS")
    image = results.table.comparison(metric, "IQ", "PD")
    if prior is None or image is None:
        return None
    if (prior.significant and not prior.a_better) or (image.significant and not image.a_better):
        return "does not hold"
    return "holds" if prior.significant else "not shown"


def orderings(results: Results) -> dict[str, Outcome]:
    """Return the outcome of :func:`ordering` by metric, for those that were tested."""
    found = {metric: ordering(results, metric) for metric in results.table.metric_names}
    return {metric: outcome for metric, outcome in found.items() if outcome is not None}


def headline(results: Results) -> str:
    """Say in one sentence on which metrics the paper's ordering holds, "" where it was not tested."""
    found = orderings(results)
    parts = []
    words: dict[Outcome, str] = {"holds": "holds", "not shown": "is not shown", "does not hold": "does not hold"}
    for outcome, text in words.items():
        on = [in_text(metric) for metric, of in found.items() if of == outcome]
        parts += [f"{text} on {listed(on)}"] if on else []
    return " ".join([f"The ordering IQ ≥ PD > ZS {listed(parts)}.", *_steps(results, found)]) if parts else ""


def _steps(results: Results, found: dict[str, Outcome]) -> list[str]:
    """Say which of the two steps is reversed where the ordering does not hold: one sentence, if there is anything."""
    if "does not hold" not in found.values():
        return []
    said = []
    for a, b, first_is_better in (("PD", "ZS", True), ("PD", "ZS", False), ("IQ", "PD", False)):
        tests = {metric: results.table.comparison(metric, a, b) for metric in found}
        on = [in_text(m) for m, c in tests.items() if c and c.significant and c.a_better == first_is_better]
        better, worse = (a, b) if first_is_better else (b, a)
        said += [f"{better} is better than {worse} on {listed(on)}"] if on else []
    return [sentence(said)] if said else []


def ordering_details(results: Results) -> list[str]:
    """Return a sentence for each step of the ordering, for its weak form, and for what was not tested."""
    missing = [s for s in ("IQ", "PD", "ZS") if s not in results.table.system_names]
    if missing:
        known = len(missing) < 3
        return [f"The ordering IQ ≥ PD > ZS was not tested: no scores of {listed(missing)}."] if known else []
    found = orderings(results)
    lines = about(results.table, "PD", "ZS", "PD against ZS:") + about(results.table, "IQ", "PD", "IQ against PD:")
    if weak := [in_text(metric) for metric, outcome in found.items() if outcome == "holds" and _weak(results, metric)]:
        lines.append(
            f"On {listed(weak)} the ordering holds in its weak form: IQ is not worse than PD, but not shown to be "
            "better."
        )
    untested = [in_text(metric) for metric in results.table.metric_names if metric not in found]
    if untested:
        lines.append(f"On {listed(untested)} the ordering was not tested: the runs hold no paired tests of it.")
    return lines


def _weak(results: Results, metric: str) -> bool:
    image = results.table.comparison(metric, "IQ", "PD")
    return image is not None and not image.significant


def mean_shift(results: Results) -> list[str]:
    """Compare the prior with mean-shift, the cheapest way over the modality gap, and mean-shift with zero-shot text."""
    intro = "PD against mean-shift, which only moves the text embeddings by one vector:"
    lines = about(results.table, "PD", "mean-shift", intro)
    tests = [c for c in results.table.comparisons if (c.a, c.b) == ("PD", "mean-shift")]
    if tests and not any(c.significant and c.a_better for c in tests):
        lines.append(
            "So these numbers do not show that the prior does more than move the centroid, which costs nothing."
        )
    return lines + about(results.table, "mean-shift", "ZS", "Mean-shift against ZS:")


def best_of(results: Results) -> list[str]:
    """Compare the ablations of the prior (several draws, its own guidance) and the in-domain prior with PD."""
    lines = []
    for style in results.catalogue.ordered(results.table.system_names):
        if style.name.startswith("PD-"):
            lines += about(results.table, style.name, "PD", f"{style.name} ({style.meaning}) against PD:")
    return lines + about(results.table, "SD", "PD", "A prior trained in the domain (SD) against PD:")


def supervised(results: Results) -> list[str]:
    """Compare ZS and PD with the baselines trained on text–audio pairs."""
    return [
        line
        for baseline in ("CLIP-TTA", "CLAP-TTA")
        for ours in ("PD", "ZS")
        for line in about(results.table, ours, baseline, f"{ours} against the supervised {baseline}:")
    ]


def retrieval(results: Results) -> list[str]:
    """Say which systems the nearest training clip beats: a generator has to earn its cost."""
    beaten: dict[str, list[str]] = {}
    for metric in results.table.metric_names:
        nearest, systems = results.table.score(metric, "retrieval"), ranked(results, metric)
        if nearest is None or not systems:
            continue
        worse = [s.system for s in systems if better_than(nearest, s)]
        which = "every system" if len(worse) == len(systems) > 1 else listed(worse) if worse else ""
        beaten.setdefault(which, []).append(f"{in_text(metric)} ({value(nearest)})")
    parts = [
        f"better than {which} on {listed(on)}" if which else f"worse than every system on {listed(on)}"
        for which, on in beaten.items()
    ]
    if not parts:
        return []
    return [f"Retrieval of the nearest training clip is {'; '.join(parts)}. The differences were not tested."]


def guidance_order(results: Results) -> list[str]:
    """Say whether PD and ZS keep their order over the guidance scales."""
    if len(results.by_scale) < 2:
        return []
    kept: dict[str, list[str]] = {}
    changed = []
    for metric in dict.fromkeys(m for record in results.by_scale.values() for m in record.metric_names):
        scores = {w: (r.score(metric, "PD"), r.score(metric, "ZS")) for w, r in sorted(results.by_scale.items())}
        ahead = {w: better_than(prior, text) for w, (prior, text) in scores.items() if prior and text}
        won = [f"{scale:g}" for scale, first in ahead.items() if first]
        if len(won) in (0, len(ahead)):
            order = f"{'PD is ahead of ZS' if won else 'ZS is ahead of PD'} at all {len(ahead)} scales"
            if ahead:
                kept.setdefault(order, []).append(in_text(metric))
        else:
            changed.append(
                f"PD is ahead of ZS in {in_text(metric)} at {len(won)} of {len(ahead)} scales ({listed(won)}): the "
                "order depends on the guidance scale."
            )
    return [f"{order} in {listed(on)}." for order, on in kept.items()] + changed


def clip_variants(results: Results) -> list[str]:
    """Return, by metric, on which CLIP variants PD beats ZS and mean-shift, and how that goes with the gap."""
    sweep = results.sweep
    if len(sweep) < 2:
        return []
    lines = [
        f"The sweep has {len(sweep)} CLIP variants with centroid distances from {sweep[0][0].value:.2f} to "
        f"{sweep[-1][0].value:.2f}; p-values are Holm-corrected within each CLIP variant."
    ]
    for metric in metrics(sweep):
        for b in ("ZS", "mean-shift"):
            found = [(distance.value, record.comparison(metric, "PD", b)) for distance, record in sweep]
            lines += _on_variants(metric, [(gap, c) for gap, c in found if c is not None], b)
    lines.append(
        "The CLIP variants differ in more than their gap (training, width, how well the image is read), so this is an "
        "association over a few points and no proof of a cause."
    )
    return lines


def _on_variants(metric: str, found: Sequence[tuple[float, Comparison]], b: str) -> list[str]:
    if len(found) < 2:
        return []
    parts = []
    for text, chosen in (
        (f"PD is better than {b}", [gap for gap, c in found if c.significant and c.a_better]),
        ("the two do not differ significantly", [gap for gap, c in found if not c.significant]),
        (f"{b} is better than PD", [gap for gap, c in found if c.significant and not c.a_better]),
    ):
        if chosen:
            where = listed([f"{gap:.2f}" for gap in chosen])
            parts.append(f"{text} on {plural(len(chosen), 'CLIP variant')} (gap {where})")
    line = f"{title(metric)}: {listed(parts)}."
    if len(found) > 3:
        rho, p = rank_correlation([gap for gap, _ in found], [c.gain for _, c in found])
        line += f" The gain of PD over {b} and the gap have a rank correlation of {rho:+.2f} ({p_text(p)})."
    return [line]


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return Spearman's rank correlation of two lists of n values and its two-sided p-value.

    Exact by all permutations up to n = 8, by Student's t beyond.
    """
    from scipy.stats import rankdata, spearmanr

    ranks = [rankdata(v) - (len(x) + 1) / 2 for v in (x, y)]
    scale = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    if scale == 0:
        return 0.0, 1.0
    rho = float(ranks[0] @ ranks[1]) / scale  # ρ = Σ r_x r_y / √(Σ r_x² Σ r_y²), ranks centred
    if len(x) > 8:
        return rho, float(spearmanr(x, y).pvalue)
    every = np.array(list(permutations(ranks[1]))) @ ranks[0] / scale
    return rho, float(np.mean(np.abs(every) >= abs(rho) - 1e-12))


def toy_world(results: Results) -> list[str]:
    """Return a sentence that the numbers hold in the toy world only, where its encoders made them."""
    signatures = [s.signature for run in results.runs.all_runs for s in run.record.scores]
    if caveats.found(results, "world") or not any("toy-" in s for s in signatures):
        return []
    return [
        "The world is small and synthetic (a dozen sound sources, drawn images, templated captions) and so are its "
        "encoders: the numbers compare systems within it and say nothing about their level on real sounds."
    ]
