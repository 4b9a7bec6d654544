"""Errors of hearing and typing, and habits of wording.

What a recogniser mishears, what a hurried hand mistypes, which of several words for the same thing
a person takes. They fall on all families alike. Habits matter because families are written by
several hands: without them a model could tell the hand, not the crisis. A telling word can get
lost by errors, as it does in real records. Telephone numbers and other digits are left alone.
"""

from __future__ import annotations

from collections.abc import Callable

Draw = Callable[[], float]

# Words that speech recognition takes for each other; the wrong word is a real one.
HOMOPHONES: dict[str, tuple[str, ...]] = {
    "knife": ("life", "night", "nice"),
    "gun": ("gone", "done", "car"),
    "kill": ("call", "keel", "feel"),
    "killed": ("called", "filled"),
    "die": ("dye", "tie", "guy"),
    "dead": ("bed", "debt"),
    "pills": ("bills", "hills", "peels"),
    "meds": ("beds", "mess"),
    "voices": ("boys is", "choices"),
    "hit": ("it", "heat"),
    "hurt": ("heard", "her"),
    "stab": ("stop", "step"),
    "shoot": ("shut", "suit"),
    "shot": ("shut", "shop"),
    "threatening": ("threading", "red and in"),
    "suicide": ("sue aside", "side"),
    "suicidal": ("sue a sidle", "a cycle"),
    "bipolar": ("by polar", "buy polo"),
    "schizophrenic": ("skits a frantic", "it's a friend"),
    "breathing": ("reading", "leaving"),
    "weapon": ("happen", "weapons"),
    "weapons": ("what happens", "weekends"),
    "blood": ("bud", "flood"),
    "jump": ("junk", "dump"),
    "roof": ("room", "proof"),
    "bridge": ("fridge", "ridge"),
    "fight": ("fine", "five"),
    "screaming": ("streaming", "dreaming"),
    "crazy": ("lazy", "hazy"),
    "son": ("sun", "some"),
    "there": ("their", "they're"),
    "here": ("hear",),
    "right": ("write", "ride"),
    "two": ("to", "too"),
    "for": ("four",),
    "know": ("no",),
    "door": ("store", "floor"),
    "street": ("treat", "straight"),
    "house": ("how's", "mouse"),
    "police": ("please", "police's"),
    "help": ("health", "hell"),
    "hospital": ("hostile", "postal"),
    "brother": ("bother", "other"),
    "mother": ("other", "smother"),
    "drinking": ("thinking", "dragging"),
    "medication": ("meditation", "dedication"),
    "bleeding": ("leading", "pleading"),
    "fire": ("higher", "flyer"),
    "cut": ("caught", "cup"),
    "cutting": ("cotton", "putting"),
}

ABBREVIATIONS: dict[str, str] = {
    "WITH": "W/",
    "WITHOUT": "W/O",
    "AND": "&",
    "APARTMENT": "APT",
    "WEAPON": "WPN",
    "WEAPONS": "WPNS",
    "HISTORY": "HX",
    "UNKNOWN": "UNK",
    "POSSIBLE": "POSS",
    "POSSIBLY": "POSS",
    "SUBJECT": "SUBJ",
    "VEHICLE": "VEH",
    "THREATENING": "THRTG",
    "SCREAMING": "SCRMG",
    "YELLING": "YLLG",
    "MEDICATION": "MEDS",
    "MEDICATIONS": "MEDS",
    "HOSPITAL": "HOSP",
    "BROTHER": "BRO",
    "SISTER": "SIS",
    "GIRLFRIEND": "GF",
    "BOYFRIEND": "BF",
    "BUILDING": "BLDG",
    "FLOOR": "FL",
    "APPROXIMATELY": "APPROX",
    "STATES": "STS",
    "ADVISED": "ADV",
    "REFUSING": "REF",
    "INJURIES": "INJ",
    "PEOPLE": "PPL",
    "SOMEONE": "S/O",
    "TRYING": "TRYG",
    "BETWEEN": "BTWN",
    "STREET": "ST",
    "RESIDENCE": "RES",
    "EVERYONE": "EVRYONE",
    "NEIGHBOR": "NBR",
    "PATIENT": "PT",
    "BLACK": "BLK",
    "WHITE": "WHI",
    "SECURITY": "SEC",
    "PROPERTY": "PROP",
    "MINUTES": "MINS",
    "OUTSIDE": "O/S",
    "INSIDE": "I/S",
    "AGAINST": "AGST",
    "RIGHT": "RT",
    "BECAUSE": "BC",
}

