"""Retention by rule: what is due, what is held, and that looking erases nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.service.log import Draft, verify
from model_service.service.log.place import Place
from model_service.service.log.reading import Reader
from model_service.service.log.store import prepare
from model_service.service.retention import RetentionError, Rule, due, load_rules
from tests.stores import environment, open_store
from training.cli import cli

NOW = datetime.now(UTC)
RULES = {
    "rules": [
        {
            "name": "narratives",
            "kinds": ["assessment", "decision"],
            "days": 365,
            "unless_overridden": ["weapon_or_violence"],
        },
        {"name": "outcomes", "kinds": ["outcome"], "days": 1000},
        {"name": "everything", "kinds": ["assessment", "decision", "outcome"], "days": 3000},
    ],
    "holds": ["C-held"],
}


def entry(kind: Any, call: str, days: float, **body: Any) -> Draft:
    at = NOW - timedelta(days=days)
    private = {"x": b"words"}
    return Draft(kind, "desk", body, call, private=private, at=at)


pytestmark = pytest.mark.both_stores


@dataclass
class Home:
    """A folder with the rules, and the log that they are for."""

    path: Path
    place: Place


@pytest.fixture
def home(tmp_path: Path, place: Place) -> Home:
    store = open_store(place)
    drafts = [
        entry("assessment", "C-old", 3500),
        entry("decision", "C-old", 3499, reason=None),
        entry("outcome", "C-old", 3490),
        entry("assessment", "C-held", 3000),
        entry("outcome", "C-held", 2999),
        entry("assessment", "C-review", 500),
        entry("decision", "C-review", 499, reason="weapon_or_violence"),
        entry("outcome", "C-review", 498),
        entry("assessment", "C-new", 10),
        Draft("release", "service", {}, at=NOW - timedelta(days=4000)),
    ]
    store.write([prepare(draft) for draft in drafts])
    store.close()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    return Home(tmp_path, place)


def retain(home: Home, *arguments: str) -> Result:
    given = environment(home.path, home.place)
    rules = str(home.path / "rules.yaml")
    return CliRunner(env=given).invoke(cli, ["log", "retain", "--rules", rules, *arguments])


def left(home: Home) -> list[int]:
    store = open_store(home.place)
    with store.reading() as connection:
        found = [seq for (seq,) in connection.execute("SELECT DISTINCT seq FROM private")]
    store.close()
    return sorted(found)


def test_a_dry_run_tells_and_erases_nothing(home: Home) -> None:
    before = left(home)
    result = retain(home, "--dry-run")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[:3] == [
        "narratives: 2 entries of 1 calls",
        "outcomes: 1 entries of 1 calls",
        "everything: 0 entries of 0 calls",
    ]
    assert [line.split("\t")[:4] for line in lines[3:]] == [
        ["narratives", "1", "assessment", "C-old"],
        ["narratives", "2", "decision", "C-old"],
        ["outcomes", "3", "outcome", "C-old"],
    ]
    assert left(home) == before


def test_what_is_due_goes_and_is_on_record_by_its_rule(home: Home) -> None:
    result = retain(home, "--by", "r.alvarez")
    assert result.exit_code == 0, result.output
    assert left(home) == [4, 5, 6, 7, 8, 9]
    store = open_store(home.place)
    told = [
        (e.actor, {name: value for name, value in e.content().items() if name != "salt"})
        for e in Reader(store).page(kind="erasure")
    ]
    store.close()
    assert told == [
        ("r.alvarez", {"reason": "retention", "rule": "narratives", "entries": [1, 2]}),
        ("r.alvarez", {"reason": "retention", "rule": "outcomes", "entries": [3]}),
    ]
    assert verify(home.place).whole
    assert "narratives: 0 entries" in retain(home, "--by", "r.alvarez").output


def test_a_hold_of_the_command_line_is_added_to_those_of_the_file(home: Home) -> None:
    retain(home, "--by", "r.alvarez", "--hold", "C-old")
    assert left(home) == list(range(1, 10))


def test_nothing_is_erased_by_nobody(home: Home) -> None:
    assert "--by NAME" in str(retain(home).exception)
    assert left(home) == list(range(1, 10))


RULE = RULES["rules"][1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("rules: [", "no YAML"),
        ("", "the file"),
        (yaml.safe_dump({"rules": []}), "rules"),
        (yaml.safe_dump({"rules": [{**RULE, "days": 0}]}), "rules.0.days"),  # type: ignore[dict-item]
        (yaml.safe_dump({"rules": [{**RULE, "kinds": ["release"]}]}), "rules.0.kinds"),  # type: ignore[dict-item]
        (yaml.safe_dump({"rules": [{**RULE, "after": 3}]}), "rules.0.after"),  # type: ignore[dict-item]
        (yaml.safe_dump({"rules": [{**RULE, "name": "Mr. Wren"}]}), "rules.0.name"),  # type: ignore[dict-item]
        (yaml.safe_dump({"rules": [RULE, RULE]}), "same name"),
        (yaml.safe_dump({"rules": [RULE], "holds": "C-1"}), "holds"),
    ],
)
def test_rules_that_are_none_are_refused_in_one_line(
    tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(content)
    with pytest.raises(RetentionError) as refused:
        load_rules(file)
    message = str(refused.value)
    assert said in message and "\n" not in message and "Wren" not in message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RetentionError, match="can't be read"):
        load_rules(tmp_path / "none.yaml")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["assessment", "outcome"]),
            st.sampled_from(["A", "B", "C"]),
            st.integers(0, 50),
        ),
        max_size=15,
    ),
    st.lists(st.tuples(st.sampled_from(["assessment", "outcome"]), st.integers(1, 60)), min_size=1),
    st.sets(st.sampled_from(["A", "B", "C"])),
)
def test_what_is_due_is_what_the_first_rule_that_takes_it_says(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, str, int]],
    rules: list[tuple[str, int]],
    holds: set[str],
) -> None:
    store = open_store(tmp_path_factory.mktemp("log") / "log.db")
    drafts = [entry(kind, call, days + 0.5) for kind, call, days in entries]
    if drafts:
        store.write([prepare(draft) for draft in drafts])
    made = [Rule(name=f"r{n}", kinds=(kind,), days=d) for n, (kind, d) in enumerate(rules)]  # type: ignore[arg-type]
    found = due(store, made, holds=holds, at=NOW)
    store.close()
    expected: dict[str, list[int]] = {rule.name: [] for rule in made}
    for seq, (kind, call, days) in enumerate(entries, 1):
        first = next((r.name for r in made if kind in r.kinds and days + 0.5 > r.days), None)
        if first is not None and call not in holds:
            expected[first].append(seq)
    assert {name: [one.seq for one in due_] for name, due_ in found.items()} == expected
