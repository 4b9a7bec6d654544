"""An evaluation counts what was recommended, by hand and by the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.frame import to_calls, to_frame
from model_service.model.assess import assess
from model_service.model.release import Release, load_release, write_release
from tests.builders import KEY, a_call, release_files
from training.card import head_table, number, recommendation_tables
from training.evaluate import assess_frame, evaluate
from training.pipeline import Trained
from training.plots import draw

# Narrative, weapon, neighborhood, what Boston's plan then recommends, crisis, risk, cluster.
ROWS: list[tuple[str, bool, str | None, str, bool | None, bool | None, str]] = [
    ("brother hearing voices, not sleeping", False, "Roxbury", "emt_clinician", True, False, "a"),
    ("hearing voices not sleeping", False, None, "emt_clinician", True, False, "b"),
    ("brother hearing voices, not sleeping", False, "Roxbury", "emt_clinician", True, True, "b"),
    ("brother hearing voices", True, "Dorchester", "protocol", True, False, "c"),
    ("knife knife knife voices", False, "Roxbury", "police_clinician", True, True, "c"),
    ("brother hearing voices with knife", False, "Roxbury", "police_clinician", True, False, "d"),
    ("hearing voices not sleeping", False, None, "emt_clinician", True, None, "d"),
    ("car accident no", False, None, "protocol", False, False, "e"),
    ("brother hearing voices, not sleeping", False, None, "emt_clinician", False, True, "e"),
    ("", False, None, "protocol", None, None, "f"),
]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = write_release(tmp_path_factory.mktemp("store"), release_files(), KEY)
    return load_release(folder, trusted=None)


def calls() -> pd.DataFrame:
    made = []
    for row, (narrative, weapon, place, *_) in enumerate(ROWS):
        denied = {} if "knife" in narrative else {"weapon": "no"}
        answers = {"hallucinations": "yes", "weapon": "yes"} if weapon else denied
        document = a_call(row, narrative=narrative, neighborhood=place, answers=answers)
        made.append(Call.model_validate_json(json.dumps(document)))
    frame = to_frame(made)
    frame.index = pd.Index(range(100, 100 + len(ROWS)))
    return frame


def targets() -> pd.DataFrame:
    return pd.DataFrame(
        {target: [row[4 + column] for row in ROWS] for column, target in enumerate(TARGETS)},
        dtype="boolean",
        index=calls().index,
    )


def clusters() -> pd.Series:
    return pd.Series([row[6] for row in ROWS], index=calls().index, dtype="str")


def evaluated(release: Release, **changes: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {"calls": calls(), "targets": targets(), "clusters": clusters()}
    return evaluate(release, **{**parts, **changes})


def test_the_recommendations_are_those_of_the_table(release: Release) -> None:
    assessed = assess_frame(release, calls())
    assert assessed["response"].tolist() == [row[3] for row in ROWS]
    assert assessed.index.equals(calls().index)
    assert assessed["abstained"].tolist() == [False] * 9 + [True]
    police = {"emt_clinician": False, "police_clinician": True, "protocol": None}
    expected = pd.array([police[row[3]] for row in ROWS], dtype="boolean")
    pd.testing.assert_extension_array_equal(assessed["police"].array, expected)
    assert assessed["safety_risk_band"].iloc[3] == "high"
    assert pd.isna(assessed["safety_risk_band"].iloc[9])
    assert assessed.columns.tolist() == [
        *TARGETS,
        "response",
        "police",
        "abstained",
        *(f"{t}_band" for t in TARGETS),
    ]


def test_assess_frame_is_assess(release: Release) -> None:
    assessed = assess_frame(release, calls())
    for row, call in zip(assessed.itertuples(), to_calls(calls()), strict=True):
        one = assess(release, call)
        assert (row.mental_health_crisis, row.safety_risk) == one.prediction
        assert row.response == one.recommendation.response


def test_table_and_rates_by_hand(release: Release) -> None:
    recommendation = evaluated(release)["recommendation"]
    assert recommendation["table"] == {
        "crisis, no safety risk": {"emt_clinician": 2, "police_clinician": 1, "protocol": 1},
        "crisis, safety risk": {"emt_clinician": 1, "police_clinician": 1, "protocol": 0},
        "crisis, safety risk not known": {"emt_clinician": 1, "police_clinician": 0, "protocol": 0},
        "no crisis": {"emt_clinician": 1, "police_clinician": 0, "protocol": 1},
        "not known": {"emt_clinician": 0, "police_clinician": 0, "protocol": 1},
    }
    assert sum(sum(row.values()) for row in recommendation["table"].values()) == len(ROWS)
    counted = {
        name: (rate["k"], rate["n"], rate["value"])
        for name, rate in recommendation["rates"].items()
    }
    assert counted == {
        "crises without safety risk that are recommended a team without police": (2, 4, 0.5),
        "crises with safety risk that are recommended a team without police": (1, 2, 0.5),
        "safety risks of any kind that are recommended a team without police": (2, 3, 2 / 3),
        "crises without safety risk that are recommended police": (1, 4, 0.25),
        "calls left to the centre's protocol": (3, 10, 0.3),
        "calls on which the model abstained": (1, 10, 0.1),
    }


def test_heads_by_hand(release: Release) -> None:
    result = evaluated(release)
    crisis, risk = (result["heads"][target] for target in TARGETS)
    assert (crisis["labelled"], crisis["positive"], crisis["missing"]) == (9, 7, 1)
    assert (risk["labelled"], risk["positive"], risk["missing"]) == (8, 3, 2)
    # Both thresholds of the crisis head are passed by all but the car accident and the silence.
    high = crisis["bands"]["high"]
    assert (high["threshold"], high["sensitivity"]["k"], high["sensitivity"]["n"]) == (0.6, 7, 7)
    assert (high["precision"]["k"], high["precision"]["n"]) == (7, 8)
    assert (high["specificity"]["k"], high["specificity"]["n"]) == (1, 2)
    assert result["calls"] == 10
    assert result["clusters"] == 6
    assert result["received_at"] == ["2021-10-06T01:14:00+00:00"] * 2


def test_groups_without_positives_are_null_and_not_zero(release: Release) -> None:
    nobody = targets()
    nobody["mental_health_crisis"] = pd.array([False] * 9 + [None], dtype="boolean")
    result = evaluated(release, targets=nobody)
    head = result["heads"]["mental_health_crisis"]
    assert head == {
        "labelled": 9,
        "positive": 0,
        "missing": 1,
        "note": "only one class is labelled: nothing can be measured",
    }
    rate = result["recommendation"]["rates"][
        "crises without safety risk that are recommended a team without police"
    ]
    assert rate == {"value": None, "low": None, "high": None, "k": 0, "n": 0}
    assert "–" in head_table(result)
    assert "| – | 0 / 0 |" in recommendation_tables(result["recommendation"])


@pytest.mark.parametrize("value", [None, True, False])
def test_nothing_to_measure_is_still_a_report(
    release: Release, value: bool | None, tmp_path: Path
) -> None:
    one = pd.DataFrame(
        {t: pd.array([value] * len(ROWS), dtype="boolean") for t in TARGETS}, index=calls().index
    )
    result = evaluated(release, targets=one)
    json.dumps(result, allow_nan=False)
    assert "|" in head_table(result)
    assert draw(result, tmp_path) == []


def test_a_band_that_is_never_used(tmp_path: Path) -> None:
    from model_service.model.release import canonical

    files = release_files()
    never = {"low": 0.2, "high": 1.5}
    files["thresholds.json"] = canonical(dict.fromkeys(TARGETS, never))
    release = load_release(write_release(tmp_path / "store", files, KEY), trusted=None)
    result = evaluated(release)
    band = result["heads"]["safety_risk"]["bands"]["high"]
    assert (band["sensitivity"]["k"], band["precision"]["value"], band["precision"]["n"]) == (
        0,
        None,
        0,
    )
    assert "| never |" in head_table(result)
    assert [path.name for path in draw(result, tmp_path)] == [
        "mental_health_crisis.png",
        "safety_risk.png",
        "price.png",
    ]


def test_it_is_json_and_the_same_every_time(release: Release) -> None:
    first, second = evaluated(release), evaluated(release)
    assert json.dumps(first, allow_nan=False) == json.dumps(second)
    assert first != evaluated(release, seed=1)


def test_the_order_of_calls_changes_no_figure(release: Release) -> None:
    frame = calls().sample(frac=1, random_state=3)
    first = evaluated(release)
    other = evaluated(
        release,
        calls=frame,
        targets=targets().loc[frame.index],
        clusters=clusters().loc[frame.index],
    )
    assert first["recommendation"]["table"] == other["recommendation"]["table"]
    for target in TARGETS:
        for name in ("auroc", "average_precision", "brier"):
            assert other["heads"][target][name]["value"] == pytest.approx(
                first["heads"][target][name]["value"]
            )


def test_reliability_and_precision_recall_of_a_trained_release(
    small: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    dataset, trained = small
    test = (trained.fitted.part == "test").to_numpy()
    truth = dataset.targets()[test]
    scores = trained.fitted.classifier.predict_proba(dataset.calls[test])
    for column, target in enumerate(TARGETS):
        head = trained.metrics["test"]["heads"][target]
        known = truth[target].notna().to_numpy()
        y = truth[target][known].to_numpy(dtype=float)
        p = scores[known, column]
        bins = head["reliability"]
        assert sum(b["calls"] for b in bins) == head["labelled"] == known.sum()
        assert sum(b["calls"] * b["observed"] for b in bins) == pytest.approx(y.sum())
        assert sum(b["calls"] * b["predicted"] for b in bins) == pytest.approx(p.sum())
        assert max(b["calls"] for b in bins) - min(b["calls"] for b in bins) <= 1
        curve = head["precision_recall"]
        assert curve[-1]["recall"] == 1
        assert curve[-1]["precision"] == pytest.approx(y.mean())
        for point in curve[::20]:
            above = p >= point["threshold"] - 1e-12
            assert point["precision"] == pytest.approx(y[above].mean())
            assert point["recall"] == pytest.approx(y[above].sum() / y.sum())
        assert head["mean_probability"] == pytest.approx(p.mean())
        assert np.all(np.diff([point["recall"] for point in curve]) >= 0)
    for path in draw(trained.metrics["test"], tmp_path):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_plots_are_the_same_bytes_every_time(
    small: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        draw(small[1].metrics["test"], tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_figures_in_words() -> None:
    assert number({"value": None, "low": None, "high": None}) == "–"
    assert number({"value": 0.5, "low": None, "high": None}) == "0.500"
    assert number({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.500 (0.250–0.750)"


def test_a_single_call(release: Release) -> None:
    only = calls().iloc[:1]
    result = evaluated(
        release, calls=only, targets=targets().iloc[:1], clusters=clusters().iloc[:1]
    )
    assert result["calls"] == 1
    assert result["recommendation"]["table"]["crisis, no safety risk"] == {"emt_clinician": 1}
