"""What an entry of the log says, in one line; nothing personal is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model_service.service.console.words import spoken
from model_service.service.log import Entry

KINDS: dict[str, str] = {
    "assessment": "Assessed",
    "decision": "Decided",
    "decision_refused": "Decision that did not fit",
    "outcome": "Outcome",
    "release": "Release in force",
    "mode": "Mode switched",
    "units": "Units reported",
    "sign_in": "Signed in",
    "sign_out": "Signed out",
    "narratives_read": "Words read",
    "erasure": "Erased",
}
"""Kind of an entry → what it is called."""

ACTIONS = {"accept": "Accepted", "override": "Overridden", "commit": "Committed"}

WITHHELD = {
    "off": "the model was not asked (off)",
    "shadow": "recorded, not shown (shadow)",
    "held_back": "held back until decided",
}

UNSERVED = {
    "not_started": "not started yet",
    "ended": "ended",
    "out_of_hours": "off duty at that hour",
    "out_of_area": "does not serve the place",
    "place_unknown": "place not known",
    "busy": "no unit free",
    "units_unknown": "not known whether a unit is free",
}
"""Why a response that fits could not be sent."""

Names = Mapping[str, str]
"""Response → its name."""


def tell(entry: Entry, names: Names, *, advice: bool = True) -> str:
    """Tell what an entry says.

    Parameters
    ----------
    entry : Entry
    names : mapping of str to str
    advice : bool
        Whether the one who reads may see what was recommended.
    """
    telling = _TELLING.get(entry.kind)
    return "" if telling is None else telling(entry.content(), names, advice)


def response_in(names: Names, response: str | None) -> str:
    """Tell a response."""
    if response is None:
        return "nothing"
    return names.get(response) or spoken(response)


def _assessment(body: Mapping[str, Any], names: Names, advice: bool) -> str:
    withheld = body.get("withheld")
    parts = [] if withheld is None else [WITHHELD[withheld]]
    given = body["recommendation"]
    if given is not None and advice:
        parts.insert(0, given["name"])
        parts += ["the model had too little to go on"] if given["abstained"] else []
        parts += [
            f"{response_in(names, one['response'])} could not be sent: {UNSERVED[one['reason']]}"
            for one in given["unserved"]
        ]
    return "; ".join(parts) or "withheld from you until somebody has decided"


def _decision(body: Mapping[str, Any], names: Names, _: bool) -> str:
    why = f" ({spoken(body['reason'])})" if body["reason"] else ""
    words = f"{ACTIONS[body['action']]}: {response_in(names, body['response'])}{why}"
    return words if "time_to_decide_ms" not in body else f"{words}, after {_seconds(body)}"


def _seconds(body: Mapping[str, Any]) -> str:
    return duration(body["time_to_decide_ms"] / 1000)


def duration(seconds: float) -> str:
    """Tell how long something took.

    Examples
    --------
    >>> duration(4.21), duration(75), duration(7500)
    ('4.2 s', '1 min 15 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _refused(body: Mapping[str, Any], names: Names, advice: bool) -> str:
    return f"{_decision(body, names, advice)}; it did not fit its assessment"


def _release(body: Mapping[str, Any], _: Names, __: bool) -> str:
    plan = body["plan"]
    return f"release {body['model']['release']}, plan {plan['plan']} {plan['version']}"


def _units(body: Mapping[str, Any], names: Names, _: bool) -> str:
    return f"{body['free']} free of {response_in(names, body['response'])}"


def _erasure(body: Mapping[str, Any], _: Names, __: bool) -> str:
    n = len(body["entries"])
    return f"text of {n} {'entry' if n == 1 else 'entries'} ({spoken(body['reason'])})"


def _reading(body: Mapping[str, Any], _: Names, __: bool) -> str:
    where = "on a page" if body["format"] == "page" else f"into a file ({body['format']})"
    return f"what was said, {where}" + (f": {body['filters']}" if body["filters"] else "")


_TELLING: dict[str, Callable[[Mapping[str, Any], Names, bool], str]] = {
    "assessment": _assessment,
    "decision": _decision,
    "decision_refused": _refused,
    "outcome": lambda body, names, advice: "what it turned out to be is on record",
    "release": _release,
    "mode": lambda body, names, advice: f"to {body['mode']}",
    "units": _units,
    "sign_in": lambda body, names, advice: f"{spoken(body['role'])}, {body['way']}",
    "sign_out": lambda body, names, advice: f"{spoken(body['role'])}, {body['way']}",
    "narratives_read": _reading,
    "erasure": _erasure,
}
