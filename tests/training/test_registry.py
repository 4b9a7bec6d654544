"""A run is kept with all that it takes to repeat it, and nothing of what anybody said."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pandas as pd
import pytest

from data.call import TARGETS
from data.dataset import Dataset
from data.frame import DTYPES, to_calls
from model_service.model.store import CHAMPION
from tests.builders import KEY
from tests.invented import invented_config, invented_dataset
from training.pipeline import Trained, train
from training.registry import Registered, code_version, register, tracking_uri

MARKER = "xanadumarker"


@dataclass
class Kept:
    """A home with two registered runs, of which the first is the champion."""

    home: Path
    dataset: Dataset
    trained: Trained
    first: Registered
    second: Registered


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    home = tmp_path_factory.mktemp("registry")
    dataset = invented_dataset(300)
    # A word of two calls: too few to enter the vocabulary of a model.
    frame = dataset.calls.copy()
    frame.loc[[5, 6], "narrative"] += f" {MARKER} lives at {MARKER}street"
    dataset.calls = frame
    dataset.write(home / "data" / "invented")
    before = mlflow.get_tracking_uri()
    made = []
    for seed in (0, 1):
        config = invented_config(seed=seed)
        trained = train(dataset, config, store=home / "releases", key=KEY)
        made.append((trained, register(trained, dataset, config, home=home, champion=seed == 0)))
    mlflow.set_tracking_uri(tracking_uri(home))
    yield Kept(home, dataset, made[0][0], made[0][1], made[1][1])
    mlflow.set_tracking_uri(before)


def run(kept: Kept) -> Any:
    return mlflow.MlflowClient().get_run(kept.first.run_id)


def artefacts(kept: Kept) -> dict[str, Path]:
    root = kept.home / "mlartifacts"
    return {str(p.relative_to(root)): p for p in sorted(root.rglob("*")) if p.is_file()}


def test_parameters_and_figures(kept: Kept) -> None:
    logged = run(kept).data
    assert logged.params["configuration"] == "invented"
    assert logged.params["seed"] == "0"
    assert logged.params["C.safety_risk"] == "1.0"
    assert logged.params["weight.premise_id"] == "0.3"
    assert logged.params["split.test_from"] == "0.8"
    assert "answer_weapon" in logged.params["categories"]
    for target in TARGETS:
        head = kept.trained.metrics["test"]["heads"][target]
        for name in ("auroc", "average_precision", "brier", "calibration_error"):
            for bound, suffix in (("value", ""), ("low", ".low"), ("high", ".high")):
                assert logged.metrics[f"test.{target}.{name}{suffix}"] == head[name][bound]
        thresholds = kept.trained.release.thresholds[target]
        assert logged.metrics[f"threshold.{target}.low"] == thresholds.low
        assert logged.metrics[f"threshold.{target}.high"] == thresholds.high
    assert logged.metrics["parity.largest_difference"] <= 1e-9
    assert logged.metrics["calls.train"] == kept.trained.metrics["parts"]["train"]


def test_what_it_was_made_of(kept: Kept) -> None:
    tags = run(kept).data.tags
    assert tags["release"] == kept.trained.release.digest
    assert tags["data.digest"] == kept.dataset.digest
    assert tags["data.source"] == "invented for the tests"
    assert tags["code.version"] == code_version() != ""
    assert tags["plan.digest"] == kept.trained.release.plan_digest


def test_plots_card_and_configuration(kept: Kept) -> None:
    names = [name for name in artefacts(kept) if name.startswith(kept.first.run_id)]
    inside = {name.split("/artifacts/", 1)[1] for name in names}
    assert inside == {
        *(f"training/{name}.png" for name in (*TARGETS, "price")),
        *(
            f"training/{name}"
            for name in (
                *("card.md", "configuration.json", "data-manifest.json", "metrics.json"),
                *("pipeline.joblib", "search.json"),
            )
        ),
    }
    root = kept.home / "mlartifacts" / kept.first.run_id / "artifacts" / "training"
    assert (root / "safety_risk.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((root / "data-manifest.json").read_text())["digest"] == kept.dataset.digest
    assert json.loads((root / "configuration.json").read_text()) == invented_config().model_dump(
        mode="json"
    )
    pipeline = joblib.load(root / "pipeline.joblib")
    np.testing.assert_array_equal(
        pipeline.predict_proba(kept.dataset.calls.head(20)),
        kept.trained.fitted.classifier.predict_proba(kept.dataset.calls.head(20)),
    )


def test_versions_and_the_champion(kept: Kept) -> None:
    client = mlflow.MlflowClient()
    assert (kept.first.model, kept.first.version) == ("crisiscall-invented", "1")
    assert (kept.second.model, kept.second.version) == ("crisiscall-invented", "2")
    champion = client.get_model_version_by_alias("crisiscall-invented", CHAMPION)
    assert champion.version in (1, "1")
    assert champion.tags["release"] == kept.trained.release.digest
    assert champion.run_id == kept.first.run_id


def test_the_registered_model_says_what_the_scorer_says(kept: Kept) -> None:
    loaded = mlflow.pyfunc.load_model(f"models:/crisiscall-invented@{CHAMPION}")
    frame = kept.dataset.calls.head(40)
    calls = frame.assign(received_at=frame["received_at"].map(lambda at: at.isoformat()))
    said = loaded.predict(calls)
    scorer = kept.trained.release.scorer
    expected = [scorer.score(call).prediction for call in to_calls(frame)]
    assert said.columns.tolist() == list(TARGETS)
    assert said.index.equals(frame.index)
    np.testing.assert_array_equal(said.to_numpy(), np.array(expected))


def test_a_call_of_two_fields_suffices_and_the_signature_says_so(kept: Kept) -> None:
    loaded = mlflow.pyfunc.load_model(f"models:/crisiscall-invented@{CHAMPION}")
    signature = loaded.metadata.signature
    required = [column.name for column in signature.inputs if column.required]
    assert required == ["call_id", "received_at"]
    assert [column.name for column in signature.inputs] == list(DTYPES)
    assert [column.name for column in signature.outputs] == list(TARGETS)
    least = pd.DataFrame({"call_id": ["a"], "received_at": ["2021-10-05T12:00:00-04:00"]})
    assert loaded.predict(least).shape == (1, 2)


def test_mlflow_s_own_errors_do_not_repeat_the_calls(kept: Kept) -> None:
    loaded = mlflow.pyfunc.load_model(f"models:/crisiscall-invented@{CHAMPION}")
    wrong = pd.DataFrame({"call_id": [1], "received_at": [2], "narrative": [MARKER]})
    with pytest.raises(mlflow.MlflowException) as caught:
        loaded.predict(wrong)
    assert MARKER not in str(caught.value)


def test_nothing_of_the_model_is_unpickled_when_it_is_loaded(kept: Kept) -> None:
    models = [name for name in artefacts(kept) if "/release/" in name or name.startswith("models/")]
    assert models
    assert not [name for name in models if name.endswith((".pkl", ".pickle", ".joblib"))]


def test_nothing_of_a_narrative_is_kept(kept: Kept) -> None:
    """The marker is in the data set, and nowhere in what training leaves behind."""
    assert kept.dataset.calls["narrative"].str.contains(MARKER).sum() == 2
    needle = MARKER.encode()
    with sqlite3.connect(kept.home / "mlflow.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    assert kept.trained.release.digest in dump  # the dump is one
    assert MARKER not in dump
    left = [
        path
        for folder in ("mlartifacts", "releases")
        for path in (kept.home / folder).rglob("*")
        if path.is_file()
    ]
    assert len(left) > 20
    for path in left:
        content = path.read_bytes()
        if path.suffix == ".joblib":
            content = zlib.decompress(content)
            assert b"fighting" in content  # a word of the vocabulary: it is the text itself
        assert needle not in content, path.name
    # Nor a whole narrative, however common its words.
    narratives = [text for text in kept.dataset.calls["narrative"] if len(text) > 40]
    assert narratives
    texts = [path.read_bytes() for path in left if path.suffix in (".json", ".md", ".yaml", "")]
    for narrative in narratives:
        assert narrative not in dump
        assert not any(narrative.encode() in text for text in texts)


def test_the_home_of_runs_is_where_it_was_asked_for(kept: Kept) -> None:
    assert tracking_uri(kept.home) == f"sqlite:///{kept.home.resolve()}/mlflow.db"
    assert {path.name for path in kept.home.iterdir()} == {
        *("data", "releases", "mlartifacts", "mlflow.db"),
    }


def test_outside_its_own_repository_the_code_s_version_is_the_package_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess
    from importlib.metadata import version

    from training import registry

    site = tmp_path / "venv" / "site-packages" / "training"
    site.mkdir(parents=True)
    monkeypatch.setattr(registry, "__file__", str(site / "registry.py"))
    assert code_version() == version("crisiscall")
    # Installed inside somebody else's repository: its commit is not ours.
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", "-C", tmp_path, *words],
            check=True,
            capture_output=True,
        )
    assert code_version() == version("crisiscall")
