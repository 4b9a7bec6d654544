"""A text says the same after a swap, and the last swap is the one that stands."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sources.synthetic import synthesize
from data.text import tokenize
from training.audit.causes.lists import Lists, Name, Rule, shipped
from training.audit.causes.rewrite import in_dialect, is_shorthand, sex_in, with_name, with_place

LISTS = shipped()
SETS = list(LISTS.names.sets.values())
NARRATIVES = synthesize(400, seed=5).calls["narrative"].tolist()
KNOWN = ["Roxbury", "South Boston", "South Boston Waterfront", *LISTS.places.said]

people = st.sampled_from(SETS).flatmap(
    lambda own: st.builds(Name, st.sampled_from([*own.f, *own.m]), st.sampled_from(own.last))
)
texts = st.sampled_from(NARRATIVES)
places = st.sampled_from(KNOWN)


@given(texts, people, people)
def test_a_name_is_put_in_once_and_another_takes_its_place(text: str, a: Name, b: Name) -> None:
    first = with_name(text, a, LISTS)
    assert with_name(first, a, LISTS) == first
    assert with_name(with_name(first, b, LISTS), a, LISTS) == first
    assert a.first.lower() in first.lower()


@given(texts, people)
def test_nothing_but_the_name_is_put_in(text: str, name: Name) -> None:
    before = [token.text for token in tokenize(text)]
    after = [token.text for token in tokenize(with_name(text, name, LISTS))]
    added = [token.text for token in tokenize(f"named {name.first} {name.last}")]
    assert sorted(set(after) - set(before)) == sorted(set(added) & (set(after) - set(before)))
    rest = iter(after)
    assert all(word in rest for word in before)  # all words still there, in order


@given(texts, places, places)
def test_a_place_is_put_in_once_and_another_takes_its_place(text: str, a: str, b: str) -> None:
    first = with_place(text, a, KNOWN)
    assert with_place(first, a, KNOWN) == first
    assert with_place(with_place(first, b, KNOWN), a, KNOWN) == first
    assert a.lower() in first.lower()


@given(texts, st.sampled_from(sorted(LISTS.dialects)))
def test_a_dialect_is_spoken_once(text: str, dialect: str) -> None:
    said = in_dialect(text, LISTS.dialects[dialect])
    assert in_dialect(said, LISTS.dialects[dialect]) == said
    if is_shorthand(text):
        assert said == text


@pytest.mark.parametrize(
    ("dialect", "plain", "said"),
    [
        ("african_american", "he is going to hurt himself", "he finna hurt hisself"),
        ("african_american", "he is going to the hospital", "he going to the hospital"),
        ("african_american", "she doesn't have any weapons", "she don't have no weapons"),
        ("african_american", "they didn't see anyone", "they didn't see nobody"),
        ("african_american", "it's burning", "it's burning"),
        ("southern", "you guys might be able to help", "y'all might could help"),
        (
            "southern",
            "he's doing something to the building",
            "he's doin' something to the building",
        ),
        ("boston", "it's really cold in the basement", "it's wicked cold in the cellar"),
        ("caribbean", "she said he is shouting", "she say he shouting"),
        ("second_language", "my brother doesn't have a gun", "my brother doesn't have gun"),
        ("second_language", "he doesn't have a gun", "he no have gun"),
        ("second_language", "there's a fire", "is fire"),
        ("second_language", "my son is ill for two days", "my son he is ill since two days"),
    ],
)
def test_what_a_dialect_says(dialect: str, plain: str, said: str) -> None:
    assert in_dialect(plain, LISTS.dialects[dialect]) == said


def test_the_words_for_the_person_say_whose_name_fits() -> None:
    assert sex_in("my daughter and her husband") == "f"
    assert sex_in("a man hit her") == "m"
    assert sex_in("my neighbor is loud") is None
    assert sex_in("my roommate lost her keys") == "f"


def test_denials_stay_denials() -> None:
    for rules in LISTS.dialects.values():
        for text in ("he doesn't have a gun", "she isn't violent", "there are no weapons"):
            said = in_dialect(text, rules)
            assert re.search(r"\b(no|not|n't|ain't|don't|isn't|doesn't)\b", said), said


# --- the lists ------------------------------------------------------------------------------------


def test_every_rule_of_every_dialect_changes_something() -> None:
    silent = [
        rule.pattern
        for rules in LISTS.dialects.values()
        for rule in rules
        if not any(rule.compiled.search(text) for text in (*NARRATIVES, *EXAMPLES))
    ]
    assert silent == []


EXAMPLES = (
    "they're not moving; you are about to fall; I'm going to jump; he's been drinking",
    "we might be able to; you guys; a liquor store, the living room, a trash can, a shopping cart",
    "at the traffic circle, over at the school, over there; my dad told; somebody took it",
    "she has a knife; he has been crying for three days; the people; they came; he can't",
    "my sister is crying; my brother is hiding; my mother is here; she doesn't eat; you all go",
    "in the basement; it isn't; yelling; himself; trying to; someone; I think; gonna fall; really",
    "he isn't talking; they didn't see anyone; they don't want anything; she said; he told",
)


def test_lists_that_do_not_fit_together_are_refused() -> None:
    given = LISTS.model_dump(by_alias=True)
    given["names"]["reference"] = "nobody"
    with pytest.raises(ValueError, match="reference"):
        Lists.model_validate(given)
    given = LISTS.model_dump(by_alias=True)
    del given["languages"]["sentences"]["knife"]["es"]
    with pytest.raises(ValueError, match="same languages"):
        Lists.model_validate(given)
    given = LISTS.model_dump(by_alias=True)
    given["languages"]["courtesies"]["es"] = ("por favor",)
    with pytest.raises(ValueError, match="same courtesies"):
        Lists.model_validate(given)


def test_a_rule_stands_for_sorts_of_words() -> None:
    verb = Rule.model_validate({"from": "is {verb}", "to": ""})
    assert verb.compiled.search("is running") and not verb.compiled.search("is nothing")
    infinitive = Rule.model_validate({"from": "to {infinitive}", "to": ""})
    assert infinitive.compiled.search("to hurt") and not infinitive.compiled.search("to the")
