from __future__ import annotations

import re
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from unit.report.gate.gate_results import EMPTY, FULL, NAMES, clap, result, verdict

from clipsonic_eval.formats import printable
from clipsonic_eval.gate.verdicts import Refusal
from clipsonic_eval.reporting.gate.annotations import MOST, render

_COMMAND = re.compile(r"::(?P<kind>error|warning|notice) title=(?P<title>[^:,\r\n]*)::(?P<message>[^\r\n]*)")


def _read(commands: str) -> list[tuple[str, str, str]]:
    """Read workflow commands as a runner does: kind, title, message; every line must be one."""
    found = []
    for line in commands.removesuffix("\n").split("\n"):
        match = _COMMAND.fullmatch(line)
        assert match, line
        found.append((match["kind"], unquote(match["title"]), unquote(match["message"])))
    return found


def test_worse_and_refused_are_errors_undecided_is_a_warning_and_notes_are_notices() -> None:
    assert _read(render(FULL)) == [
        ("error", "PD fad<+3%", "the reason for worse"),
        ("error", "ZS kl<+5%", "kl of 'ZS' is in the baseline and not in the candidate; evaluate it again"),
        ("warning", "PD clap_score>-0.01", "the reason for cannot tell"),
        ("notice", "clipsonic-eval gate", "Gate: worse (1 worse, 1 cannot tell, 1 not worse, 1 refused)"),
        ("notice", "clipsonic-eval gate", "one seed a side"),
    ]


def test_properties_and_messages_are_escaped_as_the_toolkit_does() -> None:
    line = render(result(verdict("worse", system="a:b,c", limit="fad<+3%", sentence="100 %, see a:b"))).splitlines()[0]
    assert line == "::error title=a%3Ab%2Cc fad<+3%25::100 %25, see a:b"


def test_nothing_compared_is_an_error() -> None:
    assert _read(render(EMPTY))[0] == (
        "error",
        "clipsonic-eval gate",
        "Gate: cannot be compared (nothing was compared)",
    )


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_no_type_has_more_than_github_shows_and_every_limit_is_named(worse: int, refused: int, undecided: int) -> None:
    found = result(
        *(verdict("worse", system=f"w{k}") for k in range(worse)),
        *(clap("cannot tell", system=f"u{k}") for k in range(undecided)),
        refusals=tuple(Refusal(f"r{k}", "kl", "kl<+5%", "gone") for k in range(refused)),
        notes=tuple(f"note {k}" for k in range(undecided)),
    )
    commands = _read(render(found))
    for kind, names in {
        "error": [f"w{k} fad<+3%" for k in range(worse)] + [f"r{k} kl<+5%" for k in range(refused)],
        "warning": [f"u{k} clap_score>-0.01" for k in range(undecided)],
        "notice": [f"note {k}" for k in range(undecided)],
    }.items():
        of_kind = [command for command in commands if command[0] == kind]
        assert len(of_kind) <= MOST
        words = "\n".join(f"{title}\n{message}" for _, title, message in of_kind).split("\n")
        assert [name for name in names if name not in words] == []


@given(NAMES, NAMES)
def test_no_name_starts_a_command_of_its_own(system: str, sentence: str) -> None:
    commands = _read(render(result(verdict("worse", system=system, sentence=sentence), notes=(sentence,))))
    assert commands[0] == ("error", printable(f"{system} fad<+3%"), printable(sentence))
    assert [kind for kind, _, _ in commands] == ["error", "notice", "notice"]
