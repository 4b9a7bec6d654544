"""The same seed and the same calls make the same release, and a release says how it was made."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from model_service.model.release import FILES, load_release
from tests.builders import KEY, PUBLIC_KEY
from tests.invented import invented_config, invented_dataset
from training.pipeline import Trained, train

MADE_ELSEWHERE = """
import sys
from pathlib import Path
from tests.invented import invented_dataset, trained_on
print(trained_on(invented_dataset(), Path(sys.argv[1])).release.digest)
"""


def test_the_same_calls_and_seed_make_the_same_release_in_another_process(
    small: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    _, trained = small
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MADE_ELSEWHERE, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={
            "PYTHONHASHSEED": "42",
            "PYTHONPATH": str(Path.cwd()),
            "TZ": "Asia/Tokyo",
            "OMP_NUM_THREADS": "1",
        },
    )
    elsewhere = tmp_path / "releases" / trained.folder.name
    for name in FILES:  # the first that differs says where to look
        if elsewhere.is_dir():
            assert (elsewhere / name).read_bytes() == (trained.folder / name).read_bytes(), name
    assert ran.stdout.strip() == trained.release.digest


def test_another_seed_or_other_calls_make_another_release(
    small: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    dataset, trained = small
    other = train(dataset, invented_config(seed=1), store=tmp_path, key=KEY)
    assert other.release.digest != trained.release.digest
    # The seed draws the bootstrap and the calls that parity is checked on: it moves no weight.
    for name in ("model.json", "terms.json", "weights.npz", "thresholds.json"):
        assert (other.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    invented = invented_dataset(seed=1)
    invented.write(tmp_path / "data")
    third = train(invented, invented_config(), store=tmp_path, key=KEY)
    assert (third.folder / "weights.npz").read_bytes() != (
        trained.folder / "weights.npz"
    ).read_bytes()


def test_the_release_is_whole_signed_and_says_how_it_was_measured(
    small: tuple[Dataset, Trained],
) -> None:
    dataset, trained = small
    loaded = load_release(trained.folder, trusted=[PUBLIC_KEY])
    assert loaded.digest == trained.release.digest
    assert loaded.metrics == json.loads(json.dumps(trained.metrics))
    assert loaded.metrics["data"] == {"source": "invented for the tests", "digest": dataset.digest}
    parts = trained.fitted.part.value_counts().to_dict()
    assert loaded.metrics["parts"] == parts
    assert loaded.metrics["test"]["calls"] == parts["test"]
    for target in TARGETS:
        stated = loaded.metrics["thresholds"][target]
        assert loaded.thresholds[target] == trained.fitted.thresholds[target]
        assert (stated["low"], stated["high"]) == (
            loaded.thresholds[target].low,
            loaded.thresholds[target].high,
        )
        evidence = stated["evidence"]["low"]
        assert evidence["reached"] >= evidence["promise"] == 0.95
    assert loaded.metrics["chosen"]["terms"] == {
        text.column: len(text.terms) for text in loaded.scorer.texts
    }


def test_the_card_tells_what_was_measured(small: tuple[Dataset, Trained]) -> None:
    dataset, trained = small
    card = trained.release.card
    assert card.startswith("# Model card: Invented calls\n")
    assert "> **Not for operation.**" in card
    for heading in (
        *("Model details", "Intended use", "Factors", "Training data", "Evaluation data"),
        *("Metrics", "Thresholds and bands", "Ethical considerations"),
        "Caveats and recommendations",
    ):
        assert f"\n## {heading}\n" in card
    assert dataset.digest[:16] in card
    assert "`premise_id` says where a call comes from and is a feature" in card
    for head in trained.metrics["test"]["heads"].values():
        assert f"{head['auroc']['value']:.3f} ({head['auroc']['low']:.3f}–" in card
    for part, count in trained.metrics["parts"].items():
        assert f"{count:,} {part}" in card
    assert "nan" not in card.lower().replace("finance", "")


def test_a_card_without_places_says_so(synthetic: tuple[Dataset, Trained]) -> None:
    card = synthetic[1].release.card
    assert "Neighbourhood, coordinates and premise are **not** features." in card
    assert "trained on synthetic calls" in card.lower()


def test_test_families_were_never_learned_from(synthetic: tuple[Dataset, Trained]) -> None:
    dataset, trained = synthetic
    part, families = trained.fitted.part, dataset.families()
    learned = set(families[part.isin(["train", "validation"])])
    assert not learned & set(families[part == "test"])
    assert not set(dataset.incidents()[part == "test"]) & set(
        dataset.incidents()[part.isin(["train", "validation"])]
    )
    assert trained.metrics["test_seen_families"]["calls"] > 0


@pytest.mark.parametrize(
    ("plan", "why"), [("nowhere", "no response plan"), ("", "no response plan")]
)
def test_a_plan_that_is_not_there_is_found_before_anything_is_fitted(
    small: tuple[Dataset, Trained], tmp_path: Path, plan: str, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        train(small[0], invented_config(plan=plan), store=tmp_path / "store", key=KEY)
    assert not (tmp_path / "store").exists()


def test_calls_without_labels_make_no_release(
    small: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    dataset, _ = small
    assert dataset.labels is not None
    without = replace(dataset, labels=dataset.labels.head(0))
    with pytest.raises(InputError, match="0 positive and 0 negative labels"):
        train(without, invented_config(), store=tmp_path / "store", key=KEY)
    assert not (tmp_path / "store").exists()


def test_too_few_calls_for_the_promise_are_said_plainly_and_no_team_is_recommended(
    small: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    made = train(small[0], invented_config(plan="boston"), store=tmp_path / "store", key=KEY)
    loaded = load_release(made.folder, trusted=[PUBLIC_KEY])
    assert loaded.thresholds["safety_risk"].low is None
    assert loaded.thresholds["mental_health_crisis"].low is not None  # its plan asks for less
    evidence = loaded.metrics["thresholds"]["safety_risk"]["evidence"]["low"]
    assert evidence["reached"] is None
    assert 0 < evidence["bound"] < evidence["promise"] == 0.95
    assert "safety_risk: no threshold keeps the promise" in loaded.card
    assert "| safety_risk | medium | none |" in loaded.card
    table = loaded.metrics["test"]["recommendation"]["table"]
    assert {name for row in table.values() for name, n in row.items() if n} == {"protocol"}
    rates = loaded.metrics["test"]["recommendation"]["rates"]
    assert rates["calls on which the model abstained"]["value"] == 1.0
    price = loaded.metrics["test"]["heads"]["safety_risk"]["price"]
    assert price and not any(step["in_force"] for step in price)


def test_the_card_has_the_price_of_safety(small: tuple[Dataset, Trained]) -> None:
    _, trained = small
    assert "### The price of safety" in trained.release.card
    assert trained.release.card.count("**in force**") == 1
    curve = trained.metrics["test"]["heads"]["safety_risk"]["price"]
    band = trained.metrics["test"]["heads"]["safety_risk"]["bands"]["low"]
    (chosen,) = (step for step in curve if step["in_force"])
    assert chosen["sensitivity"]["value"] == pytest.approx(band["sensitivity"]["value"])
    assert chosen["threshold"] == band["threshold"]
