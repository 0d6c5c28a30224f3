"""Random signs of paired differences: the patterns, Hall's t under each, and the one-sided test with its limits.

Where two systems are exchangeable, each paired difference is as likely with the other sign. Where only the mean of
skewed differences is zero, Hall's skewness-corrected t makes the test second-order correct.

Source: P. Hall, On the removal of skewness by transformation, 1992 (the statistic); B. Phipson and G. K. Smyth,
Permutation p-values should never be zero, 2010; P. H. Garthwaite, Confidence intervals from randomization tests, 1996
(limits by inversion of the test).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.chunking import CHUNK_VALUES, chunks

TIE: Final = 1e-12  # sums that differ by rounding count as equal
_Int8 = NDArray[np.int8]
_FAR: Final = 1e4  # standard deviations; from there on differences are one number


def sign_patterns(n: int, n_permutations: int, seed: int) -> Iterator[Float64]:
    """Yield patterns of signs, (some, n) float64: random ones, or all 2ⁿ where those are fewer.

    Args:
        n: number of differences.
        n_permutations: number of random patterns.
        seed: of the run.
    """
    if 2**n <= n_permutations:
        for part in chunks(2**n, n):
            numbers = np.arange(part.start, part.stop)
            yield 1.0 - 2.0 * ((numbers[:, None] >> np.arange(n)) & 1).astype(np.float64)
        return
    rng = seeds.stream(seed, "", "sign-flip")
    for part in chunks(n_permutations, n):
        signs = rng.integers(0, 2, size=(part.stop - part.start, n), dtype=np.int8).astype(np.float64)
        signs *= -2
        signs += 1
        yield signs


def _patterns(n: int, n_permutations: int, seed: int) -> Iterator[Float64]:
    """Yield the same; those of few clips are kept for the next metric of the same clips."""
    if n * min(n_permutations, 2**n) > CHUNK_VALUES * 2:
        yield from sign_patterns(n, n_permutations, seed)
        return
    for signs in _kept(n, n_permutations, seed):
        yield signs.astype(np.float64)


@functools.lru_cache(maxsize=2)
def _kept(n: int, n_permutations: int, seed: int) -> tuple[_Int8, ...]:
    return tuple(signs.astype(np.int8) for signs in sign_patterns(n, n_permutations, seed))


def hall_t(signs: Float64, d: Float64) -> Float64:
    """Return Hall's t under each pattern of signs; infinite where all differences are one number.

    Args:
        signs: (b, n) float64, each 1 or −1.
        d: (n,) float64 differences.

    Returns:
        (b,) float64.
    """
    n = len(d)
    return _hall(signs @ d / n, float(d @ d) / n, signs @ d**3 / n, n)


def _hall(mean: Float64, square: float, cube: Float64, n: int) -> Float64:
    """Return Hall's t, (b,), from the mean of the differences, of their squares and of their cubes, (b,)."""
    variance = square - mean**2
    flat = variance <= TIE * square
    variance = np.where(flat, 1.0, variance)
    third = cube - 3 * mean * square + 2 * mean**3
    root = np.sqrt(variance)
    t, g = mean / root, third / (variance * root)  # mean over standard deviation (divisor n); skewness
    x = g * t / 3
    size: Float64 = t * (1 + x + x * x / 3) + g / (6 * n)  # Hall: t + g t²/3 + g² t³/27 + g/(6n)
    size[flat] = np.copysign(np.inf, mean[flat]) if square > 0 else 0.0
    return size


@dataclass(frozen=True, slots=True)
class OneSided:
    """A one-sided test of a mean paired difference, and the limits that it inverts to.

    Attributes:
        p: p-value of the hypothesis that the mean is not positive; never zero.
        lower: smallest mean that the test does not reject as too small: at most zero if and only if ``p`` exceeds the
            level.
        upper: the same from the other side.
        name: of the test.
    """

    p: float
    lower: float
    upper: float
    name: str


