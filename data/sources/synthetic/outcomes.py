"""How a call ended, drawn from its truth: consistent with it, but as imperfect as real records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from data.sources.synthetic.city import SAME, Ending, OutcomeShares
from data.sources.synthetic.weighted import Weighted

Draw = Callable[[], float]

RECORDED = 0.88  # share of calls of which anything becomes known
CLINICIAN_ERRS = 0.05  # share of a clinician's findings that differ from the truth
FLAG_KNOWN = 0.6  # share of records in which weapon and violence are filled in


def ending(crisis: bool, risk: bool) -> Ending:
    """Name the truth of a call as `city.yaml` does."""
    if crisis:
        return "crisis_risk" if risk else "crisis_calm"
    return "other_risk" if risk else "other_calm"


class Endings:
    """Draws outcomes.

    Parameters
    ----------
    shares : mapping of str to OutcomeShares
        For each of the four truths.
    """

    def __init__(self, shares: Mapping[Ending, OutcomeShares]) -> None:
        self._shares = shares
        self._types = {name: Weighted.of(of.types) for name, of in shares.items()}
        self._dispositions = {name: Weighted.of(of.dispositions) for name, of in shares.items()}

    def draw(
        self,
        *,
        crisis: bool,
        risk: bool,
        call_type: str | None,
        received_at: datetime,
        random: Draw,
    ) -> dict[str, Any] | None:
        """Draw the outcome of a call, without its `call_id`; None where nothing was recorded.

        Parameters
        ----------
        crisis, risk : bool
            The truth.
        call_type : str or None
            The initial type.
        received_at : datetime
        random : callable
            Draws a float in [0, 1).

        Returns
        -------
        dict or None
            The fields of `data.call.Outcome`; recorded twenty minutes to nine days after the call.
        """
        if random() >= RECORDED:
            return None
        truth = ending(crisis, risk)
        shares = self._shares[truth]
        final = self._types[truth].draw(random)
        finding = None
        if random() < shares.clinician:
            found = crisis != (random() < CLINICIAN_ERRS)
            finding = "crisis" if found else "no_crisis"
        weapon = random() < shares.weapon_found
        violence = random() < shares.violence_occurred
        force = random() < (0.03 if risk else 0.002)
        flags = random() < FLAG_KNOWN
        return {
            "recorded_at": received_at + delay(random),
            "final_call_type": call_type if final == SAME else final,
            "disposition": self._dispositions[truth].draw(random),
            "clinician_finding": finding,
            "weapon_found": weapon if flags else None,
            "violence_occurred": violence if flags else None,
            "force_used": force if flags else None,
        }


def delay(random: Draw) -> timedelta:
    """Draw how long after a call its end is recorded: mostly hours, at times days."""
    hours = 0.33 + 5 * random()
    if random() < 0.25:
        hours += 24 * 9 * random() ** 2
    return timedelta(seconds=int(hours * 3600))
