"""An explanation adds up to the prediction, and points at the words that were said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.frame import to_calls
from data.text import tokenize
from model_service.model.explanation import Explanation, baseline, explain
from model_service.model.scorer import Scorer
from tests.builders import make_scorer
from tests.model.test_parity import odd_calls
from training.pipeline import Trained

NOON = datetime(2021, 10, 5, 16, tzinfo=UTC)


def call(**fields: Any) -> Call:
    return Call(**{"call_id": "a-1", "received_at": NOON, **fields})


def explained(call: Call, scorer: Scorer | None = None) -> Explanation:
    scorer = scorer or make_scorer()
    return explain(scorer, scorer.score(call))


def check(call: Call, scorer: Scorer) -> None:
    explanation = explained(call, scorer)
    for column, target in enumerate(TARGETS):
        total = explanation.baseline[column]
        total += sum(getattr(word, target) for word in explanation.words)
        total += sum(getattr(field, target) for field in explanation.fields)
        assert total == pytest.approx(explanation.log_odds[column], abs=1e-9)
    for name in ("narrative", "call_type"):
        text, end = getattr(call, name) or "", 0
        for word in explanation.words:
            if word.column == name:
                assert end <= word.start < word.end <= len(text)
                end = word.end


@settings(max_examples=200)
@given(call=odd_calls())
def test_baseline_and_contributions_are_the_log_odds(
    small: tuple[Dataset, Trained], call: Call
) -> None:
    check(call, small[1].release.scorer)


def test_it_adds_up_for_the_invented_calls(small: tuple[Dataset, Trained]) -> None:
    dataset, trained = small
    for made in to_calls(dataset.calls.head(200)):
        check(made, trained.release.scorer)


@pytest.mark.parametrize(
    ("narrative", "marked"),
    [
        ("KNIFE, and voices!", ["KNIFE", "voices"]),
        ("a kn\u200bife", ["kn\u200bife"]),
        ("k\u0301nife\u0301 here", ["k\u0301nife\u0301"]),
        ("ＫＮＩＦＥ", ["ＫＮＩＦＥ"]),
        ("kní\u200dfe.", ["kní\u200dfe"]),
        ("“knife”", ["knife"]),
        ("🙂 knife 🙂", ["knife"]),
        ("zzyzx qwerty", []),
        ("", []),
    ],
    ids=range(9),
)
def test_words_are_marked_where_they_stand(narrative: str, marked: list[str]) -> None:
    words = explained(call(narrative=narrative)).words
    assert [narrative[word.start : word.end] for word in words] == marked


def test_unknown_words_are_not_listed() -> None:
    narrative = "the brother zzyzx hearing strange voices"
    listed = [narrative[w.start : w.end] for w in explained(call(narrative=narrative)).words]
    assert listed == ["brother", "hearing", "voices"]


def test_each_word_of_a_run_takes_an_equal_share() -> None:
    scorer = make_scorer()
    run = explained(call(narrative="no weapons"), scorer).words
    text = scorer.score(call(narrative="no weapons")).texts[0]
    alone = {places[0]: text.scale * risk for n, places, _, risk in text.terms if n == 1}
    pair = next(text.scale * risk for n, _, _, risk in text.terms if n == 2)
    for position, word in enumerate(run):
        assert word.safety_risk == pytest.approx(alone[position] + pair / 2)


def test_one_character_that_stands_for_two_words_is_marked_once() -> None:
    narrative = "voices ½ knife"
    assert len(tokenize(narrative)) == 4
    scorer = make_scorer()
    lookup = scorer.texts[0].lookup
    lookup["0"] = (1.0, 0.5, 0.25)  # the masked digits of a half
    words = explained(call(narrative=narrative), scorer).words
    assert [narrative[word.start : word.end] for word in words] == ["voices", "½", "knife"]
    check(call(narrative=narrative), scorer)


def test_fields_are_measured_against_the_average_training_call(
    small: tuple[Dataset, Trained],
) -> None:
    dataset, trained = small
    scorer = trained.release.scorer
    learned = dataset.calls[trained.fitted.part.isin(["train", "validation"])]
    totals: dict[str, list[float]] = {}
    for made in to_calls(learned):
        for field in explained(made, scorer).fields:
            totals.setdefault(field.field, []).append(field.mental_health_crisis)
    assert totals
    for contributions in totals.values():
        assert sum(contributions) / len(contributions) == pytest.approx(0, abs=1e-9)


def test_the_baseline_is_the_same_for_every_call() -> None:
    scorer = make_scorer()
    assert explained(call(narrative="knife"), scorer).baseline == baseline(scorer)
    assert explained(call(call_source="911"), scorer).baseline == baseline(scorer)


def test_concepts_are_named_in_place_and_their_words_hold_their_share(
    synthetic: tuple[Dataset, Trained],
) -> None:
    scorer = synthetic[1].release.scorer
    narrative = "He HEARS VOICES. Any weapons? No."
    explanation = explain(scorer, scorer.score(call(narrative=narrative)))
    named = {
        (c.concept, c.polarity, narrative[c.start : c.end].lower()) for c in explanation.concepts
    }
    assert ("voices", "said", "hears voices") in named
    assert ("weapon", "denied", "weapons") in named
    check(call(narrative=narrative), scorer)
