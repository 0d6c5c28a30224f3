"""Where the time of a training step goes, in our loop and in the loops of others, and how much could be won at all.

``python tests/benchmarks/training_step.py --out reports/benchmarks/training_step.md`` writes the page; ``--case``
chooses sizes and precisions, ``--compiled`` adds the loops of ``torch.compile``, whose kernels take minutes to build.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.paired_loops import Times, in_turns, ratio, running
from benchmarks.ratios import Machine
from benchmarks.training_loops import ACCELERATE, COMPILED, OPERATORS, OURS, PLAIN, SIZES, VECTORS

from clipsonic_eval.formats import markdown_table

LOOPS = (OURS, PLAIN, VECTORS, OPERATORS, ACCELERATE)
_PARTS = ("data, noise, loss", "forward", "backward", "gradients into a vector", "norm, clipping", "optimiser",
          "cast of the weights", "average", "rest")  # fmt: skip
_NETWORK = ("forward", "backward")
_PRODUCTS = ("convolutions", "matrix products, attention")
_CASES = ("benchmark fp32", "benchmark bf16", "music fp32")


class Case(NamedTuple):
    """What was measured at one size and precision."""

    size: str
    precision: str
    times: Times
    kinds: dict[str, dict[str, float]]

    @property
    def title(self) -> str:
        """What is trained."""
        size = SIZES[self.size]
        return (
            f"Network of `{size.preset}`, batch {size.batch}, {self.precision}, {len(self.times.seconds[OURS])} rounds"
        )


def measured(size: str, precision: str, rounds: int, *, compiled: bool) -> Case:
    """Time all loops in turns, and profile the first two."""
    names = [*(LOOPS if size != "music" else (OURS, PLAIN)), *([OURS + COMPILED, PLAIN + COMPILED] if compiled else [])]
    with running(names, size, precision) as loops:
        times = in_turns(loops, min(rounds, SIZES[size].rounds))
        kinds = {loop.who: loop.ask("kinds") for loop in loops if loop.who in {OURS, PLAIN}}
    return Case(size, precision, times, kinds)


def ratios_table(case: Case) -> str:
    """Return the table of the loops: milliseconds of a step, and the ratio to ours."""
    ours = case.times.seconds[OURS]
    rows = []
    for who, seconds in case.times.seconds.items():
        low, middle, high = np.quantile(seconds * 1e3, [0.25, 0.5, 0.75])
        beside = "" if who == OURS else str(ratio(seconds, ours))
        rows.append([who, f"{middle:.1f} ({low:.1f} to {high:.1f})", beside])
    return markdown_table(("loop", "ms a step, median (quartiles)", "over ours"), rows)


def parts_table(case: Case) -> str:
    """Return the table of the parts of a step, milliseconds by loop."""
    names = [who for who in case.times.parts if not who.endswith(COMPILED)]
    rows = [[part, *(_ms(case.times.parts[who].get(part, 0.0)) for who in names)] for part in _PARTS]
    return markdown_table(("ms a step", *names), rows)


def kinds_table(case: Case) -> str:
    """Return the table of the kinds of operators, shares of a profiled step by loop."""
    names = list(case.kinds)
    rows = []
    for kind in sorted(case.kinds[OURS], key=lambda kind: -case.kinds[OURS][kind]):
        shares = [case.kinds[who].get(kind, 0.0) / sum(case.kinds[who].values()) for who in names]
        rows.append([kind, *(f"{100 * share:.1f} %" for share in shares)])
    return markdown_table(("share of a profiled step", *names), rows)


def bounds(case: Case) -> str:
    """Say what the ratio to the plain loop would be if all that is not the network took no time."""
    plain, ours = case.times.parts[PLAIN], case.times.parts[OURS]
    whole, network = sum(plain.values()), sum(ours[part] for part in _NETWORK)
    kinds = case.kinds[OURS]
    products = sum(kinds[kind] for kind in _PRODUCTS) / sum(kinds.values())
    return (
        f"Forward and backward of the network are {100 * network / sum(ours.values()):.0f} % of our step. A loop that "
        f"took no time beside them would be {whole / network:.2f} times as fast as the plain one. Convolutions and "
        f"matrix products alone, the library's own kernels, are {100 * products:.0f} % of a profiled step."
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


_TEXT = """Processor time of one process with one thread; clips of 64 bands by 96 frames. The loops run in processes of
their own and take turns, {steps} steps each, in another order each round; a ratio is the median of the rounds' ratios,
with a 95 % bootstrap interval over rounds. Same network and first weights, clips, noise, learning rates, AdamW,
clipping and average in all loops; `test_training_step.py` compares their losses.

- *plain PyTorch*: as tutorials write it: autocast, `clip_grad_norm_`, AdamW and an average by parameter.
- *fused and foreach*: the same with what PyTorch has to make the optimiser, the norm and the average faster.
- *its own operators*: the plain loop on the same function by `group_norm` and `scaled_dot_product_attention` of PyTorch
  and its usual order of axes, as somebody without this package would write the network.
- *accelerate*: the plain loop through `Accelerator.prepare`, `backward` and `clip_grad_norm_`.
"""


def page(cases: Sequence[Case], command_line: str, machine: Machine) -> str:
    """Return the page as Markdown."""
    steps = " or ".join(str(n) for n in sorted({SIZES[case.size].steps for case in cases}))
    lines = ["# Where the time of a training step goes\n", f"`{command_line}`\n", f"{machine.sentence}\n"]
    lines.append(_TEXT.format(steps=steps))
    for case in cases:
        lines += [f"## {case.title}\n", ratios_table(case), bounds(case), "", parts_table(case), kinds_table(case)]
    return "\n".join(lines)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The page.")
@click.option("--case", "cases", multiple=True, default=_CASES, show_default=True, help="Size and precision.")
@click.option("--rounds", default=12, show_default=True)
@click.option("--compiled", is_flag=True, help="Also the loops of torch.compile.")
def main(out: Path, cases: Sequence[str], rounds: int, compiled: bool) -> None:
    """Measure and write the page."""
    machine = Machine.here()
    found = []
    for case in cases:
        size, precision = case.split()
        found.append(measured(size, precision, rounds, compiled=compiled))
        click.echo(f"{found[-1].title}\n{ratios_table(found[-1])}{bounds(found[-1])}\n")
    chosen = "" if tuple(cases) == _CASES else "".join(f" --case '{case}'" for case in cases)
    flags = f"{chosen}{f' --rounds {rounds}' if rounds != 12 else ''}{' --compiled' if compiled else ''}"
    text = page(found, f"python tests/benchmarks/training_step.py --out {out}{flags}", machine)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
