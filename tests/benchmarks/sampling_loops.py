"""The sampling loop and that of the pipelines of diffusers: same network, noise, noise levels and guidance.

``python tests/benchmarks/sampling_loops.py NAME`` prepares one of :data:`RUNS` and takes a first turn. For each line
``time`` that it reads it samples once and prints the processor time, seconds by clip, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from clipsonic.conditions import normalised
from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.model import MelDiffusion
from clipsonic.networks import NetworkConfig, build
from clipsonic.samplers import noise_generators, plan
from clipsonic_eval.bfloat16 import Precision

STEPS, N, D, GUIDANCE = 20, 16, 64, 3.0
INTERVAL = (0.2, 0.8)
SHAPE = (64, 96)
DIFFUSION = DiffusionConfig(clamp_x0=False)  # diffusers' pipelines have no limit per band
COND = np.random.default_rng(0).standard_normal((N, D))
SEEDS = list(range(N))
TIMES = [step.t for step in plan("dpm-solver++", STEPS, DIFFUSION)]
TWICE = sum(INTERVAL[0] <= t / DIFFUSION.steps <= INTERVAL[1] for t in TIMES)


def _network() -> Any:
    made = build(NetworkConfig("unet2d"), n_mels=SHAPE[0], frames=SHAPE[1], condition_dim=D, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            if not parameter.any():  # parts that begin at zero
                parameter.normal_(0, 0.05, generator=generator)
    return made.eval()


NETWORK = _network()


def ours(precision: Precision, interval: tuple[float, float] = (0.0, 1.0)) -> Callable[[], torch.Tensor]:
    model = MelDiffusion(NETWORK, MelConfig(mean=(0.0,), std=(1e-3,)), DIFFUSION, {}, precision=precision)
    return lambda: model.generate_mel(COND, SEEDS, GUIDANCE, STEPS, guidance_interval=interval)


def diffusers_loop(precision: Precision) -> Callable[[], torch.Tensor]:
    """As in ``AudioLDMPipeline.__call__``: doubled latents, autocast where precision is bf16, ``scheduler.step``."""
    import diffusers

    scheduler = diffusers.DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", algorithm_type="dpmsolver++"
    )
    condition = torch.from_numpy(normalised(COND) * D**0.5).float()
    drop = torch.zeros(N, dtype=torch.bool)

    @torch.no_grad()
    def run() -> torch.Tensor:
        scheduler.set_timesteps(timesteps=TIMES)
        latents = torch.stack([torch.randn(SHAPE, generator=g) for g in noise_generators(SEEDS)])
        embeds = torch.cat([condition, condition])
        for t in scheduler.timesteps:
            twice = scheduler.scale_model_input(torch.cat([latents] * 2), t)
            bf16 = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
            with bf16:
                predicted = NETWORK(twice, t.expand(2 * N), embeds, torch.cat([drop, ~drop])).float()
            with_condition, without = predicted.chunk(2)
            latents = scheduler.step(without + GUIDANCE * (with_condition - without), t, latents).prev_sample
        return latents

    return run


@torch.no_grad()
def bare_network() -> None:
    """The evaluations of :func:`ours` at guidance everywhere, and nothing else."""
    x, cond = torch.randn(2 * N, *SHAPE), torch.randn(2 * N, D)
    drop = torch.zeros(2 * N, dtype=torch.bool)
    for t in TIMES:
        NETWORK(x, torch.full((2 * N,), t), cond, drop)


def empty_network() -> Callable[[], torch.Tensor]:
    """Our loop around a network that answers at once: what a step costs beside the network."""

    class Nothing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config, self.weight = NETWORK.config, torch.nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return x

    model = MelDiffusion(Nothing(), MelConfig(mean=(0.0,), std=(1e-3,)), DIFFUSION, {})
    return lambda: model.generate_mel(COND, SEEDS, GUIDANCE, STEPS)


GUIDED = f", guidance at {INTERVAL[0]:g} to {INTERVAL[1]:g}"
NETWORK_ALONE, EMPTY = "the network alone", "ours, an empty network"
RUNS: dict[str, Callable[[], Callable[[], Any]]] = {NETWORK_ALONE: lambda: bare_network, EMPTY: empty_network}
for _precision in ("fp32", "bf16"):
    RUNS[f"ours, {_precision}"] = partial(ours, _precision)
    RUNS[f"ours, {_precision}{GUIDED}"] = partial(ours, _precision, INTERVAL)
    RUNS[f"diffusers, {_precision}"] = partial(diffusers_loop, _precision)


def main(who: str) -> None:
    """Answer every line."""
    torch.set_num_threads(1)
    run = RUNS[who]()
    run()
    sys.stdout.write(f"{json.dumps(who)}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        started = time.process_time()
        run()
        sys.stdout.write(json.dumps({"all": (time.process_time() - started) / N}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
