"""Names, order, colours and groups of the systems of a study, its planned comparisons and its questions.

The report itself refers to no particular system; a :class:`Catalogue` supplies all of this. The default suits any
systems: they appear in the order of the records, take colours and markers by their names, and every comparison in the
records is shown.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.listening import protocols

if TYPE_CHECKING:
    from clipsonic_eval.analysis.results import Results

REAL: Final = "real"
SHUFFLED: Final = "shuffled"
NOISE: Final = "noise"
CONTROLS: Final = "controls"  # the group of systems that are excluded from ranking

# Okabe and Ito (2008), then Tol (2021): told apart with any colour vision, and dark enough on white
PALETTE: Final = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
    "#332288", "#882255", "#117733", "#661100", "#999933", "#AA4499",
)  # fmt: skip
MARKERS: Final = "osD^vP*X<>hp"  # told apart without colour

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SystemStyle:
    """Appearance of one system in tables and figures.

    Attributes:
        name: as in the records; one ``*`` stands for any text (``PD-best*``).
        meaning: a few words for the legend of the table; ``{}`` is replaced by what the ``*`` stands for.
        group: section of the table.
        colour: hexadecimal RGB; "" takes one of :data:`PALETTE` by the name, so that a system looks alike in every
            report; of two that meet there, one takes the next.
        marker: of matplotlib; "" takes one of :data:`MARKERS`, by the place in the catalogue or by the name.
    """

    name: str
    meaning: str = ""
    group: str = ""
    colour: str = ""
    marker: str = ""

    def named(self, name: str) -> SystemStyle:
        """Return the style of one system whose name matches the pattern."""
        start, star, end = self.name.partition("*")
        filling = name[len(start) : len(name) - len(end)] if star else ""
        return replace(self, name=name, meaning=self.meaning.replace("{}", filling))


# of listening tests; a reference and a shuffled anchor go by these names where a system has that of the control
ANCHORS: Final = (
    SystemStyle(protocols.REFERENCE, "real recording, hidden among the systems", CONTROLS, "#000000"),
    SystemStyle(protocols.LOW_PASSED, "real recording below 3.5 kHz", CONTROLS, "#949494"),
    SystemStyle(protocols.LOW_PASSED_7, "real recording below 7 kHz", CONTROLS, "#666666"),
    SystemStyle(protocols.SHUFFLED, "real recording of another query", CONTROLS, "#7f7f7f"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A section of the page: a question, and the rules that answer it in sentences.

    Attributes:
        title: heading of the section.
        rules: functions from results to sentences, possibly none.
        shows: stem of the table and the figure that belong to the question, "" for none.
    """

    title: str
    rules: tuple[Callable[[Results], list[str]], ...]
    shows: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The systems of a study and its questions.

    Attributes:
        name: of the study.
        systems: styles in the order of the table.
        groups: sections of the table in order.
        others: group of systems that are not listed.
        planned: pairs (a, b) whose comparison was planned before any number was seen; Holm's correction is over these,
            over pairs that a run was explicitly asked for, and over pairs with an unlisted system.
        sweep: pairs that are compared on every CLIP variant; the second system of the first pair is the baseline of
            the figure.
        sheet: systems below the real audio in the contact sheet; empty: the first two.
        main_variants: CLIP variants that the main table prefers where the runs hold several.
        text_label: name of the text embedding in the table of the modality gap.
        sides: for each side of the modality gap (``image``, ``text``) the system whose condition it is.
        settings: for each setting that runs may differ in, by its tag, its words in tables and figures.
        models: for each model, by the name of its folder, the system that has its colour in training curves.
        questions: sections of the page; empty: the general ones, :data:`clipsonic_eval.reporting.summary.QUESTIONS`.
        headline: returns one sentence for the top of the page, "" for none.
    """

    name: str = ""
    systems: tuple[SystemStyle, ...] = (
        SystemStyle(REAL, "real audio of the queries", CONTROLS, "#000000"),
        SystemStyle(SHUFFLED, "real audio with shuffled prompts", CONTROLS, "#7f7f7f"),
        SystemStyle(NOISE, "white noise", CONTROLS, "#b0b0b0"),
        *ANCHORS,
    )
    groups: tuple[str, ...] = ("", CONTROLS)
    others: str = ""
    planned: tuple[Pair, ...] = ()
    sweep: tuple[Pair, ...] = ()
    sheet: tuple[str, ...] = ()
    main_variants: tuple[str, ...] = ()
    text_label: str = "text"
    sides: tuple[tuple[str, str], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    questions: tuple[Question, ...] = ()
    headline: Callable[[Results], str] = lambda _: ""

    def __post_init__(self) -> None:
        used = {self.others: "systems that are not listed", **{s.group: f"'{s.name}'" for s in self.systems}}
        for group, what in used.items():
            if group not in self.groups:
                raise ConfigError(
                    f"catalogue '{self.name}': group '{group}' of {what} is not among its groups; add it there"
                )

    def setting(self, tag: str) -> str:
        """Return the words for a setting; a tag without any is its own, underscores as spaces."""
        return dict(self.settings).get(tag, tag.replace("_", " "))

    def completed(self, present: Iterable[str]) -> Catalogue:
        """Return the catalogue for these systems: patterns replaced by the names that match, unlisted systems added.

        Args:
            present: systems in the order of the records, which is the order of those not listed.
        """
        names = list(dict.fromkeys(present))
        marked = [replace(s, marker=s.marker or MARKERS[i : i + 1]) for i, s in enumerate(self.systems)]
        listed = {s.name: s for style in marked for s in _matching(style, names)}
        unlisted = [SystemStyle(name, group=self.others) for name in names if name not in listed]
        styles = _with_looks([*listed.values(), *unlisted])
        return replace(
            self,
            systems=tuple(sorted(styles, key=lambda s: self.groups.index(s.group))),
            planned=tuple(self._expanded(self.planned, names)),
            sweep=tuple(self._expanded(self.sweep, names)),
        )

    @staticmethod
    def _expanded(pairs: Sequence[Pair], names: Sequence[str]) -> list[Pair]:
        return [
            (first, second)
            for a, b in pairs
            for first in _matching_names(a, names) or [a]
            for second in _matching_names(b, names) or [b]
        ]

    def style(self, name: str) -> SystemStyle:
        """Return the style of a system."""
        return next(
            (s for s in self.systems if s.name == name),
            SystemStyle(name, group=self.others, colour=PALETTE[0], marker=MARKERS[0]),
        )

    def ordered(self, present: Iterable[str]) -> list[SystemStyle]:
        """Return the styles of these systems in the order of the table."""
        names = set(present)
        return [s for s in self.systems if s.name in names]

    def is_control(self, name: str) -> bool:
        """Return whether a system is a control; controls are excluded from ranking."""
        return self.style(name).group == CONTROLS

    def is_listed(self, name: str) -> bool:
        """Return whether the catalogue lists a system."""
        return self.style(name).group != self.others


def _with_looks(styles: Sequence[SystemStyle]) -> list[SystemStyle]:
    """Return the styles with colours and markers: those of the catalogue keep theirs, the others go by their names."""
    colours = {style.name: style.colour for style in styles if style.colour}
    markers = {style.name: style.marker for style in styles if style.marker}
    for name in sorted(style.name for style in styles):  # in the same order whatever the order of the records
        number = zlib.crc32(name.encode("utf-8", "surrogatepass"))
        colours.setdefault(name, _free(PALETTE, number, colours.values()))
        markers.setdefault(name, _free(MARKERS, number // len(PALETTE), markers.values()))
    return [replace(s, colour=colours[s.name], marker=markers[s.name]) for s in styles]


def _free(choices: Sequence[str], number: int, taken: Collection[str]) -> str:
    """Return the choice of this number, or the next that is not taken, as long as there is one."""
    turned = [choices[(number + i) % len(choices)] for i in range(len(choices))]
    return next((choice for choice in turned if choice not in taken), turned[0])


def _matching(style: SystemStyle, names: Sequence[str]) -> list[SystemStyle]:
    """Return the style of each name that fits; they share the colour, and the first has the marker."""
    found = [style.named(name) for name in _matching_names(style.name, names)]
    return [*found[:1], *(replace(other, marker="") for other in found[1:])]


def _matching_names(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the names that equal a pattern, or fit it where it has a ``*``, shorter ones first."""
    start, star, end = pattern.partition("*")
    if not star:
        return [pattern] if pattern in names else []
    fitting = [n for n in names if len(n) >= len(start + end) and n.startswith(start) and n.endswith(end)]
    return sorted(fitting, key=lambda n: (len(n), n))
