"""Swaps find what depends on a name, a place or a language, and only that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.call import Call
from data.frame import to_calls, to_frame
from model_service.model.release import Release, load_release, write_release
from model_service.model.scorer import CategoryTable
from tests.builders import KEY, make_scorer, release_files
from training.audit.causes.lists import shipped
from training.audit.causes.swaps import LIMIT, Swap, pairs, section, swap, unsupported

START = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOODS = ["Back Bay", "Roxbury", "Mattapan", "Downtown", "Charlestown"]
SAYINGS = [
    "my brother hearing voices, not sleeping, no weapons",
    "brother suicidal, hearing voices, not sleeping, no knife",
    "my son suicidal, hearing voices, knife",
    "CAR ACCIDENT, NO WEAPONS",
]


def frame(n: int = 40, **more: object) -> pd.DataFrame:
    return to_frame(
        Call(
            call_id=f"c{i}",
            received_at=START + timedelta(minutes=i),
            narrative=SAYINGS[i % len(SAYINGS)],
            neighborhood=HOODS[i % len(HOODS)],
            answers={"weapon": "no"},
            **more,  # type: ignore[arg-type]
        )
        for i in range(n)
    )


def release_of(folder: Path, **parts: object) -> Release:
    scorer = replace(make_scorer(), **parts)  # type: ignore[arg-type]
    return load_release(write_release(folder, release_files(scorer), KEY), trusted=None)


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A model that looks at no place and knows no name."""
    return release_of(tmp_path_factory.mktemp("blind"))


def by_kind(swaps: tuple[Swap, ...]) -> dict[str, Swap]:
    return {one.kind: one for one in swaps if not one.variant}


def test_a_model_that_looks_at_no_name_or_place_changes_nothing_by_them(blind: Release) -> None:
    calls = frame()
    made = by_kind(swap(blind, calls, calls["call_id"]))
    for kind in ("name", "neighbourhood of the call", "way to write that it is English"):
        assert made[kind].changed.value == 0 and made[kind].bands.value == 0
        assert made[kind].examples == ()
    assert made["name"].crisis.value == pytest.approx(0)
    assert (
        # The plan serves some places and not others.
        made["neighbourhood of the call"].by_plan > 0
    )
    assert made["name"].pairs == 40 * (len(shipped().names.sets) - 1)


def test_a_model_that_looks_at_the_neighbourhood_is_found(tmp_path: Path) -> None:
    place = CategoryTable("neighborhood", {"Roxbury": (6.0, 0.0)}, (-6.0, 0.0), (0.0, 0.0))
    seeing = release_of(tmp_path, categories=(*make_scorer().categories, place))
    calls = frame()
    made = by_kind(swap(seeing, calls, calls["call_id"]))
    found = made["neighbourhood of the call"]
    assert found.changed.value > LIMIT and found.changed.low > 0
    assert found.teams.value > found.changed.value  # most calls are left to the protocol
    assert set(found.examples) <= set(calls["call_id"])
    told = section(tuple(made.values()))
    assert "neighbourhood of the call (" in told.summary[1]
    assert "for which a team was recommended" in told.summary[2]
    assert not any(text in told.markdown() for text in SAYINGS)


def test_a_model_that_looks_at_a_name_is_found_in_its_set_alone(tmp_path: Path) -> None:
    scorer = make_scorer()
    table = scorer.texts[0]
    names = [
        name.lower()
        for name in (*shipped().names.sets["black"].f, *shipped().names.sets["black"].m)
    ]
    table = replace(
        table,
        terms=[*table.terms, *names],
        idf=np.r_[table.idf, np.full(len(names), 3.0)],
        weights=np.vstack([table.weights, np.full((len(names), 2), 9.0)]),
    )
    calls = frame()
    made = swap(release_of(tmp_path, texts=(table,)), calls, calls["call_id"])
    names_changed = {one.variant: one.bands.value for one in made if one.kind == "name"}
    assert names_changed["black"] > 0.2
    assert all(
        share == 0 for variant, share in names_changed.items() if variant not in ("", "black")
    )


def test_the_same_call_is_swapped_alike_whatever_the_others(blind: Release) -> None:
    calls = frame()
    assert swap(blind, calls, calls["call_id"]) == swap(blind, calls, calls["call_id"])
    one = to_calls(calls)[3]
    assert list(pairs(one, shipped(), HOODS)) == list(pairs(one, shipped(), HOODS))


def test_a_pair_differs_in_what_is_swapped_alone() -> None:
    for call in to_calls(frame(8)):
        for pair in pairs(call, shipped(), HOODS):
            first, then = pair.first.model_dump(), pair.then.model_dump()
            differs = {name for name in first if first[name] != then[name]}
            allowed = {"neighbourhood of the call": {"neighborhood"}}
            allowed["way to write that it is English"] = {"language"}
            assert differs <= allowed.get(pair.kind, {"narrative"})


def test_calls_that_are_abstained_from_for_their_language_are_not_swapped(blind: Release) -> None:
    calls = frame(20)
    calls.loc[calls.index[:5], "language"] = "es"
    calls.loc[calls.index[5:9], "language"] = "en-GB"
    made = by_kind(swap(blind, calls, calls["call_id"]))
    assert made["name"].calls == 15


def test_an_unsupported_language_is_abstained_from_or_it_is_said(blind: Release) -> None:
    calls = frame(12)
    found = unsupported(blind, calls, calls["call_id"])
    tags = [one for one in found if one.what == "tag"]
    assert {one.language for one in tags} == set(shipped().languages.tags)
    assert all(one.abstained.value == 1 and one.quiet.value == 0 for one in tags)
    sentences = [one for one in found if one.what == "sentence, stated"]
    assert sentences and all(one.quiet.value == 0 for one in sentences)
    told = section(swap(blind, calls, calls["call_id"]), found)
    assert len(told.tables) == 3 and told.as_json()["tables"][2]["rows"]
