"""Concepts: what is found, how it was spoken of, and that no text can make it slow."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.text import tokenize
from model_service.model import concepts as module
from model_service.model.concepts import (
    KINDS,
    POLARITIES,
    ConceptError,
    ConceptMatcher,
    concepts_text,
    matcher,
    parse_concepts,
    strength,
)
from model_service.model.phrases import parse
from tests.model.reference import spelt

HEAD = """
version: 1
sets:
  gun: [gun, pistol]
scopes:
  reach: {denied: 3, denied_list: 5, asked: 5, past: 4, supposed: 3}
  before: {denied: ["no", not], denied_list: [denies], past: [used to], supposed: [if]}
  after: {denied: [neg], past: [years ago]}
  breaks: [but]
  questions: [any, does (he|she)]
  "yes": ["yes"]
  "no": ["no"]
concepts:
"""


def made(*phrases: str, name: str = "thing") -> ConceptMatcher:
    lines = "".join(f"      - {phrase!r}\n" for phrase in phrases)
    text = (
        f"{HEAD}  {name}:\n    about: a test\n    given: {{crisis: 0.5, risk: 0.5}}\n"
        f"    phrases:\n{lines}"
    )
    return ConceptMatcher(parse_concepts(text))


def found(text: str, using: ConceptMatcher | None = None) -> set[tuple[str, str]]:
    using = using or matcher(concepts_text())
    return {(hit.concept, hit.polarity) for hit in using.find(text, tokenize(text))}


def spans(text: str, using: ConceptMatcher) -> list[str]:
    tokens = tokenize(text)
    return [
        text[tokens[hit.first].start : tokens[hit.last - 1].end] for hit in using.find(text, tokens)
    ]


# The language of the phrases


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("big knife", "a BIG knife, a big, knife", ["BIG knife", "big, knife"]),
        ("(big|long) knife", "long knife", ["long knife"]),
        ("(very|) big", "very big and big", ["very big", "big"]),
        ("stab*", "stabbed and stabbing", ["stabbed", "stabbing"]),
        ("has <gun>", "has pistol", ["has pistol"]),
        ("has ~2 <gun>", "has an old gun", ["has an old gun"]),
        ("has ~2 <gun>", "has a very old gun", []),
        ("(on|in (his|her)) hand", "in her hand", ["in her hand"]),
        ("dont want", "don’t want", ["don’t want"]),
        ("knife", "kn\u200bife", ["kn\u200bife"]),
    ],
)
def test_a_phrase_is_found_in_place(phrase: str, text: str, expected: list[str]) -> None:
    assert spans(text, made(phrase)) == expected


@pytest.mark.parametrize(
    "phrase",
    ["(a|b", "a)b", "<nothing> a", "~2 a", "a ~2", "|", "two-words", "Apt 4", "(" * 40, "a ~", "*"],
)
def test_a_phrase_that_can_not_be_read_is_refused(phrase: str) -> None:
    with pytest.raises(ConceptError, match="concepts"):
        made(phrase)


@pytest.mark.parametrize("text", ["[", "version: 1", HEAD, "concepts: {a: 1}"])
def test_a_list_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConceptError):
        parse_concepts(text)


# How it was spoken of


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("he has a gun", "said"),
        ("no gun", "denied"),
        ("no. gun", "said"),
        ("not sure but he has a gun", "said"),
        ("gun neg", "denied"),
        ("denies drugs, alcohol, gun", "denied"),
        ("no shirt, gun", "said"),
        ("any gun? no", "denied"),
        ("any gun? yes", "said"),
        ("any gun? he is on the porch", "asked"),
        ("does he have a gun no he is calm", "denied"),
        ("he used to own a gun", "past"),
        ("he had a gun years ago", "past"),
        ("if he had a gun", "supposed"),
    ],
)
def test_polarity(text: str, polarity: str) -> None:
    assert found(text, made("<gun>")) == {("thing", polarity)}


def test_a_denial_within_a_phrase_is_not_a_denial_of_it() -> None:
    using = made("dont want to live", "not breathing")
    assert found("I don't want to live", using) == {("thing", "said")}
    assert found("he is not breathing", using) == {("thing", "said")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("she says she wants to kill herself", ("kill_self", "said")),
        ("SUBJ IS 5150, REQ AMB", ("trade_words", "said")),
        ("subj 5150'd last shift", ("trade_words", "said")),
        ("EDP ON PLATFORM", ("trade_words", "said")),
        ("poss section 12, family on scene", ("trade_words", "said")),
        ("denies SI/HI", ("suicidal", "denied")),
        ("is he suicidal? no, he's fine", ("suicidal", "denied")),
        ("I don't want to be here anymore", ("wants_to_die", "said")),
        ("he hears voices", ("voices", "said")),
        ("he is off his meds", ("off_meds", "said")),
        ("neg wpns", ("weapon", "denied")),
        ("he's got a knife", ("knife_in_hand", "said")),
        ("this traffic makes me want to die", ("not_real", "said")),
        ("he wants the cops to shoot him", ("by_cop", "said")),
        ("she took a whole bottle of pills", ("took_pills", "said")),
        ("he threatened to kill his mother", ("threat_kill", "said")),
        ("he is on the wrong side of the railing", ("jump", "said")),
        # Dangers to others, by kind
        ("M W/ SAWED OFF SHOTGUN ON PORCH", ("gun", "said")),
        ("he pulled out a small black pistol", ("gun_in_hand", "said")),
        ("PATRON WAVING A MEAT CLEAVER", ("knife_in_hand", "said")),
        ("she was struck twice with a skillet", ("object_weapon", "said")),
        ("he tried to run my sister over", ("object_weapon", "said")),
        ("RP STS HE HAS ACCESS TO FIREARMS", ("weapon_near", "said")),
        ("mom took the knife away from him", ("weapon_secured", "said")),
        ("no weapons seen", ("weapon", "denied")),
        ("two women are trading punches by the fountain", ("assault", "said")),
        ("SUBJ COMBATIVE WITH EMS", ("staff_attacked", "said")),
        ("a patient bit one of our nurses", ("staff_attacked", "said")),
        ("she keeps getting death threats on Instagram", ("threat_remote", "said")),
        ("the clerk says they demanded cash", ("robbery", "said")),
        ("somebody is climbing in my kitchen window", ("burglary_now", "said")),
        ("a man grabbed a toddler and ran", ("abduction", "said")),
        ("RP IS AFRAID OF HIM", ("fear", "said")),
        ("we are hiding in the stock room", ("hiding", "said")),
        ("she locked herself in the bathroom", ("locked_in", "said")),
        ("he poured gasoline on the porch", ("bomb_arson", "said")),
        ("SUSP FLED ON FOOT NB", ("fled", "said")),
        ("he is bleeding badly", ("bleeding", "said")),
        ("she has a restraining order", ("protective_order", "said")),
        # What speaks against
        ("dispute was verbal only", ("verbal_only", "said")),
        ("PARTIES SEPARATED FOR THE NIGHT", ("separated", "said")),
        ("no injuries reported", ("nobody_hurt", "said")),
        ("SUBJ GOA", ("gone_long", "said")),
        ("he wants to file a police report for insurance", ("past_report", "said")),
        ("follow up with the detective", ("follow_up", "said")),
        ("PRISONER TRANSPORT TO COUNTY", ("transport", "said")),
        ("directed patrol, lot secure", ("patrol", "said")),
        ("welfare check, has not answered her phone", ("welfare_check", "said")),
        ("a missing juvenile was located", ("wandering", "said")),
        ("she is diabetic and her sugar is low", ("diabetic", "said")),
        ("poss CVA, facial droop", ("stroke_seizure", "said")),
        ("hit his head on the ice", ("head_injury", "said")),
        ("difficulty breathing", ("heart_breath", "said")),
        ("unresponsive, not breathing", ("unconscious", "said")),
        ("lift assist, second floor", ("fall", "said")),
        ("broke her ankle", ("injury", "said")),
        ("choking on a grape", ("choking", "said")),
        ("allergic reaction to walnuts", ("allergy", "said")),
        ("my wife is in labor", ("birth", "said")),
        ("the toddler got into some vitamins", ("accidental_drugs", "said")),
        ("male passed out, smells of vodka", ("drink", "said")),
        ("odor of marijuana", ("campus_substance", "said")),
        ("he passed away under hospice care", ("grief", "said")),
        ("two vehicle crash, airbags deployed", ("crash", "said")),
        ("disabled vehicle in the left lane", ("traffic", "said")),
        ("car blocking my driveway", ("parking", "said")),
        ("bicycle stolen from rack", ("theft", "said")),
        ("gift card scam", ("fraud", "said")),
        ("graffiti on the wall", ("damage", "said")),
        ("locked out of his room", ("lost_found", "said")),
        ("burglar alarm, cleaning staff", ("alarm", "said")),
        ("smoke coming from the attic", ("fire", "said")),
        ("smell of gas in the hall", ("gas_wires", "said")),
        ("lost hiker on the ridge", ("rescue", "said")),
        ("loose dog on campus", ("animal", "said")),
        ("noise complaint", ("noise", "said")),
        ("landlord tenant dispute", ("civil", "said")),
        ("trespass warning issued", ("nuisance", "said")),
        ("suspicious vehicle", ("suspicious", "said")),
        ("butt dial, all ok", ("misdial", "said")),
        ("juveniles with toy guns", ("toy", "said")),
        ("active shooter drill", ("drill_film", "said")),
        ("target practice at the gun range", ("lawful_gun", "said")),
        ("turned out to be a contractor", ("mistaken", "said")),
    ],
)
def test_the_shipped_list(text: str, expected: tuple[str, str]) -> None:
    assert expected in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "my bike was taken from the rack",
        "how long until the officer is here",
        "½ 刀 🙂",
    ],
)
def test_plain_texts_say_no_crisis(text: str) -> None:
    listed = parse_concepts(concepts_text()).concepts
    assert not {name for name, _ in found(text) if listed[name].given.crisis > 0.3}


@pytest.mark.parametrize(
    "text",
    [
        "loose dog on campus",
        "DBL PARKED, BLOCKING DRIVEWAY",
        "my son has a fever and he is vomiting",
        "non violent, non combative",
        "no threats were made and nobody is armed",
        "lift assist, no injuries",
        "dead battery, needs a jump",
        "odor of marijuana, unfounded",
        "he needs his insulin shot",
        "what's the address there? and the phone number?",
        "struck by a golf ball",
    ],
)
def test_everyday_texts_say_no_danger(text: str) -> None:
    listed = parse_concepts(concepts_text()).concepts
    risky = {name for name, polarity in found(text) if polarity == "said"}
    assert not {name for name in risky if listed[name].given.risk > 0.3}


def test_case_accents_and_apostrophes_do_not_matter() -> None:
    plain = "he's hearing voices and does not want to live"
    for other in (plain.upper(), plain.replace("'", "’"), plain.replace("e", "e\u0301")):
        assert found(other) == found(plain)


def test_every_concept_of_the_shipped_list_is_found_in_its_own_words() -> None:
    listed = parse_concepts(concepts_text())
    using = matcher(concepts_text())
    for name, concept in listed.concepts.items():
        for phrase in concept.phrases:
            words = spelt(parse(phrase, listed.sets), listed.sets)[0]
            assert name in {concept for concept, _ in found(" ".join(words), using)}, phrase


# What it costs


@given(st.lists(st.sampled_from(["no", "gun", "he", "has", "a", "?", ".", "x", ","]), max_size=60))
def test_hits_lie_within_the_text_and_do_not_overlap(pieces: list[str]) -> None:
    text = " ".join(pieces)
    tokens = tokenize(text)
    hits = matcher(concepts_text()).find(text, tokens)
    ends: dict[str, int] = {}
    for concept, polarity, first, last in hits:
        assert 0 <= first < last <= len(tokens)
        assert polarity in POLARITIES
        assert polarity in KINDS
        assert first >= ends.get(concept, 0)
        ends[concept] = last


def test_strength_saturates() -> None:
    assert [strength(n, 300, everyday=False) for n in (1, 2, 3)] == [1.0, 1.5, 1.75]
    assert strength(10_000, 300, everyday=False) <= 2.0


def test_what_is_everyday_fades_in_a_long_text_and_a_danger_does_not() -> None:
    short, long = (strength(1, words, everyday=True) for words in (5, 500))
    assert short > 0.9
    assert long < 0.1
    found = matcher(concepts_text())
    assert {"crash", "parking", "lost_found"} <= found.everyday
    assert not found.everyday & {"suicidal", "voices", "gun", "assault", "calm"}


def test_the_list_is_part_of_the_package() -> None:
    assert (Path(module.__file__).parent / "concepts.yaml").is_file()
