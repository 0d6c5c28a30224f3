"""CSV lines to records, one line at a time, so that a quote that never closes costs only its own line.

A csv library returns the rest of the file as one field then. The rule here:

A field that begins with ``"`` is quoted. It ends at the first ``"`` (``""`` within it is one quote) that is
followed by a separator or the end of a line. On the line where it begins, a quote followed by anything else makes the
field plain text, if its quotes come in pairs and it doesn't end in one (``"Hello" he shouts``); else the row is
refused. On later lines such a quote says that the field was never closed: then the line where it begins is refused
and reading goes on with the next line. A field that closes on a later line is taken if the record has as many fields
as there are columns and the lines it runs over don't read as rows themselves, that is: one with as many fields, the
first of which looks like the first of the row in question (letters, digits and signs in the same order, quoted or
not), or two or more that all have as many fields. If they do, the line where the quote opens and the line where it may
close are refused, and those between are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A row before its fields have names.

    Attributes:
        line: where it begins, from 1.
        fields: as text; none where there is a problem.
        problem: why the line is no row, "" if it is one.
        blank: an unquoted field after the first begins with a blank.
    """

    line: int
    fields: tuple[str, ...] = ()
    problem: str = ""
    blank: bool = False


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of one line.

    Attributes:
        fields: as they read; of a quoted one what is in the quotes.
        opened: the last one is quoted and does not end here.
        bad: why the line is no row, "" if it is one.
        blank: an unquoted one after the first begins with a blank.
    """

    fields: tuple[str, ...]
    opened: bool = False
    bad: str = ""
    blank: bool = False


def whole(line: str, separator: str) -> tuple[str, ...] | None:
    """Return the fields of a line that is a row by itself, else None.

    Example:
        >>> whole('dog,"a dog barks, then rain"', ","), whole('dog,"never closed', ",")
        (('dog', 'a dog barks, then rain'), None)
    """
    found = _fields(line, separator)
    return None if found.opened or found.bad else found.fields


def _fields(line: str, separator: str) -> _Fields:
    fields: list[str] = []
    at, blank = 0, False
    while True:
        begin = at + len(line[at:]) - len(line[at:].lstrip(" "))
        end = line.find(separator, at)
        end = len(line) if end < 0 else end
        if line.startswith('"', begin):
            close, stray = _closing(line, begin + 1, separator)
            if stray:
                plain = line[begin:end].strip()
                if plain.count('"') % 2 or plain.endswith('"'):
                    return _Fields((), bad="quotes inside a quoted field must be doubled")
                fields.append(plain)
            elif close < 0:
                return _Fields((*fields, line[begin + 1 :]), opened=True)
            else:
                fields.append(line[begin + 1 : close].replace('""', '"').strip())
                end = line.find(separator, close)
                end = len(line) if end < 0 else end
        else:
            fields.append(line[at:end].strip())
            blank |= bool(fields[1:]) and bool(fields[-1]) and line[at] == " "
        if end == len(line):
            return _Fields(tuple(fields), blank=blank)
        at = end + 1


def _closing(line: str, at: int, separator: str) -> tuple[int, bool]:
    """Return where a quoted field ends (-1: not on this line), and whether a quote before that does not belong."""
    while (quote := line.find('"', at)) >= 0:
        if line.startswith('""', quote):
            at = quote + 2
            continue
        after = line[quote + 1 :].lstrip(" ")
        return (quote, False) if not after or after[0] == separator else (quote, True)
    return -1, False


def records(lines: Sequence[str], first: int, separator: str, lengths: set[int]) -> Iterator[Record]:
    """Yield the records of some lines by the module's rule.

    Args:
        lines: of the file, without line ends.
        first: index of the line to begin with.
        separator: of fields.
        lengths: numbers of fields that a row may have.

    Example:
        >>> [record.fields or record.problem for record in records(['a,1', 'b,"2', "c,3"], 0, ",", {2})]
        [('a', '1'), 'a quote opens here and is never closed', ('c', '3')]
    """
    refused: dict[int, str] = {}
    at = first
    while at < len(lines):
        line, number = lines[at], at + 1
        found = _fields(line, separator)
        if number in refused:
            yield Record(number, problem=refused[number])
        elif not line.strip() or not (found.opened or found.bad or any(found.fields)):
            pass
        elif found.bad:
            yield Record(number, problem=found.bad)
        elif not found.opened:
            yield Record(number, found.fields, blank=found.blank)
        else:
            joined, last = _joined(lines, at, found, separator)
            if joined and len(joined) in lengths and not _are_rows(lines[at : last + 1], found, separator, lengths):
                yield Record(number, joined)
                at = last
            elif joined:
                yield Record(number, problem=f"a quote opens here and may or may not close in line {last + 1}")
                refused[last + 1] = f"a quote that opens in line {number} may or may not close here"
            else:
                yield Record(number, problem="a quote opens here and is never closed")
        at += 1


def without_odd_blanks(records: Iterable[Record], most: int) -> list[Record]:
    """Refuse rows with a field that begins with a blank, where hardly any row has such a field.

    Args:
        records: of a file.
        most: fields of a complete row; rows of more are left as they are.
    """
    found = list(records)
    if 10 * sum(record.blank for record in found) >= len(found):
        return found
    why = "a field begins with a blank, as nowhere else: an unquoted separator may have cut it; put it into quotes"
    return [Record(one.line, problem=why) if one.blank and len(one.fields) <= most else one for one in found]


def _joined(lines: Sequence[str], at: int, begun: _Fields, separator: str) -> tuple[tuple[str, ...] | None, int]:
    """Return the fields of a record whose last field continues on further lines, None if it is never closed."""
    parts, fields = [begun.fields[-1]], begun.fields[:-1]
    for last in range(at + 1, len(lines)):
        close, stray = _closing(lines[last], 0, separator)
        if stray:
            return None, at
        if close < 0:
            parts.append(lines[last])
            continue
        parts.append(lines[last][:close])
        own = (*fields, "\n".join(parts).replace('""', '"').strip())
        rest = lines[last][close + 1 :].lstrip(" ")
        if not rest:
            return own, last
        after = _fields(rest[1:], separator)
        if after.bad:
            return None, at
        if not after.opened:
            return (*own, *after.fields), last
        parts, fields = [after.fields[-1]], (*own, *after.fields[:-1])
    return None, at


def _are_rows(lines: Sequence[str], first: _Fields, separator: str, lengths: set[int]) -> bool:
    """Return whether the lines that a quoted field runs over are rows themselves, by the module's rule."""
    rows = [whole(line, separator) for line in lines[1:]]
    quoted = lines[0].startswith('"')
    same = [line.startswith('"') == quoted for line in lines[1:]]
    alone = [row if row and len(row) in lengths and row[0] and s else None for row, s in zip(rows, same, strict=True)]
    kind = _kind(first.fields[0])
    return (len(alone) > 1 and all(alone)) or any(row and _kind(row[0]) == kind for row in alone)


def _kind(field: str) -> str:
    """Return the shape of a field: runs of letters as ``a``, of digits as ``0``, other characters as they are."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", field))
