import random
import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from data.sources.synthetic.noise import (
    ABBREVIATIONS,
    HOMOPHONES,
    LOG_HABITS,
    SPOKEN_HABITS,
    TYPED_HABITS,
    mishear,
    mistype,
    reword_log,
)

TURNS = ["he has a knife, I think", "what is your number?", "617-555-0123, call me"]
words = st.lists(st.text(st.characters(codec="ascii"), max_size=30), max_size=6)


@given(words, st.integers(0, 10_000))
def test_every_turn_and_note_stays_one(turns: list[str], seed: int) -> None:
    draw = random.Random(seed).random
    assert len(mishear(turns, draw)[0]) == len(turns)
    assert len(mistype(turns, draw)[0]) == len(turns)


def test_digits_come_through_unharmed() -> None:
    for seed in range(300):
        draw = random.Random(seed).random
        assert "617-555-0123" in mishear(TURNS, draw)[0][2]
        assert "617-555-0123" in mistype(TURNS, draw)[0][2]


def test_some_calls_are_clean_and_some_are_garbled() -> None:
    heard = [" ".join(mishear(TURNS, random.Random(seed).random)[0]) for seed in range(400)]
    plain = [re.sub(r"[^a-z0-9 ]", "", text.lower()) for text in heard]
    clean = re.sub(r"[^a-z0-9 ]", "", " ".join(TURNS).lower())
    assert 0.3 < sum(text == clean for text in plain) / 400 < 0.9
    assert any("[inaudible]" in text for text in heard)
    assert any("knife" not in text.lower() for text in heard)
    assert any("?" not in text for text in heard)


def test_notes_are_mostly_capitals_and_vary() -> None:
    typed = [mistype(["RP STATES son is screaming"], random.Random(n).random)[0][0]
             for n in range(300)]  # fmt: skip
    assert 0.5 < sum(text.isupper() for text in typed) / 300 < 0.95
    assert len(set(typed)) > 15


def test_no_word_is_misheard_as_itself() -> None:
    for word, others in HOMOPHONES.items():
        assert word not in others
    assert all(short != word for word, short in ABBREVIATIONS.items())


def test_a_word_is_in_one_group_only() -> None:
    for habits in (SPOKEN_HABITS, TYPED_HABITS, LOG_HABITS):
        words = [word for group in habits for word in set(group)]
        assert len(words) == len(set(words))


def test_the_hand_of_a_family_does_not_show() -> None:
    one, other = "RPS SON SAYS HE WONT STOP", "RP'S SON STATES HE WON'T STOP"
    typed = [
        Counter(mistype([text], random.Random(seed).random)[0][0].upper() for seed in range(2000))
        for text in (one, other)
    ]
    assert (typed[0] & typed[1]).total() > 0.4 * 2000


def test_a_log_line_keeps_marks_and_capitals() -> None:
    lines = {reword_log("Caller reports, she wont leave.", random.Random(n).random)
             for n in range(200)}  # fmt: skip
    assert "Reporting party states, she won't leave." in lines
    assert all(line[0].isupper() and line.endswith("won't leave.") for line in lines)
