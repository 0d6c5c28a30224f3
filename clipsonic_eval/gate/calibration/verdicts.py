"""How often the gate calls systems worse of which nothing is, and finds those that are: by simulated records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.gate.calibration.simulated_records import LIMITS, NAMES, NOISE, same_noise, same_weights, sides
from clipsonic_eval.gate.check import check
from clipsonic_eval.gate.verdicts import GateResult, Question
from clipsonic_eval.stats.bootstrap import wilson_interval

N_BOOT: Final = 500
SEED_SPREAD: Final = 0.15  # of the logarithm of a training's noise
MOVED: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Scenario:
    """A simulated comparison.

    Attributes:
        question: that the gate answers.
        change: what truly changed, in words.
        n: number of queries.
        train_seeds: on each side.
        factor: of the candidate's noise; 1: nothing changed.
        moved: relative error of the candidate's embeddings, where the weights are the same.
    """

    question: Question
    change: str
    n: int
    train_seeds: int = 1
    factor: float = 1.0
    moved: float = 0.0

    @property
    def name(self) -> str:
        """Name of its draws and files."""
        return f"{self.question}-{self.change}-{self.n}-{self.train_seeds}".replace(" ", "-")

    @property
    def unchanged(self) -> bool:
        """Whether a verdict of worse is a false alarm."""
        return self.factor == 1 and self.moved == 0


SCENARIOS: Final = (
    Scenario("same weights", "none", 100),
    Scenario("same weights", "embeddings moved", 100, moved=MOVED),
    Scenario("same queries", "none", 100),
    Scenario("same queries", "more noise", 200, factor=1.25),
    Scenario("recipe", "none", 100, train_seeds=3),
    Scenario("recipe", "none", 100, train_seeds=5),
    Scenario("recipe", "more noise", 100, train_seeds=3, factor=1.5),
    Scenario("recipe", "more noise", 100, train_seeds=5, factor=1.5),
)


def simulate_verdicts(scenario: Scenario, repeats: range, seed: int) -> list[dict[str, Any]]:
    """Simulate comparisons; returns a plain tree per comparison: what was refused, and every verdict's numbers.

    Args:
        scenario: what is compared.
        repeats: numbers of the comparisons; each has draws of its own.
        seed: of the simulation.
    """
    return [_told(_compare(scenario, i, seed)) for i in repeats]


def _compare(scenario: Scenario, i: int, seed: int) -> GateResult:
    stream = f"{scenario.name}-{i}"
    if scenario.question == "same weights":
        baseline, candidate = same_weights(scenario.n, scenario.moved, stream=stream, seed=seed)
    elif scenario.question == "same queries":
        old, new = same_noise(), same_noise(scenario.factor)
        baseline, candidate = sides(old, new, scenario.n, stream=stream, seed=seed, n_boot=N_BOOT)
    else:
        old, new = _trained(scenario, f"{stream}-a", seed), _trained(scenario, f"{stream}-b", seed, scenario.factor)
        baseline, candidate = sides(old, new, scenario.n, stream=stream, seed=seed, n_boot=0)
    return check(candidate, baseline, LIMITS)


def _trained(scenario: Scenario, stream: str, seed: int, factor: float = 1.0) -> list[dict[str, float]]:
    """Return the noise of each training: lognormal, since trainings of one recipe differ."""
    rng = seeds.stream(seed, stream, "calibrate-gate-trainings")
    luck = np.exp(SEED_SPREAD * rng.standard_normal((scenario.train_seeds, len(NAMES))))
    return [{name: NOISE * factor * float(x) for name, x in zip(NAMES, row, strict=True)} for row in luck]


def _told(result: GateResult) -> dict[str, Any]:
    verdicts = [
        {
            "metric": v.metric,
            "outcome": v.outcome,
            "question": v.question,
            **({} if v.evidence is None else {k: getattr(v.evidence, k) for k in ("harm", "lower", "upper")}),
        }
        for v in result.verdicts
    ]
    return {"verdicts": verdicts, "refused": [r.metric for r in result.refusals]}


def verdict_rows(scenario: Scenario, told: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, object]]:
    """Yield the rows of a scenario: of whole comparisons (metric ``any``), then of each metric.

    Shares are of comparisons for ``any``: worse if any verdict is, not worse if all are. Of a metric they are of its
    verdicts; ``upper_covers`` and ``lower_covers`` are the shares of the one-sided limits on the right side of the true
    harm: 0 where nothing changed, otherwise the mean over all simulations.
    """
    worse = [any(v["outcome"] == "worse" for v in one["verdicts"]) for one in told]
    passed = [all(v["outcome"] == "not worse" for v in one["verdicts"]) and not one["refused"] for one in told]
    refused = float(np.mean([len(one["refused"]) for one in told])) / (len(LIMITS.limits) * len(NAMES))
    whole = {"not_worse": float(np.mean(passed)), "refused": refused}
    yield _head(scenario, "any", "", worse) | whole
    for limit in LIMITS.limits:
        own = [v for one in told for v in one["verdicts"] if v["metric"] == limit.metric]
        gone = sum(one["refused"].count(limit.metric) for one in told)
        outcomes = [v["outcome"] for v in own]
        row = _head(scenario, limit.metric, str(limit), [outcome == "worse" for outcome in outcomes])
        row |= {
            "not_worse": outcomes.count("not worse") / max(1, len(own)),
            "cannot_tell": outcomes.count("cannot tell") / max(1, len(own)),
            "refused": gone / max(1, len(own) + gone),
        }
        if own and "harm" in own[0]:
            harm, lower, upper = (np.array([v[name] for v in own]) for name in ("harm", "lower", "upper"))
            truth = 0.0 if scenario.unchanged else harm.mean()
            row |= {"harm": float(harm.mean()), "upper_covers": float(np.mean(upper >= truth))}
            row["lower_covers"] = float(np.mean(lower <= truth))
        yield row


def _head(scenario: Scenario, metric: str, limit: str, worse: Sequence[bool]) -> dict[str, object]:
    share = float(np.mean(worse)) if worse else 0.0
    low, high = wilson_interval(share, max(1, len(worse)))
    return {
        "question": scenario.question,
        "change": scenario.change,
        "n": scenario.n,
        "train_seeds": scenario.train_seeds,
        "metric": metric,
        "limit": limit,
        "repeats": len(worse),
        "worse": share,
        "worse_low": low,
        "worse_high": high,
    }
