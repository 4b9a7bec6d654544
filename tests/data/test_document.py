"""YAML by hand: no slip of the pen passes for something else."""

from __future__ import annotations

import pytest

from data.document import DocumentError, read_document


def test_what_looks_like_an_hour_stays_text_and_all_else_is_what_it_was() -> None:
    text = "a: 16:00\nb: 08:00\nc: -1:30\nd: 7\ne: 1.5\nf: true\ng: 2021-08-01\nh: 1_000\ni: ~"
    read = read_document(text)
    assert [read[key] for key in "abc"] == ["16:00", "08:00", "-1:30"]
    assert [read[key] for key in "dfhi"] == [7, True, 1000, None]
    assert read["e"] == 1.5
    assert read["g"].isoformat() == "2021-08-01"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\nb: {c: 1, c: 2}", r"\(line 2\): the key 'c' is given twice"),
        ("a: [", r"\(line 1\)"),
        ("day: 2021-13-01", "month"),
        ("a: !!python/object:builtins.int {}", "not valid YAML"),
        ("{" * 4000, "not valid YAML"),
    ],
    ids=range(5),
)
def test_what_is_wrong_is_told_in_one_line(text: str, why: str) -> None:
    with pytest.raises(DocumentError, match=why) as caught:
        read_document(text)
    assert "\n" not in str(caught.value)


def test_merge_keys_work_and_the_safe_loader_itself_is_as_it_was() -> None:
    import yaml

    assert read_document("a: &x {b: 1}\nc: {<<: *x, d: 2}")["c"] == {"b": 1, "d": 2}
    assert yaml.safe_load("a: 16:00") == {"a": 960}
