"""The page of a listening test: one HTML file without requests to anywhere but its own folder or server."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

from clipsonic_eval.listening.folder import VOLUME, ListeningFolder
from clipsonic_eval.listening.sessions import forms, steps

_SCRIPTS = ("store.js", "player.js", "step.js", "test.js")  # in the order in which they build on each other


def page(folder: ListeningFolder, *, lists: int | None = None) -> str:
    """Return the page.

    Args:
        folder: of the test.
        lists: number of listeners whose lists the page holds, so that it works from disk or from any web space; None:
            the lists and the answers go through a server (:mod:`clipsonic_eval.listening.server`).
    """
    import jinja2

    sources = {name: _source(name) for name in ("test.html", "test.css", *_SCRIPTS)}
    style, script = sources["test.css"], "\n".join(sources[name] for name in _SCRIPTS)
    data: dict[str, Any] = {
        "mode": "server" if lists is None else "files",
        "plan": folder.plan.id,
        **folder.texts,
        "volume": folder.files[VOLUME, ""],
        "forms": forms(folder.plan),
    }
    if lists is not None:
        data["lists"] = {str(number): steps(folder, number) for number in range(lists)}
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(sources["test.html"])
    return template.render(
        title=folder.texts["title"],
        policy=_policy(style, script, served=lists is None),
        style=style,
        script=script,
        data=data,
    )


def _source(name: str) -> str:
    return (resources.files("clipsonic_eval.listening") / "web" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str, *, served: bool) -> str:
    """Return the content security policy: this style, this script, sounds and pictures of this place, nothing else."""
    own, server = ("'self'", "'self'") if served else ("'self' file:", "'none'")
    return (
        f"default-src 'none'; style-src '{_sha256(style)}'; script-src '{_sha256(script)}'; media-src {own} blob:; "
        f"img-src {own} data:; connect-src {server}; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
