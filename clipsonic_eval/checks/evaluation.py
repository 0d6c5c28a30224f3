"""Checks on the sets, prompts and scores of an evaluation."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.checks import audio, embeddings
from clipsonic_eval.checks.audio import ClipLevels
from clipsonic_eval.encoders import Encoder, text_notes
from clipsonic_eval.errors import ShapeError, listed
from clipsonic_eval.toyworld.mark import CHECK as WORLD
from clipsonic_eval.toyworld.mark import world_of
from clipsonic_eval.types import Embeddings, EncoderCard, Finding, Score

EVALUATION = "evaluation"  # findings about the run as a whole stand under this name
NOT_COMPUTED = "not_computed"  # a metric that a system has no score of
SAME_SHARE = 0.1  # of a system's clips, from which on it is reported that another set holds the same files
_SHOWN = 5
_WINDOW = re.compile(r"(?:^|\|)win:(\d+(?:\.\d+)?)\b[^|]*zero-padded")


def check_set(
    levels: Mapping[str, ClipLevels],
    spaces: Mapping[str, Embeddings],
    *,
    fitted: Collection[str] = (),
    made: bool = False,
    reference: Mapping[str, Embeddings] | None = None,
    training: Mapping[str, Embeddings] | None = None,
) -> list[Finding]:
    """Check one set of clips: audio faults, encoder mismatch, too few rows, duplicates, copies of training clips.

    Duplicates and copies are looked for in the first space.

    Args:
        levels: of the clips, by key.
        spaces: embeddings (n, d) of the same clips, by role.
        fitted: roles whose covariance matrix a metric estimates from this set.
        made: by a system, for which duplicates are an error.
        reference: real audio that the system was not trained on, by role.
        training: what the system was trained on, by role.
    """
    cards = list({space.space.name: space.space for space in spaces.values()}.values())
    found = [*audio.check_set(levels), *_low_rates(levels, cards), *_short_clips(levels, cards)]
    for role in sorted(set(fitted) & spaces.keys()):
        found += embeddings.few(spaces[role])
    role = next(iter(spaces))
    found += embeddings.duplicates(spaces[role], made=made)
    if training is not None and reference is not None:
        try:
            found += embeddings.memorised(spaces[role], training[role], reference[role])
        except ShapeError as error:  # the scores do without so many reference clips
            found.append(Finding("memorised", "warning", (), f"copies of training clips were not looked for: {error}"))
    return found


def _low_rates(levels: Mapping[str, ClipLevels], cards: Sequence[EncoderCard]) -> list[Finding]:
    """Find clips whose sample rate is below that of an encoder; one finding for encoders of one rate."""
    found = []
    for wanted, names in _by_value(cards, lambda card: card.sample_rate or 0):
        low = {key: clip.rate for key, clip in levels.items() if clip.rate < wanted}
        if low:
            rate = min(low.values())
            sentence = (
                f"{len(low)} of {len(levels)} clips have a lower sample rate than the encoder {names} (from {rate:g} "
                f"Hz, it takes {wanted:g} Hz), so nothing above {rate / 2:g} Hz; compare them with sets of the same "
                "rate only"
            )
            found.append(Finding("rate", "warning", tuple(sorted(low)), sentence))
    return found


def _short_clips(levels: Mapping[str, ClipLevels], cards: Sequence[EncoderCard]) -> list[Finding]:
    """Find clips that an encoder pads with zeros to its window; one finding for encoders of one window."""
    found = []
    for window, names in _by_value(cards, _padded_window):
        short = {k: clip.seconds for k, clip in levels.items() if clip.seconds < window - 1e-3}  # lost by resampling
        if short:
            sentence = (
                f"{len(short)} of {len(levels)} clips are shorter than the window of the encoder {names} (from "
                f"{min(short.values()):.2g} s, the window has {window:g} s) and are padded with zeros; compare them "
                "with sets of the same length only"
            )
            found.append(Finding("short", "warning", tuple(sorted(short)), sentence))
    return found


def _padded_window(card: EncoderCard) -> float:
    match = _WINDOW.search(card.preprocessing)
    return float(match[1]) if match else 0.0


def _by_value(cards: Sequence[EncoderCard], of: Callable[[EncoderCard], float]) -> list[tuple[float, str]]:
    """Return what distinguishes encoders, with the names of those that share it."""
    names: dict[float, list[str]] = {}
    for card in cards:
        names.setdefault(of(card), []).append(f"'{card.name}'")
    return [(value, listed(same)) for value, same in names.items()]


def same_files(name: str, own: Mapping[str, str], others: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Find sets that hold the same bytes as a system: a distance between them is that of a set to itself.

    Args:
        name: of the system.
        own: content hash by key of its clips.
        others: the same of the sets that it is compared with, by name.
    """
    found = []
    for other, theirs in others.items():
        known = set(theirs.values())
        keys = tuple(sorted(key for key, digest in own.items() if digest in known))
        if len(keys) >= SAME_SHARE * len(own):
            sentence = (
                f"{len(keys)} of {len(own)} clips of '{name}' are the same bytes as clips of '{other}'; are the "
                "folders the ones that were meant?"
            )
            found.append(Finding("same_files", "warning", keys, sentence))
    return found


