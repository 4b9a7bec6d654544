"""A review: what is drawn, what is written, what is shown, and whether the interval holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.call import TARGETS, Call
from data.dataset import Dataset, DatasetError
from data.errors import InputError
from data.frame import to_frame
from data.review import (
    STRATA,
    Round,
    Session,
    allocate,
    draw,
    estimate,
    exact_bounds,
    page,
    plain,
    rounds,
    work,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
N = 60


def dataset_of(n: int = N, **more: Any) -> Dataset:
    """Make calls: the first ten labelled positive, the last ten not labelled, for both targets."""
    calls = [
        Call(
            call_id=f"c{i:03}",
            received_at=START + timedelta(hours=i),
            narrative=f"invented words {i}",
            call_type="WELFARE",
            answers={"weapon": "no"},
        )
        for i in range(n)
    ]
    labels = [
        {
            "call_id": call.call_id,
            "target": target,
            "value": i < 10,
            "source": "final_call_type",
            "as_of": call.received_at + timedelta(days=1),
            "confidence": 0.9,
        }
        for i, call in enumerate(calls[: n - 10])
        for target in TARGETS
    ]
    return Dataset(to_frame(calls), labels=pd.DataFrame(labels), **more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dataset_of().write(tmp_path / "calls")
    return tmp_path / "calls"


def session(folder: Path, by: str = "R. Alvarez") -> Session:
    return Session(folder, Dataset.read(folder), by, clock=lambda: NOW)


def begun(folder: Path, **options: Any) -> tuple[Session, Round]:
    mine = session(folder)
    suspects = {target: ["c001", "c020"] for target in TARGETS}
    of = draw(mine.dataset, suspects, **{"sample": 16, "seed": 3, **options})
    mine.begin(of)
    return mine, of


def typed(*answers: str) -> Any:
    lines: Iterator[str] = iter(answers)
    return lambda question: next(lines, None)


# --- drawing --------------------------------------------------------------------------------------


def test_a_round_holds_all_suspects_and_a_sample_of_the_others(folder: Path) -> None:
    _, of = begun(folder)
    for target in TARGETS:
        assert of.drawn[target]["suspect_positive"] == ["c001"]
        assert of.drawn[target]["suspect_negative"] == ["c020"]
        assert of.sizes[target] == {
            "suspect_negative": 1, "negative": 39, "missing": 10, "suspect_positive": 1,
            "positive": 9,
        }  # fmt: skip
        others = [i for name in ("positive", "negative", "missing") for i in of.drawn[target][name]]
        assert len(others) == len(set(others)) == 16
        assert not {"c001", "c020"} & set(others)


def test_the_same_seed_draws_the_same_and_another_one_others(folder: Path) -> None:
    dataset = Dataset.read(folder)
    first = draw(dataset, {}, sample=16, seed=3)
    assert draw(dataset, {}, sample=16, seed=3) == first
    assert draw(dataset, {}, sample=16, seed=4).queue() != first.queue()


def test_a_round_is_kept_and_the_queue_mixes_suspects_with_others(folder: Path) -> None:
    _, of = begun(folder)
    (kept,) = rounds(Dataset.read(folder))
    assert kept == of
    queue = kept.queue()
    assert sorted(queue) == sorted(
        {i for by in of.drawn.values() for ids in by.values() for i in ids}
    )
    assert {queue.index("c001"), queue.index("c020")} != {0, 1}


def test_calls_without_a_narrative_and_those_reviewed_are_not_drawn(folder: Path) -> None:
    dataset = dataset_of()
    dataset.calls.loc[dataset.calls.index[20:], "narrative"] = " "
    of = draw(dataset, {}, sample=100, seed=0)
    assert set(of.queue()) == {f"c{i:03}" for i in range(20)}
    mine, first = begun(folder, sample=100)
    assert len(first.queue()) == N
    work(mine, first, show=lambda _: None, ask=lambda _: "n")
    with pytest.raises(InputError, match="no call is left to review"):
        draw(mine.dataset, {}, sample=100, seed=0)


def test_without_narratives_there_is_nothing_to_review() -> None:
    dataset = dataset_of()
    dataset.calls["narrative"] = ""
    with pytest.raises(InputError, match="no call has a narrative"):
        draw(dataset, {}, sample=10, seed=0)


@pytest.mark.parametrize("sample", [0, 1, 2, 7, 40, 99, 5000])
def test_a_sample_is_divided_without_exceeding_a_stratum(sample: int) -> None:
    sizes = {"positive": 12, "negative": 300, "missing": 5}
    shares = allocate(sample, sizes)
    assert all(0 <= shares[name] <= size for name, size in sizes.items())
    assert sum(shares.values()) <= sample
    if sample <= 40:
        assert sum(shares.values()) == sample


# --- answering ------------------------------------------------------------------------------------


def test_answers_become_expert_labels_with_name_and_time(folder: Path) -> None:
    mine, of = begun(folder)
    first = of.queue()[0]
    assert work(mine, of, show=lambda _: None, ask=typed("y", "n", "q")) == 1
    dataset = Dataset.read(folder)
    assert dataset.labels is not None and dataset.reviews is not None
    expert = dataset.labels[dataset.labels["source"] == "expert_review"]
    assert expert["call_id"].tolist() == [first, first]
    assert expert["value"].tolist() == [True, False]
    assert set(expert["by"]) == {"R. Alvarez"}
    assert set(expert["as_of"]) == {pd.Timestamp(NOW)}
    assert dataset.reviews["verdict"].tolist() == ["yes", "no"]
    resolved = dataset.targets()[dataset.calls["call_id"] == first]
    assert resolved.iloc[0].tolist() == [True, False]


def test_earlier_rows_stay_as_they_are(folder: Path) -> None:
    before = Dataset.read(folder)
    mine, of = begun(folder)
    work(mine, of, show=lambda _: None, ask=lambda _: "y")
    after = Dataset.read(folder)
    assert before.labels is not None and after.labels is not None
    pd.testing.assert_frame_equal(after.labels.iloc[: len(before.labels)], before.labels)
    pd.testing.assert_frame_equal(after.calls, before.calls)


def test_unsure_is_written_down_and_is_no_label(folder: Path) -> None:
    mine, of = begun(folder)
    work(mine, of, show=lambda _: None, ask=typed("?", "?", "q"))
    dataset = Dataset.read(folder)
    assert dataset.labels is not None and dataset.reviews is not None
    assert dataset.reviews["verdict"].tolist() == ["unsure", "unsure"]
    assert "expert_review" not in set(dataset.labels["source"])


def test_a_round_can_be_left_and_taken_up_again(folder: Path) -> None:
    mine, of = begun(folder)
    total = len(of.queue())
    work(mine, of, show=lambda _: None, ask=typed("y", "y", "s", "n", "n", "y"))  # ends midway
    again = session(folder, "S. Okafor")
    left = again.open_calls(rounds(again.dataset)[-1])
    assert len(left) == total - 2
    assert of.queue()[1] in left  # skipped
    assert work(again, of, show=lambda _: None, ask=lambda _: "no") == total - 2
    dataset = Dataset.read(folder)
    assert dataset.reviews is not None
    assert set(dataset.reviews["by"]) == {"R. Alvarez", "S. Okafor"}


def test_what_is_no_answer_is_asked_again(folder: Path) -> None:
    mine, of = begun(folder)
    shown: list[str] = []
    work(mine, of, show=shown.append, ask=typed("maybe", "", "YES", "unsure", "quit"))
    assert sum(text.startswith("y yes") for text in shown) == 2
    assert mine.dataset.reviews is not None
    assert mine.dataset.reviews["verdict"].tolist() == ["yes", "unsure"]


def test_answers_are_saved_though_the_screen_breaks(folder: Path) -> None:
    mine, of = begun(folder)
    pages = 0

    def show(_: str) -> None:
        nonlocal pages
        pages += 1
        if pages == 3:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        work(mine, of, show=show, ask=lambda _: "y")
    reviews = Dataset.read(folder).reviews
    assert reviews is not None and reviews["call_id"].nunique() == 2


def test_the_folder_gets_a_new_digest_and_its_history(folder: Path) -> None:
    first = Dataset.read(folder).digest
    mine, of = begun(folder)
    drawn = Dataset.read(folder).digest
    work(mine, of, show=lambda _: None, ask=typed("y", "y"))
    after = Dataset.read(folder)
    assert after.digest != first
    history = after.manifest["history"]
    assert [(entry["by"], entry["digest_before"]) for entry in history] == [
        ("R. Alvarez", first),
        ("R. Alvarez", drawn),
    ]
    assert history[1]["what"] == "reviewed 1 calls: 2 labels"
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_a_folder_that_changed_meanwhile_is_not_overwritten(folder: Path) -> None:
    mine, of = begun(folder)
    other = Dataset.read(folder)
    other.calls = other.calls.iloc[:-1]
    other.write(folder)
    with pytest.raises(InputError, match="changed by somebody else"):
        work(mine, of, show=lambda _: None, ask=typed("y", "y"))
    assert Dataset.read(folder).digest == other.digest


def test_two_who_begin_at_once_do_not_draw_over_each_other(folder: Path) -> None:
    late = session(folder, "S. Okafor")
    begun(folder)
    with pytest.raises(InputError, match="changed by somebody else"):
        late.begin(draw(late.dataset, {}, sample=5, seed=1))


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\x1bb"])
def test_a_reviewer_has_a_name(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        session(folder, name)


def test_folders_without_reviews_can_be_read(folder: Path) -> None:
    import json

    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["reviews"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "reviews.parquet").unlink()
    reviews = Dataset.read(folder).reviews
    assert reviews is not None and reviews.empty
    del manifest["files"]["labels"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError):
        Dataset.read(folder)


# --- the screen -----------------------------------------------------------------------------------


def test_a_page_shows_the_call_and_nothing_of_its_label() -> None:
    row = dataset_of().calls.iloc[3].to_dict()
    text = page(row, 1, 9)
    assert "invented words 3" in text
    assert "asked: weapon no" in text
    assert "call_type: WELFARE" in text
    assert not any(word in text for word in ("positive", "suspect", "True", "final", "c003"))


def test_control_signs_of_a_narrative_do_not_reach_the_terminal() -> None:
    assert plain("a\x1b]0;x\x07b\r\nc\u202ed\te") == "a\ufffd]0;x\ufffdb\nc\ufffdd e"


# --- the estimate ---------------------------------------------------------------------------------


def answered(verdicts: dict[str, str], of: Round) -> Dataset:
    rows = [
        {"round": 1, "call_id": i, "target": t, "verdict": v, "by": "x", "reviewed_at": NOW}
        for i, v in verdicts.items()
        for t in TARGETS
    ]
    return dataset_of(reviews=pd.DataFrame(rows, columns=["round", "call_id", "target", "verdict",
                                                          "by", "reviewed_at"]))  # fmt: skip


def test_a_whole_review_has_no_sampling_error() -> None:
    of = draw(dataset_of(), {}, sample=200, seed=0)
    truth = {f"c{i:03}": "yes" if i < 8 or i in (30, 31, 55, 56) else "no" for i in range(N)}
    made = estimate(answered(truth, of), of, "safety_risk")
    assert (made.missed_share.value, made.missed_share.low, made.missed_share.high) == (4 / 12,) * 3
    assert made.missed.value == pytest.approx(4 / 50)
    assert made.wrong.value == pytest.approx(2 / 10)
    assert made.strata["answered"].sum() == N


def test_nothing_answered_is_nothing_known() -> None:
    of = draw(dataset_of(), {}, sample=10, seed=0)
    made = estimate(answered({}, of), of, "safety_risk")
    assert (made.missed_share.value, made.missed_share.low, made.missed_share.high) == (None, 0, 1)


def test_answers_to_calls_that_were_not_sampled_for_the_target_do_not_count() -> None:
    of = draw(dataset_of(), {}, sample=8, seed=0)
    drawn = {i for ids in of.drawn["safety_risk"].values() for i in ids}
    made = estimate(answered({f"c{i:03}": "yes" for i in range(N)}, of), of, "safety_risk")
    assert made.strata["answered"].sum() == len(drawn) == 8


def test_unsure_widens_both_ends() -> None:
    low, high = exact_bounds(5, 0, 20, 500, 0.95)
    lower, higher = exact_bounds(5, 4, 20, 500, 0.95)
    assert (lower, higher > high) == (low, True)
    assert exact_bounds(0, 0, 0, 0, 0.95) == (0, 0)
    assert exact_bounds(9, 0, 9, 100, 0.95)[1] == 1


@pytest.mark.parametrize("truth", [(0.02, 0.3, 0.9), (0.2, 0.2, 0.5), (0.001, 0.05, 1.0)])
def test_the_interval_covers_the_truth_as_often_as_it_says(truth: tuple[float, ...]) -> None:
    random = np.random.default_rng(11)
    sizes = {"negative": 4000, "missing": 500, "positive": 300}
    positives = {
        name: int(size * share) for (name, size), share in zip(sizes.items(), truth, strict=True)
    }
    real = positives["negative"] + positives["missing"]
    real_share = real / (real + positives["positive"])
    covered = 0
    runs = 60
    dataset = dataset_of()
    for _ in range(runs):
        drawn = {name: [] for name in STRATA}
        rows = []
        for name, n in (("negative", 120), ("missing", 40), ("positive", 40)):
            yes = int(random.hypergeometric(positives[name], sizes[name] - positives[name], n))
            drawn[name] = [f"{name}{i}" for i in range(n)]
            rows += [(i, "yes" if k < yes else "no") for k, i in enumerate(drawn[name])]
        of = Round(
            1,
            {"safety_risk": drawn},
            {"safety_risk": {name: sizes.get(name, 0) for name in STRATA}},
            0,
        )
        dataset.reviews = pd.DataFrame(
            [(1, call_id, "safety_risk", verdict) for call_id, verdict in rows],
            columns=["round", "call_id", "target", "verdict"],
        )
        made = estimate(dataset, of, "safety_risk")
        covered += made.missed_share.low <= real_share <= made.missed_share.high
        if made.missed_share.value is not None:
            assert made.missed_share.low <= made.missed_share.value <= made.missed_share.high
    assert covered >= 0.95 * runs
