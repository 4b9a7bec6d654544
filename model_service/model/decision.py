"""What a person decides on an assessment.

To accept the recommendation, or to override it with a reason; where none was shown, to commit to a
response without it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from data.call import Record

OverrideReason = Literal[
    "weapon_or_violence",
    "known_to_responders",
    "medical_first",
    "caller_asks_otherwise",
    "information_not_in_notes",
    "not_a_crisis",
    "crisis_missed",
    "team_not_available",
    "protocol_requires",
    "other",
]
"""Why a recommendation was overridden; the order is that of the console's number keys."""

OVERRIDE_REASONS: tuple[str, ...] = get_args(OverrideReason)


class Decision(Record):
    """A person's decision; the world's verdict is an `Outcome`, and not this."""

    action: Annotated[
        Literal["accept", "override", "commit"],
        Field(description="Follow the recommendation or not; `commit` where no advice was shown."),
    ]
    response: Annotated[
        str | None,
        StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64),
        Field(
            description="With `override`: the response of the plan sent instead, or `protocol`; "
            "with `commit`: the one sent."
        ),
    ] = None
    reason: Annotated[OverrideReason | None, Field(description="With `override`: why.")] = None
    note: Annotated[
        str | None, StringConstraints(max_length=1000), Field(description="Free words; optional.")
    ] = None

    @model_validator(mode="after")
    def _check_action(self) -> Self:
        if self.action == "override" and (self.response is None or self.reason is None):
            raise ValueError("an override needs the response sent instead and a reason")
        if self.action == "commit" and (self.response is None or self.reason is not None):
            raise ValueError("a commitment needs the response sent, and takes no reason")
        if self.action == "accept" and (self.response is not None or self.reason is not None):
            raise ValueError("an accepted recommendation takes no other response and no reason")
        return self
