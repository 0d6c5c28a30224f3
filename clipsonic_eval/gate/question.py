"""Which question a comparison answers, and whether the records can answer it.

- *same weights*: all systems have equal cards (weights, settings, seeds), so equal code gives equal numbers.
- *same queries*: one model against another; what is uncertain is which clips were drawn.
- *recipe*: one way of training against another; what is uncertain is which training seeds were drawn.
- *cost*: seconds, bytes and joules; what is uncertain is which processes were drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from clipsonic_eval.errors import UserError
from clipsonic_eval.gate.verdicts import Question
from clipsonic_eval.records import RunRecord

MIN_SEEDS = 3
_SEED = "train_seed"

Records = Sequence[RunRecord]
Pairs = Sequence[tuple[str, str]]  # name of a system in the baseline and in the candidate


def settle(candidate: Records, baseline: Records, pairs: Pairs, asked: Question | None) -> tuple[Question, list[str]]:
    """Return the question, and sentences that say why it is this one and what it leaves open.

    Raises:
        UserError: the records are of several kinds, their training seeds are not stated, or the question that was
            asked for does not suit them.
    """
    kind = _kind(candidate, baseline)
    if asked is not None and (kind == "bench") != (asked == "cost"):
        raise UserError(f"question '{asked}' does not suit records of kind '{kind}'; leave it out")
    if kind == "bench":
        return "cost", ["question: cost, since the records are of kind 'bench'"]
    seeds = min(_seeds(candidate, "candidate"), _seeds(baseline, "baseline"))
    several = max(len(candidate), len(baseline)) > 1
    if asked == "same weights" and several:
        raise UserError("question 'same weights' takes one record a side; compare the training seeds one by one")
    if asked is not None:
        question: Question = asked
        notes = [f"question: {asked}, as asked for"]
    elif several:
        question = "recipe" if seeds >= MIN_SEEDS else "same queries"
        notes = ["question: recipe, since a side has several training seeds"] if question == "recipe" else []
    elif _equal_cards(candidate[0], baseline[0], pairs):
        question = "same weights"
        notes = ["question: same weights, since the cards of all systems are equal (weights, settings, seeds)"]
    else:
        question = "same queries"
        notes = [
            "question: same queries, one model against another; it tells about these weights, not about the recipe"
        ]
    if several and seeds < MIN_SEEDS and question == "same queries":
        notes.append(
            f"question: same queries, since a side has {seeds} training seed{'s' * (seeds > 1)}: the verdicts are on "
            f"these weights, averaged over their seeds; to tell about the recipe takes {MIN_SEEDS} seeds a side"
        )
    return question, notes


def _kind(candidate: Records, baseline: Records) -> str:
    """Return the one kind of all records."""
    kinds = sorted({record.kind for record in (*candidate, *baseline)})
    if len(kinds) > 1:
        raise UserError(f"records of kinds {' and '.join(kinds)} do not compare; give records of one kind")
    if kinds == ["pooled"]:
        raise UserError("records of kind 'pooled' hold no single run; give the run folders that they were pooled from")
    return kinds[0]


def _seeds(side: Records, name: str) -> int:
    """Return the number of training seeds of a side; one record needs no tag."""
    if len(side) == 1:
        return 1
    seeds = [str(record.tags.get(_SEED, "")) for record in side]
    if "" in seeds:
        raise UserError(
            f"{name}: {len(side)} records, and {seeds.count('')} without the tag {_SEED}; several records are training "
            f"seeds of one recipe, so evaluate each with --tag {_SEED}=…, or give one record"
        )
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise UserError(f"{name}: training seed {twice[0]} stands in several records; give one record per seed")
    return len(seeds)


def _equal_cards(candidate: RunRecord, baseline: RunRecord, pairs: Pairs) -> bool:
    """Return whether all compared systems have a card with a hash over it, and equal hashes."""
    hashes = [
        (baseline.systems.get(old, {}).get("card_hash"), candidate.systems.get(new, {}).get("card_hash"))
        for old, new in pairs
    ]
    return bool(hashes) and all(old is not None and old == new for old, new in hashes)
