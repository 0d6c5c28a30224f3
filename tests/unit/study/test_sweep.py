from __future__ import annotations

from pathlib import Path

import pytest

from clipsonic_eval import records
from clipsonic_eval.config import apply_sets, as_tree, resolve
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT
from clipsonic_eval.study import sweep_plan
from clipsonic_eval.study.config import FAST
from clipsonic_eval.study.sweep import run_sweep
from clipsonic_eval.study.sweep_plan import SweepConfig
from clipsonic_eval.toyencoders.config import ToyClipConfig

TINY = (
    "world.videos=40",
    "world.pictures=60",
    "world.pairs=0",
    "world.val=24",
    "world.test=24",
    "world.val_reference=24",
    "world.reference=24",
)


def test_a_clip_variant_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="Did you mean 'narrow'"):
        SweepConfig(clip_variants=("narow",))


@pytest.mark.slow
def test_each_clip_variant_gets_its_own_study_on_the_same_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = ToyClipConfig(images=200, steps=3, batch=32, validation=100)
    monkeypatch.setitem(sweep_plan.VARIANTS, "narrow", tiny)
    values = {
        **as_tree(SweepConfig().study),
        "train_seeds": [0],
        "audio_steps": 2,
        "prior_steps": 2,
        "sampler_steps": 2,
        "n_boot": 40,
    }
    values = {**values, "n_boot_validation": 20, "world": {**values["world"], **FAST["world"]}}
    study = resolve(type(SweepConfig().study), apply_sets(values, TINY))
    report = run_sweep(SweepConfig(("narrow", "calibrated"), study), tmp_path, SILENT)
    gaps = {
        name: records.read(tmp_path / name / "runs" / "gap-seed-0").score("centroid_distance", "text")
        for name in ("narrow", "calibrated")
    }
    assert all(gaps.values())
    assert gaps["narrow"].value != gaps["calibrated"].value  # type: ignore[union-attr]
    assert (report.out / "figures" / "clip_variants.png").stat().st_size > 5000
