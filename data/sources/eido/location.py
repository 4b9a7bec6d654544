"""Where a PIDF-LO says that a call is: a point, and the neighbourhood of a civic address.

An EIDO holds locations by value as PIDF-LO (RFC 5491): XML with GML shapes and civic addresses
(RFC 5139). What can't be read is not known; it is never an error, for a call with a broken
location is still a call.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

MAX_RADIUS = 300.0
"""Metres. The centre of a larger circle or ellipse, such as a cell sector's, is no point to send a
team by, nor to tell a neighbourhood from. Our choice, the side of a city block or two."""

GML = "http://www.opengis.net/gml"
SHAPES = "http://www.opengis.net/pidflo/1.0"
CIVIC = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
PIDF = "urn:ietf:params:xml:ns:pidf"
GEOPRIV = "urn:ietf:params:xml:ns:pidf:geopriv10"

_WGS84 = ("urn:ogc:def:crs:EPSG::4326", "urn:ogc:def:crs:EPSG::4979")
_METRES = "urn:ogc:def:uom:EPSG::9001"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SIZES = {
    f"{{{GML}}}Point": None,
    f"{{{SHAPES}}}Circle": f"{{{SHAPES}}}radius",
    f"{{{SHAPES}}}Sphere": f"{{{SHAPES}}}radius",
    f"{{{SHAPES}}}Ellipse": f"{{{SHAPES}}}semiMajorAxis",
    f"{{{SHAPES}}}Ellipsoid": f"{{{SHAPES}}}semiMajorAxis",
}
"""Shape with a centre → the element that says how large it is."""


class Place(NamedTuple):
    """What a location says.

    Parameters
    ----------
    point : tuple of float, or None
        Latitude and longitude, degrees, WGS 84.
    neighborhood : str or None
        Element A5 of the civic address, or A4 where it has none.
    """

    point: tuple[float, float] | None = None
    neighborhood: str | None = None


def read_location(xml: str) -> Place:
    """Read a PIDF-LO.

    Parameters
    ----------
    xml : str
        Anything; what is no XML, or has a document type, says nothing.
    """
    if "<!" in xml.replace("<![CDATA[", "").replace("<!--", ""):
        return Place()  # a document type may hold entities that grow without end
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError, LookupError):
        return Place()
    points = (_point(shape) for tag in _SIZES for shape in root.iter(tag))
    return Place(
        next((point for point in points if point is not None), None),
        _civic(root, "A5") or _civic(root, "A4"),
    )


def _civic(root: Element, name: str) -> str | None:
    for element in root.iter(f"{{{CIVIC}}}{name}"):
        text = " ".join((element.text or "").split())
        if text:
            return text
    return None


def _point(shape: Element) -> tuple[float, float] | None:
    if shape.get("srsName", _WGS84[0]) not in _WGS84:
        return None
    try:
        size = _SIZES[shape.tag]
        if size is not None:
            extent = shape.find(size)
            if extent is None or extent.get("uom") != _METRES:
                return None
            if not 0 <= float(extent.text or "") <= MAX_RADIUS:
                return None
        position = shape.find(f"{{{GML}}}pos")
        numbers = [float(part) for part in (position is not None and position.text or "").split()]
    except ValueError:
        return None
    if len(numbers) not in (2, 3):
        return None
    latitude, longitude = numbers[:2]
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return latitude, longitude


def write_location(place: Place) -> str:
    """Write a PIDF-LO of a place.

    Examples
    --------
    >>> read_location(write_location(Place((42.36, -71.06), "Roxbury & Dorchester")))
    Place(point=(42.36, -71.06), neighborhood='Roxbury & Dorchester')
    """
    info = ""
    if place.point is not None:
        latitude, longitude = place.point
        info += (
            f'<gml:Point srsName="{_WGS84[0]}"><gml:pos>{latitude!r} {longitude!r}</gml:pos>'
            "</gml:Point>"
        )
    if place.neighborhood is not None:
        name = escape(_NO_XML.sub(" ", place.neighborhood))
        info += f"<ca:civicAddress><ca:A5>{name}</ca:A5></ca:civicAddress>"
    return (
        f'<presence xmlns="{PIDF}" xmlns:gp="{GEOPRIV}" xmlns:gml="{GML}" xmlns:ca="{CIVIC}" '
        'entity="pres:crisiscall@invalid"><tuple id="call"><status><gp:geopriv>'
        f"<gp:location-info>{info}</gp:location-info><gp:usage-rules/></gp:geopriv></status>"
        "</tuple></presence>"
    )
