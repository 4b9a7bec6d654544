"""What drives a group's score adds up, and is found where it was planted."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.call import TARGETS, Call
from data.frame import to_calls, to_frame
from model_service.model.release import Release, load_release, write_release
from tests.builders import KEY, a_call, release_files
from training.audit.causes.drive import contributions, drive, drivers, section

WORDS = ("brother", "hearing", "voices", "knife", "no", "weapons", "sleeping", "car", "zebra")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = write_release(tmp_path_factory.mktemp("releases"), release_files(), KEY)
    return load_release(folder, trusted=None)


def frame(narratives: list[str], **more: object) -> pd.DataFrame:
    return to_frame(
        Call.model_validate_json(json.dumps(a_call(n, narrative=text, **more)))
        for n, text in enumerate(narratives)
    )


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), min_size=2, max_size=8))
def test_contributions_and_the_bias_are_the_score(release: Release, narratives: list[str]) -> None:
    calls = frame(narratives)
    made = contributions(release, calls)
    for column, target in enumerate(TARGETS):
        scored = [release.scorer.score(call).log_odds[column] for call in to_calls(calls)]
        whole = made[target].sum(axis=1) + release.scorer.bias[column]
        np.testing.assert_allclose(whole, scored, atol=1e-9)


@given(
    st.lists(
        st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.sampled_from("AB")),
        min_size=4,
        max_size=30,
    )
)
def test_parts_add_up_to_the_difference_of_the_scores(
    rows: list[tuple[float, float, float, str]],
) -> None:
    *columns, names = zip(*rows, strict=True)
    keys = [("words", "words"), ("answers", "weapon"), ("answers", "injury")]
    made = pd.DataFrame(
        np.column_stack([*columns, *columns]),
        columns=pd.MultiIndex.from_tuples(
            [(target, *key) for target in TARGETS for key in keys],
            names=["target", "part", "feature"],
        ),
    )
    groups = pd.Series(names)
    if groups.nunique() < 2:
        return
    found = drivers(made, groups, pd.Series(range(len(rows))))
    for target in TARGETS:
        own = {
            (d.part, d.feature): d.figure.value
            for d in found
            if d.target == target and d.group == "A"
        }
        score = made[target].sum(axis=1)
        gap = score[groups == "A"].mean() - score[groups == "B"].mean()
        assert own["", ""] == pytest.approx(gap, abs=1e-9)
        assert own["words", ""] + own["answers", ""] == pytest.approx(gap, abs=1e-9)
        fine = own["answers", "weapon"] + own["answers", "injury"]
        assert fine == pytest.approx(own["answers", ""], abs=1e-9)


def test_what_was_planted_is_found(release: Release) -> None:
    calls = frame(["brother voices", "brother"] * 40, call_type=None, answers={})
    places = pd.Series(["Here", "There"] * 40, index=calls.index)
    found = drive(release, calls, places, calls["call_id"])
    here = {
        d.part: d.figure
        for d in found
        if d.group == "Here" and d.target == TARGETS[0] and not d.feature
    }
    assert here["words"].value == pytest.approx(here[""].value) and here["words"].low > 0
    assert here["time"].value == pytest.approx(0, abs=1e-12)
    told = section(found).markdown()
    assert "voices" not in told and "brother" not in told  # words come as one sum
    assert "| Here | words |" in told


def test_more_calls_than_asked_for_are_sampled_and_groupless_ones_left_out(
    release: Release,
) -> None:
    calls = frame(["voices"] * 30)
    places = pd.Series(["Here", "There", None] * 10, index=calls.index, dtype="str")
    asked: list[int] = []

    def count(items: object, _: str) -> object:
        asked.append(len(items))  # type: ignore[arg-type]
        return items

    drive(release, calls, places, calls["call_id"], most=12, progress=count)  # type: ignore[arg-type]
    assert asked == [12]


def test_a_feature_that_hardly_any_call_has_gets_no_interval() -> None:
    keys = [("words", "words"), ("concepts", "rare said"), ("concepts", "common said")]
    values = np.zeros((60, 6))
    values[:, [0, 2, 3, 5]] = np.random.default_rng(1).normal(size=(60, 4))
    values[40:44, 1] = 3.0  # four calls, all of the rest
    made = pd.DataFrame(
        values,
        columns=pd.MultiIndex.from_tuples(
            [(target, *key) for target in TARGETS for key in keys],
            names=["target", "part", "feature"],
        ),
    )
    found = drivers(made, pd.Series(["A"] * 20 + ["B"] * 40), pd.Series(range(60)))
    own = {d.feature: d.figure for d in found if (d.group, d.target) == ("A", TARGETS[0])}
    assert own["rare said"].value == pytest.approx(-0.3) and np.isnan(own["rare said"].low)
    assert not np.isnan(own["common said"].low)
    assert "rare said" not in section(found).markdown()
