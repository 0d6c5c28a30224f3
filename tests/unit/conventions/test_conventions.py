"""Conventions: each names a metric, an encoder and options that there are, and says what it does not reproduce."""

from __future__ import annotations

import inspect

import pytest

from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.clap.windows import Windowing
from clipsonic_eval.metrics import METRICS

NAMES = list(CONVENTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_a_convention_names_what_there_is(name: str) -> None:
    convention = CONVENTIONS[name]
    assert convention.name == name
    assert name.count("/") == 1
    assert convention.metric in METRICS
    assert convention.encoder in ENCODERS
    assert convention.source
    assert convention.title
    taken = set(inspect.signature(ENCODERS[convention.encoder]).parameters) | set(Windowing.__dataclass_fields__)
    assert set(convention.options) <= taken


@pytest.mark.parametrize("name", NAMES)
def test_its_summary_says_what_is_computed_from_where_and_what_is_not_reproduced(name: str) -> None:
    convention = CONVENTIONS[name]
    first, _, second = convention.summary.partition("\n")
    assert first.startswith(convention.title)
    assert first.endswith(f"({convention.metric} on {convention.encoder}; {convention.source})")
    assert second == (f"not reproduced: {convention.not_reproduced}" if convention.not_reproduced else "")


def test_every_foreign_tool_states_its_commit_and_what_is_left_out() -> None:
    for name in NAMES:
        convention = CONVENTIONS[name]
        if convention.source == "this project":
            assert not convention.not_reproduced
        else:
            assert "/" in convention.source
            assert convention.not_reproduced


def test_our_own_conventions_leave_the_audio_to_the_encoder() -> None:
    ours = [CONVENTIONS[name] for name in NAMES if name.endswith("/clipsonic-eval")]
    assert {convention.metric for convention in ours} == {"fad", "clap_score"}
    for convention in ours:
        assert convention.preprocessing == Convention("a/b", "", "fad", "vggish").preprocessing
        assert (convention.store, convention.scale, convention.options) == ("float32", 1.0, {})
