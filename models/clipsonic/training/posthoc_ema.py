"""Post-hoc averages of the weights: their length is chosen after the training.

Whether the last tenth of a training or its last hundredth should be averaged is known when it is over. A run with
``train.ema_lengths`` keeps a few averages with power-function profiles and stores them now and then; any other length
is afterwards a linear combination of what was stored, found by least squares on the profiles::

    ema/step-00004000.safetensors    the averages at that step: 4 bytes a weight and length

An average at step t weighs the weights of step τ ≤ t with (γ + 1) τ^γ / t^(γ+1). Its length σ is the standard deviation
of that profile in units of t: σ² = (γ + 1) / ((γ + 2)² (γ + 3)).

Source: Karras, Aittala, Lehtinen, Hellsten, Aila and Laine, Analyzing and Improving the Training Dynamics of Diffusion
Models, CVPR 2024, section 3 and appendix C.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from clipsonic_eval import atomic
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError, UserError

FOLDER = "ema"  # below the model's
LONGEST = 0.28  # the plain mean, γ = 0, has 0.2887
_SNAPSHOT = re.compile(r"step-(\d+)\.safetensors")


class PowerAverages:
    """Averages with power-function profiles of weights in training.

    Args:
        lengths: σ of each, in (0, 0.28].
        values: (n,) the weights at the start.

    Attributes:
        averages: (k, n) float32, part of a checkpoint.
    """

    def __init__(self, lengths: Sequence[float], values: torch.Tensor) -> None:
        self.lengths = tuple(lengths)
        self._exponents = [exponent(length) for length in lengths]
        self.averages = values.detach().repeat(len(lengths), 1)

    @torch.no_grad()
    def update(self, values: torch.Tensor, step: int) -> None:
        """Move the averages towards the weights (n,) after so many steps, from 1."""
        for average, gamma in zip(self.averages, self._exponents, strict=True):
            average.lerp_(values, 1.0 - (1.0 - 1.0 / step) ** (gamma + 1))  # β_t = (1 − 1/t)^(γ+1)


class _Averaged(Protocol):
    """What is stored of weights in training."""

    profiles: PowerAverages

    def whole(self, part: torch.Tensor) -> torch.Tensor: ...
    def named(self, vector: torch.Tensor) -> dict[str, torch.Tensor]: ...


def store(model: Path, step: int, weights: _Averaged, *, writes: bool = True) -> None:
    """Store the averages of weights in training after so many steps, if there are any.

    Args:
        model: folder of the run.
        step: steps that were taken.
        weights: in training.
        writes: whether this process is the one that writes; all call this.
    """
    tensors = {}
    for length, average in zip(weights.profiles.lengths, weights.profiles.averages, strict=True):
        whole = weights.whole(average)
        for name, value in weights.named(whole).items() if writes else ():
            tensors[f"{length:g}/{name}"] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    if tensors:
        with atomic.replacing(model / FOLDER / f"step-{step:08d}.safetensors") as temporary:
            save_file(tensors, temporary)


def exponent(length: float) -> float:
    """Return γ of an average of a length σ: the real root of γ³ + 7 γ² + (16 − σ⁻²) γ + 12 − σ⁻² above 0.

    Raises:
        ConfigError: the length is not in (0, 0.28].

    Example:
        >>> round(exponent(0.05), 2), round(exponent(0.1), 2)
        (16.97, 6.94)
    """
    if not 0 < length <= LONGEST:
        raise ConfigError(f"an EMA length must be above 0 and at most {LONGEST:g}, got {length:g}")
    roots = np.roots([1.0, 7.0, 16.0 - length**-2, 12.0 - length**-2])
    return float(max(roots[np.abs(roots.imag) < 1e-9].real))


def overlaps(steps: Float64, exponents: Float64, at: Float64, of: Float64) -> Float64:
    """Return the inner products of profiles, ∫ p_a(τ) p_b(τ) dτ, (n, m) float64.

    Args:
        steps: (n,) where the first averages end.
        exponents: (n,) γ of the first.
        at: (m,) where the second end.
        of: (m,) γ of the second.
    """
    t_a, g_a, t_b, g_b = steps[:, None], exponents[:, None], at[None], of[None]
    # ∫₀^min (γ_a+1)(γ_b+1) τ^(γ_a+γ_b) / (t_a^(γ_a+1) t_b^(γ_b+1)) dτ, with (shorter / longer)^γ of the longer
    shorter, longer = np.minimum(t_a, t_b), np.maximum(t_a, t_b)
    gamma = np.where(t_a < t_b, g_b, g_a)
    products: Float64 = (g_a + 1) * (g_b + 1) * (shorter / longer) ** gamma / ((g_a + g_b + 1) * longer)
    return products


class Stored(NamedTuple):
    """One stored average.

    Attributes:
        path: file of its step.
        step: steps that were taken.
        length: σ.
    """

    path: Path
    step: int
    length: float


def stored(model: Path) -> list[Stored]:
    """Return what averages a run stored, in the order of steps and lengths.

    Raises:
        UserError: none, or a file that is damaged.
    """
    found = []
    for path in sorted((model / FOLDER).glob("step-*.safetensors")):
        match = _SNAPSHOT.fullmatch(path.name)
        if match is not None:
            names = list(_opened(path).keys())
            lengths = dict.fromkeys(name.partition("/")[0] for name in names)
            found += [Stored(path, int(match[1]), float(length)) for length in lengths]
    if not found:
        raise UserError(
            f"{model / FOLDER}: no averages are stored here; train with --set 'train.ema_lengths=[0.05,0.1]' first"
        )
    return found


def coefficients(found: Sequence[Stored], step: int, length: float) -> tuple[Float64, float]:
    """Return the combination of stored averages whose profile is nearest to that of a length at a step.

    Args:
        found: k stored averages.
        step: where the wanted average ends.
        length: σ of the wanted average.

    Returns:
        (k,) float64, and the distance between the two profiles as a share of the wanted one's norm.

    Example:
        >>> _, error = coefficients([Stored(Path(), t, s) for t in (50, 100) for s in (0.05, 0.1)], 100, 0.1)
        >>> round(error, 6)
        0.0
    """
    steps = np.array([one.step for one in found], dtype=np.float64)
    exponents = np.array([exponent(one.length) for one in found])
    end, gamma = np.array([float(step)]), np.array([exponent(length)])
    gram = overlaps(steps, exponents, steps, exponents)  # A_ij = ⟨p_i, p_j⟩
    wanted = overlaps(steps, exponents, end, gamma)[:, 0]  # b_i = ⟨p_i, p⟩
    norm = float(overlaps(end, gamma, end, gamma)[0, 0])  # ⟨p, p⟩
    chosen: Float64 = np.linalg.lstsq(gram, wanted, rcond=1e-12)[0].astype(np.float64)  # min |Σ c_i p_i − p|²
    squared = float(chosen @ gram @ chosen - 2 * chosen @ wanted + norm)
    return chosen, math.sqrt(max(squared, 0.0) / norm)


def averaged(found: Sequence[Stored], chosen: Float64, names: Sequence[str]) -> dict[str, torch.Tensor]:
    """Return a combination of stored averages, float32 by name of the parameter.

    Args:
        found: k stored averages.
        chosen: (k,) coefficients.
        names: of the parameters.

    Raises:
        UserError: a file is damaged or holds other parameters.
    """
    files = {one.path: _opened(one.path) for one in found}
    result = {}
    for name in names:
        total: Any = 0.0
        for one, share in zip(found, chosen.tolist(), strict=True):
            total = total + share * _tensor(files[one.path], one, name).double()  # θ = Σ c_i θ_i
        result[name] = total.float()
    return result


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not readable ({str(error).splitlines()[0]}); remove it to do without it") from None


def _tensor(file: Any, one: Stored, name: str) -> torch.Tensor:
    try:
        tensor: torch.Tensor = file.get_tensor(f"{one.length:g}/{name}")
    except SafetensorError:
        raise UserError(f"{one.path}: holds no average of '{name}'; it belongs to another network") from None
    return tensor