# Words for the same thing; any of a group may stand for any other.
SPOKEN_HABITS: tuple[tuple[str, ...], ...] = (
    ("yes", "yeah", "yep", "yes"),
    ("somebody", "someone"),
    ("somebody's", "someone's"),
    ("anybody", "anyone"),
    ("everybody", "everyone"),
    ("nobody", "no one"),
    ("mom", "mother"),
    ("dad", "father"),
    ("kid", "child"),
    ("kids", "children"),
    ("police", "cops", "police"),
    ("yelling", "shouting", "hollering"),
    ("gonna", "going to"),
    ("wanna", "want to"),
    ("okay", "ok", "alright"),
)
TYPED_HABITS: tuple[tuple[str, ...], ...] = (
    ("SAYS", "STATES", "STS", "ADV", "STATED"),
    ("CALLER", "RP", "CLR"),
    ("RP'S", "CALLER'S"),
    ("SUSP", "SUSPECT", "SUBJ"),
    ("VICT", "VICTIM", "VIC"),
    ("WPNS", "WEAPONS"),
    ("HOSPITAL", "HOSP"),
    ("UNK", "UNKNOWN"),
    ("NOBODY", "NO ONE"),
    ("ANYBODY", "ANYONE"),
    ("SOMEBODY", "SOMEONE"),
    ("REQ", "REQUESTS", "REQS"),
    ("BF", "BOYFRIEND"),
    ("GF", "GIRLFRIEND"),
    ("VEH", "VEHICLE", "CAR"),
    ("GONNA", "GOING TO"),
    ("INJ", "INJURY"),
    ("W/", "WITH"),
    ("YELLING", "SHOUTING"),
    ("MOTHER", "MOM"),
    ("FATHER", "DAD"),
)
LOG_HABITS: tuple[tuple[str, ...], ...] = (
    ("reports", "reported", "states", "advised"),
    ("says", "said", "stated"),
    ("regarding", "about", "in regard to"),
    ("worried", "concerned"),
    ("suspect", "subject"),
    ("officers", "units", "police"),
    ("caller", "reporting party", "r/p"),
    ("vehicle", "car"),
    ("someone", "somebody"),
    ("anyone", "anybody"),
    ("gonna", "going to"),
)

# Typed without their apostrophe by some; others, and reports that were edited, have it.
CONTRACTIONS: dict[str, str] = {
    "WONT": "WON'T",
    "CANT": "CAN'T",
    "DONT": "DON'T",
    "DOESNT": "DOESN'T",
    "DIDNT": "DIDN'T",
    "ISNT": "ISN'T",
    "WASNT": "WASN'T",
    "HASNT": "HASN'T",
    "HAVENT": "HAVEN'T",
    "WOULDNT": "WOULDN'T",
    "COULDNT": "COULDN'T",
    "ARENT": "AREN'T",
    "THERES": "THERE'S",
    "THATS": "THAT'S",
    "ITS": "IT'S",
    "HES": "HE'S",
    "SHES": "SHE'S",
    "RPS": "RP'S",
    "IM": "I'M",
    "IVE": "I'VE",
}

_UNPUNCTUATED = str.maketrans("", "", ',.?!;:"')
_MARKS = ",.?!;:"


def _groups(habits: tuple[tuple[str, ...], ...]) -> dict[str, tuple[str, ...]]:
    return {word: group for group in habits for word in group if " " not in word}


_SPOKEN, _TYPED, _LOGGED = map(_groups, (SPOKEN_HABITS, TYPED_HABITS, LOG_HABITS))


def _reword(words: list[str], groups: dict[str, tuple[str, ...]], random: Draw) -> list[str]:
    """Replace some words by others of their group, keeping marks and a capital first letter."""
    for index, word in enumerate(words):
        group = groups.get(word)
        if group is None:
            bare = word.rstrip(_MARKS)
            group = groups.get(bare) or groups.get(bare[:1].lower() + bare[1:])
            if group is None:
                continue
        if random() < 0.5:
            bare = word.rstrip(_MARKS)
            other = group[int(random() * len(group))]
            if bare[:1].isupper() and other[:1].islower():
                other = other[:1].upper() + other[1:]
            words[index] = other + word[len(bare) :]
    return words


def reword_log(text: str, random: Draw) -> str:
    """Reword a line of a log, and give contractions their apostrophes."""
    return " ".join(_reword([_contracted(word) for word in text.split(" ")], _LOGGED, random))


