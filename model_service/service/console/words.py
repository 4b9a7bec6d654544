"""What codes and figures are called on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.call import QUESTION_TEXTS

BANDS = {"low": "unlikely", "medium": "possible", "high": "likely"}
"""A calibrated band → its word."""

TARGETS = {"mental_health_crisis": "Crisis", "safety_risk": "Safety risk"}

WITHHELD = {
    "off": "Switched off: follow your centre’s protocol",
    "shadow": "Not shown: the service runs in shadow",
    "held_back": "Held back until you have decided",
}
"""What stands where a recommendation would, and why there is none."""

ACTIONS = {"accept": "accepted", "override": "overridden", "commit": "committed"}


def share(probability: float) -> str:
    """Tell a calibrated probability as a share of such calls; no call is certain.

    Examples
    --------
    >>> share(0.8649), share(0.999), share(0.001)
    ('about 86 in 100', 'more than 99 in 100', 'fewer than 1 in 100')
    """
    if probability > 0.99:
        return "more than 99 in 100"
    if probability < 0.01:
        return "fewer than 1 in 100"
    return f"about {round(probability * 100)} in 100"


def spoken(code: str) -> str:
    """Tell a code in words.

    Examples
    --------
    >>> spoken("weapon_or_violence")
    'weapon or violence'
    """
    return code.replace("_", " ")


def question(code: str) -> str:
    """Tell a protocol question."""
    texts: Mapping[str, str] = QUESTION_TEXTS  # type: ignore[assignment]
    return texts.get(code, spoken(code))


def known_by(fact: Mapping[str, Any], narrative: str) -> str:
    """Tell what is known of a protocol question, and by which words."""
    by = [f"answered {fact['answer']}"] if fact["answer"] else []
    for polarity in dict.fromkeys(span["polarity"] for span in fact["spans"]):
        words = ", ".join(
            quoted(span, narrative) for span in fact["spans"] if span["polarity"] == polarity
        )
        by.append(f"{polarity}: {words}")
    value = fact["value"]
    verdict = (
        "contradictory" if fact["contradictory"] else "not known" if value == "unknown" else value
    )
    return f"{question(fact['code'])} {verdict} ({'; '.join(by)})"


def quoted(span: Mapping[str, Any], narrative: str) -> str:
    """Put the words in their place into quotation marks."""
    return f"“{narrative[span['start'] : span['end']]}”"


def signed(log_odds: float) -> str:
    """Tell log-odds with their sign.

    Examples
    --------
    >>> signed(1.5), signed(-0.004), signed(-2)
    ('+1.50', '+0.00', '−2.00')
    """
    return ("−" if log_odds <= -0.005 else "+") + f"{abs(log_odds):.2f}"
