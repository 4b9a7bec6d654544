"""The words of a recommendation: neutral, specific, and part of the plan.

A reason has a code for machines and a text for people. The texts below are what a plan says unless
it says otherwise; a plan may replace any of them and hold them in other languages. None calls a
person or a call dangerous: they say what was found, what was answered, and who can come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from data.call import QUESTION_TEXTS

ENGLISH: dict[str, str] = {
    "band:mental_health_crisis:low": "little in the call resembles past mental-health crises",
    "band:mental_health_crisis:medium": "some of the call resembles past mental-health crises",
    "band:mental_health_crisis:high": "the call closely resembles past mental-health crises",
    "band:safety_risk:low": "little in the call resembles past calls in which someone was at risk",
    "band:safety_risk:medium": "some of the call resembles past calls in which someone was at risk",
    "band:safety_risk:high": "the call closely resembles past calls in which someone was at risk",
    "raised:safety_risk": "someone may be at risk, by what was answered or said",
    **{
        f"disqualifier:{question}": f"“{words}” was answered yes"
        for question, words in QUESTION_TEXTS.items()
    },
    "mentioned:weapon": "possible weapon mentioned",
    "mentioned:violence": "possible violence mentioned",
    "mentioned:threat_to_others": "possible threat to others mentioned",
    "mentioned:injury": "possible injury mentioned",
    "mentioned:overdose": "possible overdose mentioned",
    "mentioned:crime_in_progress": "possible crime in progress mentioned",
    "mentioned:barricaded": "possible barricade mentioned",
    "mentioned:fire": "possible fire or smoke mentioned",
    **{
        f"unknown:{question}": f"“{words}” is not known yet"
        for question, words in QUESTION_TEXTS.items()
    },
    "abstained:nothing_said": "no prediction: nothing was said or typed yet",
    "abstained:too_few_known_words": ("no prediction: too few of the words are known to the model"),
    "abstained:only_unknown_words": "no prediction: none of the words is known to the model",
    "abstained:mostly_unknown_words": (
        "no prediction: most of the words are not known to the model; perhaps another language"
    ),
    "abstained:unsupported_language": ("no prediction: the model was not trained on this language"),
    "abstained:contradictory_facts": (
        "no prediction: answers and narrative contradict each other; ask again"
    ),
    "unsupported:mental_health_crisis": (
        "no recommendation: too few known crises to keep the plan's promise not to miss them"
    ),
    "unsupported:safety_risk": (
        "no recommendation: too few known safety risks to keep the plan's promise not to miss them"
    ),
    "unserved:not_started": "{name}: not started yet",
    "unserved:ended": "{name}: no longer offered",
    "unserved:out_of_hours": "{name}: off duty at this hour",
    "unserved:out_of_area": "{name}: does not serve this place",
    "unserved:place_unknown": "{name}: serves only some places, and this call's is not known",
    "unserved:busy": "{name}: every unit is busy",
    "unserved:units_unknown": "{name}: whether a unit is free is not known",
    "question:needed": "{name}: only once this is known to be no",
    "question:disqualifier": "a yes stands above the model",
    "question:weight": "the answer weighs enough to move the call into another band",
    "question:contradiction": "answer and narrative contradict each other",
    "when_none:response": "{name}: stands in, since no team that fits can be sent",
    "when_none:protocol": "no team of the plan that fits can be sent",
}
"""Code → text. `{name}` stands for the name of the response that the reason is about."""

_ALARMING = re.compile(r"\b(high|extreme|severe)[ -]risk\b|\bdanger(ous)?\b|\bthreat level\b", re.I)


def check_text(code: str, text: str) -> None:
    """Refuse a text that can't be said.

    Parameters
    ----------
    code : str
        A key of `ENGLISH`.
    text : str

    Raises
    ------
    ValueError
        If the code is not known, the text has a placeholder that the code has no value for, lacks
        one that it needs, or alarms without saying anything.
    """
    if code not in ENGLISH:
        raise ValueError(f"{code}: no such code")
    if _placeholders(text) != _placeholders(ENGLISH[code]):
        needed = ", ".join(f"{{{name}}}" for name in sorted(_placeholders(ENGLISH[code])))
        raise ValueError(f"{code}: must hold {needed or 'no placeholder'}, and no other")
    if alarm := _ALARMING.search(text):
        raise ValueError(f"{code}: {alarm[0]!r} alarms and says nothing; say what was found")


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w*)\}", text))


def texts_in(language: str, given: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Choose the texts of one language, English where the plan is silent.

    Parameters
    ----------
    language : str
    given : mapping of language to mapping of code to text
        The plan's.
    """
    return {**ENGLISH, **given.get(language, {})}
