"""Rules that make label rows of what became known: what fits no condition has no label.

A rule speaks of columns. In a mapping these are the columns of an agency's export; for outcomes
that came one by one they are the fields of `Outcome`. Rules are data, so that an agency can state
its own without Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from data import labels
from data.call import Target
from data.document import Day
from data.errors import InputError
from data.labels import SOURCES

DECISION_CONFIDENCE = 0.6
"""Of a label drawn from a person's decision before dispatch. A judgement: in published studies the
codes that call-takers chose caught under a tenth to under a half of the mental-health crises."""


def _duration(value: Any) -> timedelta:
    match = re.fullmatch(r"(\d{1,6}) (minute|hour|day|week)s?", str(value).strip())
    if not match:
        raise ValueError("a duration reads like '90 minutes', '1 day' or '2 weeks'")
    return timedelta(**{match[2] + "s": int(match[1])})


def _flat(value: Any) -> Any:
    """Flatten lists of lists, so that a YAML anchor can be used again inside a longer list."""
    if not isinstance(value, list):
        return value
    return [leaf for item in value for leaf in (_flat(item) if isinstance(item, list) else [item])]


def _regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error:
        raise ValueError("not a regular expression") from None
    return pattern


def _source(name: str) -> str:
    if name not in SOURCES:
        raise ValueError(f"a label's source is one of {', '.join(SOURCES)}")
    return name


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Values = Annotated[list[str], BeforeValidator(_flat)]


class Part(BaseModel):
    """A part of a mapping: frozen, and no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Pattern(Part):
    """A regular expression that is searched for in a value."""

    pattern: Annotated[str, AfterValidator(_regex)]


Condition = dict[str, Values | Pattern]
"""Column → values or a pattern; a row fits if any of the columns does."""


class Period(Part):
    """Days of the agency's calendar: from `since` to before `until`."""

    since: Day
    until: Day

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if not self.since < self.until:
            raise ValueError("a period begins before it ends")
        return self


class LabelRule(Part):
    """How one target is labelled. `missing` goes before `positive`, that before `negative`.

    A row that fits none of the three has no label: it is missing, not negative.
    """

    target: Target
    source: Annotated[str, AfterValidator(_source)]
    confidence: Annotated[float, Field(ge=0, le=1)]
    positive: Condition = {}
    negative: Condition = {}
    negative_needs: Literal["any", "all"] = "any"
    missing: Condition = {}
    missing_between: tuple[Period, ...] = ()
    known_after: Duration | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.positive and not self.negative:
            raise ValueError("a label rule needs positive or negative")
        return self

    def read(self) -> tuple[str, ...]:
        """Name the columns that the rule reads."""
        return (*self.positive, *self.negative, *self.missing)


_FLAGS: dict[str, list[str] | Pattern] = {
    name: ["true"] for name in ("weapon_found", "violence_occurred", "force_used")
}

STANDARD: tuple[LabelRule, ...] = (
    LabelRule(
        target="mental_health_crisis",
        source="clinician_finding",
        confidence=0.95,
        positive={"clinician_finding": ["crisis"]},
        negative={"clinician_finding": ["no_crisis"]},
    ),
    LabelRule(
        target="safety_risk",
        source="force_or_weapon_flag",
        confidence=0.9,
        positive=_FLAGS,
        # One flag that says "no" leaves the others open.
        negative={name: ["false"] for name in ("weapon_found", "violence_occurred")},
        negative_needs="all",
    ),
)
"""Rules for those fields of an outcome whose values mean the same at every agency. What a final
type or a disposition means is the agency's to say. The confidences are judgements."""


def fits(condition: Condition, table: pd.DataFrame, *, every: bool = False) -> pd.Series:
    """Tell for each row whether any column of the condition has one of its values.

    Parameters
    ----------
    condition : dict
    table : pandas.DataFrame of shape (n_rows, n_columns)
        Texts.
    every : bool
        Ask it of every column instead. An empty condition fits nothing either way.

    Returns
    -------
    pandas.Series of shape (n_rows,)
        Boolean.
    """
    found = pd.Series(every and bool(condition), index=table.index)
    for column, wanted in condition.items():
        values = table[column].str.strip()
        if isinstance(wanted, Pattern):
            # Python's own expressions on the distinct values: what the rule was checked with.
            search = re.compile(wanted.pattern).search
            wanted = [value for value in values.dropna().unique() if search(value)]
        here = values.isin(wanted)
        found = found & here if every else found | here
    return found


