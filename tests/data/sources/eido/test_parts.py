"""The table of incident types, the HTML of notes, and places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sources.eido.codes import CODES_OF_LANGUAGES, LANGUAGES, incident_types
from data.sources.eido.location import MAX_RADIUS, Place, read_location, write_location
from data.sources.eido.notes import to_html, to_text
from tests.strategies import narratives, places, words

# Codes


def test_codes_and_call_types_are_one_to_one() -> None:
    types = incident_types()
    assert len(types.words) == len(types.codes) == 197
    for code, call_type in types.words.items():
        assert types.read(code) == call_type
        assert types.write(call_type) == code
        assert types.write(code) == code  # a call type that is a code stays what it is
    # No call type is the code of another one.
    assert all(types.words.get(told, told) == told for told in types.words.values())


def test_spelling_makes_no_difference() -> None:
    types = incident_types()
    assert types.write("  check   Welfare ") == "WELFARE"
    assert types.read("welfare") == "CHECK WELFARE"
    assert (types.read("unheard of"), types.write("unheard of")) == (None, None)


def test_languages_are_one_to_one() -> None:
    assert len(LANGUAGES) == len(CODES_OF_LANGUAGES) == 184
    assert LANGUAGES["hat"] == "ht"
    assert CODES_OF_LANGUAGES["ht"] == "hat"


# Notes


@given(narratives)
def test_text_comes_back_from_html_to_the_letter(text: str) -> None:
    assert to_text(to_html(text)) == text.strip()


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        ("<P>one</P>\n\n  <p>two<br/>three", "one\ntwo\nthree"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("k<b>ni</b>fe", "knife"),
        ("AT&amp;T &lt;b&gt; &#x5200;", "AT&T <b> 刀"),
        ("<script>var knife</script><style>p{}</style><!-- x -->gun", "gun"),
        ("<!doctype html><html><body>gun</body></html>", "gun"),
        ("<script>knife", "<script>knife"),  # never closed: nothing may be lost
        ("<!-- knife", "<!-- knife"),
        ("age<30 & >20, <unk> w/ knife", "age<30 & >20, <unk> w/ knife"),
        ("a <b knife", "a <b knife"),
        ("<br>" * 3, ""),
        ("", ""),
    ],
)
def test_only_what_is_certainly_markup_is_taken_away(markup: str, text: str) -> None:
    assert to_text(markup) == text


@pytest.mark.parametrize("piece", ["<", "<!--", "<script>", "<b ", " ", "</p", "<p>", "&", "<br "])
def test_no_note_takes_long(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    assert len(to_text(text)) <= len(text)


# Places

GML = 'xmlns:g="http://www.opengis.net/gml" xmlns:s="http://www.opengis.net/pidflo/1.0"'
METRES = "urn:ogc:def:uom:EPSG::9001"


def circle(radius: str, uom: str = METRES) -> str:
    return (
        f"<x {GML}><s:Circle><g:pos>42.3 -71.0</g:pos>"
        f'<s:radius uom="{uom}">{radius}</s:radius></s:Circle></x>'
    )


@given(places, st.none() | words)
def test_a_place_comes_back(point: tuple[float, float] | None, name: str | None) -> None:
    back = read_location(write_location(Place(point, name)))
    assert back.point == point
    if name is not None and name.isprintable():
        assert back.neighborhood == (" ".join(name.split()) or None)


@pytest.mark.parametrize(
    ("xml", "point"),
    [
        (f"<x {GML}><g:Point><g:pos>42.3 -71.0</g:pos></g:Point></x>", (42.3, -71.0)),
        (f"<x {GML}><g:Point><g:pos>42.3 -71.0 12</g:pos></g:Point></x>", (42.3, -71.0)),
        (
            f'<x {GML}><g:Point srsName="urn:ogc:def:crs:EPSG::2249"><g:pos>1 2</g:pos></g:Point>'
            "</x>",
            None,
        ),
        (f"<x {GML}><g:Point><g:pos>91 0</g:pos></g:Point></x>", None),
        (f"<x {GML}><g:Point><g:pos>nan 0</g:pos></g:Point></x>", None),
        (f"<x {GML}><g:Point><g:pos>north</g:pos></g:Point></x>", None),
        (f"<x {GML}><g:Point/></x>", None),
        (circle("30"), (42.3, -71.0)),
        (circle(str(MAX_RADIUS)), (42.3, -71.0)),
        (circle(str(MAX_RADIUS + 1)), None),
        (circle("30", "feet"), None),
        (circle("much"), None),
        ("no xml", None),
        ("", None),
        ("<a><b></a>", None),
        (f'<?xml version="1.0" encoding="nonsense"?><x {GML}/>', None),
        (
            f'<!DOCTYPE x [<!ENTITY e "42">]><x {GML}><g:Point><g:pos>&e; 1</g:pos></g:Point></x>',
            None,
        ),
    ],
)
def test_a_point_is_read_or_not_known(xml: str, point: tuple[float, float] | None) -> None:
    assert read_location(xml) == Place(point, None)


def test_a_neighbourhood_is_a5_or_else_a4() -> None:
    space = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
    both = f'<c xmlns="{space}"><A3>Boston</A3><A4>District B</A4><A5> Mission\n Hill </A5></c>'
    assert read_location(both).neighborhood == "Mission Hill"
    assert read_location(both.replace("A5", "A6")).neighborhood == "District B"
    assert read_location(both.replace("A5", "A6").replace("A4", "A2")).neighborhood is None
