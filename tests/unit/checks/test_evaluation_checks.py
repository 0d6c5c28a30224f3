"""Checks of whole sets, prompts and scores: each with material that has the fault and material that has not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fake_encoders import encoders

from clipsonic_eval.checks.audio import ClipLevels, Levels
from clipsonic_eval.checks.evaluation import check_prompts, check_set, same_files, unequal_n, without_empty
from clipsonic_eval.encoders import TextNote
from clipsonic_eval.types import Embeddings, EncoderCard, Score

SOUND = Levels(peak=0.5, quiet=0.0, flat=0.0, mean=0.0, rms=0.2)
CARD = EncoderCard("enc", "0" * 64, 3, ("audio",), "rate:16k|win:0.96,zero-padded", 16000)
KEYS = ("a", "b", "c", "d", "e")


def levels(**clips: ClipLevels) -> dict[str, ClipLevels]:
    return {key: clips.get(key, ClipLevels((SOUND,), 16000.0, 1.0)) for key in KEYS}


def space(card: EncoderCard = CARD, seed: int = 0) -> Embeddings:
    return Embeddings(np.random.default_rng(seed).standard_normal((5, 3)), KEYS, "audio", card)


def names(**more: object) -> list[str]:
    return [f.check for f in check_set(levels(), {"audio": space()}, **more)]  # type: ignore[arg-type]


def test_a_set_without_a_fault_has_no_findings() -> None:
    assert names(fitted={"audio"}, made=True) == []


def test_a_rate_below_that_of_the_encoder_is_found_with_its_frequency_limit() -> None:
    clips = levels(b=ClipLevels((SOUND,), 8000.0, 1.0), d=ClipLevels((SOUND,), 11025.0, 1.0))
    (finding,) = check_set(clips, {"audio": space()})
    assert (finding.check, finding.keys) == ("rate", ("b", "d"))
    assert "2 of 5 clips have a lower sample rate than the encoder 'enc' (from 8000 Hz" in finding.sentence
    assert "nothing above 4000 Hz" in finding.sentence


def test_encoders_of_one_window_share_a_finding() -> None:
    spaces = {name: space(dataclasses.replace(CARD, name=name)) for name in ("fad", "kl")}
    (finding,) = check_set(levels(b=ClipLevels((SOUND,), 16000.0, 0.5)), spaces)
    assert (finding.check, finding.keys) == ("short", ("b",))
    assert "1 of 5 clips are shorter than the window of the encoder 'fad', 'kl' (from 0.5 s" in finding.sentence


def test_clips_below_the_window_are_found_only_where_the_encoder_pads_with_zeros() -> None:
    clips = levels(c=ClipLevels((SOUND,), 16000.0, 0.5))
    (finding,) = check_set(clips, {"audio": space()})
    assert (finding.check, finding.keys) == ("short", ("c",))
    assert "the window has 0.96 s" in finding.sentence
    repeats = dataclasses.replace(CARD, preprocessing="rate:16k|win:0.96,repeated")
    assert check_set(clips, {"audio": space(repeats)}) == []


def test_an_encoder_of_two_roles_is_checked_once() -> None:
    clips = levels(c=ClipLevels((SOUND,), 16000.0, 0.5))
    assert len(check_set(clips, {"audio": space(), "audio_text": space()})) == 1


def test_few_rows_are_found_only_where_a_covariance_is_estimated() -> None:
    wide = Embeddings(np.eye(5), KEYS, "audio", dataclasses.replace(CARD, dim=5))
    assert [f.check for f in check_set(levels(), {"audio": wide}, fitted={"audio"})] == ["few"]
    assert check_set(levels(), {"audio": wide}) == []


def test_duplicates_are_an_error_of_a_system_and_a_warning_in_real_audio() -> None:
    vectors = space().vectors.copy()
    vectors[3] = vectors[1]
    copied = {"audio": Embeddings(vectors, KEYS, "audio", CARD)}
    for made, severity in ((True, "error"), (False, "warning")):
        (finding,) = check_set(levels(), copied, made=made)
        assert (finding.check, finding.severity, finding.keys) == ("duplicates", severity, ("b", "d"))


def test_too_few_reference_clips_to_look_for_copies_are_a_finding_and_no_error() -> None:
    near = {"audio": space(seed=1)}
    (finding,) = check_set(levels(), {"audio": space()}, reference=near, training=near)
    assert (finding.check, finding.severity) == ("memorised", "warning")
    assert "copies of training clips were not looked for" in finding.sentence


def test_a_set_that_shares_a_tenth_of_its_files_is_found() -> None:
    own = {f"k{i}": f"hash{i}" for i in range(20)}
    assert same_files("A", own, {"B": {"x": "hash0"}}) == []
    (finding,) = same_files("A", own, {"B": {"x": "hash0", "y": "hash3"}, "C": {"z": "else"}})
    assert finding.keys == ("k0", "k3")
    assert "2 of 20 clips of 'A' are the same bytes as clips of 'B'" in finding.sentence


def test_unknown_words_and_truncated_prompts_are_found() -> None:
    class Reader:
        card = CARD

        def text_notes(self, texts: list[str]) -> list[TextNote]:
            return [TextNote(("sax",), False), TextNote((), True), TextNote()]

    found = check_prompts(Reader(), {"a": "a sax", "b": "long " * 99, "c": "rain"})  # type: ignore[arg-type]
    assert [(f.check, f.keys) for f in found] == [("unknown_words", ("a",)), ("cut_prompts", ("b",))]
    assert "('sax')" in found[0].sentence
    assert "are truncated" in found[1].sentence
    assert check_prompts(encoders()["audio_text"], {"a": "a sax"}) == []  # says nothing of what it reads


def score(metric: str, system: str, n: int) -> Score:
    return Score(metric, system, 1.0, None, "none", n, n, "", False, f"{metric}|n:{n}")


@pytest.mark.parametrize(("counts", "found"), [((20, 12), 1), ((20, 20), 0)])
def test_differing_n_is_found_for_metrics_that_are_biased_in_n(counts: tuple[int, int], found: int) -> None:
    scores = [score(m, s, n) for m in ("fad", "kad") for s, n in zip("AB", counts, strict=True)]
    scores.append(score("fad", "noise", 3))  # no system of the user's
    findings = unequal_n(scores, ("A", "B"), {"fad"})
    assert len(findings) == found
    if found:
        assert "(A 20, B 12) and the expectation of fad depends on it" in findings[0].sentence


def test_metrics_with_the_same_counts_share_a_sentence() -> None:
    scores = [score(m, s, n) for m in ("fad", "recall") for s, n in (("A", 5), ("B", 4))]
    (finding,) = unequal_n(scores, ("A", "B"), {"fad", "recall"})
    assert "expectation of fad, recall depends" in finding.sentence


def test_sets_without_findings_are_not_listed() -> None:
    (finding,) = unequal_n([score("fad", "A", 2), score("fad", "B", 3)], ("A", "B"), {"fad"})
    assert without_empty({"A": [], "B": [finding]}) == {"B": (finding,)}
