from collections import Counter

import pytest

from data.sources.synthetic.grammar import GrammarError
from data.sources.synthetic.library import Library, load, shipped
from data.sources.synthetic.roles import roles_of

MINIMUM = {"spoken": 8, "shorthand": 8, "log": 5}


def test_the_tiny_families_load(tiny: Library) -> None:
    assert sorted(tiny.families) == list(tiny.families)
    assert len(tiny.families) == 5


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{where_now}", "{nowhere}", "spoken, alternative 2: there is no slot 'nowhere'"),
        ('"a azure lamp"', '"a [azure lamp"', "slot 'thing', alternative 1: '\\['"),
        ('"a azure lamp"', '"{thing}"', "circle: thing > thing"),
        ("family: tiny_blue", "family: other", "not the file's name"),
        ("crisis: true", "crisis: maybe", "crisis: "),
        ("asked: 0.8", "asked: 8", "answers.weapon.asked: "),
        ("  weapon:", "  sword:", "answers.sword"),
        ("yes: 0.0, no: 0.8, unknown: 0.2", "yes: 0", "no weight for yes, no or unknown"),
        ("about: a family for tests", "abuot: x", "about: |abuot: "),
        ("roles: {family: 3", "roles: {cousin: 3", "roles.cousin"),
        ("log:", "spoken:", "line [0-9]+: the key 'spoken' comes twice"),
        ("log:", "log: [", "line "),
    ],
)
def test_a_mistake_is_named_with_file_and_place(
    tiny_files: dict[str, str], lexicon_text: str, old: str, new: str, problem: str
) -> None:
    text = tiny_files["tiny_blue.yaml"]
    assert old in text
    with pytest.raises(GrammarError, match=problem) as caught:
        load({"tiny_blue.yaml": text.replace(old, new)}, lexicon_text)
    assert "families/tiny_blue.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_family_at_all_is_an_error(lexicon_text: str) -> None:
    with pytest.raises(GrammarError, match="no families"):
        load({}, lexicon_text)


def test_a_person_slot_must_be_there_for_everybody(
    tiny_files: dict[str, str], lexicon_text: str
) -> None:
    broken = lexicon_text.replace('    pro_s: ["she\'s"]\n', "")
    with pytest.raises(GrammarError, match="lexicon.yaml: no 'pro_s' for a person of"):
        load(tiny_files, broken)


def test_shipped_families_are_many_and_rich() -> None:
    told = [family for family in shipped().families.values() if not family.written]
    assert len(told) >= 60
    for family in told:
        for style, minimum in MINIMUM.items():
            texts = getattr(family.file, style)
            assert len(set(texts)) >= minimum, f"{family.name}: {style} has {len(set(texts))}"


def test_each_truth_has_families_of_each_role() -> None:
    library = shipped()
    roles = roles_of(library.families.values())
    counts = Counter((family.stratum, roles[name]) for name, family in library.families.items())
    for crisis in (False, True):
        for risk in (False, True):
            of_role = {r: counts[(crisis, risk), r] for r in ("train", "validation", "test")}
            assert min(of_role.values()) >= 2, (crisis, risk, of_role)
            share = of_role["train"] / sum(of_role.values())
            assert 0.4 <= share <= 0.8, (crisis, risk, of_role)
