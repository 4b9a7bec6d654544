"""What may be a feature, and that a model sees nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from data.call import KNOWN_AT, Call, Known
from data.dataset import Dataset
from data.frame import to_frame
from data.text import tokenize
from model_service.model.concepts import concepts_text, matcher
from model_service.model.features import (
    CATEGORIES,
    FeatureSettings,
    build_features,
    other_languages,
)
from training.pipeline import Trained

NOON = datetime(2021, 10, 5, 16, tzinfo=UTC)


def settings(**changes: Any) -> FeatureSettings:
    return FeatureSettings.model_validate(
        {
            "timezone": "America/New_York",
            "texts": [{"column": "narrative", "ngrams": 1, "min_calls": 1}],
            "categories": ["priority"],
            "min_calls": 1,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"categories": ["disposition"]}, "known only after dispatch"),
        ({"categories": ["final_call_type"]}, "known only after dispatch"),
        ({"categories": ["weapon_found"]}, "known only after dispatch"),
        ({"categories": ["call_id"]}, "unknown category 'call_id'"),
        ({"categories": ["latitude"]}, "unknown category 'latitude'"),
        ({"categories": ["answer_weather"]}, "unknown category"),
        ({"categories": ["priority", "priority"]}, "named twice: priority"),
        ({"texts": [{"column": "narrative"}] * 2}, "named twice: narrative"),
        ({"texts": []}, "texts"),
        ({"texts": [{"column": "call_id"}]}, "texts.0.column"),
        ({"texts": [{"column": "narrative", "ngrams": 0}]}, "texts.0.ngrams"),
        ({"texts": [{"column": "narrative", "min_calls": 0}]}, "texts.0.min_calls"),
        (
            {"texts": [{"column": "narrative", "other_languages": ["tlh"]}]},
            "no words of the language 'tlh'",
        ),
        ({"timezone": "Boston"}, "unknown time zone"),
        ({"weights": {"premise_id": 1.0}}, "no feature: premise_id"),
        ({"weights": {"priority": 0.0}}, "weights.priority"),
        ({"weights": {"priority": float("nan")}}, "weights.priority"),
        ({"seed": 1}, "seed"),
    ],
    ids=str,
)
def test_settings_that_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    first = caught.value.errors()[0]
    assert named in ".".join(map(str, first["loc"])) + " " + first["msg"]


def test_no_category_is_known_after_dispatch() -> None:
    assert not [name for name in CATEGORIES if KNOWN_AT.get(name) is Known.AFTER_DISPATCH]


def test_where_a_call_comes_from_is_no_feature_unless_it_is_turned_on(
    synthetic: tuple[Dataset, Trained],
) -> None:
    _, trained = synthetic
    scorer = trained.release.scorer
    fields = {table.field for table in scorer.categories}
    assert not fields & {"neighborhood", "premise_id", "latitude", "longitude"}
    places = [
        {"neighborhood": "Roxbury", "premise_id": "P1"},
        {"neighborhood": None, "latitude": 42.3, "longitude": -71.1},
        {"neighborhood": "Back Bay"},
    ]
    said = {
        scorer.score(
            Call(call_id="a", received_at=NOON, narrative="hears voices", **place)
        ).prediction
        for place in places
    }
    assert len(said) == 1


def test_call_id_and_revision_say_nothing(small: tuple[Dataset, Trained]) -> None:
    scorer = small[1].release.scorer
    first = Call(call_id="a", received_at=NOON, narrative="voices")
    other = Call(call_id="zz-9", received_at=NOON, narrative="voices", revision=7)
    assert scorer.score(first).prediction == scorer.score(other).prediction


def test_rows_come_out_as_they_went_in_and_texts_have_length_one() -> None:
    calls = [
        Call(call_id=str(n), received_at=NOON, narrative=words, priority="1")
        for n, words in enumerate(["a b", "", "b b b c", "unseen a"])
    ]
    features = build_features(settings(weights={"narrative": 0.5})).fit(to_frame(calls[:3]))
    matrix = features.transform(to_frame(calls))
    words = matrix[:, features.named_steps["columns"].output_indices_["narrative"]].toarray()
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), [0.5, 0, 0.5, 0.5])


def test_the_order_and_the_company_of_calls_change_nothing(small: tuple[Dataset, Trained]) -> None:
    dataset, trained = small
    calls = dataset.calls.head(60)
    classifier = trained.fitted.classifier
    together = classifier.predict_proba(calls)
    shuffled = calls.sample(frac=1, random_state=0)
    apart = classifier.predict_proba(shuffled)
    positions = [calls.index.get_loc(label) for label in shuffled.index]
    np.testing.assert_array_equal(apart, together[positions])


# --- other languages ------------------------------------------------------------------------------


def test_words_of_other_languages_are_in_no_term() -> None:
    said = "por favor venga rapido he has a knife tanpri"
    texts = [{"column": "narrative", "ngrams": 2, "min_calls": 1, "other_languages": ["es", "ht"]}]
    own = settings(texts=texts).texts[0]
    terms = own.analyser(said)
    assert {"he", "has a", "a knife"} <= set(terms)
    assert not {"por", "rapido", "tanpri", "rapido he", "knife tanpri"} & set(terms)
    plain = settings().texts[0]
    assert plain.analyser(said) == tuple(said.split())


def test_the_listed_words_are_as_the_model_reads_them_and_speak_of_nothing() -> None:
    found = matcher(concepts_text())
    for tag, words in other_languages().items():
        assert words, tag
        for word in words:
            assert [token.text for token in tokenize(word)] == [word]
            assert not found.automaton.knows(word)
    assert not {"no", "me", "he", "a", "help", "son"} & frozenset().union(
        *other_languages().values()
    )
