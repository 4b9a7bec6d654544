"""The history of premises in training, measuring and batches: as of each call, in all the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from data.call import TARGETS
from data.dataset import Dataset
from data.frame import to_calls
from model_service.model.assess import assess
from model_service.model.plan import load_plan
from model_service.model.release import scorer_files
from model_service.model.scorer import HistoryTable
from tests import invented
from tests.invented import HISTORY_FEATURES, invented_config
from tests.training.test_batch import read, write
from training.batch import score_file
from training.cli import cli
from training.evaluate import assess_frame
from training.fit import fit, forgetful
from training.history import calls_and_counts, counts_of, with_history
from training.pipeline import Trained

CONFIG = invented_config(features=HISTORY_FEATURES)


def table_of(trained: Trained) -> HistoryTable:
    table = trained.release.scorer.history
    assert table is not None
    return table


def test_a_model_without_history_gets_the_calls_as_they_are(
    small: tuple[Dataset, Trained],
) -> None:
    calls = small[0].calls
    assert with_history(calls, None) is calls
    assert {known for _, known in calls_and_counts(calls.head(5), None)} == {None}


def test_a_call_without_a_premise_has_no_counts(remembering: tuple[Dataset, Trained]) -> None:
    dataset, trained = remembering
    table = table_of(trained)
    counts = counts_of(with_history(dataset.calls, table, dataset.labels), table)
    none = dataset.calls["premise_id"].isna()
    assert [known is None for known in counts] == none.tolist()


def test_what_is_learned_later_changes_no_earlier_features(
    remembering: tuple[Dataset, Trained],
) -> None:
    dataset, trained = remembering
    assert dataset.labels is not None
    cut = dataset.calls["received_at"].quantile(0.5)
    labels = dataset.labels.copy()
    # Of calls early and late, but all learned after the cut.
    labels["as_of"] = labels["as_of"].where(
        labels["as_of"] <= cut, labels["as_of"] + pd.Timedelta(1)
    )
    later = labels["as_of"] > cut
    labels.loc[later, "value"] = ~labels.loc[later, "value"]
    corrected = labels[labels["as_of"] <= cut].assign(
        as_of=cut + pd.Timedelta("1h"), value=lambda frame: ~frame["value"]
    )
    told = pd.concat([labels, corrected], ignore_index=True)
    before = dataset.calls["received_at"] <= cut
    matrix = trained.fitted.classifier.features_.transform
    table = table_of(trained)
    known = with_history(dataset.calls, table, dataset.labels)
    other = with_history(dataset.calls, table, told)
    assert (matrix(known[before]) != matrix(other[before])).nnz == 0
    assert (matrix(known[~before]) != matrix(other[~before])).nnz > 0


def test_test_calls_and_what_is_learned_of_them_take_part_in_nothing(
    remembering: tuple[Dataset, Trained],
) -> None:
    dataset, trained = remembering
    assert dataset.labels is not None
    test = set(dataset.calls.loc[trained.fitted.part.isin(["test"]), "call_id"])
    labels = dataset.labels.copy()
    of_test = labels["call_id"].isin(test)
    labels.loc[of_test, "value"] = ~labels.loc[of_test, "value"]
    calls = dataset.calls.copy()
    calls.loc[calls["call_id"].isin(test), "premise_id"] = "P1"
    again = fit(replace(dataset, calls=calls, labels=labels), CONFIG, load_plan(invented.PLAN)[0])
    assert again.thresholds == trained.fitted.thresholds
    for target in TARGETS:
        np.testing.assert_array_equal(
            again.classifier.heads_[target].coef_, trained.fitted.classifier.heads_[target].coef_
        )


def test_a_call_that_is_learned_without_metadata_has_no_history_either(
    remembering: tuple[Dataset, Trained],
) -> None:
    dataset, trained = remembering
    calls = with_history(dataset.calls, CONFIG.features.history, dataset.labels)
    some = forgetful(calls, CONFIG.model_copy(update={"forget": 0.5}))
    gone = some["premise_id"].isna() & calls["premise_id"].notna()
    assert 0.3 < gone.sum() / calls["premise_id"].notna().sum() < 0.7
    assert some.loc[gone, table_of(trained).columns].isna().all(axis=None)


def test_an_evaluation_assesses_with_the_history(remembering: tuple[Dataset, Trained]) -> None:
    dataset, trained = remembering
    table = table_of(trained)
    calls = with_history(dataset.calls, table, dataset.labels).tail(80)
    assessed = assess_frame(trained.release, calls)
    for row, (call, known) in zip(
        assessed.itertuples(), calls_and_counts(calls, table), strict=True
    ):
        assert (row.mental_health_crisis, row.safety_risk) == assess(
            trained.release, call, known
        ).prediction
    with pytest.raises(KeyError):  # else it would be taken for calls without a premise
        assess_frame(trained.release, dataset.calls.tail(80))


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_batch_counts_the_earlier_calls_of_its_file(
    remembering: tuple[Dataset, Trained], tmp_path: Path, ending: str
) -> None:
    dataset, trained = remembering
    table = table_of(trained)
    shuffled = dataset.calls.sample(300, random_state=1)
    source = write(to_calls(shuffled), tmp_path / f"calls.{ending}")
    tally = score_file(source, tmp_path / "out.jsonl", release=trained.folder, jobs=1)
    assert tally.history
    expected = [
        assess(trained.release, call, known, explained=False).prediction
        for call, known in calls_and_counts(with_history(shuffled, table), table)
    ]
    lines = read(tmp_path / "out.jsonl")
    assert [tuple(line[target] for target in TARGETS) for line in lines] == expected
    assert any(known and known[1] for known in counts_of(with_history(shuffled, table), table))


def test_a_bad_row_does_not_shift_the_history(
    remembering: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    dataset, trained = remembering
    calls = to_calls(dataset.calls.head(60))
    whole = write(calls, tmp_path / "whole.jsonl")
    text = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "holes.jsonl").write_text(
        "{}\n" + "".join(text[:30]) + "no call\n" + "".join(text[30:]), encoding="utf-8"
    )
    for name in ("whole", "holes"):
        score_file(tmp_path / f"{name}.jsonl", tmp_path / f"{name}-out.jsonl",
                   release=trained.folder, jobs=1)  # fmt: skip
    assert read(tmp_path / "whole-out.jsonl") == read(tmp_path / "holes-out.jsonl")


def test_the_command_line_says_what_counts(
    remembering: tuple[Dataset, Trained], small: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    source = write(to_calls(remembering[0].calls.head(20)), tmp_path / "calls.jsonl")
    told = {}
    for name, trained in (("with", remembering[1]), ("without", small[1])):
        ran = CliRunner().invoke(
            cli,
            ["score", str(source), "-o", str(tmp_path / "o.jsonl"), "--jobs", "1",
             "--release", str(trained.folder)],
        )  # fmt: skip
        assert ran.exit_code == 0, ran.output
        told[name] = ran.stderr
    assert "no labels" in told["with"]
    assert "history" not in told["without"]


def test_evaluate_takes_the_history_of_the_folder(
    remembering: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    dataset, trained = remembering
    dataset.write(tmp_path / "data")
    ran = CliRunner().invoke(
        cli,
        ["evaluate", "--data", str(tmp_path / "data"), "--release", str(trained.folder),
         "--since", "2021-12-10", "--out", str(tmp_path / "out")],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    calls = with_history(dataset.calls, table_of(trained), dataset.labels)
    since = calls["received_at"] >= pd.Timestamp("2021-12-10", tz="UTC")
    targets = dataset.targets()[since]["mental_health_crisis"]
    p = assess_frame(trained.release, calls[since])["mental_health_crisis"]
    mean = found["heads"]["mental_health_crisis"]["mean_probability"]
    assert mean == pytest.approx(p[targets.notna()].mean())


def test_the_card_says_plainly_that_history_is_used(
    remembering: tuple[Dataset, Trained], small: tuple[Dataset, Trained]
) -> None:
    said = "**The history of the premise is a feature of this model**"
    assert said in remembering[1].release.card
    assert "7, 60 days" in remembering[1].release.card
    assert "History" not in small[1].release.card.title().split("Factors")[1].split("##")[0]


def test_the_shipped_synthetic_configuration_uses_none() -> None:
    from training.config import load_config

    assert load_config("synthetic").features.history is None


def test_its_scale_can_be_searched(remembering: tuple[Dataset, Trained]) -> None:
    dataset, _ = remembering
    search: dict[str, Any] = {"C": [1.0], "weights": {"history": [0.5, 1.0]}}
    config = invented_config(features=HISTORY_FEATURES, search=search)
    fitted = fit(dataset, config, load_plan(invented.PLAN)[0])
    assert fitted.classifier.settings.weights["history"] in (0.5, 1.0)
    with pytest.raises(ValueError, match="history"):
        invented_config(search=search)


def test_the_same_run_gives_the_same_release(remembering: tuple[Dataset, Trained]) -> None:
    from model_service.model.compile import compile_scorer

    dataset, trained = remembering
    fitted = fit(dataset, CONFIG, load_plan(invented.PLAN)[0])
    calls = with_history(dataset.calls, CONFIG.features.history, dataset.labels)
    scorer = compile_scorer(fitted.classifier, calls[fitted.part.isin(["train", "validation"])])
    assert scorer_files(scorer) == scorer_files(trained.release.scorer)
