"""A log with a past: synthetic calls of some days, assessed and decided on, at their own times.

Written as the service writes it, but for the clock. Only synthetic people.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from data.call import Call, Outcome
from model_service.model.assess import assess
from model_service.model.decision import OVERRIDE_REASONS
from model_service.model.release import Release, load_release
from model_service.service import views
from model_service.service.ids import new_id
from model_service.service.log.entry import Draft
from model_service.service.log.store import prepare
from model_service.service.opening import open_store
from model_service.service.settings import Settings
from tests.builders import a_call

PLACES = ("Dorchester", "Roxbury", "South End", "Downtown", "Charlestown", "Mattapan", None)
WEIGHTS = (30, 24, 18, 12, 6, 2, 3)
TEXTS = (
    "brother hearing voices, not sleeping, no weapons",
    "suicidal, no weapons, wants help",
    "suicidal brother hearing voices, he has a knife",
    "car accident, no one hurt, cars blocked",
    "hearing voices, walking up and down, not sleeping for days",
    "car alarm, no people around",
)
DESKS = ("desk", "other")
BATCH = 200


def write_past(
    settings: Settings,
    *,
    calls: int,
    until: datetime,
    hours: float,
    seed: int = 1,
    places: Sequence[str | None] = PLACES,
) -> list[str]:
    """Write the calls of some hours into the log of a home that has a champion.

    Returns
    -------
    list of str
        Ids of the assessments, the first one first.
    """
    chosen = random.Random(seed)
    pointer = settings.release_path
    release = load_release(
        pointer.parent / Path(pointer.read_text(encoding="ascii").strip()), trusted=None
    )
    drafts: list[Draft] = []
    begin = until - timedelta(hours=hours)
    for number in range(calls):
        at = begin + timedelta(hours=hours * (number + chosen.random()) / calls)
        drafts += _call(release, chosen, f"P-{seed}-{number:05d}", at, until, places)
    drafts.sort(key=lambda draft: str(draft.at))
    store = open_store(settings, busy_timeout_ms=5000)
    try:
        for start in range(0, len(drafts), BATCH):
            store.write([prepare(draft) for draft in drafts[start : start + BATCH]])
    finally:
        store.close()
    return [str(one.assessment_id) for one in drafts if one.kind == "assessment"]


def _call(
    release: Release,
    chosen: random.Random,
    call_id: str,
    at: datetime,
    until: datetime,
    places: Sequence[str | None],
) -> list[Draft]:
    made: list[Draft] = []
    (place,) = chosen.choices(places, WEIGHTS[: len(places)])
    text = chosen.choice(TEXTS)
    weapon = chosen.choice(("no", "no", "yes", "unknown"))
    advised = _mode(chosen)
    last = 0.0
    for revision in range(1, chosen.choice((1, 1, 1, 2, 3)) + 1):
        then = at + timedelta(minutes=2 * (revision - 1))
        if then >= until:
            break
        call = Call.model_validate_json(
            views.orjson.dumps(
                a_call(
                    call_id,
                    call_id=call_id,
                    revision=revision,
                    narrative=" ".join(text.split()[: 3 + 3 * revision]),
                    received_at=at.isoformat(),
                    answers={"weapon": weapon},
                    **({"neighborhood": place}),
                )
            )
        )
        made.append(_assessment(release, call, then, advised))
        last = then.timestamp()
        if chosen.random() < 0.75:
            decided = then + timedelta(seconds=chosen.lognormvariate(2.6, 0.8))
            if decided < until:
                made.append(_decision(made[-1], chosen, decided))
    if chosen.random() < 0.3 and last and at + timedelta(hours=1) < until:
        told = Outcome(
            call_id=call_id, recorded_at=at + timedelta(hours=1), disposition="transported"
        )
        made.append(
            Draft(
                "outcome",
                "cad",
                {},
                call_id=call_id,
                private={views.OUTCOME: told.model_dump_json(exclude_none=True).encode()},
                at=at + timedelta(hours=1),
            )
        )
    return made


def _mode(chosen: random.Random) -> Literal["off", "shadow", "held_back"] | None:
    return chosen.choices((None, "held_back", "shadow", "off"), (85, 8, 4, 3))[0]


def _assessment(release: Release, call: Call, at: datetime, withheld: Any) -> Draft:
    private = {views.CALL: call.model_dump_json(exclude_none=True).encode()}
    mode = withheld if withheld in ("off", "shadow") else "advisory"
    assessment = None
    if mode != "off":
        assessment = assess(release, call, None, free={})
        assert assessment.explanation is not None
        private[views.GROUNDS] = views.grounds_bytes(assessment)
        private[views.EXPLANATION] = views.explanation_bytes(assessment.explanation)
    body = views.assessment_body(
        release,
        assessment,
        leads=True,
        mode=mode,
        withheld=withheld,
        hold_back=None,
        free={},
    )
    return Draft(
        "assessment",
        "cad",
        body,
        call_id=call.call_id,
        revision=call.revision,
        assessment_id=new_id(at),
        private=private,
        at=at,
    )


def _decision(about: Draft, chosen: random.Random, at: datetime) -> Draft:
    recommended = (about.body["recommendation"] or {}).get("response")
    shown = about.body["withheld"] is None
    override = shown and chosen.random() < 0.2
    reason = chosen.choices(OVERRIDE_REASONS, range(len(OVERRIDE_REASONS), 0, -1))[0]
    action = "override" if override else "accept" if shown else "commit"
    assert about.at is not None
    return Draft(
        "decision",
        chosen.choice(DESKS),
        {
            "action": action,
            "response": "protocol" if override else recommended or "protocol",
            "recommended": recommended,
            "advice_shown": shown,
            "reason": reason if override else None,
            "time_to_decide_ms": round((at - about.at).total_seconds() * 1000),
            "superseded_by": None,
        },
        call_id=about.call_id,
        revision=about.revision,
        assessment_id=about.assessment_id,
        private={views.NOTE: b"as the caller asked"} if override else {},
        at=at,
    )
