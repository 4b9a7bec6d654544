"""People who are nobody: names and telephone numbers to plant, and to look for afterwards.

A name is of letters that stand together in no word; a number is one of those that are set aside for
fiction (555-0100 to 555-0199), in one of ten area codes.
"""

from __future__ import annotations

import random
import re
import string
from pathlib import Path
from typing import NamedTuple

COUNT = 1000

_NAME = re.compile(rb"(?:qx|zv)[a-z]{6}")
_PHONE = re.compile(rb"[2-9]\d\d[^\w]{0,3}555[^\w]{0,3}01\d\d")


class Person(NamedTuple):
    """Somebody who never was."""

    first: str
    last: str
    phone: str

    def words(self) -> str:
        """Say who it is, as somebody would who types it."""
        return f"{self.first} {self.last} at {self.phone}"


def people(count: int = COUNT, seed: int = 911) -> list[Person]:
    """Make people who all differ, in every part."""
    rng = random.Random(seed)
    letters: set[str] = set()
    while len(letters) < 2 * count:
        letters.add("".join(rng.choices(string.ascii_lowercase, k=6)))
    made = sorted(letters)
    rng.shuffle(made)
    areas = range(212, 212 + 10 * 61, 61)
    phones = [f"{area}-555-01{last:02}" for area in areas for last in range(100)]
    return [
        Person(f"Qx{one}", f"Zv{two}", phone)
        for one, two, phone in zip(made[:count], made[count:], phones[:count], strict=True)
    ]


class Search:
    """Looks for people in whatever is left behind.

    Parameters
    ----------
    planted : list of Person
    """

    def __init__(self, planted: list[Person]) -> None:
        self._owners: dict[bytes, Person] = {}
        for person in planted:
            for part in person:
                self._owners[_plain(part.lower().encode())] = person

    def found(self, content: bytes | str) -> set[Person]:
        """Tell whose name or number is there, in capitals or not, however a number is written."""
        raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        there: set[Person] = set()
        for text in {raw.lower(), raw.replace(b"\0", b"").lower()}:
            for match in (*_NAME.findall(text), *_PHONE.findall(text)):
                owner = self._owners.get(_plain(match))
                if owner is not None:
                    there.add(owner)
        return there

    def in_files(self, folder: Path) -> dict[str, set[Person]]:
        """Tell in which files of a folder somebody is."""
        files = (file for file in sorted(folder.rglob("*")) if file.is_file())
        hits = {str(f.relative_to(folder)): self.found(f.read_bytes()) for f in files}
        return {name: there for name, there in hits.items() if there}


def _plain(text: bytes) -> bytes:
    return re.sub(rb"[^a-z0-9]", b"", text)
