"""The sampling loop beside that of the pipelines of diffusers: same network, noise, noise levels and guidance."""

from __future__ import annotations

from collections.abc import Callable, Collection

from benchmarks.paired_loops import in_turns, running
from benchmarks.sampling_loops import (
    EMPTY,
    GUIDANCE,
    GUIDED,
    NETWORK_ALONE,
    RUNS,
    STEPS,
    TWICE,
    N,
    diffusers_loop,
    ours,
)

from clipsonic_eval import bfloat16

ROUNDS = 8


def test_the_loops_give_the_same_numbers() -> None:
    theirs = diffusers_loop("fp32")()
    mel = ours("fp32")().double() * 1e3  # std 1e-3: nothing of it is below the floor of a log-mel
    assert float((mel - theirs).abs().max()) < 1e-3 * float(theirs.std())


def groups(there: Collection[str]) -> list[tuple[str, str, str, str]]:
    """Return what stands beside what: group, ours, the other, note."""
    fewer = f"{STEPS + TWICE} evaluations in place of {2 * STEPS}: another model of the same weights"
    found = [(EMPTY, NETWORK_ALONE, "overhead", "time beside the network")]
    for precision in ("fp32", "bf16"):
        found.append((f"ours, {precision}", f"diffusers, {precision}", precision, ""))
        found.append((f"ours, {precision}{GUIDED}", f"diffusers, {precision}", precision, fewer))
    found.append((f"ours, bf16{GUIDED}", "diffusers, fp32", "best", fewer))
    return [group for group in found if group[0] in there]


def test_sampling(add_pairs: Callable[..., None]) -> None:
    """Our loop takes turns with that of diffusers, with the network alone and with itself around no network."""
    names = [name for name in RUNS if "bf16" not in name or bfloat16.is_native("cpu")]
    with running(names, script="sampling_loops.py") as loops:
        seconds = in_turns(loops, ROUNDS).seconds
    for mine, theirs, name, note in groups(seconds):
        group = f"{N} clips, {STEPS} steps, guidance {GUIDANCE:g}: {name}"
        add_pairs(group, {mine: seconds[mine], theirs: seconds[theirs]}, note)
