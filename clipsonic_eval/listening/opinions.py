"""Mean opinions: ratings and sliders as scores, paired differences, an ordinal check, and agreement of listeners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np

from clipsonic_eval import __version__
from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import PROTOCOLS, REFERENCE, SHUFFLED
from clipsonic_eval.listening.trials import RATED
from clipsonic_eval.records import Comparison
from clipsonic_eval.stats import agreement, crossed, ordinal
from clipsonic_eval.types import Score

_NAMES: Final = {REFERENCE: "real", SHUFFLED: "shuffled"}  # of controls in the tables of evaluations
TEST: Final = "two-way-adjusted-t"


class Ratings(NamedTuple):
    """Answers of one protocol as arrays: (n,) values, and (n,) numbers of systems, listeners and queries.

    The first ``tested`` systems are those of the plan; hidden reference and anchors follow.
    """

    protocol: str
    values: Float64
    systems: IntArray
    listeners: IntArray
    items: IntArray
    names: tuple[str, ...]
    keys: tuple[str, ...]
    tested: int

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs that are compared, by number; no control is."""
        return list(combinations(range(self.tested), 2))


def shown_name(system: str, plan: ListeningPlan) -> str:
    """Return the name of a system in tables; controls go by the names that evaluations give them."""
    name = _NAMES.get(system, system)
    return system if name in plan.systems else name


def ratings(plan: ListeningPlan, answers: Iterable[Answer], protocol: str) -> Ratings | None:
    """Return the rated answers of a protocol with single sounds or sliders, None where there is none."""
    own = [answer for answer in answers if answer.kind == RATED and answer.protocol == protocol]
    if not own:
        return None
    heard = {answer.systems[0] for answer in own}
    names = tuple(name for name in dict.fromkeys((*plan.systems, REFERENCE, *sorted(heard))) if name in heard)
    keys = tuple(sorted({answer.query for answer in own}))
    return Ratings(
        protocol,
        np.array([float(answer.answer) for answer in own]),
        np.array([names.index(answer.systems[0]) for answer in own], np.intp),
        crossed.numbered([answer.listener for answer in own]),
        crossed.numbered([answer.query for answer in own]),
        tuple(shown_name(name, plan) for name in names),
        keys,
        sum(name in plan.systems for name in names),
    )


def head(plan: ListeningPlan, protocol: str, who: str) -> str:
    """Return the signature of a number, up to n: opinions compare within one test and one choice of listeners only.

    Args:
        plan: of the test.
        protocol: that asked.
        who: ``all``, or the rules by which listeners were excluded.
    """
    if plan.run_by:  # neither the wording nor the loudness is known
        return f"{protocol}|num:{PROTOCOLS[protocol].num}|run-by:{plan.run_by}|test:{plan.id}|listeners:{who}"
    asked = PROTOCOLS[protocol].signature(plan.query)
    return f"{asked}|test:{plan.id}|loudness:{plan.loudness_lufs:g}LUFS|listeners:{who}"


def signed(start: str, n: int) -> str:
    """Return the whole signature of a number over n queries."""
    return f"{start}|n:{n}|v:{__version__}"


def pilot_components(plan: ListeningPlan, answers: Iterable[Answer]) -> crossed.VarianceComponents:
    """Return variances of listeners, clips and the rest, of the first protocol with ratings.

    Raises:
        UserError: there are no ratings.
    """
    given = list(answers)
    for name, protocol in plan.protocols.items():
        found = ratings(plan, given, name) if protocol.layout == "rating" else None
        if found is not None:
            return _components(found)
    raise UserError("the pilot holds no ratings of mos-fidelity or mos-relevance; leave --pilot out")


def _components(found: Ratings) -> crossed.VarianceComponents:
    clips = crossed.numbered([f"{i}-{s}" for i, s in zip(found.items, found.systems, strict=True)])
    return crossed.variance_components(found.values, found.listeners, clips, found.systems)


def scores(found: Ratings, signature: str, *, n_boot: int, seed: int) -> list[Score]:
    """Return the mean opinion of every system, its interval over listeners and queries.

    ``details`` hold the number of answers and listeners, the analytic interval, and the one that takes all answers to
    be independent.

    Args:
        found: the answers.
        signature: from :func:`head`.
        n_boot: resamples of listeners and queries.
        seed: of the resamples.

    Raises:
        ShapeError: one listener or one query only.
    """
    protocol = PROTOCOLS[found.protocol]
    result = []
    for number, name in enumerate(found.names):
        own = found.systems == number
        y, who, what = found.values[own], found.listeners[own], found.items[own]
        value, n = float(y.mean()), len(y)
        influence = (y - value) / n
        low, high = crossed.two_way_interval(value, influence, who, what)
        naive = 1.96 * float(y.std(ddof=1)) / np.sqrt(n)
        per_clip = {found.keys[item]: float(y[what == item].mean()) for item in np.unique(what)}
        result.append(
            Score(
                metric=found.protocol,
                system=name,
                value=value,
                ci=crossed.crossed_bootstrap_interval(value, influence, who, what, n_boot=n_boot, seed=seed),
                ci_method=f"bootstrap-listeners-queries-{n_boot}",
                n=len(per_clip),
                n_rows=n,
                unit=protocol.unit,
                higher_is_better=True,
                signature=signed(signature, len(per_clip)),
                seed=seed,
                per_clip=per_clip,
                details={
                    "answers": n,
                    "listeners": len(np.unique(who)),
                    "two_way_low": low,
                    "two_way_high": high,
                    "naive_low": value - naive,
                    "naive_high": value + naive,
                },
            )
        )
    return result


