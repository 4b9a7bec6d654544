"""Which families a model may learn from, and when they occur.

A family is for training, validation or test. A test of families that were never seen in training
says more than a test of new calls of old families, which would ask for nothing but memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from data.sources.synthetic.library import Family

Role = Literal["train", "validation", "test"]
ROLES: tuple[Role, ...] = get_args(Role)

SALT = "38"
"""Chosen once so that each stratum of the shipped families has all three roles; see the tests."""

SHARES: tuple[tuple[float, Mapping[Role, float]], ...] = (
    (0.62, {"train": 1.0}),
    (0.82, {"train": 0.5, "validation": 0.5}),
    (1.0, {"train": 0.25, "validation": 0.15, "test": 0.6}),
)
"""End of a part of the period, as a share of it → share of its incidents by role.

Validation families begin at 62% and test families at 82% of the period: a little after 60% and 80%,
so that a split by a share of the calls, which falls on one day or its neighbour by chance, still
finds them on the right side. New families take over more of the later calls than their number would
give them, so that a test of 20,000 calls has over two hundred crises of families never seen before.
"""


def begins(role: Role) -> float:
    """Tell the share of the period that has gone by when families of a role begin to occur."""
    before = 0.0
    for end, by_role in SHARES:
        if role in by_role:
            return before
        before = end
    raise AssertionError(role)


def role_of(family: str, stratum: tuple[bool, bool]) -> Role:
    """Give a family its role.

    About 60% train, 20% validation, 20% test. The role depends on the family's name and truth
    alone, so a new family changes the role of no other.

    Parameters
    ----------
    family : str
    stratum : tuple of bool
        (mental-health crisis, safety risk).

    Returns
    -------
    {"train", "validation", "test"}
    """
    key = f"{SALT}/{int(stratum[0])}{int(stratum[1])}/{family}"
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return "train" if share < 0.6 else "validation" if share < 0.8 else "test"


def roles_of(families: Iterable[Family]) -> dict[str, Role]:
    """Give every family its role, by name."""
    return {family.name: role_of(family.name, family.stratum) for family in families}
