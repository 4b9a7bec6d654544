from collections import Counter

import pytest

from data.sources.synthetic import synthesize
from data.sources.synthetic.generate import WRITTEN
from data.sources.synthetic.grammar import GrammarError
from data.sources.synthetic.library import Library, load, shipped
from data.sources.synthetic.roles import roles_of
from data.sources.synthetic.written import leaves

LINES = """\
log\t1\t0\tAzure lamp at the desk.
log\t1\t0\tAn azure radio, {address}.
shorthand\t0\t1\tEMERALD PAINT IN THE HALL
spoken\t0\t0\thello / slate everywhere {name_f} / at {place}
spoken\t1\t1\tcrimson / all crimson
"""


@pytest.fixture
def mixed(tiny_files: dict[str, str], lexicon_text: str) -> Library:
    return load(tiny_files, lexicon_text, {"desk.tsv": LINES})


def test_lines_are_dealt_to_leaves_of_one_truth() -> None:
    dealt = list(leaves("desk.tsv", LINES))
    assert sum(len(leaf.texts) for leaf in dealt) == 5
    assert all(leaf.name.startswith("written_desk_") for leaf in dealt)
    assert {(leaf.crisis, leaf.risk) for leaf in dealt} == {
        (True, False),
        (False, True),
        (False, False),
        (True, True),
    }


def test_another_line_moves_no_line_to_another_leaf() -> None:
    before = {text: leaf.name for leaf in leaves("desk.tsv", LINES) for _, text in leaf.texts}
    more = "log\t1\t0\tA line before all others.\n" + LINES
    after = {text: leaf.name for leaf in leaves("desk.tsv", more) for _, text in leaf.texts}
    assert after.items() >= before.items()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("log\t1\tno risk column", "line 6: needs style, crisis, risk and text"),
        ("prose\t1\t0\ttext", "line 6: needs style"),
        ("log\t1\t0\t ", "line 6: needs style"),
        ("log\tyes\t0\ttext", "line 6: crisis and risk are 1 or 0"),
        ("log\t0\t0\tAZURE lamp at the desk.", "line 6: the text of line 1 again"),
    ],
)
def test_a_wrong_line_is_named_and_its_text_is_not(line: str, problem: str) -> None:
    with pytest.raises(GrammarError, match=problem) as caught:
        list(leaves("desk.tsv", LINES + line + "\n"))
    assert "azure" not in str(caught.value).lower()


def test_a_slot_that_is_none_is_an_error(tiny_files: dict[str, str], lexicon_text: str) -> None:
    with pytest.raises(GrammarError, match="written/desk.tsv: .*there is no slot 'nobody'"):
        load(tiny_files, lexicon_text, {"desk.tsv": "log\t1\t0\tabout {nobody}\n"})


def test_written_calls_get_their_share_and_keep_their_words(mixed: Library) -> None:
    dataset = synthesize(1500, seed=3, library=mixed, label_noise=0, missing_labels=0)
    written = dataset.families().str.startswith("written_")
    roles = {name: family["role"] for name, family in dataset.manifest["families"].items()}
    assert written.any()
    families = Counter(dataset.families()[written])
    assert all(roles[name] in {"train", "validation", "test"} for name in families)
    last = ~dataset.calls["call_id"].duplicated(keep="last")  # an early revision may lack the word
    texts = dataset.calls["narrative"][written & last].str.lower()
    assert texts.str.contains("azure|emerald|slate|crimson").mean() > 0.9
    # Protocol answers might contradict what was written; none are drawn.
    answers = dataset.calls.filter(like="answer_")
    assert answers[written].isna().all().all()
    assert answers[~written].notna().any().any()
    truth = dataset.targets()["mental_health_crisis"]
    crises = {name: family["crisis"] for name, family in dataset.manifest["families"].items()}
    assert (truth == dataset.families().map(crises)).all()


def test_the_shipped_ones_are_half_of_the_calls_and_of_every_stratum_and_role() -> None:
    library = shipped()
    written = {name: f for name, f in library.families.items() if f.written}
    roles = roles_of(library.families.values())
    cells = Counter((family.stratum, roles[name]) for name, family in written.items())
    assert len(cells) == 12
    dataset = synthesize(2000, seed=4)
    share = dataset.families().str.startswith("written_").mean()
    assert share == pytest.approx(WRITTEN, abs=0.08)


def test_every_hand_wrote_of_everything() -> None:
    """Else a model could learn the hand in place of the crisis."""
    hands: dict[str, Counter[tuple[bool, bool]]] = {}
    for name, family in shipped().families.items():
        if family.written:
            hand = name.split("_")[1]
            texts = sum(len(parts) for parts in family.templates.values())
            hands.setdefault(hand, Counter())[family.stratum] += texts
    assert len(hands) >= 6
    for hand, counts in hands.items():
        total = sum(counts.values())
        shares = {stratum: n / total for stratum, n in counts.items()}
        assert min(shares.values()) > 0.05 and len(shares) == 4, hand
        assert 0.25 < shares[True, False] + shares[True, True] < 0.6, hand
