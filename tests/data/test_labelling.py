"""Outcomes and decisions become labels by stated rules, and what they leave open stays missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from data.dataset import OUTCOME_DTYPES
from data.errors import InputError
from data.labelling import STANDARD, LabelRule, from_decisions, from_outcomes, label
from data.labels import SOURCES, resolve

RECEIVED = datetime(2026, 1, 1, 12, tzinfo=UTC)
RECORDED = datetime(2026, 1, 2, 12, tzinfo=UTC)


def outcomes(*told: dict[str, Any]) -> pd.DataFrame:
    rows = [{"call_id": f"c{i}", "recorded_at": RECORDED, **row} for i, row in enumerate(told)]
    return pd.DataFrame(rows, columns=list(OUTCOME_DTYPES)).astype(OUTCOME_DTYPES)


def labels_of(*told: dict[str, Any], rules: Any = STANDARD) -> pd.DataFrame:
    table = outcomes(*told)
    return from_outcomes(table, pd.Series(RECEIVED, index=table["call_id"]), rules)


def values(labels: pd.DataFrame, target: str, n: int) -> list[Any]:
    return resolve(labels, pd.Series([f"c{i}" for i in range(n)]))[target].tolist()


def test_a_clinicians_finding_labels_the_crisis_and_nothing_else() -> None:
    labels = labels_of({"clinician_finding": "crisis"}, {"clinician_finding": "no_crisis"}, {})
    assert values(labels, "mental_health_crisis", 3) == [True, False, pd.NA]
    assert values(labels, "safety_risk", 3) == [pd.NA] * 3
    assert set(labels["source"]) == {"clinician_finding"}


def test_a_label_is_as_old_as_its_outcome_and_names_nobody() -> None:
    labels = labels_of({"clinician_finding": "crisis"})
    assert labels["as_of"].tolist() == [pd.Timestamp(RECORDED)]
    assert labels["by"].isna().all()


def test_one_flag_is_enough_for_a_risk_but_not_against_one() -> None:
    labels = labels_of(
        {"weapon_found": True},
        {"violence_occurred": False, "force_used": True},
        {"weapon_found": False},
        {"weapon_found": False, "violence_occurred": False},
        {},
    )
    assert values(labels, "safety_risk", 5) == [True, True, pd.NA, False, pd.NA]
    assert set(labels["source"]) == {"force_or_weapon_flag"}


@pytest.mark.parametrize(
    ("source", "field"),
    [("final_call_type", "final_call_type"), ("disposition", "disposition")]
    + [("free_text_rule", "disposition")],
)
def test_an_agency_states_what_its_codes_mean(source: str, field: str) -> None:
    rule = LabelRule(
        target="mental_health_crisis",
        source=source,
        confidence=0.7,
        positive={field: {"pattern": "^PSYCH"}},  # type: ignore[dict-item]
        negative={field: ["NOISE"]},
        missing={"disposition": ["GOA"]},
    )
    table = labels_of(
        {field: "PSYCH EVAL"}, {field: "NOISE"}, {field: "OTHER"}, {"disposition": "GOA"},
        rules=[rule],
    )  # fmt: skip
    assert values(table, "mental_health_crisis", 4) == [True, False, pd.NA, pd.NA]
    assert set(table["source"]) == {source}
    assert set(table["confidence"]) == {0.7}


def test_a_rule_over_what_is_no_outcome_is_refused_by_name() -> None:
    rule = LabelRule(
        target="safety_risk", source="disposition", confidence=1, positive={"narrative": ["x"]}
    )
    with pytest.raises(InputError, match="'narrative'"):
        labels_of({}, rules=[rule])


def test_in_a_period_in_which_the_codes_said_nothing_there_is_no_label() -> None:
    rule = LabelRule.model_validate(
        {
            "target": "mental_health_crisis",
            "source": "final_call_type",
            "confidence": 0.7,
            "positive": {"final": ["PSYCH"]},
            "negative": {"final": ["NOISE"]},
            "missing_between": [{"since": "2015-02-01", "until": "2015-07-01"}],
        }
    )
    local = ["2015-01-31 23:59", "2015-02-01 00:00", "2015-06-30 23:59", "2015-07-01 00:00"]
    received = pd.to_datetime(local).tz_localize("America/Los_Angeles").tz_convert("UTC")
    about = pd.DataFrame(
        {"call_id": list("abcd"), "received_at": received, "as_of": received[-1]}
    ).astype({"received_at": "datetime64[us, UTC]", "as_of": "datetime64[us, UTC]"})
    for code, value in (("PSYCH", True), ("NOISE", False)):
        table = pd.DataFrame({"final": [code] * 4})
        made = label([rule], table, about, timezone="America/Los_Angeles")
        assert made["call_id"].tolist() == ["a", "d"]
        assert made["value"].tolist() == [value] * 2


def test_a_period_ends_after_it_begins() -> None:
    for until in ("2015-02-01", "2015-01-01", "soon"):
        with pytest.raises(ValueError, match="missing_between"):
            LabelRule.model_validate(
                {
                    "target": "safety_risk",
                    "source": "disposition",
                    "confidence": 1,
                    "positive": {"a": ["b"]},
                    "missing_between": [{"since": "2015-02-01", "until": until}],
                }
            )


def test_a_rule_must_say_something() -> None:
    with pytest.raises(ValueError, match="positive or negative"):
        LabelRule(target="safety_risk", source="disposition", confidence=1)


MEANINGS = {
    "clinician": {"mental_health_crisis": True, "safety_risk": False},
    "police_clinician": {"mental_health_crisis": True, "safety_risk": True},
}


def decisions(*rows: tuple[str, bool | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "call_id": [f"c{i}" for i in range(len(rows))],
            "decided_at": pd.Timestamp(RECEIVED),
            "response": [response for response, _ in rows],
            "advised": [advised for _, advised in rows],
        }
    )


def test_decisions_are_marked_by_whether_the_score_was_seen() -> None:
    labels = from_decisions(
        decisions(("clinician", False), ("clinician", True), ("police_clinician", None)), MEANINGS
    )
    by_call = labels.groupby("call_id")["source"].unique().map(list).to_dict()
    assert by_call == {
        "c0": ["decision_unadvised"],
        "c1": ["decision_advised"],
        "c2": ["decision_advised"],  # not known whether it was seen
    }
    assert values(labels, "mental_health_crisis", 3) == [True, pd.NA, pd.NA]
    swayed = resolve(labels, pd.Series(["c2"]), sources=SOURCES)
    assert swayed["safety_risk"].tolist() == [True]


def test_a_response_without_a_meaning_gives_no_label() -> None:
    assert from_decisions(decisions(("protocol", False)), MEANINGS).empty
