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
  reach:
    denied: 3
    asked: 4
    past: 4
    past_far: 12
    other_far: 12
    believed: 12
    reported: 12
  bound: [denied, past]
  far: [past_far, other_far, believed]
  turns: [today]
  present: [he has]
  before:
    denied: ["no", never a]
    past: [used to have]
    past_far: [as a kid]
    other_far: [in a film]
    believed: [thinks]
    reported: [asked (if|about)]
  later:
    refuted: [nobody (is|was) there]
    confirmed: ["said yes"]
    refused: [said no]
  figures: [top gun]
  around: {other: [on the news]}
  after: {past: [years ago], past_far: [in the war]}
  after_reach: {past: 3, past_far: 6}
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
    over: [handed it in, handed in his <gun>]
    absences: [put it down]
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
        ("he handed in his gun", "past"),
        ("a gun that he carried, in the war", "past"),
        ("a gun, he told me, in the war", "said"),
        ("thinks she saw a gun", "said"),
        ("thinks she saw a gun. Nobody was there", "supposed"),
        ("a gun. Nobody was there", "said"),
        ("asked if she saw a gun, he said no", "denied"),
        ("asked about a gun, he said yes", "said"),
        ("Did he put it down? / nope", "said"),
        ("asked if he put it down, he said no", "said"),
        ("Any gun. / nope", "denied"),
        ("Any gun. / yes", "said"),
        ("Gun? / nope", "denied"),
        ("Gun? / yes", "said"),
        ("Gun?", "asked"),
        ("He came home with a gun, right?", "said"),
        ("He came home with a gun, right? / nope", "denied"),
        ("Any gun, Mr. Abbott? / nope", "denied"),
        ("not ever, never, a gun", "said"),
        ("as a kid he and his brother, he told me, carried a gun", "past"),
        ("as a kid he was mild, today a gun", "said"),
        ("as a kid he was mild and he has a gun", "said"),
        ("in a film he has a gun", "other"),
        ("saw it in a film, he has a gun", "said"),
        ("a gun on the news", "other"),
        ("on the news a gun", "other"),
        ("on the news it rained, today a gun", "said"),
    ],
)
def test_polarity_of_a_small_list(text: str, polarity: str) -> None:
    assert found(text, RULES) == [("weapon", polarity)]