def check_world(cards: Iterable[EncoderCard], places: Sequence[Path]) -> list[Finding]:
    """Find encoders that know only the toy world, on audio that is not known to be from it.

    Args:
        cards: of the encoders.
        places: folders of real audio (or, if there is none, of what is scored); one of them must bear the mark.
    """
    foreign = sorted({card.name for card in cards if card.world and card.world not in map(world_of, places)})
    if not foreign:
        return []
    sentence = (
        f"{', '.join(foreign)}: trained on the toy world alone, and this data is not marked as coming from it; the "
        "numbers mean nothing on other audio or images, so choose pretrained encoders (ls encoders, README)"
    )
    return [Finding(WORLD, "error", (), sentence)]


def check_selection(cards: Iterable[EncoderCard], systems: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Find systems whose sounds were chosen among several by an encoder that now scores them.

    Args:
        cards: of the encoders that score.
        systems: cards of the systems, by name.
    """
    scoring = {card.short: card.name for card in cards if "text" in card.modalities}
    found = []
    for name, system in systems.items():
        rerank = system.get("rerank")
        by = scoring.get(str(rerank.get("encoder"))) if isinstance(rerank, Mapping) else None
        if by is not None and isinstance(rerank, Mapping):
            sentence = (
                f"'{name}' kept the best of {rerank.get('candidates')} sounds by {by}, which also scores it here: its "
                "scores of text against audio are too high; score with another CLAP, or rerank with another"
            )
            found.append(Finding("selected_by_scorer", "warning", (), sentence))
    return found


def check_prompts(encoder: Encoder, prompts: Mapping[str, str]) -> list[Finding]:
    """Find prompts that a text encoder does not read as written: unknown words, truncation.

    Args:
        encoder: of the prompts.
        prompts: text by key.
    """
    notes = dict(zip(prompts, text_notes(encoder, list(prompts.values())), strict=True))
    name, found = encoder.card.name, []
    unknown = tuple(sorted(key for key, note in notes.items() if note.unknown))
    if unknown:
        words = list(dict.fromkeys(word for note in notes.values() for word in note.unknown))
        shown = listed([f"'{word}'" for word in words], _SHOWN)
        sentence = (
            f"{len(unknown)} of {len(prompts)} prompts hold words that the encoder '{name}' does not know "
            f"({shown}); it puts meaningless stand-ins in their place"
        )
        found.append(Finding("unknown_words", "warning", unknown, sentence))
    cut = tuple(sorted(key for key, note in notes.items() if note.cut))
    if cut:
        sentence = f"{len(cut)} of {len(prompts)} prompts are longer than the encoder '{name}' reads and are truncated"
        found.append(Finding("cut_prompts", "warning", cut, sentence))
    return found


def unequal_n(scores: Iterable[Score], systems: Collection[str], biased: Collection[str]) -> list[Finding]:
    """Find metrics whose expectation depends on the number of clips, and whose systems differ in it.

    Args:
        scores: of the evaluation.
        systems: names of the systems that are compared with each other.
        biased: names of the metrics whose expectation depends on n.
    """
    counts: dict[str, dict[str, int]] = {}
    for score in scores:
        if score.system in systems and score.metric in biased:
            counts.setdefault(score.metric, {})[score.system] = score.n
    groups: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for metric, by_system in counts.items():
        if len(set(by_system.values())) > 1:
            groups.setdefault(tuple(by_system.items()), []).append(metric)
    return [
        Finding(
            "unequal_n",
            "warning",
            (),
            f"the systems differ in n ({', '.join(f'{name} {n}' for name, n in sizes)}) and the expectation of "
            f"{', '.join(metrics)} depends on it; compare equal n",
        )
        for sizes, metrics in groups.items()
    ]


def without_empty(found: Mapping[str, Sequence[Finding]]) -> dict[str, tuple[Finding, ...]]:
    """Return the findings by set, without sets that have none."""
    return {name: tuple(findings) for name, findings in found.items() if findings}
