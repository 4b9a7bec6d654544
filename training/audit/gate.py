"""The plan's limits: which groups fare worse than the rest by more than the plan allows."""

from __future__ import annotations

from dataclasses import dataclass

from model_service.model.plan import GapLimit
from training.audit.audit import Audit
from training.audit.groups import TITLES
from training.audit.measures import MEASURES, SUBJECTS
from training.audit.verdicts import DIFFERS, INSUFFICIENT


@dataclass(frozen=True)
class Breach:
    """A group that fares worse than a limit allows, or of which too little is known.

    Parameters
    ----------
    by, group : str
    limit : GapLimit
    value, rest, gap : float
        NaN where nothing is known.
    unknown : bool
        There is too little evidence, and the plan asks for it.
    """

    by: str
    group: str
    limit: GapLimit
    value: float
    rest: float
    gap: float
    unknown: bool = False

    def __str__(self) -> str:
        """Say in one line which group, and by how much."""
        subject, measure = self.limit.subject, self.limit.measure
        what = f"{SUBJECTS[subject].lower()}, {MEASURES[subject][measure].title.lower()}"
        whom = f"{TITLES.get(self.by, self.by)} {self.group}"
        if self.unknown:
            return f"{whom}: {what}: too few calls to tell, and the plan asks for evidence"
        return (
            f"{whom}: {what}: {self.value:.1%} against {self.rest:.1%} elsewhere, "
            f"{self.gap * 100:.1f} points more; the plan allows {self.limit.gap * 100:.1f}"
        )


def breaches(made: Audit) -> list[Breach]:
    """Compare an audit with the limits of its rule.

    A group breaks a limit if its verdict is *differs* and its share lies above the rest's by more
    than the limit. All shares that a limit can name are the worse the higher they are.

    Parameters
    ----------
    made : Audit
        By the columns that the rule names at least.

    Returns
    -------
    list of Breach
        The largest gap first; empty where nothing is broken.
    """
    found = []
    for limit in made.rule.limits:
        for by in made.rule.by:
            for row in made.of(by, limit.subject, limit.measure).to_dict("records"):
                told = (by, row["group"], limit, row["value"], row["rest"], row["gap"])
                if row["verdict"] == DIFFERS and row["gap"] > limit.gap:
                    found.append(Breach(*told))
                elif made.rule.needs_evidence and row["verdict"] == INSUFFICIENT:
                    found.append(Breach(*told, unknown=True))
    return sorted(found, key=lambda one: (one.unknown, -one.gap))


def unknown(made: Audit) -> int:
    """Count the groups of which too little is known to hold a limit to them."""
    return sum(
        int((made.of(by, limit.subject, limit.measure)["verdict"] == INSUFFICIENT).sum())
        for limit in made.rule.limits
        for by in made.rule.by
    )