@pytest.mark.parametrize("text", ["a glue gun", "top gun", "did he put it down", "nothing"])
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
    ("text", "fact"),
    [
        ("MALE W KNIFE, OFF MEDS SINCE MONDAY", "weapon"),
        ("He has a gun, his wife is gone and he won't answer", "weapon"),
        ("He's sitting watching TV with a shotgun across his knees", "weapon"),
        ("he has a gun and says it's over", "weapon"),
        ("he's back home in his room with a knife", "weapon"),
        ("He's hitting her, she hasn't eaten since", "violence"),
        ("he's punching my brother, it started last night and he hasn't stopped", "violence"),
        ("there's a knife on the soap dish", "weapon"),
        ("he has a knife, as a precaution I took the kids out", "weapon"),
        ("he has a gun and it's all over the news in his head", "weapon"),
        ("A guy with a machete, turned out to be my neighbour, he's still out there", "weapon"),
        ("He locked himself in the bathroom with a razor, my daughter is with me now", "weapon"),
        ("She locked herself in, I was told he came out of hospital yesterday", "barricaded"),
        ("MALE ARMED, HX OF SCHIZ, 2 PRIOR HOLDS", "weapon"),
        ("He has a knife, I used to work with him", "weapon"),
        ("She's got a knife to her throat, she lost her mother last year", "weapon"),
        ("he's in there with the gun he bought years ago", "weapon"),
        ("he got a gun last month and he's holding it now", "weapon"),
        ("he's choking her, they've been married twenty years", "violence"),
        ("CLR ADV HUSBAND IN 2014 GMC W RIFLE ON SEAT", "weapon"),
        ("RP REPORTS THAT MALE HAS KNIFE", "weapon"),
        ("REPORTS OF MALE W MACHETE AT BUS STOP", "weapon"),
        ("SINCE 1400 MALE BARRICADED IN BEDROOM", "barricaded"),
        ("LOCKED IN BATHROOM SINCE 1400", "barricaded"),
        ("he wants to know if I'm scared, he's holding a hammer over me", "weapon"),
        ("he asked what I was doing and then he pulled a knife", "weapon"),
        ("he's scared they'll take him so he has a gun in the truck", "weapon"),
        ("he believes they are poisoning him and he is holding a cleaver", "weapon"),
        ("voices are telling him to stab his mother and he has the knife in his hand", "weapon"),
        ("he dreams of demons and now he's got an axe in his hands", "weapon"),
        ("my brother in Texas phoned me, dad has a gun in his mouth here", "weapon"),
        ("there's a man next door beating his wife, I can hear her screaming", "violence"),
        ("when I was in the kitchen he grabbed a knife", "weapon"),
        ("when he was at the door he pulled a gun", "weapon"),
        ("I was in the bath when he hit me", "violence"),
        ("he was a student of mine, he is outside with a bat swinging it at cars", "weapon"),
        ("if you can hear that, he is smashing the house up", "violence"),
        ("not sure, he has a knife I think", "weapon"),
        ("no he has a knife", "weapon"),
        ("He's off his meds, hallucinating, swinging an axe in the yard", "weapon"),
        ("delusional male w/ sword in front yard", "weapon"),
        ("She's only my nan and he's punching her", "violence"),
        ("It was in March he came home, today he's threatening to shoot me", "threat_to_others"),
        ("He says he will shoot his boss on Monday", "threat_to_others"),
        ("on Friday he is going to kill them all", "threat_to_others"),
        ("so he has a gun and he says he will use it", "weapon"),
        ("he's not himself, he keeps saying he'll cut my throat", "threat_to_others"),
        (
            "he has never done this before, he's locked us in the bedroom and won't let us out",
            "barricaded",
        ),
        ("nobody touched him and he just started punching people", "violence"),
        ("nobody was there when he started punching people on the bus", "violence"),
        ("he broke the window and he's punching her, neighbours said nothing since", "violence"),
        (
            "mum is being beaten by her carer, it is only my word but I can see it on the camera",
            "violence",
        ),
        ("the staff is with him, he is biting a nurse", "violence"),
        ("her neighbor in the next county called: he's on his way there with a rifle", "weapon"),
        ("he is threatening to kill the kids, I asked him if he was joking", "threat_to_others"),
        ("He's got a gun. He once tried to hang himself.", "weapon"),
        ("He once tried to hang himself, he has a gun", "weapon"),
        ("years ago he was in the army, he has a rifle in his hands", "weapon"),
        ("as a soldier he kept a pistol and he has it in his lap", "weapon"),
        ("he beat up my son and he is still here", "violence"),
        ("he's beating up his girlfriend in the car", "violence"),
        ("she was beaten by her boyfriend and he's in the kitchen", "violence"),
        ("the kids are gone, he has a knife", "weapon"),
        ("he has a knife, everyone is gone", "weapon"),
        ("he's smashing windows, his mother was taken away earlier", "violence"),
        ("he's punching holes in the walls, earlier today he was fine", "violence"),
        ("he stabbed me last night and he's back with the knife", "weapon"),
        ("he locked himself in, the door was open earlier", "barricaded"),
        ("door is wide open and he's holding a knife to her", "weapon"),
        ("he came out and hit me with a bat, now he has locked himself back in", "barricaded"),
        ("he keeps an axe in the hall and he's just picked it up", "weapon"),
        ("man with sword on the high street", "weapon"),
        ("man with a gun on Gun Hill Road", "weapon"),
        ("there's a guy with a gun at the gun show", "weapon"),
        ("the knife shop owner says a man is waving a machete at customers", "weapon"),
        ("he shot at the fire department", "weapon"),
        ("he has a glue gun and a real pistol", "weapon"),
        ("toy gun on the table and a real rifle in his hands", "weapon"),
        ("he says his love is a weapon and he holds a cleaver", "weapon"),
        ("he is looking daggers and holding a dagger", "weapon"),
        ("he threw up then he threw a chair at the nurse", "violence"),
        ("he had a panic attack and now he's attacking staff", "violence"),
        ("the boxing coach is being punched by a student", "violence"),
        ("she's fighting cancer and now she's fighting with the nurses", "violence"),
        ("heart pounding because he's pounding on me", "violence"),
        ("he hit the brakes, got out and hit the other driver", "violence"),
        ("he will kill me when I get home, he said so", "threat_to_others"),
        ("my husband is going to kill me tonight, he's outside", "threat_to_others"),
        ("he wants to kill my kids", "threat_to_others"),
        ("my ex texted that he's going to shoot me", "threat_to_others"),
        ("he said if I leave he'll kill the baby", "threat_to_others"),
        ("threatening to kill himself and take the kids with him", "threat_to_others"),
        ("she locked me out and locked the baby in with her", "barricaded"),
        ("he won't let it go, he won't let us out of the house", "barricaded"),
        ("he refuses to leave the bathroom, barricaded", "barricaded"),
        ("he is in bed with a shotgun and won't get out of bed", "weapon"),
        ("lady next door has a gun", "weapon"),
        ("our neighbour's son is holding a knife", "weapon"),
        ("my brother in Ohio just drove here and he has a pistol in his hand", "weapon"),
        ("it was on the news last night and tonight he's got a gun", "weapon"),
        ("he saw a movie and now he is copying it with an axe, chasing people", "weapon"),
        ("asked if he had a weapon he held up a machete", "weapon"),
        ("asked whether he was armed, he pulled out a handgun", "weapon"),
        ("Dispatcher: Any weapons? / Caller: No. Wait, he's got a knife now", "weapon"),
        (
            "Dispatcher: Is he violent? / Caller: He wasn't, now he's throwing chairs at us",
            "violence",
        ),
        ("Dispatcher: No gun? / Caller: He has a gun.", "weapon"),
        (
            "Dispatcher: Does he have a weapon, sir? / Caller: There's a hatchet on the seat.",
            "weapon",
        ),
        ("neg weapons seen earlier but now male has pipe and is swinging it at cars", "weapon"),
        ("no sign of him having taken anything, does have a knife", "weapon"),
        ("denies SI, has a knife in her purse", "weapon"),
        ("RP DENIES INJ, MALE STILL SWINGING MACHETE", "weapon"),
        ("he's never been violent before but he just punched his dad", "violence"),
        ("no one is hurt, he is waving a gun", "weapon"),
        ("nobody is hurt yet, two men are fighting with bats", "violence"),
    ],
)
def test_what_stands_near_takes_no_fact_back(text: str, fact: str) -> None:
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
