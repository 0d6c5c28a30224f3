"""Names become metrics and encoders, conventions among them with the preprocessing and the scale of another tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_encoders import FakeEncoder, tone

from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.resolve import (
    ConventionEncoder,
    load_encoder,
    metric_roles,
    resolve_convention,
    resolve_metric,
)
from clipsonic_eval.media.preprocessing import AudioPreprocessing
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs, SetMetric
from clipsonic_eval.types import Clip, Embeddings

KEYS = tuple(f"q{i}" for i in range(12))


def embeddings(seed: int) -> Embeddings:
    return Embeddings(np.random.default_rng(seed).standard_normal((12, 3)), KEYS, "audio", FakeEncoder().card)


def tenfold(metric: str) -> dict[str, Convention]:
    return {f"{metric}/mine": Convention(f"{metric}/mine", "ours times ten", metric, "fake", scale=10.0)}


def clip(hertz: float = 440.0) -> Clip:
    return Clip("a", tone(hertz)[None], 16000)


def test_a_name_without_a_slash_is_a_metric_of_ours() -> None:
    assert resolve_metric("fad") is METRICS["fad"]
    assert resolve_convention("fad") is None
    with pytest.raises(UserError, match=r"unknown metric 'fda'"):
        resolve_metric("fda")
    with pytest.raises(UserError, match=r"unknown convention 'fad/fadkt'"):
        resolve_metric("fad/fadkt")


def test_every_registered_convention_is_a_metric_under_its_own_name_and_role() -> None:
    for name in CONVENTIONS:
        card = resolve_metric(name).card
        assert card.name == card.role == name


def test_the_scale_of_a_convention_is_on_value_interval_bounds_resamples_and_influence() -> None:
    ours, theirs = METRICS["fad"], resolve_metric("fad/mine", tenfold("fad"))
    assert isinstance(ours, SetMetric)
    assert isinstance(theirs, SetMetric)
    given = Inputs(embeddings(0), embeddings(1))
    assert theirs.value(given) == pytest.approx(10 * ours.value(given))
    assert theirs.replicates([given], 20, 0) == pytest.approx(10 * ours.replicates([given], 20, 0))
    assert (theirs.lowest, theirs.highest) == (10 * ours.lowest, 10 * ours.highest)
    assert ours.influence is not None
    assert theirs.influence is not None
    scaled = {key: 10 * value for key, value in ours.influence(given).system.items()}
    assert dict(theirs.influence(given).system) == pytest.approx(scaled)
    assert theirs.card.signature.endswith("|scale:10")


def test_the_scale_of_a_mean_over_clips_is_on_every_clip() -> None:
    ours, theirs = METRICS["clap_score"], resolve_metric("clap_score/mine", tenfold("clap_score"))
    assert isinstance(ours, ClipMetric)
    assert isinstance(theirs, ClipMetric)
    given = Inputs(embeddings(0), prompts=Embeddings(embeddings(1).vectors, KEYS, "text", FakeEncoder().card))
    assert theirs.per_clip(given) == pytest.approx({key: 10 * value for key, value in ours.per_clip(given).items()})


def test_a_statistic_of_the_modality_gap_is_sent_to_its_own_command() -> None:
    with pytest.raises(ConfigError, match=r"centroid_distance is a statistic of the modality gap.*clipsonic-eval gap"):
        resolve_metric("centroid_distance")


def test_roles_have_the_default_encoders_of_the_cards() -> None:
    roles = metric_roles()
    assert {"audio": "toy-audio", "audio_text": "toy-clap", "classifier": "toy-audio-classes"}.items() <= roles.items()
    assert "paired" not in roles


def test_a_convention_embeds_what_its_preprocessing_leaves_of_a_clip() -> None:
    convention = Convention("fad/mine", "at 8 kHz", "fad", "fake", preprocessing=AudioPreprocessing(rate=8000))
    encoder = FakeEncoder()
    wrapped = ConventionEncoder(encoder, convention)
    assert np.array_equal(wrapped.audio([clip(6000)]), encoder.audio([convention.preprocessing(clip(6000))]))
    assert not np.allclose(wrapped.audio([clip(6000)]), encoder.audio([clip(6000)]))
    assert wrapped.audio_rows([clip()]) == ["a"]


def test_the_card_of_a_convention_is_a_space_of_its_own() -> None:
    one, other = (
        ConventionEncoder(
            FakeEncoder(), Convention("fad/x", "x", "fad", "fake", preprocessing=AudioPreprocessing(rate=rate))
        )
        for rate in (8000, 12000)
    )
    cards = [FakeEncoder().card, one.card, other.card]
    assert len({card.preprocessing for card in cards}) == 3
    assert all("loadnum:1" in card.preprocessing for card in cards[1:])
    assert cards[1].preprocessing.endswith(cards[0].preprocessing)


def test_embeddings_kept_as_float16_are_rounded_so_and_overflow_is_left_to_the_checks() -> None:
    encoder = FakeEncoder()
    half = ConventionEncoder(encoder, Convention("fad/x", "x", "fad", "fake", store="float16"))
    exact = encoder.audio([clip()])
    assert np.array_equal(half.audio([clip()]), exact.astype(np.float16).astype(np.float32))
    assert "store:float16" in half.card.preprocessing

    class Large(FakeEncoder):
        def audio(self, clips: object) -> np.ndarray:
            del clips
            return np.full((1, 8), 1e6, np.float32)

    large = ConventionEncoder(Large(), Convention("fad/x", "x", "fad", "fake", store="float16"))
    assert np.isinf(large.audio([clip()])).all()


def test_conventions_that_differ_in_preprocessing_share_one_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    len(ENCODERS)
    calls: list[tuple[Path | None, dict[str, object]]] = []

    def load(weights: Path | None = None, *, device: str = "cpu", **options: object) -> FakeEncoder:
        del device
        calls.append((weights, options))
        return FakeEncoder()

    monkeypatch.setitem(ENCODERS._items, "fake", load)
    more = {
        name: Convention(name, "x", "fad", "fake", options=options, preprocessing=AudioPreprocessing(rate=rate))
        for name, rate, options in (("fad/a", 8000, {}), ("fad/b", 12000, {}), ("fad/c", 8000, {"layer": 3}))
    }
    loaded: dict[tuple[object, ...], object] = {}
    found = [load_encoder(n, conventions=more, loaded=loaded) for n in (*more, "fake")]  # type: ignore[arg-type]
    assert calls == [(None, {}), (None, {"layer": 3})]
    assert [isinstance(encoder, ConventionEncoder) for encoder in found] == [True, True, True, False]
    load_encoder("fake", Path("w.pt"), loaded=loaded)  # type: ignore[arg-type]
    assert calls[-1] == (Path("w.pt"), {})
    with pytest.raises(UserError, match="unknown encoder 'fkae'"):
        load_encoder("fkae")
