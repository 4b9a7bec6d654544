"""A period is made of labelled calls and a release, of the decision log, or of a ready table."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from tests.data.sources.test_log import ADVISED, SHOWN, decision, row
from tests.training.audit.calls import some_calls
from training.audit.period import DTYPES, Period, from_dataset, from_log, read_table
from training.evaluate import assess_frame
from training.history import with_history
from training.pipeline import Trained


def test_the_columns_are_those_that_are_declared() -> None:
    calls = Period(some_calls(50)).calls
    assert {name: str(calls[name].dtype) for name in DTYPES} == {
        name: str(pd.Series([], dtype=kind).dtype) for name, kind in DTYPES.items()
    }
    assert (calls["weight"] == 1).all()
    assert (calls["incident"] == calls["call_id"]).all()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("risk", 2.0, "a label is 1, 0 or blank"),
        ("risk_score", 1.5, "between 0 and 1"),
        ("weight", 0.0, "more than no call"),
        ("call_id", "c0", "a call stands twice"),
        ("hour", "noon", "another kind"),
    ],
)
def test_what_is_no_period_is_refused(column: str, value: object, said: str) -> None:
    calls = some_calls(20)
    with pytest.raises(InputError, match=said):
        Period(calls.assign(**{column: value}))


def test_labelled_calls_are_scored_as_they_would_be_served(
    small: tuple[Dataset, Trained],
) -> None:
    dataset, trained = small
    period = from_dataset(trained.release, dataset)
    calls = period.calls.set_index("call_id")
    last = with_history(dataset.calls, trained.release.scorer.history, dataset.labels)
    last = last.sort_values("revision").drop_duplicates("call_id", keep="last")
    expected = assess_frame(trained.release, last).set_index(last["call_id"]).loc[calls.index]
    assert (calls["recommendation"] == expected["response"]).all()
    assert calls["risk_score"].tolist() == expected["safety_risk"].tolist()
    assert (calls["abstained"] == expected["abstained"]).all()
    assert calls.loc[calls["abstained"].astype(bool), "risk_flag"].isna().all()
    asked = calls[~calls["abstained"].astype(bool)]
    low = trained.release.thresholds["safety_risk"].low
    assert (asked["risk_flag"] == (asked["risk_score"] >= low)).all()
    assert calls.loc[calls["recommendation"] == "protocol", "recommended_police"].all()
    assert period.words["release"] == trained.release.digest
    assert period.dataset is dataset


def test_incidents_and_labels_come_from_the_data(small: tuple[Dataset, Trained]) -> None:
    dataset, trained = small
    chosen = dataset.calls["received_at"] < dataset.calls["received_at"].median()
    calls = from_dataset(trained.release, dataset, chosen).calls.set_index("call_id")
    truth = dataset.targets().set_index(dataset.calls["call_id"])[TARGETS[1]]
    truth = truth[~truth.index.duplicated()].loc[calls.index].astype("float64")
    pd.testing.assert_series_equal(calls["risk"], truth, check_names=False)
    incident = dataset.incidents().set_axis(dataset.calls["call_id"])
    assert (calls["incident"] == incident[~incident.index.duplicated()].loc[calls.index]).all()


def test_an_empty_period_says_so(small: tuple[Dataset, Trained]) -> None:
    dataset, trained = small
    with pytest.raises(InputError, match="no call lies in the period"):
        from_dataset(trained.release, dataset, dataset.calls["received_at"].isna())


def test_the_log_tells_what_people_decided(tmp_path: Path, small: tuple[Dataset, Trained]) -> None:
    release = small[1].release
    override = decision(4, **ADVISED | {"action": "override", "reason": "other"})
    override["response"] = "protocol"
    rows = [
        row("a", 1, 1, **SHOWN, decisions=[override], recommendation="emt_clinician"),
        row(
            "b",
            2,
            1,
            **SHOWN,
            decisions=[decision(5, **ADVISED)],
            unserved=["police_clinician:busy"],
        ),
        row("c", 3, 1, **SHOWN),
    ]
    export = tmp_path / "export.jsonl"
    export.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    period = from_log(release, export)
    calls = period.calls.set_index("call_id")
    assert bool(calls.loc["a", "overridden"]) and calls.loc["a", "override_towards"] == "police"
    assert calls.loc["a", "seconds_to_decide"] == override["time_to_decide_ms"] / 1000
    assert not calls.loc["b", "overridden"] and calls.loc["b", "unserved"]
    assert pd.isna(calls.loc["c", ["decision", "decided_police", "overridden"]]).all()
    assert pd.isna(calls.loc["a", "unserved"])


def test_a_ready_table_is_read_from_parquet_and_csv(tmp_path: Path) -> None:
    calls = some_calls(60)
    calls.to_parquet(tmp_path / "calls.parquet")
    calls.to_csv(tmp_path / "calls.csv", index=False)
    whole, text = (read_table(tmp_path / f"calls.{kind}") for kind in ("parquet", "csv"))
    pd.testing.assert_frame_equal(whole.calls, text.calls, rtol=1e-12)
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_text("no table")
    with pytest.raises(InputError, match="can't be read"):
        read_table(tmp_path / "bad.parquet")
