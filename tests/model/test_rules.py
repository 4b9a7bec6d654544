"""Rules: what is a fact here and now, and what only sounds like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.text import tokenize
from model_service.model.phrases import ANY, sequences, words_of
from model_service.model.rules import (
    RuleError,
    RuleReader,
    parse_rules,
    read_facts,
    rule_reader,
    rules_text,
)

RULES = """
version: 1
sets:
  gun: [gun, pistol]
scopes:
  reach: {denied: 3, past: 4}
  bound: [denied, past]
  before: {denied: ["no"], past: [used to have]}
  after: {past: [years ago]}
  after_reach: {past: 3}
  breaks: [but]
  questions: [any]
  "yes": ["yes"]
  "no": [nope]
  short_question: 3
facts:
  weapon:
    about: a test
    phrases: [<gun>, knife, with ~2 blade]
    denials: [unarmed gun]
    exceptions: [glue gun]
    over: [handed it in]
"""


PIECES = ("no", "gun", ",", ".", "?", "he", "has", "if", "the", "door", "knife", "kill", "her")


def found(text: str, rules: str | None = None) -> list[tuple[str, str]]:
    reader = rule_reader(rules or rules_text())
    return [(hit.fact, hit.polarity) for hit in reader.read(text, tokenize(text))]


def said(text: str) -> set[str]:
    return {fact for fact, polarity in found(text) if polarity == "said"}


# The mechanics, on a small list


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("a gun", "said"),
        ("no gun", "denied"),
        ("no shoes, a gun", "said"),
        ("unarmed gun", "denied"),
        ("used to have a gun", "past"),
        ("used to have a dog, a gun", "said"),
        ("a gun ten years ago", "past"),
        ("a gun, ten years ago", "said"),
        ("a gun. He handed it in", "past"),
        ("he handed it in. Now a gun", "said"),
        ("Gun? / nope", "denied"),
        ("Gun? / yes", "said"),
        ("Gun?", "asked"),
        ("He came home with a gun, right?", "said"),
    ],
)
def test_polarity_of_a_small_list(text: str, polarity: str) -> None:
    assert found(text, RULES) == [("weapon", polarity)]


@pytest.mark.parametrize("text", ["a glue gun", "nothing"])
def test_what_only_looks_like_it_is_passed_over(text: str) -> None:
    assert found(text, RULES) == []


def test_an_exception_stands_within_a_clause() -> None:
    assert found("glue, gun", RULES) == [("weapon", "said")]


def test_a_longer_phrase_over_the_end_of_a_sentence_hides_no_shorter_one() -> None:
    rules = RULES.replace("knife,", "a blade, knife,")
    assert found("What with? A blade", rules) == [("weapon", "said")]


def test_a_noun_with_s_is_the_noun_and_a_listed_contraction_stays_itself() -> None:
    assert found("the gun's on the table", RULES) == [("weapon", "said")]
    # "Nobodys" is listed, so "nobody's" is not "nobody", which would deny.
    listed = RULES.replace('denied: ["no"]', 'denied: ["nobody"]').replace("knife,", "nobodys gun,")
    assert found("nobody's gun", listed) == [("weapon", "said")]


def test_spans_are_exact() -> None:
    text = "He came with a long blade, and no PISTOL."
    tokens = tokenize(text)
    hits = rule_reader(RULES).read(text, tokens)
    spans = [text[tokens[h.first].start : tokens[h.last - 1].end] for h in hits]
    assert spans == ["with a long blade", "PISTOL"]


def test_a_slip_of_the_keys_is_read_where_real_words_are_known() -> None:
    assert found("a pistl", RULES) == []
    assert found("a pistl", f"{RULES}real_words: [piston]\n") == [("weapon", "said")]
    assert found("a piston", f"{RULES}real_words: [piston]\n") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1", "sets"),
        (RULES.replace("about: a test", "abuot: a test"), "weapon.about"),
        (RULES.replace("<gun>", "<gnu>"), "unknown set <gnu>"),
        (RULES.replace("glue gun", "(glue gun"), "bracket"),
    ],
)
def test_a_list_that_can_not_be_used_is_refused(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        RuleReader(parse_rules(text))


# The list that the project ships


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("MALE W KNIFE, NO SHIRT, HX SCHIZ, YELLING AT CARS", "weapon"),
        ("no weapons seen but he has a knife", "weapon"),
        ("no gun but the bread knife is out", "weapon"),
        ("NO INJURIES, SUBJ HOLDING BASEBALL BAT", "weapon"),
        ("DENIES SI BUT HAS LOADED HANDGUN ON PASSENGER SEAT", "weapon"),
        ("MALE AT BAR, BLACK CAP, GUN IN WAISTBAND", "weapon"),
        ("something like a knife in his hand", "weapon"),
        ("he put his chef's knife to his wrist", "weapon"),
        ("he grabbed the officer's gun", "weapon"),
        ("finger on the trigger", "weapon"),
        ("he used to be a cook, he has a cleaver now", "weapon"),
        ("Dispatcher: Any weapons? / Caller: Yeah, a hammer in his hand", "weapon"),
        ("Dispatcher: Where's the shotgun now? / Caller: On the bed next to him.", "weapon"),
        ("I'm scared, he has a shotgun", "weapon"),
        ("she has a macheete", "weapon"),
        ("2 males fighting in the street", "violence"),
        ("he punched her in the face and he's still here", "violence"),
        ("He's choking my mom", "violence"),
        ("they are throwing chairs at the staff", "violence"),
        ("he is going to kill his mother when she gets home", "threat_to_others"),
        ("if you send police I'll blow her head off", "threat_to_others"),
        ("SUBJ TEXTED HE WILL SHOOT UP THE SCHOOL", "threat_to_others"),
        ("he locked himself in the bathroom and won't come out", "barricaded"),
        ("he won't let me leave", "barricaded"),
        ("SHE PUSHED THE DRESSER AGAINST THE DOOR", "barricaded"),
        ("has a gun, locked himself in the bedroom", "barricaded"),
        ("he's down the bottom of the stairs and her foot's pointing the wrong way", "injury"),
        ("he won't come round", "injury"),
        ("there's a puddle under him, it's red", "injury"),
        ("she's chewing them like candy, more pills in her cheek", "overdose"),
        ("F/15 ADMITS 40 OF GRANDMA'S WATER PILLS", "overdose"),
        ("two men are trying to break into my house", "crime_in_progress"),
        ("he is trying to steal my car", "crime_in_progress"),
        ("there's three of them loading my ewes into a horsebox", "crime_in_progress"),
        ("he's lit one and the corridor is filling", "fire"),
        ("that outlet's smoking and the wallpaper's gone black", "fire"),
    ],
)
def test_a_fact_is_said(text: str, fact: str) -> None:
    assert fact in said(text)


@pytest.mark.parametrize(
    ("text", "fact", "polarity"),
    [
        ("NEG WPNS PER RP", "weapon", "denied"),
        ("no wpns seen", "weapon", "denied"),
        ("denies weapons", "weapon", "denied"),
        ("Dispatcher: any weapons? / Caller: no", "weapon", "denied"),
        ("Dispatcher: Any weapons? / Caller: She only cries.", "weapon", "asked"),
        ("wpn unk, female crying", "weapon", "possible"),
        ("she thinks he might have a gun", "weapon", "possible"),
        ("what if he gets hold of a knife", "weapon", "supposed"),
        ("HX OF GUN", "weapon", "past"),
        ("he used to carry a knife", "weapon", "past"),
        ("a shooting with a pistol on the news", "weapon", "other"),
        ("he's not violent", "violence", "denied"),
        ("he hit her years ago", "violence", "past"),
        ("what do I do if he starts hitting me", "violence", "supposed"),
        ("denies HI", "threat_to_others", "denied"),
        ("he barricaded himself two years ago", "barricaded", "past"),
        ("She had locked herself in, she came out at four", "barricaded", "past"),
    ],
)
def test_a_fact_is_spoken_of_otherwise(text: str, fact: str, polarity: str) -> None:
    assert (fact, polarity) in found(text)
    assert fact not in said(text)


@pytest.mark.parametrize(
    "text",
    [
        "hot glue gun in the craft room",
        "he was riding shotgun",
        "I'm under the gun at work",
        "she looks daggers at me",
        "it was like a water pistol, a toy",
        "fighting back tears",
        "I had a panic attack on the bus",
        "beat me at chess",
        "this headache is killing me",
        "shoot me an email about the lease",
        "he could murder a curry",
        "locked out of my account",
        "sitting by the parade barricades",
        "my daughter won't eat and cries all day, can someone talk to her",
        "Caller states her neighbor plays loud music every night",
        "MALE ASLEEP ON BENCH, BREATHING NORMALLY, NEEDS SHELTER",
        "I feel so low since my husband died and I can't sleep",
        "car blocking the driveway on Elm, no driver around",
        "she wants a counselor to ring her back tomorrow",
        "he lost his job and sits in his room, quiet and sad",
        "off his meds for three weeks, confused, sleepy and in bed since Monday",
        "client is not sleeping, up all night cleaning the house and painting the walls",
        "he keeps taking his clothes off and walking up and down the street",
        "husband wandered out the back door with his bag, he's walking down the road",
        "she has been cutting back on her drinking and feels worse",
        "she is on a new pill and feels dizzy, asks who to call in the morning",
        "he's burning himself out at work",
        "no one is hurt",
    ],
)
def test_everyday_notes_say_no_fact(text: str) -> None:
    assert said(text) == set()


def test_every_phrase_of_the_shipped_list_finds_itself() -> None:
    rules = parse_rules(rules_text())
    lost = []
    for fact, entry in rules.facts.items():
        for phrase in entry.phrases:
            texts = [
                " ".join(words_of(label, rules.sets)[0].rstrip("*") for label in sequence)
                for sequence in sequences(phrase, rules.sets)
                if ANY not in sequence
            ]
            if not any(fact in dict(found(text)) for text in texts):
                lost.append(f"{fact}: {phrase}")
    assert lost == []


@given(st.lists(st.sampled_from(PIECES)))
def test_hits_lie_within_the_text_and_those_of_a_fact_do_not_overlap(pieces: list[str]) -> None:
    text = " ".join(pieces)
    tokens = tokenize(text)
    last: dict[str, int] = {}
    for hit in read_facts(text, tokens):
        assert 0 <= hit.first < hit.last <= len(tokens)
        if hit.polarity == "said":
            assert hit.first >= last.get(hit.fact, 0)
            last[hit.fact] = hit.last
