"""Invented calls of a few dozen words, and a training run of seconds on them.

Unlike the project's synthetic calls they are made for the tests' sake: every kind of gap and every
rare value is there by the hundred, and the truth is plain in the words.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.frame import to_frame
from model_service.model.plan import ResponsePlan
from tests.builders import KEY
from training.config import TrainingConfig
from training.pipeline import Trained, train

PLAN = str(Path(__file__).with_name("invented_plan.yaml"))
"""Boston's plan, but that no bound is promised: a few hundred calls could not keep it."""

START = datetime(2021, 9, 20, 4, tzinfo=UTC)
DAYS = 100

CRISIS = ("voices", "suicidal", "paranoid", "manic", "hopeless", "psychosis", "überdrüssig")
RISK = ("knife", "gun", "fighting", "threatening", "swinging", "armed")
PLAIN = (
    *("caller", "states", "male", "female", "street", "corner", "car", "noise", "alarm", "parking"),
    *("dog", "lost", "property", "door", "apartment", "building", "neighbor", "store", "ran"),
    *("walking", "sitting", "shouting", "help", "needs", "someone", "please", "near", "north"),
    *("south", "lot", "fence", "phone", "taken", "left", "came", "back", "still", "here", "café"),
)
RARE = tuple(f"p{number}" for number in range(12))


def invented_calls(n: int = 700, seed: int = 0) -> list[tuple[Call, str, dict[str, bool | None]]]:
    """Make calls in order of time, each with its incident and its two labels (None: missing)."""
    rng = random.Random(seed)
    made = []
    incident = ""
    for number in range(n):
        at = START + timedelta(days=DAYS) * (number / n) + timedelta(seconds=rng.randrange(12_000))
        crisis, risk = rng.random() < 0.25, rng.random() < 0.25
        words = rng.choices(PLAIN, k=rng.randint(4, 12))
        words += rng.choices(CRISIS, k=rng.randint(0, 3)) if crisis else []
        words += rng.choices(RISK, k=rng.randint(0, 3)) if risk else []
        words += rng.choices(CRISIS + RISK, k=1) if rng.random() < 0.2 else []
        rng.shuffle(words)
        narrative = "" if rng.random() < 0.05 else f"{' '.join(words)} unit {number}."
        answers = {
            question: rng.choices(["yes", "no", "unknown"], weights)[0]
            for question, weights in (
                ("weapon", (6, 3, 1) if risk else (0.2, 8, 1)),
                ("suicidal", (5, 4, 1) if crisis else (0.2, 8, 1)),
            )
            if rng.random() < 0.6
        }
        call = Call(
            call_id=f"I-{number:05d}",
            received_at=at,
            narrative=narrative,
            call_type=rng.choice([None, "CHECK WELFARE", "DISTURBANCE", "EDP"]),
            call_source=rng.choice([None, "911", "911", "988_transfer", "non_emergency"]),
            priority=rng.choice([None, "1", "2", "3", rng.choice(RARE)]),
            caller_role=rng.choice([None, "self", "family", "bystander"]),
            language=rng.choice([None, "en", "es"]),
            neighborhood=rng.choice([None, "Downtown", "Roxbury", "Dorchester", "Mattapan"]),
            premise_id=rng.choice([None, f"P{rng.randrange(60)}"]),
            answers=answers,  # type: ignore[arg-type]
        )
        if rng.random() > 0.08:
            incident = f"inc-{number}"
        truth = {"mental_health_crisis": crisis, "safety_risk": risk}
        made.append(
            (call, incident, {t: None if rng.random() < 0.1 else truth[t] for t in TARGETS})
        )
    return made


def invented_dataset(n: int = 700, seed: int = 0) -> Dataset:
    """Make the calls of `invented_calls` into a data set, not yet written."""
    made = invented_calls(n, seed)
    labels = [
        {
            "call_id": call.call_id,
            "target": target,
            "value": value,
            "source": "scenario",
            "as_of": call.received_at,
            "confidence": 1.0,
        }
        for call, _, truth in made
        for target, value in truth.items()
        if value is not None
    ]
    groups = [{"call_id": call.call_id, "incident_id": incident} for call, incident, _ in made]
    return Dataset(
        to_frame(call for call, _, _ in made),
        labels=pd.DataFrame(labels),
        groups=pd.DataFrame(groups),
        manifest={"source": "invented for the tests"},
    )


def invented_config(**changes: Any) -> TrainingConfig:
    """Make a configuration that uses every kind of feature and takes a second."""
    document: dict[str, Any] = {
        "name": "invented",
        "title": "Invented calls",
        "data": "Calls invented for the tests.",
        "warning": "Not for operation.",
        "features": {
            "timezone": "America/New_York",
            "texts": [
                {"column": "narrative", "ngrams": 2, "min_calls": 3},
                {"column": "call_type", "ngrams": 1, "min_calls": 3},
            ],
            "categories": [
                *("call_source", "priority", "caller_role", "language", "hour", "weekday"),
                *("premise_id", "answer_weapon", "answer_suicidal"),
            ],
            "min_calls": 12,
        },
        "split": {"validation_from": 0.6, "test_from": 0.8},
        "search": {"C": [1.0], "weights": {"premise_id": [0.3]}},
        "plan": PLAN,
    }
    return TrainingConfig.model_validate({**document, **changes})


HISTORY_FEATURES: dict[str, Any] = {
    **invented_config().features.model_dump(mode="json", exclude={"history"}),
    "history": {"windows": [7, 60], "crises": {"clinician_finding": ["crisis"]}},
}
"""The features of `invented_config`, and the history of premises."""


def trained_on(dataset: Dataset, home: Path, **changes: Any) -> Trained:
    """Write a data set under `home`, train on it, and write the release beside it."""
    dataset.write(home / "data" / "invented")
    return train(dataset, invented_config(**changes), store=home / "releases", key=KEY)


def plan_document(**changes: Any) -> dict[str, Any]:
    """Make the YAML of a small plan with every kind of rule, as Python has it."""
    return {
        "plan": "small",
        "version": "1",
        "title": "A small plan",
        "timezone": "America/New_York",
        "bands": {
            target: {"low": {"sensitivity": 0.9}, "high": {"precision": 0.7}} for target in TARGETS
        },
        "abstain": {"min_known_words": 1, "languages": ["en"]},
        "disqualifiers": {"weapon": "risk_high", "injury": "protocol"},
        "responses": [
            {
                "id": "clinician",
                "name": "Clinician",
                "police": False,
                "mental_health_crisis": ["high"],
                "safety_risk": ["low"],
                "since": "2021-08-01",
            },
            {
                "id": "police_clinician",
                "name": "Police with a clinician",
                "police": True,
                "mental_health_crisis": ["medium", "high"],
                "safety_risk": ["low", "medium", "high"],
                "since": "2021-09-01",
            },
        ],
        "protocol": {"name": "The centre's own protocol"},
        **changes,
    }


def make_plan(**changes: Any) -> ResponsePlan:
    """Make the plan of `plan_document`."""
    return ResponsePlan.model_validate(plan_document(**changes))
