"""Slips of the keys: which listed word a misspelt one may have been meant for.

Remarks are typed in seconds and transcripts are misheard: "haering voces" must not hide what was
said. A word that is neither listed nor a word of the language counts as every listed word that
one slip makes of it: a letter left out, put in, or put for another, or two neighbours swapped
(Damerau 1964, doi:10.1145/363958.363994: four in five misspellings are one of these).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SHORTEST = 5
"""Letters of the shortest word that may be a slip; it may stand for a listed word of a letter less.
Shorter ones have too many neighbours that are words themselves."""


class Spelling:
    """Finds the listed words that a misspelt one may have been meant for.

    Only a slip that leaves the first letter alone is looked for: the first letter is seldom
    wrong, and most words that differ by it are other words.

    Parameters
    ----------
    listed : iterable of str
    real : iterable of str
        Words of the language that are no slip, however close they lie to a listed one.

    Examples
    --------
    >>> spelling = Spelling(["hearing", "voices"], real=["hearings", "voiced"])
    >>> sorted(spelling.meant("haering")), sorted(spelling.meant("voiced"))
    (['hearing'], [])
    """

    def __init__(self, listed: Iterable[str], real: Iterable[str]) -> None:
        self._real = frozenset(real)
        self._listed: dict[str, list[str]] = {}
        for word in listed:
            if len(word) >= SHORTEST - 1 and word.isalpha():
                self._listed.setdefault(word[0], []).append(word)
        self._by_letter: dict[str, dict[str, list[str]]] = {}

    def meant(self, word: str) -> frozenset[str]:
        """Give the listed words that are one slip from a word; none where it is a real one."""
        if len(word) < SHORTEST or word in self._real or not word.isalpha():
            return frozenset()
        # Words that are one slip apart have a letter less of each in common, or one is the other's.
        index = self._index(word[0])
        near = {one for rest in (word, *_shortened(word)) for one in index.get(rest, ())}
        return frozenset(one for one in near if _one_slip(one, word))

    def _index(self, letter: str) -> dict[str, list[str]]:
        """Give the listed words of a first letter by what is left of them without one; made once.

        All letters at once would take a good part of the time in which a process starts.
        """
        index = self._by_letter.get(letter)
        if index is None:
            index = {}
            for word in self._listed.get(letter, ()):
                for rest in (word, *_shortened(word)):
                    index.setdefault(rest, []).append(word)
            self._by_letter[letter] = index
        return index


def _shortened(word: str) -> Iterator[str]:
    return (word[:at] + word[at + 1 :] for at in range(len(word)))


def _one_slip(a: str, b: str) -> bool:
    if len(a) != len(b):
        short, long = sorted((a, b), key=len)
        return len(long) == len(short) + 1 and short in _shortened(long)
    differ = [at for at in range(len(a)) if a[at] != b[at]]
    if len(differ) == 2:
        first, second = differ
        return second == first + 1 and a[first] == b[second] and a[second] == b[first]
    return len(differ) == 1
