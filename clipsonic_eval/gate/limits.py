"""Limits: how much worse a metric may become, e.g. ``fad<+3%``, and the file ``gate.yaml`` that holds several.

The grammar, the change being candidate minus baseline::

    [SYSTEM:]METRIC<+CHANGE      a metric where lower is better rises by less than the change
    [SYSTEM:]METRIC>-CHANGE      a metric where higher is better falls by less than the change
    CHANGE  = AMOUNT ( & ±AMOUNT )*     all must hold: the tightest counts
            | AMOUNT ( | ±AMOUNT )*     any suffices: the loosest counts
    AMOUNT  = a positive number in the metric's unit, or with % a share of the baseline's value

A limit without a system holds for every system that has none of its own. ``gate.yaml``::

    baseline: main               # pin of the history, for `history check`
    min_common: 0.95             # least share of queries that both sides answered
    limits:
      fad: "<+3%"
      clap_score: ">-0.01"       # YAML needs the quotes before >
    systems:
      PD:
        fad: "<+5%"
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic_eval.config import read_yaml, resolve
from clipsonic_eval.errors import ConfigError

_EXAMPLES = "write e.g. fad<+3%, clap_score>-0.01, PD:fad<+0.5 or fad<+3%&+0.3"
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest change for the worse that is accepted of one metric.

    Attributes:
        metric: registry name.
        sign: ``+`` for a metric where lower is better and only a rise harms, ``-`` for the others.
        amounts: (amount, whether it is relative to the baseline's value), positive; a relative one as a fraction.
        loosest: any amount suffices, so that the largest counts; otherwise the smallest.
        system: that it holds for; "": every system without a limit of its own.
    """

    metric: str
    sign: str
    amounts: tuple[tuple[float, bool], ...]
    loosest: bool = False
    system: str = ""

    def __str__(self) -> str:
        shown = [
            f"{self.sign}{100 * size:.12g}%" if share else f"{self.sign}{size:.12g}" for size, share in self.amounts
        ]
        of = f"{self.system}:" if self.system else ""
        return f"{of}{self.metric}{'<' if self.sign == '+' else '>'}{('|' if self.loosest else '&').join(shown)}"

    @property
    def relative(self) -> bool:
        """Whether an amount is relative to the baseline's value."""
        return any(share for _, share in self.amounts)

    def margin(self, baseline: float) -> float:
        """Return the largest harm that is accepted, in the metric's unit.

        Args:
            baseline: value of the baseline.

        Example:
            >>> parse("fad<+3%&+0.5").margin(10.0), parse("fad<+3%|+0.5").margin(10.0)
            (0.3, 0.5)
        """
        sizes = [size * abs(baseline) if share else size for size, share in self.amounts]
        return max(sizes) if self.loosest else min(sizes)

    def wrong_direction(self, *, higher_is_better: bool) -> str:
        """Return why the limit does not fit a metric's direction, "" if it does."""
        if higher_is_better == (self.sign == "-"):
            return ""
        better, change = ("higher", ">-") if higher_is_better else ("lower", "<+")
        return (
            f"{better} is better for {self.metric}, so a change in the limit's direction is no harm; write "
            f"{self.metric}{change}…"
        )


def parse(text: str) -> Limit:
    """Parse one limit.

    Raises:
        ConfigError: it is empty, not of the grammar, NaN, infinite, zero or negative, or without a sign.

    Example:
        >>> str(parse("PD : fad < +3.0% & +0.5"))
        'PD:fad<+3%&+0.5'
    """
    found = re.fullmatch(r"(?:(?P<system>.*):)?(?P<metric>[^:<>]*)(?P<side>[<>])(?P<change>[^<>]*)", text.strip())
    if found is None:
        more = "a limit has one < or >" if text.strip() else "the limit is empty"
        raise ConfigError(f"limit '{text}': {more}; {_EXAMPLES}")
    system, metric = (found["system"] or "").strip(), found["metric"].strip()
    if not metric or (found["system"] is not None and not system):
        raise ConfigError(f"limit '{text}': names no {'system before :' if metric else 'metric'}; {_EXAMPLES}")
    if "&" in found["change"] and "|" in found["change"]:
        raise ConfigError(f"limit '{text}': & and | are not mixed; use one of them")
    sign = "+" if found["side"] == "<" else "-"
    amounts = tuple(_amount(part.strip(), sign, text) for part in re.split("[&|]", found["change"]))
    if len(set(amounts)) < len(amounts):
        raise ConfigError(f"limit '{text}': names an amount twice; give it once")
    return Limit(metric, sign, tuple(sorted(amounts, key=lambda a: (not a[1], a[0]))), "|" in found["change"], system)


