"""Calls that were written out whole, line by line, by several hands.

The grammar's families say what kinds of events there are; here is how differently the same thing
is said. A file of `written/` is one hand: lines of `style`, `crisis`, `risk` (1 or 0) and `text`,
separated by tabs. In a text `{address}` and the like are slots of the lexicon, and ` / ` ends a
turn of a spoken call.

The lines of a file are dealt to leaves by a digest of their text, one stratum to a leaf. A leaf is
a family to everything else: it is learned from, or validates, or tests, and never two of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from data.sources.synthetic.grammar import GrammarError
from data.sources.synthetic.styles import STYLES, Style

LEAVES = 10
"""Leaves of each stratum of a file; about 60 such families a file can be told apart by role."""

_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Leaf:
    """Some whole calls of one hand and one truth; `texts` are (style, text) in the file's order."""

    name: str
    crisis: bool
    risk: bool
    texts: tuple[tuple[Style, str], ...]

    def by_style(self) -> dict[Style, list[str]]:
        """Give the texts of each style that the leaf has."""
        found: dict[Style, list[str]] = {}
        for style, text in self.texts:
            found.setdefault(style, []).append(text)
        return found


def leaves(path: str, text: str) -> Iterator[Leaf]:
    r"""Deal the lines of a file to leaves.

    Parameters
    ----------
    path : str
        The file's name, for the leaves' names and for errors.
    text : str

    Yields
    ------
    Leaf
        None of them empty, by name in alphabetical order.

    Raises
    ------
    GrammarError
        If a line is not of four columns, or the same text stands twice. It names file and line.

    Examples
    --------
    >>> [leaf.name for leaf in leaves("desk.tsv", "log\t1\t0\tMental subject at the desk.\n")]
    ['written_desk_10_1']
    """
    hand = PurePosixPath(path).stem
    dealt: dict[str, list[tuple[Style, str]]] = {}
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        columns = line.split("\t")
        if len(columns) != _COLUMNS or columns[0] not in STYLES or not columns[3].strip():
            raise GrammarError(
                f"written/{path}, line {number}: needs style, crisis, risk and text, with tabs "
                f"between; styles are {', '.join(STYLES)}"
            )
        style, crisis, risk, words = columns
        if not {crisis, risk} <= {"0", "1"}:
            raise GrammarError(f"written/{path}, line {number}: crisis and risk are 1 or 0")
        before = seen.setdefault(words.casefold(), number)
        if before != number:
            raise GrammarError(f"written/{path}, line {number}: the text of line {before} again")
        leaf = hashlib.sha256(words.encode()).digest()[0] % LEAVES
        name = f"written_{hand}_{crisis}{risk}_{leaf}"
        dealt.setdefault(name, []).append((style, words))  # type: ignore[arg-type]
    for name in sorted(dealt):
        stratum = name.rsplit("_", 2)[1]
        yield Leaf(name, stratum[0] == "1", stratum[1] == "1", tuple(dealt[name]))