def _contracted(word: str) -> str:
    """Give a contraction its apostrophe; other words stay as they are."""
    whole = CONTRACTIONS.get(word.rstrip(_MARKS).upper())
    if whole is None:
        return word
    bare = word.rstrip(_MARKS)
    return (whole if bare.isupper() else whole.capitalize() if bare[0].isupper() else
            whole.lower()) + word[len(bare):]  # fmt: skip


def mishear(turns: list[str], random: Draw) -> tuple[list[str], str]:
    """Turn what was said into what a recogniser wrote down.

    A third of the calls come nearly clean, half with some errors, the rest badly garbled.

    Parameters
    ----------
    turns : list of str
    random : callable
        Draws a float in [0, 1).

    Returns
    -------
    turns : list of str
        One for each that came in; a turn may be empty.
    joiner : str
        What stands between turns: a line break, or a space where no speakers were told apart.
    """
    level, look = random(), random()
    rate = 0.004 if level < 0.33 else 0.03 if level < 0.8 else 0.10
    turns = [_mishear_turn(turn, rate, random) for turn in turns]
    if look < 0.40:
        turns = [turn.translate(_UNPUNCTUATED).lower() for turn in turns]
    elif look < 0.70:
        turns = [_sentence(turn) for turn in turns]
    return turns, "\n" if random() < 0.45 else " "


def _sentence(turn: str) -> str:
    if not turn:
        return turn
    turn = turn[0].upper() + turn[1:]
    return turn if turn[-1] in ".?!]" else turn + "."


def _mishear_turn(turn: str, rate: float, random: Draw) -> str:
    words = _reword(turn.split(" "), _SPOKEN, random)
    expected = rate * len(words)
    errors = int(expected) + (random() < expected % 1)
    for _ in range(errors):
        index = int(random() * len(words))
        bare = words[index].strip(_MARKS).lower()
        if any(character.isdigit() or character in "[]" for character in words[index]):
            continue
        kind = random()
        if bare in HOMOPHONES and kind < 0.7:
            alternatives = HOMOPHONES[bare]
            words[index] = alternatives[int(random() * len(alternatives))]
        elif kind < 0.45:
            words[index] = ""
        elif kind < 0.60:
            words[index] = "[inaudible]"
        elif kind < 0.85:
            words[index] = f"{words[index]} {words[index]}"
        else:
            words[index] = "uh"
    return " ".join(word for word in words if word)


def mistype(segments: list[str], random: Draw, *, stamp: str = "") -> tuple[list[str], str]:
    """Turn notes into notes typed in a hurry.

    Parameters
    ----------
    segments : list of str
    random : callable
        Draws a float in [0, 1).
    stamp : str, optional
        A time that stands before some segments, as some systems write it.

    Returns
    -------
    segments : list of str
        One for each that came in.
    joiner : str
    """
    case, hand, habit = random(), random(), random()
    rate = 0.0 if hand < 0.4 else 0.02 if hand < 0.85 else 0.07
    shorten = habit * 0.9
    apostrophes = random() < 0.5
    segments = [_mistype(segment, rate, shorten, random) for segment in segments]
    if not apostrophes:
        segments = [segment.replace("'", "") for segment in segments]
    if case < 0.72:
        segments = [segment.upper() for segment in segments]
    elif case < 0.82:
        segments = [segment.lower() for segment in segments]
    if stamp and random() < 0.12:
        segments = [f"{stamp} {segment}" for segment in segments]
    mark = random()
    joiner = (
        ". " if mark < 0.5 else "; " if mark < 0.65 else " // " if mark < 0.8
        else "\n" if mark < 0.9 else ", "
    )  # fmt: skip
    return segments, joiner


def _mistype(segment: str, rate: float, shorten: float, random: Draw) -> str:
    words = _reword([_contracted(word) for word in segment.split(" ")], _TYPED, random)
    for index, word in enumerate(words):
        short = ABBREVIATIONS.get(word.upper())
        if short is not None and random() < shorten:
            words[index] = short
    expected = rate * len(words)
    for _ in range(int(expected) + (random() < expected % 1)):
        index = int(random() * len(words))
        words[index] = _typo(words[index], random)
    return " ".join(words)


def _typo(word: str, random: Draw) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    place = 1 + int(random() * (len(word) - 2))
    kind = random()
    if kind < 0.4:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind < 0.75:
        return word[:place] + word[place + 1 :]
    return word[:place] + word[place] + word[place:]
