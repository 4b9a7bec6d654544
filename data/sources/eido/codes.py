"""Codes of EIDO against our words: incident types, languages, the way a call came in.

The code lists are facts of the EIDO schema (NENA-STA-021.1, version 1.0.0, with its NIEM
components). Registries that the schema only names are not in it; of those, only what the published
sample call transfer shows is used here.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

from data.call import CallerRole, CallSource
from data.document import read_document

UNKNOWN_TYPE = "TROUBLE"
"""The code that is written where a call's type has none of its own: the nature is not known."""


class IncidentTypes(NamedTuple):
    """The table of incident types, both ways; upper case on both sides."""

    words: MappingProxyType[str, str]
    codes: MappingProxyType[str, str]

    def read(self, code: str) -> str | None:
        """Give the call type of a code; None for what is no code of the table."""
        return self.words.get(_plain(code))

    def write(self, call_type: str) -> str | None:
        """Give the code of a call type, or of a code itself; None where there is none."""
        plain = _plain(call_type)
        return self.codes.get(plain) or (plain if plain in self.words else None)


@lru_cache(maxsize=1)
def incident_types() -> IncidentTypes:
    """Read `incident_types.yaml`, the bijection between codes and call types.

    Examples
    --------
    >>> incident_types().read("EDP"), incident_types().write("check welfare")
    ('EMOTIONALLY DISTURBED PERSON', 'WELFARE')
    """
    text = (resources.files(__package__) / "incident_types.yaml").read_text(encoding="utf-8")
    words = {str(code): str(told) for code, told in read_document(text).items()}
    return IncidentTypes(
        MappingProxyType(words), MappingProxyType({told: code for code, told in words.items()})
    )


def _plain(text: str) -> str:
    return " ".join(text.split()).upper()


PRIMARY_TYPES: dict[str, str] = {"911": "emergency", "non_emergency": "nonEmergency"}
"""The way a call came in → `standardPrimaryCallType`.

The sample shows `emergency`; `nonEmergency` is its opposite by name. The registry's other values
tell of no way in.
"""

SOURCES: dict[str, CallSource] = {"emergency": "911", "nonemergency": "non_emergency"}
"""`standardPrimaryCallType`, case folded → the way a call came in."""

CALLER = "caller"
"""The role of the person who called, as the sample has it, case folded."""

ROLES: dict[str, CallerRole] = {
    "patient": "self",
    "subject": "self",
    "self": "self",
    "family": "family",
    "family member": "family",
    "relative": "family",
    "parent": "family",
    "spouse": "family",
    "guardian": "family",
    "bystander": "bystander",
    "witness": "bystander",
    "passerby": "bystander",
    "staff": "staff",
    "employee": "staff",
    "facility staff": "staff",
}
"""A second role of the caller, case folded → who calls, in relation to whom the call is about.

Our reading of the words: a caller who is also the patient calls for themselves. A victim may call
about somebody else, so the word tells nothing.
"""

# ISO 639-1 and the ISO 639-3 code of the same language, all 184 pairs.
_PAIRS = """
aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel
bg:bul bi:bis bm:bam bn:ben bo:bod br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu
cv:chv cy:cym da:dan de:deu dv:div dz:dzo ee:ewe el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas
ff:ful fi:fin fj:fij fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb
hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido
is:isl it:ita iu:iku ja:jpn jv:jav ka:kat kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor
kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub
lv:lav mg:mlg mh:mah mi:mri mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde
ne:nep ng:ndo nl:nld nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan
pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron ru:rus rw:kin sa:san sc:srd sd:snd se:sme
sg:sag sh:hbs si:sin sk:slk sl:slv sm:smo sn:sna so:som sq:sqi sr:srp ss:ssw st:sot su:sun sv:swe
sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi
ty:tah ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha
zh:zho zu:zul
"""
LANGUAGES: dict[str, str] = {
    three: two for two, three in (pair.split(":") for pair in _PAIRS.split())
}
"""ISO 639-3 → ISO 639-1, as a BCP 47 tag prefers it; a code that is not here is its own tag."""

CODES_OF_LANGUAGES: dict[str, str] = {two: three for three, two in LANGUAGES.items()}
"""ISO 639-1 → ISO 639-3."""
