"""The modality gap of the test queries: what is left of it after each prior, and what every condition knows."""

from __future__ import annotations

from functools import partial

from clipsonic_eval import threads
from clipsonic_eval.harness.gap import Features, GapConfig, measure_gap
from clipsonic_eval.progress import Progress
from clipsonic_eval.study import entries
from clipsonic_eval.study.conditions import conditions
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.probes import read_conditions
from clipsonic_eval.study.scoring import tags
from clipsonic_eval.study.stage import Stage


def gap_stage(config: StudyConfig, layout: Layout, seed: int) -> Stage:
    """Return the stage that measures the modality gap with the priors of one seed."""
    bridging = [system for system in entries.systems(config, layout, seed) if system.bridges_gap]
    needed = [layout.model(seed, name) for system in bridging for name in system.models]
    after = (*needed, layout.clips("test"), layout.clips("videos"))
    work = partial(score_gap, config, layout, seed)
    return Stage(layout.run(f"gap-seed-{seed}"), f"modality gap, seed {seed}", [config.identity(), seed], work, after)


def score_gap(config: StudyConfig, layout: Layout, seed: int, progress: Progress) -> None:
    """Measure the modality gap of the test queries, and what is left of it after each system that bridges it."""
    del progress
    listed = {system.name: system for system in entries.systems(config, layout, seed)}
    bridges = [name for name, system in listed.items() if system.bridges_gap]
    with threads.networks():
        found = {name: conditions(listed[name], layout, "test") for name in ("IQ", "ZS", *bridges)}
    bridging = {name: found[name] for name in bridges}
    probes = read_conditions(layout, {"image": found["IQ"], "text": found["ZS"], **bridging}, n_boot=config.n_boot)
    features = Features(found["IQ"], found["ZS"], bridging, probes=probes)
    gap = GapConfig(source=layout.clips("test"), n_bootstrap=config.n_boot, seed=0, tags=tags(config, seed, "test"))
    measure_gap(features, gap, layout.run(f"gap-seed-{seed}"))
