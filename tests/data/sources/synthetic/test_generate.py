import os
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from data.call import TARGETS, Outcome
from data.dataset import Dataset
from data.frame import to_calls
from data.sources.synthetic import synthesize
from data.sources.synthetic.generate import CRISIS_RISK, OTHER_RISK, SynthesisError
from data.sources.synthetic.library import Library, load
from data.splits import temporal_split

N = 3000
"""Calls of the data sets that the tests below share."""

PHONE = re.compile(
    r"(?<!\d)(?:\(?(?:617|857)\)?[-. ]?)?\d{3}[-.]\d{4}(?!\d)|(?:617|857|555)[- ]?\d{3} ?\d{4}"
)
HE, SHE = re.compile(r"\b(he|him|his|he's|himself)\b"), re.compile(r"\b(she|her|she's|herself)\b")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return synthesize(N, seed=5, label_noise=0.02)


@pytest.fixture(scope="module")
def small(tiny: Library) -> Dataset:
    return synthesize(N, seed=5, library=tiny)


def truth(dataset: Dataset, what: str) -> pd.Series:
    lookup = {name: family[what] for name, family in dataset.manifest["families"].items()}
    return dataset.families().map(lookup)


def test_every_call_and_outcome_is_valid(dataset: Dataset) -> None:
    calls = to_calls(dataset.calls)
    assert dataset.calls["call_id"].nunique() == N < len(calls)
    assert dataset.outcomes is not None
    for record in dataset.outcomes.astype(object).to_dict("records"):
        known = {name: value for name, value in record.items() if not pd.isna(value)}
        known["recorded_at"] = known["recorded_at"].to_pydatetime()
        Outcome.model_validate(known)


def test_calls_are_in_order_of_time(dataset: Dataset) -> None:
    calls = dataset.calls
    assert calls["received_at"].is_monotonic_increasing
    assert calls["call_id"].is_monotonic_increasing
    local = calls["received_at"].dt.tz_convert("America/New_York")
    assert local.min().date() >= date(2025, 1, 1)
    assert local.max().date() <= date(2026, 1, 1)


def test_shares_are_those_asked_for(dataset: Dataset) -> None:
    crisis, risk = truth(dataset, "crisis"), truth(dataset, "risk")
    once = ~dataset.calls["call_id"].duplicated()
    assert crisis[once].mean() == pytest.approx(0.12, abs=0.03)
    assert risk[once & crisis].mean() == pytest.approx(CRISIS_RISK, abs=0.08)
    assert risk[once & ~crisis].mean() == pytest.approx(OTHER_RISK, abs=0.03)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_crisis_share_can_be_chosen(tiny: Library, share: float) -> None:
    dataset = synthesize(400, crisis_share=share, library=tiny)
    assert truth(dataset, "crisis").mean() == pytest.approx(share, abs=0.08)


def test_labels_are_noisy_missing_and_later_than_the_call(dataset: Dataset) -> None:
    assert dataset.labels is not None
    labels = dataset.labels.merge(
        dataset.calls.assign(
            role=truth(dataset, "role"),
            mental_health_crisis=truth(dataset, "crisis"),
            safety_risk=truth(dataset, "risk"),
        ).drop_duplicates("call_id"),
        on="call_id",
    )
    assert (labels["as_of"] > labels["received_at"]).all()
    assert set(labels["source"]) == {"scenario"}
    assert len(labels) == pytest.approx(0.9 * 2 * N, rel=0.03)
    correct = labels["mental_health_crisis"].where(
        labels["target"] == TARGETS[0], labels["safety_risk"]
    )
    wrong = labels["value"] != correct
    assert wrong[labels["role"] != "test"].mean() == pytest.approx(0.02, abs=0.01)
    assert not wrong[labels["role"] == "test"].any()


def test_no_noise_gives_the_truth(tiny: Library) -> None:
    dataset = synthesize(300, label_noise=0, missing_labels=0, library=tiny)
    targets = dataset.targets()
    assert not targets.isna().any().any()
    assert (targets["mental_health_crisis"] == truth(dataset, "crisis")).all()
    assert (targets["safety_risk"] == truth(dataset, "risk")).all()


def test_a_split_by_time_tests_on_families_never_trained_on(dataset: Dataset) -> None:
    families = dataset.families()
    role = truth(dataset, "role")
    for cuts in ((0.6, 0.8), (date(2025, 8, 8), date(2025, 10, 20))):
        part = temporal_split(
            dataset.calls,
            validation_from=cuts[0],
            test_from=cuts[1],
            timezone="America/New_York",
            groups=[families, dataset.incidents()],
        )
        assert set(role[part == "train"]) == {"train"}
        assert "test" not in set(role[part == "validation"])
        assert (role[part == "test"] == "test").mean() > 0.95
        assert not set(families[part == "test"]) & set(families[part == "train"])
        late = dataset.calls[role == "test"]
        assert (part[late.index] == "test").all()


def test_roles_are_in_the_manifest(dataset: Dataset) -> None:
    manifest = dataset.manifest
    assert manifest["source"] == "synthetic"
    assert set(dataset.families()) <= set(manifest["families"])
    assert manifest["roles_from"]["train"] == "2025-01-01"
    first = dataset.calls.groupby(truth(dataset, "role"))["received_at"].min()
    for role in ("validation", "test"):
        assert first[role].isoformat() >= manifest["roles_from"][role]


