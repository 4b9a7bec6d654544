"""`crisiscall plan`: check, show, explain, simulate."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from data.dataset import Dataset
from data.frame import to_frame
from model_service.model.plan import load_plan
from tests.builders import a_call, make_champion, release_files
from tests.invented import plan_document
from tests.training.test_simulate import CALLS
from training.cli import cli
from training.cli import main as entry
from training.pipeline import Trained


def run(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(cli, ["plan", *arguments], **more)


def a_plan(path: Path, **changes: Any) -> str:
    path.write_text(yaml.safe_dump(plan_document(**changes)), encoding="utf-8")
    return str(path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_champion(tmp_path)
    return tmp_path


# check


@pytest.mark.parametrize("name", ["boston", "seattle"])
def test_the_shipped_plans_can_be_used(name: str) -> None:
    ran = run("check", name)
    assert ran.exit_code == 0, ran.output
    assert "can be used" in ran.output


def test_every_mistake_is_a_line_that_names_its_field(tmp_path: Path) -> None:
    document = plan_document(mode="on", weather="fine")
    document["responses"][0]["police"] = "no"
    path = tmp_path / "our.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    ran = run("check", str(path))
    assert ran.exit_code == 1
    lines = ran.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["mode", "responses.0.police", "weather"]
    assert all(line.startswith("our.yaml: ") for line in lines)
    assert ran.stdout == ""


def test_no_yaml_and_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "our.yaml"
    path.write_text("plan: [", encoding="utf-8")
    assert run("check", str(path)).exit_code == 1
    with pytest.raises(SystemExit) as stopped:
        entry(["plan", "check", str(tmp_path / "nowhere.yaml")])
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_worth_a_look_is_a_note(tmp_path: Path) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    document = plan_document(
        holidays={"2021-12-25": "Christmas Day"}, areas={"Roxbury": square, "Sea": square}
    )
    document["responses"] += [
        {**document["responses"][0], "id": "never"},
        {**document["responses"][0], "id": "planned", "since": None},
        {**document["responses"][0], "id": "gone", "until": "2022-01-01", "places": ["Mattapan"]},
    ]
    path = tmp_path / "our.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    ran = run("check", str(path))
    assert ran.exit_code == 0
    said = "\n".join(line for line in ran.output.splitlines() if line.startswith("note: "))
    for words in (
        *("never: never its turn", "planned: has no first day", "gone: ended on 2022-01-01"),
        *("known by name alone: Mattapan", "served by nobody in particular: Roxbury, Sea"),
        "2021-12-25, is over",
    ):
        assert words in said


# show


def test_a_plan_in_words_says_all_of_it(tmp_path: Path) -> None:
    document = plan_document(
        mode="shadow", hold_back=0.2, holidays={"2026-11-26": "Thanksgiving Day"}
    )
    document["responses"][0].update(
        hours=[{"days": ["mon", "tue"], "from": "08:00", "to": "16:30"}],
        places=["Roxbury", "Downtown"],
        units=3,
        needs=["weapon"],
    )
    document["abstain"]["min_known_share"] = 0.4
    path = tmp_path / "our.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    said = run("show", str(path)).output
    for words in (
        *("A small plan", "version 1", "Mode: shadow", "20% of the calls", "Without police"),
        *("mon, tue 08:00-16:30", "Not on holidays", "Downtown or Roxbury", "3 units"),
        *("with 95% confidence at least 90%", "26 November 2026: Thanksgiving Day"),
        *(
            "“Weapon within reach?” answered yes, or said in the narrative",
            "Police with a clinician",
        ),
        *("Fewer than 40% of the narrative's words", "Only once “Weapon within reach?” is known"),
    ):
        assert words in said
    assert "None" not in said


# explain


def test_why_is_said_step_by_step(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "call.json"
    words = "brother hearing voices, not sleeping"
    call = a_call(narrative=words, answers={"weapon": "yes"}, neighborhood="Roxbury")
    path.write_text(json.dumps(call))
    ran = run("explain", str(path), "--home", str(home))
    assert ran.exit_code == 0, ran.output
    for words in (
        *("Tuesday 2021-10-05 21:14 EDT", "crisis", "by answers.weapon: yes"),
        *("! weapon               yes: the safety band counts", "not known: violence, threat"),
        *("emt_clinician        does not take safety risk high", "→ police_clinician     fits"),
        "5. recommendation    Police officers with a mental-health clinician",
    ):
        assert words in ran.output
    assert "voices" not in ran.output


def test_from_standard_input_and_by_another_plan(home: Path, tmp_path: Path) -> None:
    call = json.dumps(a_call(neighborhood="Dorchester"))
    other = a_plan(tmp_path / "our.yaml", mode="shadow")
    ran = run("explain", "-", "--plan", other, "--home", str(home), input=call)
    assert "→ clinician" in ran.output
    assert "shadow:" in ran.output


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"narrative": ""}, "abstained:nothing_said"),
        ({"answers": {"injury": "yes"}}, "4. responses         not asked"),
        (
            {"narrative": "hearing voices, a knife", "answers": {}, "neighborhood": None},
            "can't be sent: place_unknown",
        ),
        (
            {"narrative": "brother hearing voices, not sleeping", "answers": {}},
            "emt_clinician        fits, but for what is not known: weapon",
        ),
        ({"answers": {"weapon": "yes"}}, "weapon               yes, contradictory"),
        ({"narrative": "zzyzx zzyzx"}, "abstained:only_unknown_words"),
    ],
)
def test_what_ends_in_the_protocol(home: Path, fields: dict[str, Any], words: str) -> None:
    ran = run("explain", "-", "--home", str(home), input=json.dumps(a_call(**fields)))
    assert words in ran.output
    assert "[protocol]" in ran.output


def test_what_to_ask_next_is_said_with_what_would_follow(home: Path) -> None:
    call = a_call(narrative="brother hearing voices, not sleeping", answers={})
    ran = run("explain", "-", "--home", str(home), input=json.dumps(call))
    for words in (
        *("“Weapon within reach?” is not known yet [unknown:weapon]", "6. next question"),
        "Weapon within reach? (90%)",
        "no  → EMTs with a mental-health clinician [emt_clinician]",
    ):
        assert words in ran.output


def test_words_of_the_narrative_are_repeated_only_where_that_is_asked_for(home: Path) -> None:
    call = json.dumps(a_call(narrative="brother hearing voices, has a knife"))
    quiet = run("explain", "-", "--home", str(home), input=call)
    loud = run("explain", "-", "--quote", "--home", str(home), input=call)
    assert re.search(r"narrative \d+-\d+, said", quiet.output)
    assert "knife" not in quiet.output
    assert re.search(r"narrative \d+-\d+, said: “[^”]*knife”", loud.output)
    assert "voices" not in loud.output


def test_a_promise_that_is_not_kept_is_said(home: Path) -> None:
    files = release_files()
    limits = json.loads(files["thresholds.json"])
    limits["safety_risk"]["low"] = None
    make_champion(home, {**files, "thresholds.json": json.dumps(limits).encode()})
    ran = run("explain", "-", "--home", str(home), input=json.dumps(a_call()))
    assert "unsupported:safety_risk" in ran.output


def test_a_call_that_is_none(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "call.json"
    path.write_text('{"call_id": "a"}')
    with pytest.raises(SystemExit) as stopped:
        entry(["plan", "explain", str(path), "--home", str(home)])
    assert stopped.value.code == 2
    assert "received_at: Field required" in capsys.readouterr().err


# simulate


def test_who_would_have_been_sent_where(home: Path, tmp_path: Path) -> None:
    dataset = Dataset(to_frame(CALLS))
    dataset.write(tmp_path / "calls")
    document = load_plan("boston")[0].model_dump(mode="json", by_alias=True)
    document["responses"][0]["places"] = ["Roxbury"]
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(document), encoding="utf-8")
    ran = run(
        "simulate",
        str(tmp_path / "calls"),
        *("--against", str(other), "--home", str(home)),
        *("--out", str(tmp_path / "out")),
    )
    assert ran.exit_code == 0, ran.output
    assert f"{len(dataset.calls):,} calls." in ran.output
    assert "## Differences" in ran.output
    written = (tmp_path / "out" / "simulation.md").read_text(encoding="utf-8")
    assert "| neighborhood |" in written and "| hour |" in written
    calls = pd.read_parquet(tmp_path / "out" / "calls.parquet")
    assert len(calls) == len(dataset.calls)
    assert (calls["plan"] == "emt_clinician").any()
    assert "narrative" not in calls.columns


def test_a_period_without_calls(small: tuple[Dataset, Trained], invented_home: Path) -> None:
    ran = run(
        *("simulate", str(invented_home / "data" / "invented"), "--since", "2050-01-01"),
        *("--release", str(small[1].folder)),
    )
    assert "no call lies in the period" in str(ran.exception)
