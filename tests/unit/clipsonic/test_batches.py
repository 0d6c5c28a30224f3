from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipsonic.training.batches import batch_rows, held_out_split, step_generator

SIZES = st.integers(1, 40)


@given(n=SIZES, size=SIZES, seed=st.integers(0, 5), epochs=st.integers(1, 3))
def test_every_item_is_seen_once_per_epoch_for_any_batch_size(n: int, size: int, seed: int, epochs: int) -> None:
    steps = -(-n * epochs // size)
    seen = torch.cat([batch_rows(n, size, step, seed) for step in range(steps)])[: n * epochs]
    for epoch in seen.split(n):
        assert epoch.sort().values.tolist() == list(range(n))


@given(n=st.integers(2, 40), size=SIZES, step=st.integers(0, 100))
def test_a_batch_follows_from_its_step_alone(n: int, size: int, step: int) -> None:
    assert torch.equal(batch_rows(n, size, step, 3), batch_rows(n, size, step, 3))
    assert len(batch_rows(n, size, step, 3)) == size


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = batch_rows(50, 50, 0, 0), batch_rows(50, 50, 1, 0)
    assert not torch.equal(first, second)
    assert not torch.equal(first, batch_rows(50, 50, 0, 1))


@given(sources=st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=60), validation=st.integers(0, 60))
def test_the_split_is_a_partition_that_keeps_sources_together(sources: list[str], validation: int) -> None:
    training, held_out = held_out_split(sources, validation, 0)
    assert sorted([*training, *held_out]) == list(range(len(sources)))
    assert not {sources[i] for i in training} & {sources[i] for i in held_out}
    assert len(held_out) <= min(validation, len(sources) // 10)
    assert (np.diff(training) > 0).all()
    assert (np.diff(held_out) > 0).all()


def test_as_many_items_are_held_out_as_whole_sources_allow() -> None:
    sources = [f"video {i // 3}" for i in range(300)]
    assert len(held_out_split(sources, 30, 0)[1]) == 30
    assert len(held_out_split(sources, 31, 0)[1]) == 30  # another source would make 33
    assert len(held_out_split(sources, 1000, 0)[1]) == 30  # at most a tenth


def test_another_seed_holds_out_other_items() -> None:
    sources = [str(i) for i in range(200)]
    assert not np.array_equal(held_out_split(sources, 20, 0)[1], held_out_split(sources, 20, 1)[1])


def test_the_draws_of_a_step_have_a_stream_per_purpose() -> None:
    def draw(seed: int, step: int, purpose: str) -> torch.Tensor:
        return torch.rand(4, generator=step_generator(seed, step, purpose, torch.device("cpu")))

    assert torch.equal(draw(0, 5, "noise"), draw(0, 5, "noise"))
    for other in (draw(1, 5, "noise"), draw(0, 6, "noise"), draw(0, 5, "frames")):
        assert not torch.equal(draw(0, 5, "noise"), other)