def test_revisions_grow(dataset: Dataset) -> None:
    calls = dataset.calls
    sizes = calls.groupby("call_id").size()
    assert set(sizes) == {1, 2, 3}
    assert 0.1 < (sizes > 1).mean() < 0.4
    for _, revisions in calls[calls["call_id"].isin(sizes[sizes > 1].index)].groupby("call_id"):
        assert revisions["revision"].tolist() == list(range(1, len(revisions) + 1))
        texts = revisions["narrative"].tolist()
        for early, late in zip(texts, texts[1:], strict=False):
            assert late.startswith(early)
            assert len(late) > len(early)
        assert revisions["received_at"].nunique() == 1


def test_incidents_have_several_callers_with_other_words(small: Dataset) -> None:
    assert small.groups is not None
    groups = small.groups.merge(small.calls.drop_duplicates("call_id", keep="last"), on="call_id")
    sizes = groups.groupby("incident_id").size()
    assert set(sizes) == {1, 2, 3}
    for _, calls in groups[groups["incident_id"].isin(sizes[sizes > 1].index)].groupby(
        "incident_id"
    ):
        assert calls["family"].nunique() == calls["style"].nunique() == 1
        assert calls["neighborhood"].nunique() == calls["latitude"].nunique() == 1
        assert calls["narrative"].nunique() == len(calls)
        span = calls["received_at"].max() - calls["received_at"].min()
        assert span < pd.Timedelta(minutes=15)


def test_styles_are_mixed(dataset: Dataset) -> None:
    assert dataset.groups is not None
    told = dataset.groups[~dataset.groups["family"].str.startswith("written_")]
    shares = told["style"].value_counts(normalize=True)
    assert shares["spoken"] == pytest.approx(0.45, abs=0.05)
    assert shares["log"] == pytest.approx(0.10, abs=0.04)


def test_no_telephone_number_but_invented_ones(dataset: Dataset) -> None:
    numbers = [m[0] for text in dataset.calls["narrative"] for m in PHONE.finditer(text)]
    assert len(numbers) > 50
    assert all(re.search(r"555[-. ]?01\d\d$", number) for number in numbers)


def test_no_slot_is_left_in_a_text(dataset: Dataset) -> None:
    for text in dataset.calls["narrative"]:
        assert not re.search(r"[{}|]|\s/\s.*\s/\s.*\?", text.replace(" // ", " "))


AGREE = """
spoken:
  - "begin {my_relation} and {pro} says {pro_s} fine by {pro_self}, ask {pro_obj} or {o_pro} end"
shorthand: ["BEGIN {CAD_RELATION} AND {PRO} SAYS END"]
log: ["begin {log_person} and {pro_poss} car end"]
"""
STORY = re.compile(
    r"begin (.*?) and ((?:he|she) \w+ (?:he|she)'?s fine by \w+,? ask \w+ or|his car|her car)"
)
FEMALE = re.compile(r"\b(daughter|wife|sister|girlfriend|mom|mother|aunt|woman|female)\b")
MALE = re.compile(r"\b(son|husband|brother|boyfriend|dad|uncle|man|male)\b")


def test_pronouns_agree_with_the_person(lexicon_text: str, tiny_files: dict[str, str]) -> None:
    blue = tiny_files["tiny_blue.yaml"].split("spoken:")[0] + AGREE
    library = load({**tiny_files, "tiny_blue.yaml": blue}, lexicon_text)
    dataset = synthesize(900, crisis_share=1.0, library=library, seed=2)
    texts = dataset.calls["narrative"][dataset.families() == "tiny_blue"].str.lower()
    sexes = []
    for text in texts:
        story = STORY.search(text)
        if story is None:  # cut short or garbled
            continue
        he, she = bool(MALE.search(story[1])), bool(FEMALE.search(story[1]))
        if he != she:
            assert not (SHE if he else HE).search(story[2])
            sexes.append(he)
    assert len(sexes) > 100
    assert 0.3 < sum(sexes) / len(sexes) < 0.7


SCRIPT = """
import sys
from pathlib import Path
from data.sources.synthetic import synthesize
dataset = synthesize(400, seed=11)
dataset.write(Path(sys.argv[1]))
sys.stdout.write(dataset.digest)
"""


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / hash_seed)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    digests = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_another_seed_gives_other_calls(tiny: Library) -> None:
    one, two = (synthesize(50, seed=seed, library=tiny) for seed in (1, 2))
    assert set(one.calls["narrative"]) != set(two.calls["narrative"])


def test_progress_sees_every_call(tiny: Library) -> None:
    seen = []

    def progress(items: Iterable[object], what: str, total: int) -> Iterable[object]:
        for item in items:
            seen.append((what, total))
            yield item

    synthesize(30, library=tiny, progress=progress)  # type: ignore[arg-type]
    assert seen == [("inventing calls", 30)] * 30


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"n_calls": 0}, "number of calls"),
        ({"n_calls": 5, "days": 3}, "at least 10 days"),
        ({"n_calls": 5, "label_noise": 1.5}, "label_noise"),
        ({"n_calls": 5, "crisis_share": -0.1}, "crisis_share"),
        ({"n_calls": 5, "missing_labels": float("nan")}, "missing_labels"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(SynthesisError, match=problem):
        synthesize(**arguments)  # type: ignore[arg-type]


def test_a_truth_without_families_is_refused(tiny_files: dict[str, str], lexicon_text: str) -> None:
    one = load({"tiny_blue.yaml": tiny_files["tiny_blue.yaml"]}, lexicon_text)
    with pytest.raises(SynthesisError, match="no train family has crisis: false and risk: false"):
        synthesize(5, library=one)
