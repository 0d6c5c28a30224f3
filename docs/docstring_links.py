"""Griffe extension: what our docstrings write, in the form that the site's generator knows.

Roles (``:func:`~package.name```) become links, and an ``Example:`` becomes a section of examples.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`(~?)([\w.]+)(?:\(\))?`")
_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
_PACKAGES = ("clipsonic_eval.", "clipsonic.", "paired_tta.")


class Links(griffe.Extension):
    """Rewrites every docstring as it is read; a name that the site does not show stays plain code."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        del kwargs
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub("Examples:", _ROLE.sub(_link, obj.docstring.value))


def _link(match: re.Match[str]) -> str:
    short, name = match.groups()
    shown = name.rpartition(".")[2] if short else name
    if not name.startswith(_PACKAGES):
        return f"`{shown}`"
    return f'<autoref identifier="{name}" optional><code>{shown}</code></autoref>'
