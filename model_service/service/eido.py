"""What a record says, in the words of an EIDO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from data.sources.eido import Advice, Document
from model_service.service.log import Entry
from model_service.service.views import recommendation_view

_CAUTIONED = ("disqualifier:", "band:safety_risk:high")
"""Reasons that a caution repeats: facts that rule a team out, and a call like past risks."""


def advice_of(entry: Entry, private: Mapping[str, bytes]) -> Advice | None:
    """Give what was recommended in an assessment; None where nothing was.

    Parameters
    ----------
    entry : Entry
        Of an assessment.
    private : mapping of str to bytes
        Its personal text, which holds the grounds.
    """
    body = entry.content()
    given = recommendation_view(body, private)
    if given is None:
        return None
    reasons: list[dict[str, Any]] = given["reasons"] or []
    plan, release = body["plan"], body["model"]["release"]
    cautious = body.get("eido", {}).get("caution", False)
    return Advice(
        assessment_id=str(entry.assessment_id),
        at=entry.at,
        response=given["name"],
        reasons=[reason["text"] for reason in reasons],
        made_by=f"Release {release}, plan {plan['plan']} version {plan['version']}",
        caution=[
            reason["text"]
            for reason in reasons
            if cautious and reason["code"].startswith(_CAUTIONED)
        ],
    )


def same(one: Document, other: Document) -> bool:
    """Say whether two documents hold the same, however they are written."""
    return _canonical(one) == _canonical(other)


def _canonical(document: Document) -> str:
    return json.dumps(document.content, sort_keys=True)
