"""Rewrite a text so that it means the same: another name, another place, another dialect.

A text that has no name or no place gets one, in a phrase of its own; a text that was given one gets
another in its place. So the versions of a text differ in the name or the place and in nothing else,
and the last one that was put in is the one that stands there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from training.audit.causes.lists import Lists, Name, Rule, Sex, either

RELATIONS: dict[str, Sex | None] = {
    **dict.fromkeys(("daughter", "wife", "sister", "girlfriend", "aunt", "niece"), "f"),
    **dict.fromkeys(("son", "husband", "brother", "boyfriend", "uncle", "nephew"), "m"),
    **dict.fromkeys(("roommate", "neighbor", "cousin", "friend", "coworker", "tenant"), None),
}
"""Word after "my" that a first name may follow → whose name it is, None where either."""

_RELATION = re.compile(rf"\bmy ({'|'.join(RELATIONS)})\b(?![-'’])", re.IGNORECASE)
_SEXES = re.compile(
    r"\b(?:(she|her|herself|female|woman|girl|lady)|(he|him|his|himself|male|man|boy|guy))\b", re.I
)
_NAMED = ", named "
_LOCATED = ", in "


def is_shorthand(text: str) -> bool:
    """Say whether a text is typed in capitals, as a call-taker's notes are.

    Examples
    --------
    >>> is_shorthand("EDP M 30YO w/ KNIFE"), is_shorthand("My brother called 911")
    (True, False)
    """
    capitals = sum(letter.isupper() for letter in text)
    return capitals > sum(letter.islower() for letter in text)


def sex_in(text: str) -> Sex | None:
    """Tell whose name fits a text: that of its first word for a woman or a man, if any."""
    relation = _RELATION.search(text)
    if relation and (own := RELATIONS[relation[1].lower()]):
        return own
    found = _SEXES.search(text)
    return None if found is None else ("f" if found[1] else "m")


def with_name(text: str, name: Name, lists: Lists) -> str:
    """Give the person in a text a name: after "my son" and its like, else at the end.

    Parameters
    ----------
    text : str
    name : Name
        Of `lists`.
    lists : Lists
        A name of these that stands there already is replaced.

    Examples
    --------
    >>> from training.audit.causes.lists import shipped
    >>> text = with_name("my son is not well", Name("Greg", "Baker"), shipped())
    >>> text, with_name(text, Name("Jamal", "Jones"), shipped())
    ('my son Greg is not well', 'my son Jamal is not well')
    """
    capitals = is_shorthand(text)
    relation = _RELATION.search(text)
    if relation:
        end = relation.end()
        already = lists.names.after_relation.match(text, end)
        rest = text[already.end() if already else end :]
        return f"{text[:end]} {_cased(name.first, capitals)}{rest}"
    already = lists.names.at_the_end.search(text)
    base = text[: already.start()] if already else text
    said = _cased(f"{_NAMED}{name.first} {name.last}", capitals)
    return base + (said if base else said.removeprefix(", "))


def with_place(text: str, place: str, known: Collection[str]) -> str:
    """Say a text of another place: each known one becomes `place`; without any, it is added.

    Examples
    --------
    >>> with_place("fight near Roxbury", "Back Bay", ["Roxbury", "Back Bay"])
    'fight near Back Bay'
    >>> with_place("FIGHT", "Back Bay", ["Roxbury", "Back Bay"])
    'FIGHT, IN BACK BAY'
    """
    capitals = is_shorthand(text)
    replaced, count = _places(frozenset(known)).subn(_cased(place, capitals), text)
    if count:
        return replaced
    said = _cased(f"{_LOCATED}{place}", capitals)
    return text + (said if text else said.removeprefix(", "))


def in_dialect(text: str, rules: Iterable[Rule]) -> str:
    """Apply a dialect's rules in order; shorthand in capitals stays as it is."""
    if is_shorthand(text):
        return text
    for rule in rules:
        text = rule.compiled.sub(rule.to, text)
    return text


def _cased(text: str, capitals: bool) -> str:
    return text.upper() if capitals else text


@lru_cache(maxsize=8)
def _places(known: frozenset[str]) -> re.Pattern[str]:
    """Match any known place."""
    return re.compile(rf"\b(?:{either(known)})\b", re.IGNORECASE)