def _amount(part: str, sign: str, text: str) -> tuple[float, bool]:
    """Return one amount and whether it is relative.

    Raises:
        ConfigError: see :func:`parse`.
    """
    word = part.removesuffix("%").strip()
    size = word.removeprefix("+").removeprefix("-").strip()
    if not size:
        raise ConfigError(f"limit '{text}': states no amount; {_EXAMPLES}")
    if size.lower() in ("nan", "inf", "infinity"):
        raise ConfigError(f"limit '{text}': {size} limits nothing; give a positive number")
    if not _NUMBER.fullmatch(size):
        raise ConfigError(f"limit '{text}': '{part}' is no number; {_EXAMPLES}")
    number = float(size)
    if math.isinf(number):
        raise ConfigError(f"limit '{text}': {size} is too large a number and limits nothing; give a smaller one")
    if number == 0:
        raise ConfigError(f"limit '{text}': a change of 0 is never shown to be absent by data; give a positive amount")
    if word[0] not in "+-":
        raise ConfigError(f"limit '{text}': limits bound the change and not the value; write the sign, {sign}{part}")
    if word[0] != sign:
        raise ConfigError(
            f"limit '{text}': demands an improvement; a limit states the accepted change for the worse, <+{part[1:]} "
            f"of a metric that is better when lower, >-{part[1:]} of one that is better when higher"
        )
    share = part.endswith("%")
    if share and sign == "-" and number >= 100:
        raise ConfigError(f"limit '{text}': a fall by {size}% of the value limits nothing; give less than 100%")
    return (number / 100 if share else number), share


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one call.

    Attributes:
        limits: at least one, each metric and system once.
        min_common: least share of queries that both sides answered, of those that either did.
        baseline: pin of the history to compare with; "" where the call names its baseline.
    """

    limits: tuple[Limit, ...]
    min_common: float = 0.95
    baseline: str = ""

    def __post_init__(self) -> None:
        if not self.limits:
            raise ConfigError(f"no limits, so nothing would be checked; {_EXAMPLES}")
        if not 0 < self.min_common <= 1:
            raise ConfigError(f"min_common must be above 0 and at most 1; got {self.min_common}")
        for i, limit in enumerate(self.limits):
            for other in self.limits[:i]:
                if other.metric != limit.metric:
                    continue
                if other.sign != limit.sign:
                    raise ConfigError(
                        f"limits '{other}' and '{limit}' contradict each other: {limit.metric} becomes worse in one "
                        "direction only; remove one"
                    )
                if other.system == limit.system:
                    raise ConfigError(
                        f"limits '{other}' and '{limit}' are for the same metric and system; write one, joined by & "
                        "(both hold) or | (either suffices)"
                    )

    def of(self, metric: str, *names: str) -> Limit | None:
        """Return the limit of a metric for a system by any of its names: its own, else the one for all, else None."""
        mine = {limit.system: limit for limit in self.limits if limit.metric == metric}
        return next((mine[name] for name in names if name in mine), mine.get(""))

    @property
    def sha256(self) -> str:
        """SHA-256 of the limits in canonical form, hexadecimal; order and spelling do not change it."""
        tree = {"limits": sorted(map(str, self.limits)), "min_common": self.min_common}
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def from_texts(texts: Sequence[str], file: Limits | None = None) -> Limits:
    """Return the limits of some texts; they override those of a file for the same metric and system.

    Raises:
        ConfigError: one is not accepted, or there is none.

    Example:
        >>> [str(limit) for limit in from_texts(["fad<+3%", "PD:fad<+5%"]).limits]
        ['fad<+3%', 'PD:fad<+5%']
    """
    given = tuple(parse(text) for text in texts)
    if file is None:
        return Limits(given)
    named = {(limit.metric, limit.system) for limit in given}
    kept = tuple(limit for limit in file.limits if (limit.metric, limit.system) not in named)
    return Limits((*kept, *given), file.min_common, file.baseline)


@dataclass(frozen=True, slots=True)
class _File:
    """``gate.yaml`` as it is written."""

    limits: dict[str, Any]
    systems: dict[str, dict[str, Any]]
    min_common: float = 0.95
    baseline: str = ""


def read(path: Path) -> Limits:
    """Read ``gate.yaml``.

    Raises:
        ConfigError: the file is missing, no YAML, has another key, or a limit that is not accepted.
    """
    try:
        tree = read_yaml(path)
    except ConfigError as error:
        quotes = '; a limit that begins with > stands in quotes: ">-0.01"' if path.is_file() else ""
        raise ConfigError(f"{error}{quotes}") from None
    file = resolve(_File, {"limits": {}, "systems": {}, **tree}, where=str(path))
    try:
        limits = [_entry(metric, text, "") for metric, text in file.limits.items()]
        for system, own in file.systems.items():
            limits += [_entry(metric, text, system) for metric, text in own.items()]
        return Limits(tuple(limits), file.min_common, file.baseline)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _entry(metric: str, text: Any, system: str) -> Limit:
    """Return the limit of one line of ``gate.yaml``; its text may repeat the metric, or leave it out."""
    if not isinstance(text, str):
        raise ConfigError(f'limit of {metric}: {text!r} is no text; write it in quotes, e.g. {metric}: "<+3%"')
    bare = text.strip().startswith(("<", ">"))
    found = parse(f"{metric}{text.strip()}" if bare else text)
    if found.metric != metric or found.system not in ("", system):
        raise ConfigError(f"limit '{text}' stands under '{metric}'; name the same metric, or none")
    return Limit(metric, found.sign, found.amounts, found.loosest, system)


def as_limits(given: Limits | Mapping[str, str] | Sequence[str] | str) -> Limits:
    """Return limits as Python code may give them: one text, several, or texts by metric.

    Raises:
        ConfigError: one is not accepted, or there is none.
    """
    if isinstance(given, Limits):
        return given
    if isinstance(given, Mapping):
        return Limits(tuple(_entry(metric, text, "") for metric, text in given.items()))
    return from_texts([given] if isinstance(given, str) else given)
