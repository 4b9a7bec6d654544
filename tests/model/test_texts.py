"""Every reason has its words, and none of them alarms."""

from __future__ import annotations

from typing import get_args

import pytest

from data.call import QUESTIONS, TARGETS
from model_service.model.facts import FACTS
from model_service.model.plan import Band
from model_service.model.safeguards import AbstentionReason
from model_service.model.teams import UnservedReason
from model_service.model.texts import ENGLISH, check_text, texts_in


def test_every_code_has_its_words_and_no_words_are_without_a_code() -> None:
    assert set(ENGLISH) == {
        *(f"band:{target}:{band}" for target in TARGETS for band in get_args(Band)),
        *(f"disqualifier:{question}" for question in QUESTIONS),
        *(f"mentioned:{fact}" for fact in FACTS),
        *(f"unknown:{question}" for question in QUESTIONS),
        *(f"question:{why}" for why in ("needed", "disqualifier", "weight", "contradiction")),
        *(f"abstained:{reason}" for reason in get_args(AbstentionReason)),
        *(f"unsupported:{target}" for target in TARGETS),
        *(f"unserved:{reason}" for reason in get_args(UnservedReason)),
        *("raised:safety_risk", "when_none:response", "when_none:protocol"),
    }


@pytest.mark.parametrize("code", ENGLISH)
def test_the_words_that_ship_may_be_said(code: str) -> None:
    check_text(code, ENGLISH[code])
    assert ENGLISH[code] not in ("low", "medium", "high")
    assert len(ENGLISH[code].split()) >= 3


@pytest.mark.parametrize(
    ("code", "text", "why"),
    [
        ("band:safety_risk:high", "High risk", "alarms"),
        ("band:safety_risk:high", "a high-risk call", "alarms"),
        ("raised:safety_risk", "dangerous person", "alarms"),
        ("band:safety_risk:extreme", "words", "no such code"),
        ("unserved:busy", "all busy", "must hold {name}"),
        ("unserved:busy", "{name} {phone}: all busy", "must hold {name}"),
        ("raised:safety_risk", "{name}", "no placeholder"),
    ],
)
def test_what_can_t_be_said(code: str, text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_text(code, text)
    assert why in str(caught.value)


def test_english_where_the_plan_is_silent() -> None:
    mine = {"en": {"unserved:busy": "{name}: out on calls"}, "es": {"unserved:busy": "{name}: no"}}
    assert texts_in("en", mine)["unserved:busy"] == "{name}: out on calls"
    assert texts_in("es", mine)["unserved:busy"] == "{name}: no"
    assert texts_in("es", mine)["unserved:ended"] == ENGLISH["unserved:ended"]
