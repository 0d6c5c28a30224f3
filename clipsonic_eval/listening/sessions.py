"""What a browser gets, and what it may send: a listener's list without names of systems, and his answers.

A *step* is one question on one screen: a trial asks its protocols one after the other. It is named by the number of the
trial and the place of the protocol, ``12.0``, so that neither a kind nor a system reaches the listener.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from clipsonic_eval.errors import UserError
from clipsonic_eval.listening.answers import Answer, accept
from clipsonic_eval.listening.folder import IMAGE, ListeningFolder
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import PROTOCOLS
from clipsonic_eval.listening.trials import HEADPHONES, PRACTICE, SIDE, SIDES, TONES, TRAP, Trial

SESSION: Final = re.compile(r"[0-9a-f]{32}")
_STEP: Final = re.compile(r"(\d{1,6})\.(\d)")
_Form = tuple[str, str, str]  # check or "", protocol, expected answer of a trap
_PRACTICE_NOTE = "For practice: this one does not count."
_HEADPHONES_NOTE = "Please wear headphones, with the left one on the left ear."


def listener_of(session: str) -> str:
    """Return the listener's id in the answers: a hash, with which nobody can enter his session.

    Example:
        >>> listener_of("0" * 32)
        '84e0c0eafaa9'
    """
    return hashlib.sha256(session.encode()).hexdigest()[:12]


def forms(plan: ListeningPlan) -> list[dict[str, Any]]:
    """Return every question that may be asked: layout, wording, scale, note; steps name them by their place."""
    return [_form(plan, form) for form in _forms(tuple(plan.protocols))]


@functools.cache
def _forms(protocols: tuple[str, ...]) -> list[_Form]:
    found: list[_Form] = [(HEADPHONES, HEADPHONES, ""), (SIDE, SIDE, "")]
    for name in protocols:
        found += [("", name, ""), (PRACTICE, name, "")]
        found += [(TRAP, name, answer) for answer, _ in PROTOCOLS[name].scale]
    return found


def _form(plan: ListeningPlan, form: _Form) -> dict[str, Any]:
    check, name, expected = form
    if name == HEADPHONES:
        scale = list(zip(TONES, ("The first", "The second", "The third"), strict=True))
        question = "Three tones follow each other. Which one is the softest?"
        return {"layout": "rating", "question": question, "scale": scale, "note": _HEADPHONES_NOTE}
    if name == SIDE:
        scale = list(zip(SIDES, ("Left", "Right"), strict=True))
        return {"layout": "rating", "question": "On which side is the tone?", "scale": scale, "note": _HEADPHONES_NOTE}
    protocol = PROTOCOLS[name]
    question = protocol.questions[plan.query]
    if check == TRAP:
        label = dict(protocol.scale)[expected]
        question = f"This checks that you read along. Whatever you hear, choose “{label}”."
    note = _PRACTICE_NOTE if check == PRACTICE else ""
    return {"layout": protocol.layout, "question": question, "scale": list(protocol.scale), "note": note}


def steps(folder: ListeningFolder, number: int) -> list[dict[str, Any]]:
    """Return the list of a listener as the page reads it.

    Args:
        folder: of the test.
        number: of the listener.
    """
    plan = folder.plan
    known = {form: place for place, form in enumerate(_forms(tuple(plan.protocols)))}
    prompts = {query.key: query.prompt for query in plan.queries}
    found = []
    for trial in plan.trials(number):
        clips = _clips(folder, trial)
        for place, name in enumerate(trial.protocols):
            check = trial.kind if trial.kind in (HEADPHONES, SIDE, PRACTICE, TRAP) else ""
            form = (check, name, trial.expected if check == TRAP else "")
            step = {"id": f"{trial.number}.{place}", "form": known[form], "clips": clips}
            if name in PROTOCOLS and PROTOCOLS[name].query_shown and check != TRAP:
                image = folder.files.get((IMAGE, trial.query))
                step |= {"text": prompts[trial.query]} if plan.query == "text" else {"image": image}
            found.append(step)
    return found


def _clips(folder: ListeningFolder, trial: Trial) -> list[str]:
    """Return the files of a trial."""
    if trial.kind == HEADPHONES:  # the tone in antiphase is one of the other two, in turn
        others = [tone for tone in TONES if tone != trial.expected]
        return [folder.files[HEADPHONES, f"{trial.expected}-{others[trial.number % 2]}"]]
    if trial.kind == SIDE:
        return [folder.files[SIDE, trial.expected]]
    return [folder.files[system, trial.query] for system in trial.systems]


def accepted(plan: ListeningPlan, session: str, number: int, message: Mapping[str, Any], time: str) -> list[Answer]:
    """Return the answers of one message of the page, one per slider, else one.

    Args:
        plan: of the test.
        session: 32 hexadecimal digits.
        number: of the listener.
        message: ``plan``, ``step``, ``answers``, ``seconds``, ``played`` and ``reason``.
        time: of the answer, ISO 8601.

    Raises:
        UserError: of another plan, or no answer to a step of this list.
    """
    if message.get("plan") != plan.id:
        raise UserError(f"an answer of plan {str(message.get('plan'))[:40]}, not of {plan.id}")
    name = message.get("step")
    step = _STEP.fullmatch(name) if isinstance(name, str) else None
    values, played = message.get("answers"), message.get("played")
    trials = plan.trials(number)
    if step is None or int(step[1]) >= len(trials) or int(step[2]) >= len(trials[int(step[1])].protocols):
        raise UserError(f"listener {number} has no step {str(name)[:40]}")
    trial = trials[int(step[1])]
    protocol = trial.protocols[int(step[2])]
    layout = PROTOCOLS[protocol].layout if protocol in PROTOCOLS else "rating"
    sounds = max(1, len(trial.systems))
    wanted = sounds if layout == "sliders" else 1
    if not (isinstance(values, list) and len(values) == wanted and isinstance(played, list) and len(played) == sounds):
        raise UserError(f"step {step[0]} takes {wanted} answers and the heard shares of {sounds} sounds")
    if any(isinstance(share, bool) or not isinstance(share, int | float) for share in played):
        raise UserError(f"step {step[0]}: a share that was heard is no number")
    about = {"seconds": message.get("seconds", 0.0), "time": time, "note": str(message.get("reason") or "")}
    return [
        accept(
            plan, listener_of(session), number, trial.number, protocol, str(value), slider=place,
            played=played[place] if layout == "sliders" else min(played), **about,
        )
        for place, value in enumerate(values)
    ]  # fmt: skip
