"""What every system of the project keeps, whatever it does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from unit.systems.tiny_systems import RATE, N, write_systems

from clipsonic_eval.systems import System, resolve
from clipsonic_eval.types import Query

NAMES = ("IQ", "ZS", "PD", "PD-best2", "mean-shift", "CLIP-TTA", "CLAP-TTA", "retrieval", "real", "real-mel", "noise")
DETERMINISTIC = ("retrieval", "real")  # seeds change nothing
SEEDS = [11, 2**62 + 5, 3, 0]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, tuple[str, dict[str, Any]]], list[Query]]:
    return write_systems(tmp_path_factory.mktemp("systems"))


@pytest.fixture(scope="module", params=NAMES)
def system(request: pytest.FixtureRequest, written: tuple[dict[str, Any], list[Query]]) -> System:
    spec, settings = written[0][request.param]
    return resolve(spec, settings)


@pytest.fixture(scope="module")
def queries(written: tuple[dict[str, Any], list[Query]]) -> list[Query]:
    return written[1]


@pytest.fixture(scope="module")
def sounds(system: System, queries: list[Query]) -> list[np.ndarray[Any, Any]]:
    return system.generate(queries, SEEDS)


def test_it_has_a_name_and_a_rate(system: System) -> None:
    assert system.name in NAMES
    assert system.sample_rate == RATE


def test_each_query_gets_one_finite_mono_float_sound(system: System, sounds: list[np.ndarray[Any, Any]]) -> None:
    del system
    assert len(sounds) == len(SEEDS)
    for sound in sounds:
        assert (sound.shape, sound.dtype) == ((N,), np.float32)
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() > 0


def test_a_sound_depends_on_its_query_and_seed_and_not_on_the_batch(
    system: System, queries: list[Query], sounds: list[np.ndarray[Any, Any]]
) -> None:
    backwards = system.generate(queries[::-1], SEEDS[::-1])[::-1]
    alone = [system.generate([q], [s])[0] for q, s in zip(queries, SEEDS, strict=True)]
    for first, second, third in zip(sounds, backwards, alone, strict=True):
        # a batch of another size rounds differently, and Griffin-Lim's phases amplify that; another draw differs by 1
        assert np.linalg.norm(second - first) < 2e-3 * np.linalg.norm(first)
        assert np.linalg.norm(third - first) < 2e-3 * np.linalg.norm(first)


def test_another_seed_is_another_sound(
    system: System, queries: list[Query], sounds: list[np.ndarray[Any, Any]]
) -> None:
    other = system.generate(queries, [seed + 1 for seed in SEEDS])
    for first, second in zip(sounds, other, strict=True):
        assert (np.abs(first - second).max() < 1e-6) == (system.name in DETERMINISTIC)


def test_its_card_is_json_without_paths_and_stays(system: System, tmp_path_factory: pytest.TempPathFactory) -> None:
    card = system.card()
    text = json.dumps(card, allow_nan=False)
    assert str(tmp_path_factory.getbasetemp()) not in text
    assert isinstance(card["kind"], str)
    assert system.card() == card


def test_nothing_asked_is_nothing_answered(system: System) -> None:
    assert system.generate([], []) == []


def test_no_global_random_state_is_touched(system: System, queries: list[Query]) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    system.generate(queries[:1], SEEDS[:1])
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
