"""A simulation is what the service would have said, counted."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from data.frame import to_frame
from model_service.model.assess import assess
from model_service.model.plan import ResponsePlan
from model_service.model.release import Release, load_release
from tests.builders import PUBLIC_KEY, make_champion
from tests.invented import invented_calls
from training.simulate import UNKNOWN, report, simulate

CRISIS = {"narrative": "suicidal brother hearing voices, not sleeping", "language": "en"}
CALLS = [
    call.model_copy(update={**CRISIS, "answers": {"weapon": "no"}}) if number % 2 else call
    for number, (call, _, _) in enumerate(invented_calls(120))
]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = make_champion(tmp_path_factory.mktemp("home"))
    return load_release(folder, trusted=[PUBLIC_KEY])


def closed(plan: ResponsePlan) -> ResponsePlan:
    """The same plan, whose first team serves in one neighbourhood alone."""
    document = plan.model_dump(mode="json", by_alias=True)
    document["responses"][0]["places"] = ["Roxbury"]
    return ResponsePlan.model_validate(document)


def test_one_line_for_each_call_and_it_is_what_assess_says(release: Release) -> None:
    simulated = simulate(release, {"plan": release.plan}, to_frame(CALLS))
    assert list(simulated["call_id"]) == [call.call_id for call in CALLS]
    for (_, row), call in zip(simulated.iterrows(), CALLS, strict=True):
        made = assess(release, call, explained=False).recommendation
        assert row["plan"] == made.response
        assert row["plan unserved"] == [f"{u.response}:{u.reason}" for u in made.unserved]
        assert row["neighborhood"] == (call.neighborhood or UNKNOWN)
        assert row["hour"] == call.received_at.astimezone(release.plan.zone).hour


def test_of_a_call_its_last_revision_counts(release: Release) -> None:
    first = CALLS[0].model_copy(update={"narrative": "someone called", "answers": {}})
    later = first.model_copy(
        update={
            "revision": 2,
            "narrative": "suicidal brother hearing voices not sleeping",
            "received_at": first.received_at + timedelta(0),
        }
    )
    simulated = simulate(release, {"plan": release.plan}, to_frame([later, first]))
    assert len(simulated) == 1
    expected = assess(release, later, explained=False).recommendation.response
    assert simulated["plan"].item() == expected


def test_the_report_counts_every_call_once(release: Release) -> None:
    plans = {"plan": release.plan, "against": closed(release.plan)}
    simulated = simulate(release, plans, to_frame(CALLS))
    text = report(simulated, plans)
    assert text.startswith(f"{len(CALLS)} calls.")
    changed = simulated[simulated["plan"] != simulated["against"]]
    assert len(changed) > 0
    assert set(changed["plan"]) == {"emt_clinician"}
    assert "Roxbury" not in set(changed["neighborhood"])
    assert f"{len(changed)} calls ({len(changed) / len(CALLS):.1%}) are recommended another" in text
    for name in plans:
        table = pd.crosstab(simulated["neighborhood"], simulated[name])
        assert table.to_numpy().sum() == len(CALLS)
    assert "| emt_clinician | out_of_area |" in text
    assert "| emt_clinician | place_unknown |" in text


def test_a_plan_against_itself_differs_in_nothing(release: Release) -> None:
    plans = {"plan": release.plan, "against": release.plan}
    assert "0 calls (0.0%)" in report(simulate(release, plans, to_frame(CALLS)), plans)