def label(
    rules: Sequence[LabelRule],
    table: pd.DataFrame,
    about: pd.DataFrame,
    *,
    timezone: str = "UTC",
) -> pd.DataFrame:
    """Label rows by rules.

    Parameters
    ----------
    rules : sequence of LabelRule
    table : pandas.DataFrame of shape (n_rows, n_columns)
        Texts as they came.
    about : pandas.DataFrame of shape (n_rows, n_columns)
        `call_id`, `received_at` and `as_of` (when the outcome was recorded) of each row, on the
        same index; `revision` too where rows are revisions. A row without `as_of` is not labelled.
    timezone : str
        IANA name, for the days of `missing_between`.

    Returns
    -------
    pandas.DataFrame
        As `data.labels.DTYPES` declares, and `revision` if it was given; one row per label.
    """
    made = []
    more = [name for name in ("revision",) if name in about]
    for rule in rules:
        missing = fits(rule.missing, table) | about["as_of"].isna()
        for period in rule.missing_between:
            since, until = (pd.Timestamp(d, tz=timezone) for d in (period.since, period.until))
            missing |= (about["received_at"] >= since) & (about["received_at"] < until)
        positive = fits(rule.positive, table) & ~missing
        negative = fits(rule.negative, table, every=rule.negative_needs == "all")
        negative &= ~missing & ~positive
        chosen = about[positive | negative]
        as_of = chosen["as_of"]
        if rule.known_after is not None:
            later = chosen["received_at"] + rule.known_after
            as_of = as_of.where(as_of >= later, later)
        made.append(
            pd.DataFrame(
                {
                    **{name: chosen[name] for name in ("call_id", *more)},
                    "target": rule.target,
                    "value": positive[chosen.index],
                    "source": rule.source,
                    "as_of": as_of,
                    "confidence": rule.confidence,
                    "by": pd.Series(None, index=chosen.index, dtype="str"),
                }
            )
        )
    given = [part for part in made if len(part)]
    return pd.concat(given, ignore_index=True) if given else made[0]


def outcome_texts(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Turn outcomes into the texts that rules read: flags become `true` and `false`.

    Parameters
    ----------
    outcomes : pandas.DataFrame
        With columns of `data.dataset.OUTCOME_DTYPES`, of which any may be absent.

    Returns
    -------
    pandas.DataFrame
        On the same index; an absent field is missing in every row.
    """
    plain = {"final_call_type": "str", "disposition": "str", "clinician_finding": "str"}
    texts = {
        name: (outcomes[name] if name in outcomes else pd.Series(index=outcomes.index)).astype(
            "str"
        )
        for name in plain
    }
    for name in _FLAGS:
        flags = outcomes[name] if name in outcomes else pd.Series(index=outcomes.index)
        texts[name] = flags.astype("boolean").map({True: "true", False: "false"}).astype("str")
    return pd.DataFrame(texts, index=outcomes.index)


def from_outcomes(
    outcomes: pd.DataFrame,
    received_at: pd.Series,
    rules: Sequence[LabelRule] = STANDARD,
    *,
    timezone: str = "UTC",
) -> pd.DataFrame:
    """Label calls by their outcomes.

    Parameters
    ----------
    outcomes : pandas.DataFrame of shape (n_outcomes, n_columns)
        As `data.dataset.OUTCOME_DTYPES` declares.
    received_at : pandas.Series
        When each call was received, by `call_id`.
    rules : sequence of LabelRule
        Their columns are the fields of `Outcome`.
    timezone : str
        IANA name, for the days of `missing_between`.

    Returns
    -------
    pandas.DataFrame
        As `data.labels.DTYPES` declares; a label is as old as its outcome's `recorded_at`.

    Raises
    ------
    InputError
        If a rule reads what is no field of an outcome.
    """
    texts = outcome_texts(outcomes)
    unknown = sorted({name for rule in rules for name in rule.read()} - set(texts.columns))
    if unknown:
        raise InputError(
            f"a label rule reads {unknown[0]!r}, which is no field of an outcome; "
            f"there are {', '.join(texts.columns)}"
        )
    about = pd.DataFrame(
        {
            "call_id": outcomes["call_id"],
            "received_at": outcomes["call_id"].map(received_at),
            "as_of": outcomes["recorded_at"],
        }
    )
    return labels.check_labels(label(rules, texts, about, timezone=timezone))


def from_decisions(
    decisions: pd.DataFrame,
    meanings: Mapping[str, Mapping[Target, bool]],
    *,
    confidence: float = DECISION_CONFIDENCE,
) -> pd.DataFrame:
    """Label calls by what people decided.

    Parameters
    ----------
    decisions : pandas.DataFrame of shape (n_decisions, 4)
        `call_id`, `decided_at` (with time zone), `response` (what was sent) and `advised`: whether
        the person had seen the score. Where that is not known, it counts as seen.
    meanings : mapping of str to mapping
        Response → target → what its choice says of the call. A response or target that is not
        named gives no label.
    confidence : float
        0 to 1.

    Returns
    -------
    pandas.DataFrame
        As `data.labels.DTYPES` declares, with the source `decision_unadvised` or
        `decision_advised`.

    Examples
    --------
    >>> decisions = pd.DataFrame({"call_id": ["a"], "response": ["clinician"], "advised": [True],
    ...     "decided_at": pd.to_datetime(["2026-01-01"], utc=True)})
    >>> from_decisions(decisions, {"clinician": {"safety_risk": False}})[
    ...     ["target", "value", "source"]].values.tolist()
    [['safety_risk', False, 'decision_advised']]
    """
    advised = decisions["advised"].astype("boolean").fillna(True).astype(bool)
    made = [pd.DataFrame(columns=list(labels.DTYPES)).astype(labels.DTYPES)]
    for response, told in meanings.items():
        for target, value in told.items():
            chosen = decisions[decisions["response"] == response]
            if chosen.empty:
                continue
            source = advised[chosen.index].map(
                {True: "decision_advised", False: "decision_unadvised"}
            )
            made.append(
                pd.DataFrame(
                    {
                        "call_id": chosen["call_id"],
                        "target": target,
                        "value": value,
                        "source": source,
                        "as_of": chosen["decided_at"],
                        "confidence": confidence,
                        "by": None,
                    }
                ).astype(labels.DTYPES)
            )
    return labels.check_labels(pd.concat(made, ignore_index=True))
