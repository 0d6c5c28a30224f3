"""Best of k: which of k sounds is kept, what the card says, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clipsonic_eval.checks.evaluation import check_selection
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.rerank import Reranked
from clipsonic_eval.harness.sample import card_of, sample
from clipsonic_eval.seeds import derive
from clipsonic_eval.types import Clip, Query

QUERIES = [Query("a", "high"), Query("b", "low")]
SEEDS = [11, 12]


class Constant:
    """A sound of ten samples whose level is drawn from the seed."""

    name, sample_rate = "constant", 8000

    def card(self) -> dict[str, Any]:
        return {"kind": "constant"}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        return [np.full(10, self.level(seed), np.float32) for _, seed in zip(queries, seeds, strict=True)]

    @staticmethod
    def level(seed: int) -> float:
        return float(np.random.default_rng(seed).uniform(0.1, 0.9))


class ByLevel:
    """An encoder of two dimensions: (level, 1 − level); "high" is (1, 0) and "low" (0, 1). Two windows a clip."""

    card = SimpleNamespace(name="by-level", short="by-level+00000000", preprocessing="p", modalities=("audio", "text"))

    def audio(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        rows = [[c.samples[0, 0], 1 - c.samples[0, 0]] for c in clips for _ in range(2)]
        return np.array(rows, np.float32)

    def audio_rows(self, clips: Sequence[Clip]) -> list[str]:
        return [c.key for c in clips for _ in range(2)]

    def text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[5.0, 0.0] if text == "high" else [0.0, 5.0] for text in texts], np.float32)


def reranked(candidates: int, system: Any = None, encoder: Any = None) -> Reranked:
    return Reranked(system or Constant(), encoder or ByLevel(), candidates)


def levels(seed: int, k: int) -> list[float]:
    seeds = [seed, *(derive(seed, str(i), "rerank") for i in range(1, k))]
    return [Constant.level(s) for s in seeds]


def test_the_sound_nearest_to_its_prompt_is_kept() -> None:
    high, low = reranked(5).generate(QUERIES, SEEDS)
    assert high[0] == pytest.approx(max(levels(11, 5)))
    assert low[0] == pytest.approx(min(levels(12, 5)))


def test_more_candidates_are_never_further_from_the_prompt_and_a_sound_does_not_depend_on_the_batch() -> None:
    kept = [float(reranked(k).generate(QUERIES[:1], SEEDS[:1])[0][0]) for k in (2, 4, 8, 16)]
    assert kept == sorted(kept)
    assert kept[-1] > kept[0]
    assert reranked(4).generate(QUERIES, SEEDS)[0][0] == pytest.approx(kept[1])


def test_unusable_candidates_are_passed_over() -> None:
    class Broken(Constant):
        def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
            sounds = super().generate(queries, seeds)
            return [np.full(3, np.nan, np.float32) if s in SEEDS else x for x, s in zip(sounds, seeds, strict=True)]

    (high,) = reranked(3, Broken()).generate(QUERIES[:1], SEEDS[:1])
    assert high[0] == pytest.approx(max(levels(11, 3)[1:]))


def test_the_card_names_encoder_and_candidates_and_each_number_is_another_system(tmp_path: Path) -> None:
    cards = [card_of(system, 0) for system in (Constant(), reranked(2), reranked(3))]
    assert len({card["card_hash"] for card in cards}) == 3
    assert cards[2]["rerank"] == {
        "candidates": 3, "encoder": "by-level+00000000", "preprocessing": "p",
        "rule": "highest mean cosine of the windows and the prompt",
    }  # fmt: skip
    assert (cards[2]["name"], cards[2]["kind"]) == ("constant-best3", "constant")
    sample(reranked(2), QUERIES, tmp_path)
    with pytest.raises(UserError, match=r"rerank.candidates: 2 → 3"):
        sample(reranked(3), QUERIES, tmp_path)


def test_what_cannot_rerank_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs at least 2 candidates per query, got 1; set --candidates"):
        reranked(1)
    with pytest.raises(ConfigError, match="reranking by toy-audio: it takes no text; name a CLAP"):
        reranked(2, encoder=load_encoder("toy-audio"))

    class TooMany(Constant):
        def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
            return 2 * super().generate(queries, seeds)

    result = sample(reranked(2, TooMany()), QUERIES, tmp_path)
    assert result.n == 0
    assert "gave 2 sounds for 1 queries" in result.skipped[0].reason


def test_scoring_by_the_encoder_that_chose_is_a_finding() -> None:
    clap, audio = load_encoder("toy-clap").card, load_encoder("toy-audio").card
    chosen = {"rerank": {"candidates": 4, "encoder": clap.short}}
    (finding,) = check_selection([audio, clap], {"ZS-best4": chosen, "ZS": {}, "other": {"rerank": "by hand"}})
    assert (finding.check, finding.severity) == ("selected_by_scorer", "warning")
    assert finding.sentence.startswith("'ZS-best4' kept the best of 4 sounds by toy-clap, which also scores it here")
    assert check_selection([audio], {"ZS-best4": chosen}) == []


def test_a_clap_of_the_toy_world_reranks() -> None:
    class Noise(Constant):
        def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
            drawn = (np.random.default_rng(s).uniform(-0.3, 0.3, 16000) for s in seeds)
            return [x.astype(np.float32) for _, x in zip(queries, drawn, strict=True)]

    encoder = load_encoder("toy-clap")
    system = Noise()
    seeds = [[11, derive(11, "1", "rerank"), derive(11, "2", "rerank")][k] for k in range(3)]
    clips = [Clip(str(k), system.generate(QUERIES[:1], [s])[0][None], 8000) for k, s in enumerate(seeds)]
    cosines = encoder.audio(clips) @ encoder.text(["high"])[0]
    (kept,) = Reranked(system, encoder, 3).generate(QUERIES[:1], SEEDS[:1])
    np.testing.assert_array_equal(kept, clips[int(np.argmax(cosines))].samples[0])
