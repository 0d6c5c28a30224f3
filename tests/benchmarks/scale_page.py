"""The page of costs: a line over the number of clips for each, what it comes to at large sizes, and a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from clipsonic_eval.formats import markdown_table

LARGE = (200_000, 10_000_000)
CORES = 64  # of the cluster in the plan
SHARDS = 5_000  # at most, in the plan
_CLIP_S, _RATE = 10.0, 16_000  # of the clips in the plan: the paper's length
_UNITS = {  # the factor from the unit of a cost to that of its column
    "seconds": ("ms", 1e3),
    "cpu_s": ("CPU ms", 1e3),
    "private_mib": ("private KiB", 2**10),
    "read_mib": ("KiB read", 2**10),
    "written_mib": ("KiB written", 2**10),
}
_PLATEAU = 512  # clips: the memory of a stage that takes shard after shard grows up to here, and no further
_PER_JOB = ("list and plan", "verify and join", "open")  # of one process, however many there are


class Cost(NamedTuple):
    """What one stage took in a process of its own, for ``n`` clips.

    Attributes:
        stage: its name.
        n: clips.
        seconds: of the clock.
        cpu_s: seconds of the processor.
        read_mib: read by calls, pages of mapped files left out.
        written_mib: written by calls.
        private_mib: most memory that no file backs.
        kept_mib: in the folders of clips and cache afterwards.
    """

    stage: str
    n: int
    seconds: float
    cpu_s: float
    read_mib: float
    written_mib: float
    private_mib: float
    kept_mib: float


class Slope(NamedTuple):
    """A cost as a line over the number of clips: per clip, half the width of its 95 % interval, and at the start."""

    per_clip: float
    half: float
    fixed: float

    def at(self, n: float) -> float:
        """Return the cost of ``n`` clips."""
        return max(0.0, self.fixed) + max(0.0, self.per_clip) * n


def fit(n: Sequence[float], y: Sequence[float]) -> Slope:
    """Fit y = a + b n by least squares of relative errors, with a Student interval of b on (points - 2) degrees.

    Args:
        n: (k,) numbers of clips, at least two of them different.
        y: (k,) costs.
    """
    x, values = np.asarray(n, np.float64), np.asarray(y, np.float64)
    if len(set(n)) < 2 or not values.any():
        return Slope(0.0 if not values.any() else float("nan"), float("nan"), float(values.mean()))
    design = np.stack([np.ones_like(x), x], axis=1)
    fitted = values
    for _ in range(20):  # sum of ((y - ŷ) / ŷ)², the ŷ below by iteration: small costs do not get a weight of their own
        weights = 1 / np.maximum(fitted, 1e-3 * values.max())
        solution, *_ = np.linalg.lstsq(design * weights[:, None], values * weights, rcond=None)
        fitted = design @ solution
    free = len(x) - 2
    half = float("nan")
    if free:
        residual = (values - fitted) * weights
        # Var(b) = s² [(XᵀWX)⁻¹]₂₂ of the weighted design
        weighted = design * weights[:, None]
        variance = float(residual @ residual) / free * np.linalg.inv(weighted.T @ weighted)[1, 1]
        half = float(student.ppf(0.975, free) * np.sqrt(variance))
    return Slope(float(solution[1]), half, float(solution[0]))


def slopes(costs: Sequence[Cost]) -> dict[tuple[str, str], Slope]:
    """Return the line of every cost of every stage, by stage and unit."""
    found = {}
    for stage in dict.fromkeys(cost.stage for cost in costs):
        mine = [cost for cost in costs if cost.stage == stage]
        filled = [cost for cost in mine if cost.n > _PLATEAU]
        for unit in (*_UNITS, "kept_mib"):
            chosen = filled if unit == "private_mib" and len({cost.n for cost in filled}) > 1 else mine
            found[stage, unit] = fit([cost.n for cost in chosen], [getattr(cost, unit) for cost in chosen])
    return found


def page(costs: Sequence[Cost], command: str) -> str:
    """Return the page as Markdown."""
    lines = slopes(costs)
    stages = list(dict.fromkeys(stage for stage, _ in lines))
    per_clip = [[stage, *(_with_half(lines[stage, unit], _UNITS[unit][1]) for unit in _UNITS)] for stage in stages]
    whole = [[stage, *(_large(lines, stage, n) for n in LARGE)] for stage in stages]
    sets = ", ".join(f"{sum(c.n == n for c in costs) // len(stages)} of {n}" for n in sorted({c.n for c in costs}))
    return "\n".join(
        [
            "# What a large job costs\n",
            f"`{command}`\n",
            f"Sets of videos of the toy world ({sets}; 0.96 s, 3 frames, toy-clip), one process and one thread for",
            "each stage. Slope per clip ± half of its 95 % interval (least squares of relative errors). Private memory",
            "is what no file backs, looked at every 5 ms (mapped pages are the system's to give up); its slope is that",
            f"beyond {_PLATEAU} clips, two shards.\n",
            markdown_table(["stage", *(name for name, _ in _UNITS.values())], per_clip),
            "Along the lines: processor hours, and the private memory of one process.\n",
            markdown_table(["stage", *(f"{n:,} clips" for n in LARGE)], whole),
            *_plan(lines, stages),
        ]
    )


def _plan(lines: dict[tuple[str, str], Slope], stages: Sequence[str]) -> list[str]:
    """Name the bottlenecks, and say what a cluster needs."""
    most = LARGE[-1]
    hours = {stage: lines[stage, "cpu_s"].at(most) / 3600 for stage in stages}
    worst = max(stages, key=lambda stage: hours[stage] / (1 if stage in _PER_JOB else CORES))
    hungry = max(stages, key=lambda stage: lines[stage, "private_mib"].at(most))
    alone = sum(hours[stage] for stage in _PER_JOB)
    dealt = hours["prepare"] / CORES
    size = -(-most // SHARDS)
    audio_gib = most * _CLIP_S * _RATE * 4 / 2**30
    beside = lines["prepare", "kept_mib"].per_clip * 2**10 - 0.96 * _RATE * 4 / 2**10
    listing = lines["list and plan", "private_mib"].at(most) / 2**10
    return [
        f"## A cluster for {most:,} clips\n",
        f"- **Time**: `prepare` takes {hours['prepare']:.0f} processor hours, which shards deal out (`--shard i/n`,",
        f"  `--engine ray`): {dealt:.2g} h on {CORES} cores. One process lists, plans, joins and opens the clips:",
        f"  {alone:.2g} h. On {CORES} cores the longest stage is *{worst}*.",
        f"- **Memory**: *{hungry}* needs most, {lines[hungry, 'private_mib'].at(most) / 2**10:.0f} GiB in one process.",
        f"  Every job of an array lists and plans, {listing:.0f} GiB each; tasks of Ray read the order of one shard.",
        f"- **Disk**: audio of {_CLIP_S:g} s at {_RATE // 1000} kHz takes {_CLIP_S * _RATE * 4 / 2**10:.0f} KiB a clip",
        f"  (float32), {audio_gib / 2**10:.1f} TiB in all; all else, embeddings of 64 dimensions, hashes and tables,",
        f"  {max(beside, 0):.1f} KiB a clip.",
        f"- **Files**: `shard_size={size}` makes {SHARDS:,} shards of two files each, of",
        f"  {size * _CLIP_S * _RATE * 4 / 2**30:.1f} GiB; the default of 256 would make {-(-most // 256):,} shards.",
        "- Real videos are dearer to decode than the toy world's, and CLIP ViT-L/14 dearer to run than toy-clip:",
        "  prepare a hundred of your own before planning.",
        "",
    ]


def _with_half(slope: Slope, factor: float) -> str:
    if abs(slope.per_clip) * factor < 1e-6 and not slope.half * factor > 1e-6:  # rounding of a fit through zeros
        return "0"
    return f"{slope.per_clip * factor:.3g} ± {slope.half * factor:.2g}"


def _large(lines: dict[tuple[str, str], Slope], stage: str, n: int) -> str:
    return f"{lines[stage, 'cpu_s'].at(n) / 3600:.2g} h, {lines[stage, 'private_mib'].at(n) / 2**10:.2g} GiB"