def one_sided_sign_flip(differences: Float64, n_permutations: int, seed: int, level: float = 0.05) -> OneSided:
    """Test whether the mean of paired differences is positive, by flips of their signs.

    Args:
        differences: (n,) float64, n >= 5: all signs of fewer reach no p-value below 0.05.
        n_permutations: number of random sign patterns; all 2ⁿ are taken instead where that is fewer.
        seed: of the run.
        level: of the test; the limits are one-sided at 1 − level.

    Raises:
        ShapeError: too few differences or permutations for the level.

    Example:
        >>> one_sided_sign_flip(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 1000, seed=0).p  # 1 of the 32 patterns
        0.03125
    """
    n = len(differences)
    exhaustive = 2**n <= n_permutations
    least = 1 / 2**n if exhaustive else 1 / (1 + n_permutations)
    name = f"paired-sign-flip-hall-one-sided-{f'exact-{2**n}' if exhaustive else n_permutations}"
    if least > level:
        what = f"{n} paired differences" if exhaustive else f"{n_permutations} sign patterns"
        raise ShapeError(f"{what} reach no p-value below {least:.3g}, so none at level {level:g}; give more")
    mean, spread = float(differences.mean()), float(differences.std())
    if spread <= TIE * float(np.abs(differences).max()):
        return OneSided(least if mean > 0 else 1.0, mean, mean, name)
    standard = (differences - mean) / spread
    powers = np.stack([standard**k for k in range(4)], axis=1)  # (n, 4)
    sums = np.concatenate([signs @ powers for signs in _patterns(n, n_permutations, seed)])
    zero = float(np.clip(-mean / spread, -_FAR, _FAR))
    above = _Inversion(sums, powers.sum(axis=0), exhaustive, level)
    below = _Inversion(sums * (1, -1, 1, -1), above.own * (1, -1, 1, -1), exhaustive, level)
    lower, upper = mean + spread * above.limit(zero), mean - spread * below.limit(-zero)
    return OneSided(above.p(zero), min(lower, mean), max(upper, mean), name)


@dataclass(frozen=True, slots=True)
class _Inversion:
    """The test whether the mean of standardised differences e exceeds c, for any c.

    Attributes:
        sums: (b, 4), Σ s eᵏ under each pattern s of signs, for k from 0 to 3.
        own: (4,), the same without signs.
        exhaustive: the patterns are all there are, the observed one among them.
        level: of the test.
    """

    sums: Float64
    own: Float64
    exhaustive: bool
    level: float

    def p(self, c: float) -> float:
        """Return the p-value of the hypothesis that the mean is at most c."""
        observed = float(self._t(self.own[None], c)[0])
        extreme = int(np.count_nonzero(self._t(self.sums, c) >= observed - TIE * abs(observed)))
        return extreme / len(self.sums) if self.exhaustive else (1 + extreme) / (1 + len(self.sums))

    def limit(self, zero: float) -> float:
        """Return the smallest c that is not rejected; it lies above ``zero`` if and only if ``zero`` is rejected."""
        if self.p(zero) <= self.level:
            return self._root(zero, 0.0)
        right = min(0.0, zero)
        reach = 4 / np.sqrt(self.own[0])
        while self._excess(right - reach) <= 0 and reach < _FAR:
            reach *= 2
        return self._root(right - reach, right)

    def _root(self, left: float, right: float) -> float:
        if self._excess(left) <= 0:
            return left
        if self._excess(right) >= 0:
            return right
        return float(optimize.brentq(self._excess, left, right, xtol=1e-6 / np.sqrt(self.own[0])))

    def _excess(self, c: float) -> float:
        """Return by how much the observed t exceeds the smallest one that is rejected."""
        t = self._t(self.sums, c)
        # rejected where p <= level; p counts the observed pattern, which is one of the patterns where they are all
        allowed = int(self.level * (len(t) + (0 if self.exhaustive else 1)) * (1 + TIE))
        rank = allowed if self.exhaustive else allowed - 1
        threshold = np.partition(t, len(t) - 1 - rank)[len(t) - 1 - rank]
        observed = self._t(self.own[None], c)[0]
        return float(np.clip(observed, -_FAR, _FAR) - np.clip(threshold, -_FAR, _FAR))

    def _t(self, sums: Float64, c: float) -> Float64:
        n = self.own[0]
        ones, first, second, third = sums.T
        mean = (first - c * ones) / n
        square = float(self.own[2] - 2 * c * self.own[1]) / n + c**2  # the same under all signs
        cube = (third - 3 * c * second + 3 * c**2 * first - c**3 * ones) / n
        return _hall(mean, square, cube, int(n))
