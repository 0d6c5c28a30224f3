"""What looks wrong with the sets of an evaluation, before anybody believes its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from clipsonic_eval.encoders import Encoder, text_notes
from clipsonic_eval.errors import ShapeError, listed
from clipsonic_eval.harness import sound_levels
from clipsonic_eval.harness.embedding import Embedded
from clipsonic_eval.harness.measures import biased_in_n
from clipsonic_eval.media.checks import grouped
from clipsonic_eval.metrics import Metric, SetMetric, sanity
from clipsonic_eval.types import EncoderCard, Finding, Score

SAME_SHARE = 0.1  # of a system's clips, from which it is said that another set holds them too
EVALUATION = "evaluation"  # whose name findings about the run as a whole stand under
_SHOWN = 5
_WINDOW = re.compile(r"(?:^|\|)win:(\d+(?:\.\d+)?)\b[^|]*zero-padded")


def of_set(
    embedded: Embedded,
    measures: Iterable[Metric] = (),
    *,
    made: bool = False,
    reference: Embedded | None = None,
    training: Embedded | None = None,
) -> tuple[Finding, ...]:
    """Return the findings of one set: its sound, copies within it, too few clips, copies of training clips.

    Copies are looked for in the space of the first metric; rows are counted in the spaces whose covariance is fitted.

    Args:
        embedded: the set: a system's outputs, real audio, training material.
        measures: metrics that it enters.
        made: by a system, for which copies are a grave fault and not only odd.
        reference: real audio that the system was not trained on.
        training: what it was trained on.
    """
    found = [*grouped(sound_levels.findings(embedded.levels)), *_heard(embedded)]
    fitted = {m.card.role for m in measures if isinstance(m, SetMetric) and m.fits_covariance}
    found += [one for role in sorted(fitted & embedded.spaces.keys()) for one in sanity.few(embedded.spaces[role])]
    role = next(iter(embedded.spaces))
    found += sanity.duplicates(embedded.spaces[role], made=made)
    if training is not None and reference is not None:
        spaces = (training.spaces[role], reference.spaces[role])
        try:
            found += sanity.memorised(embedded.spaces[role], *spaces)
        except ShapeError as error:  # the scores need no such reference
            found.append(Finding("memorised", "warning", (), f"copies of training clips were not looked for: {error}"))
    return tuple(found)


def same_files(name: str, own: Mapping[str, str], others: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Find sets that hold the same bytes as a system: a distance between them is that of a sound to itself.

    Args:
        name: of the system.
        own: content hash by key of the clips that were embedded.
        others: the same of the sets that it is held against, by name.
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


def _heard(embedded: Embedded) -> list[Finding]:
    """Find sound that an encoder hears less of than it could: a lower rate than its own, less than its window."""
    measured = sound_levels.by_clip(embedded.levels)
    cards = {space.space.name: space.space for space in embedded.spaces.values()}
    found = []
    for name, card in cards.items():
        low = {k: m.rate for k, m in measured.items() if card.sample_rate and m.rate < card.sample_rate}
        if low:
            rate = min(low.values())
            sentence = (
                f"{len(low)} of {len(measured)} clips have a lower sample rate than the encoder '{name}' hears (from "
                f"{rate:g} Hz, it takes {card.sample_rate} Hz), so nothing above {rate / 2:g} Hz; compare them with "
                "sets of the same rate only"
            )
            found.append(Finding("rate", "warning", tuple(sorted(low)), sentence))
        window = _window(card)
        short = {k: m.seconds for k, m in measured.items() if m.seconds < window}
        if short:
            sentence = (
                f"{len(short)} of {len(measured)} clips are shorter than the window of the encoder '{name}' (from "
                f"{min(short.values()):.2g} s, the window has {window:g} s), which hears zeros after them; compare "
                "them with sets of the same length only"
            )
            found.append(Finding("short", "warning", tuple(sorted(short)), sentence))
    return found


def _window(card: EncoderCard) -> float:
    """Return the seconds below which an encoder fills a clip up with zeros; 0 where it does not."""
    match = _WINDOW.search(card.preprocessing)
    return float(match[1]) - 1e-3 if match else 0.0  # less what resampling may take away


def of_texts(encoder: Encoder, texts: Mapping[str, str]) -> list[Finding]:
    """Find prompts that an encoder does not read as they are written: unknown words, too long.

    Args:
        encoder: of the texts; one that says nothing about what it reads gives no finding.
        texts: by key.
    """
    notes = dict(zip(texts, text_notes(encoder, list(texts.values())), strict=True))
    name, found = encoder.card.name, []
    unknown = tuple(sorted(key for key, note in notes.items() if note.unknown))
    if unknown:
        words = list(dict.fromkeys(word for note in notes.values() for word in note.unknown))
        shown = listed([f"'{word}'" for word in words], _SHOWN)
        sentence = (
            f"{len(unknown)} of {len(texts)} prompts hold words that the encoder '{name}' does not know "
            f"({shown}); it puts meaningless stand-ins in their place"
        )
        found.append(Finding("unknown_words", "warning", unknown, sentence))
    cut = tuple(sorted(key for key, note in notes.items() if note.cut))
    if cut:
        sentence = (
            f"{len(cut)} of {len(texts)} prompts are longer than the encoder '{name}' reads; their ends are not heard"
        )
        found.append(Finding("cut_prompts", "warning", cut, sentence))
    return found


def of_scores(scores: Iterable[Score], systems: Iterable[str]) -> list[Finding]:
    """Find metrics whose expectation depends on n and whose systems differ in it."""
    named = set(systems)
    counts: dict[str, dict[str, int]] = {}
    for score in scores:
        if score.system in named and biased_in_n(score.metric):
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
    """Return the findings by set, sets without any left out."""
    return {name: tuple(findings) for name, findings in found.items() if findings}