def comparisons(found: Ratings) -> list[Comparison]:
    """Return the differences of all pairs of systems, freed of the levels of listeners and queries; not corrected yet.

    Controls are not compared.

    Raises:
        ShapeError: systems that share nothing, or too few answers.
    """
    pairs = found.pairs()
    where = found.listeners, found.items
    made = crossed.adjusted_differences(found.values, found.systems, *where, pairs)
    result = []
    for (a, b), (difference, influence, fitted) in zip(pairs, made, strict=True):
        p = crossed.two_way_p(difference, influence, *where, fitted)
        result.append(
            Comparison(
                metric=found.protocol,
                a=found.names[a],
                b=found.names[b],
                difference=difference,
                ci=crossed.two_way_interval(difference, influence, *where, fitted=fitted),
                p_value=p,
                p_holm=p,
                n=len(np.intersect1d(found.items[found.systems == a], found.items[found.systems == b])),
                test=TEST,
                higher_is_better=True,
            )
        )
    return result


def ordinal_rows(found: Ratings) -> list[dict[str, Any]]:
    """Return the same differences as log odds of a proportional-odds model, a row per pair; p not corrected.

    Raises:
        ShapeError: an effect is infinite.
    """
    effects, influence = ordinal.proportional_odds(found.values.astype(np.intp), found.systems)
    rows = []
    for a, b in found.pairs():
        difference, own = float(effects[a] - effects[b]), influence[:, a] - influence[:, b]
        low, high = crossed.two_way_interval(difference, own, found.listeners, found.items)
        p = crossed.two_way_p(difference, own, found.listeners, found.items)
        names = {"metric": found.protocol, "a": found.names[a], "b": found.names[b]}
        rows.append({**names, "log_odds": difference, "ci_low": low, "ci_high": high, "p_value": p})
    return rows


def agreement_row(found: Ratings, *, n_boot: int, seed: int) -> dict[str, Any]:
    """Return Krippendorff's alpha, intraclass correlations and variance components of a protocol as one row.

    An item is a clip: a query by one system.

    Raises:
        ShapeError: no clip was rated twice.
    """
    clips = crossed.numbered([f"{i}-{s}" for i, s in zip(found.items, found.systems, strict=True)])
    scale: agreement.Scale = "ordinal" if PROTOCOLS[found.protocol].layout == "rating" else "interval"
    alpha, (low, high) = agreement.krippendorff_alpha(found.values, clips, scale, n_boot=n_boot, seed=seed)
    # systems included: how well listeners tell the clips of all systems apart
    parts = crossed.variance_components(found.values, found.listeners, clips)
    per_clip = len(found.values) / len(np.unique(clips))
    single, mean = agreement.intraclass_correlation(parts, per_clip)
    within = _components(found)
    return {
        "metric": found.protocol, "scale": scale, "alpha": alpha, "alpha_low": low, "alpha_high": high,
        "icc_single": single, "icc_mean": mean, "answers_per_clip": per_clip,
        "sd_listener": within.listener**0.5, "sd_clip": within.item**0.5, "sd_rest": within.rest**0.5,
        "listeners": len(np.unique(found.listeners)), "answers": len(found.values),
    }  # fmt: skip


def listener_rows(found: Ratings, listeners: Sequence[str]) -> list[dict[str, Any]]:
    """Return how each listener's answers go with the mean of the others': mean, correlation, clips in common.

    Args:
        found: the answers.
        listeners: their ids, in sorted order.
    """
    clips = crossed.numbered([f"{i}-{s}" for i, s in zip(found.items, found.systems, strict=True)])
    sums, counts = np.bincount(clips, found.values), np.bincount(clips)
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(listeners):
        own = found.listeners == number
        y, where = found.values[own], clips[own]
        shared = counts[where] > 1
        others = (sums[where] - y)[shared] / (counts[where] - 1)[shared]
        varied = len(others) > 2 and np.ptp(others) > 0 and np.ptp(y[shared]) > 0
        r = float(np.corrcoef(y[shared], others)[0, 1]) if varied else None
        rows.append(
            {
                "listener": name,
                "metric": found.protocol,
                "mean": float(y.mean()),
                "with_others": r,
                "clips": len(others),
            }
        )
    return rows


def refused(found: Ratings, error: ShapeError) -> str:
    """Return why a number of a protocol could not be computed, with the names of the systems."""
    named = ", ".join(f"{number} is '{name}'" for number, name in enumerate(found.names))
    return f"{found.protocol}: {error} (of the systems, {named})"
