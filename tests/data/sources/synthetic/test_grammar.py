import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sources.synthetic.grammar import GrammarError, Scene, Slot, expand, parse, slots_of, tidy

SLOTS = {"thing": ["lamp", "radio", "kettle"], "big": ["{thing} and {thing}"], "one": ["x"]}


def texts(template: str, count: int = 300) -> set[str]:
    """Expand a template often, with SLOTS linked."""
    slots = {name: tuple(parse(text) for text in options) for name, options in SLOTS.items()}
    for options in slots.values():
        for parts in options:
            for slot in slots_of(parts):
                slot.alternatives = slots[slot.key]
    parts = parse(template)
    for slot in slots_of(parts):
        slot.alternatives = slots[slot.key]
    draw = random.Random(7).random
    return {expand(parts, Scene(draw, {}, {})) for _ in range(count)}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", {"plain"}),
        ("[a|b]", {"a", "b"}),
        ("x[ y|]", {"x", "x y"}),
        ("[a|b[c|d]]", {"a", "bc", "bd"}),
        ("a(b)?", {"a", "ab"}),
        ("a( b(c)?)?", {"a", "a b", "a bc"}),
        ("(617) 555", {"(617) 555"}),
        ("[inaudible] a", {"[inaudible] a"}),
        ("[the {one}]", {"[the x]"}),
        ("{one} {One} {ONE}", {"x X X"}),
    ],
)
def test_expansions(template: str, expected: set[str]) -> None:
    assert texts(template) == expected


def test_the_same_slot_agrees() -> None:
    assert texts("{thing}-{thing}") == {f"{thing}-{thing}" for thing in SLOTS["thing"]}


def test_a_slot_inside_another_agrees() -> None:
    assert texts("{thing}: {big}") == {f"{t}: {t} and {t}" for t in SLOTS["thing"]}


def test_a_fresh_slot_differs_and_leaves_the_first_alone() -> None:
    for text in texts("{thing} {thing!} {thing}"):
        first, fresh, again = text.split()
        assert first == again
        assert first != fresh


@pytest.mark.parametrize("template", ["[a|b", "{thing", "{a b}", "a]", "a}", "a|b", "{}", "[[a]"])
def test_a_broken_template_is_refused(template: str) -> None:
    with pytest.raises(GrammarError, match="character"):
        parse(template)


@given(st.text(st.sampled_from("ab[]|(){}?! "), max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parts = parse(text)
    except GrammarError:
        return
    for slot in slots_of(parts):
        assert isinstance(slot, Slot)


@given(st.text(st.characters(categories=["L", "N"]), max_size=30))
def test_plain_text_stays(text: str) -> None:
    assert expand(parse(text), Scene(random.random, {}, {})) == text


def test_tidy_leaves_no_double_space_or_stray_comma() -> None:
    for text in ("a  b", "a , b", ", a", "a ,, b", "a .", "a ,"):
        assert not re.search(r"  | [,.]|^,|,$|,,", tidy(text))
