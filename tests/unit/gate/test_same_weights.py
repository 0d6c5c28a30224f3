"""The same weights under other code: numbers are equal, or the stage that moved them is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from unit.gate.made import clip_score, clips, moved, record, set_score

from clipsonic_eval.gate.check import check
from clipsonic_eval.gate.limits import from_texts
from clipsonic_eval.gate.verdicts import EXIT_WORSE, GateResult
from clipsonic_eval.records import RunRecord

STAGES = {"wavs": "1", "embeddings/audio": "2", "embeddings/audio_text": "3"}
OLD = record(
    set_score(10 + clips()),
    clip_score(clips()),
    systems={"PD": {"card_hash": "abc"}},
    hashes={"PD": STAGES, "reference": {"embeddings/audio": "4"}, "prompts": {"embeddings/audio_text": "5"}},
    provenance={"packages": {"torch": "2.5.1", "numpy": "2.1"}},
)


def judged(new: RunRecord, old: RunRecord = OLD, **more: Any) -> GateResult:
    return check([new], [old], from_texts(["fad<+3%"]), **more)


def fad_moved(by: float, **hashes: Mapping[str, str]) -> RunRecord:
    scores = [dataclasses.replace(s, value=s.value * (1 + by)) if s.metric == "fad" else s for s in OLD.scores]
    return moved(OLD, scores=tuple(scores), hashes={**OLD.hashes, **hashes})


@pytest.mark.parametrize(("by", "outcome"), [(0.0, "not worse"), (9e-7, "not worse"), (-9e-7, "not worse")])
def test_numbers_that_are_equal_pass(by: float, outcome: str) -> None:
    (only,) = judged(fad_moved(by)).verdicts
    assert (only.question, only.outcome, only.margin, only.evidence) == ("same weights", outcome, 0.0, None)


@pytest.mark.parametrize("by", [2e-6, -2e-6, -0.5])
def test_numbers_that_moved_fail_in_either_direction_and_inside_the_margin(by: float) -> None:
    result = judged(fad_moved(by))
    assert result.exit_code() == EXIT_WORSE
    assert result.verdicts[0].sentence.startswith("numerics moved: fad of 'PD' by")


@pytest.mark.parametrize(
    ("hashes", "why"),
    [
        ({"PD": {**STAGES, "wavs": "x", "embeddings/audio": "x"}}, "it is the system's sampling that moved"),
        ({"PD": {**STAGES, "embeddings/audio": "x"}}, "the wavs are equal and the embeddings (audio) differ"),
        ({"PD": {**STAGES, "embeddings/audio_text": "x"}}, "it is the score that moved"),  # not FAD's space
        ({"reference": {"embeddings/audio": "x"}}, "the embeddings (audio) of 'reference' differ"),
        ({}, "the wavs and the embeddings are equal, so it is the score that moved"),
        ({"PD": {}}, "which stage moved it is not known"),
    ],
)
def test_the_first_stage_that_differs_is_named(hashes: Mapping[str, Mapping[str, str]], why: str) -> None:
    (only,) = judged(fad_moved(1e-3, **hashes)).verdicts
    assert why in only.sentence


def test_what_differs_between_the_code_of_both_sides_is_noted() -> None:
    new = moved(OLD, provenance={"packages": {"torch": "2.6.0", "numpy": "2.1"}, "commit": "b" * 40})
    notes = judged(new).notes
    assert any("cards of all systems are equal" in note for note in notes)
    assert "differs between the sides: commit aaaaaaaaaaaa to bbbbbbbbbbbb, torch 2.5.1 to 2.6.0" in notes


def test_another_card_is_another_model() -> None:
    new = moved(OLD, systems={"PD": {"card_hash": "other"}})
    assert judged(new).verdicts[0].question == "same queries"
    assert judged(new, question="same weights").verdicts[0].question == "same weights"


def test_folders_of_wavs_say_nothing_about_weights_but_equal_bytes_are_noted() -> None:
    bare = {"PD": {"kind": "folder-of-wavs"}}
    old, new = dataclasses.replace(OLD, systems=bare), moved(OLD, systems=bare)
    said = "the wavs are the same bytes on both sides: PD"
    assert judged(new, old).verdicts[0].question == "same queries"
    assert said in judged(new, old).notes
    assert said not in judged(dataclasses.replace(new, hashes={"PD": {"wavs": "x"}}), old).notes
    assert said not in judged(dataclasses.replace(new, hashes={}), dataclasses.replace(old, hashes={})).notes


def test_values_per_clip_are_not_needed() -> None:
    bare = tuple(dataclasses.replace(s, per_clip={}, influence={}) for s in OLD.scores)
    assert judged(moved(OLD, scores=bare)).exit_code() == 0


def test_one_record_a_side() -> None:
    seeds = [moved(OLD, tags={"train_seed": str(s)}) for s in range(2)]
    result = check(seeds, [OLD], from_texts(["fad<+3%"]), question="same weights")
    assert "takes one record a side" in result.refusals[0].sentence
