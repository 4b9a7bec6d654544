"""The decision log, as `crisiscall log export` writes it: calls exactly as they were assessed.

Of each call one revision is taken: the last that was assessed before the first decision on the
call, or the first of all. A later one may hold what units found, which nobody knew who decided.

Decisions are labels only where that is asked for, and then only those made before any advice on the
call could be seen: with advice held back, in shadow, or with the model off. What a decision says of
a call stands in the mapping (`log.yaml`): who chose a team with a clinician took the call for a
mental-health crisis, and nothing else can be read from a choice. A decision made after advice never
becomes a label; it is kept in `assessed`, with the probability with which it was to be made without
advice, so that the two can be compared.

The reader trusts no file: whatever contradicts itself on what was known when is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field, ValidationError

from data import labels
from data.call import Call, Known, Outcome, Target
from data.dataset import (
    ASSESSED_DTYPES,
    GROUP_DTYPES,
    OUTCOME_DTYPES,
    Dataset,
    file_digest,
)
from data.errors import InputError
from data.frame import to_frame
from data.known import LeakError, known_at
from data.labelling import (
    DECISION_CONFIDENCE,
    STANDARD,
    LabelRule,
    Part,
    from_decisions,
    from_outcomes,
)
from data.logged import LoggedAssessment, LoggedDecision
from data.quality import MIN_WORDS
from data.sources.cad.mapping import read_rules
from data.sources.cad.rules import Zone
from data.sources.file import file_format, read
from data.text import same_words

MAPPING = Path(__file__).with_name("log.yaml")

COPY_WITHIN = pd.Timedelta(days=1)
"""Calls that repeat a narrative word for word within this are taken for one incident."""

Revision = Literal["decided", "first"]
Decisions = Literal["none", "before_advice"]

Line = tuple[int, LoggedAssessment]
"""The number of a line, and what it holds."""


class DecisionRule(Part):
    """What choosing a response says of a call; what is not named says nothing."""

    confidence: Annotated[float, Field(ge=0, le=1)] = DECISION_CONFIDENCE
    meanings: dict[str, dict[Target, bool]] = {}


class LogMapping(Part):
    """What the outcomes and decisions of a log say of a call."""

    time_zone: Zone = "UTC"
    standard_labels: bool = True
    labels: tuple[LabelRule, ...] = ()
    decisions: DecisionRule = DecisionRule()

    def rules(self) -> tuple[LabelRule, ...]:
        """Give the rules over outcomes."""
        return (*(STANDARD if self.standard_labels else ()), *self.labels)


def read_log(
    path: Path,
    *,
    mapping: Path = MAPPING,
    revision: Revision = "decided",
    decisions: Decisions = "none",
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda items: items,
) -> Dataset:
    """Read an export of the decision log.

    Parameters
    ----------
    path : Path
        JSONL with narratives.
    mapping : Path
        YAML as `LogMapping` has it.
    revision : str
        `decided`: the last revision that was assessed before the first decision on the call, or of
        all where nothing was decided; `first`: the first.
    decisions : str
        `before_advice`: decisions made before advice on the call could be seen are labels too.
    progress : callable
        Wraps the lines and draws their progress.

    Returns
    -------
    Dataset

    Raises
    ------
    LeakError
        If a line holds what was known only later, or contradicts itself on what was shown.
    InputError
        If the file can't be read, or is no such export. The message names line and field, and
        repeats nothing of what was said.
    """
    rules, rules_digest = read_rules(mapping, LogMapping)
    by_call: dict[str, list[LoggedAssessment]] = {}
    filters: set[str] = set()
    last_line: dict[str, int] = {}
    for number, row in _rows(path, progress):
        _check_row(row, f"{path}, line {number}")
        filters.add(row.filters)
        by_call.setdefault(row.call_id, []).append(row)
        last_line[row.call_id] = number
    if len(filters) > 1:
        raise InputError(f"{path}: several exports in one file; import each by itself")
    calls: list[Call] = []
    outcomes: list[Outcome] = []
    assessed: list[dict[str, Any]] = []
    unadvised: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for call_id, rows in by_call.items():
        _check_call(rows, path)
        chosen, reason = _choose(rows, revision)
        if chosen is None or chosen.call is None:
            record = rows[-1].model_dump_json(exclude_none=True)
            rejected.append(
                {"row": last_line[call_id], "field": "", "reason": reason, "record": record}
            )
            continue
        calls.append(chosen.call)
        if chosen.outcome is not None:
            outcomes.append(chosen.outcome)
        assessed.append(_assessed(chosen, rows))
        unadvised += [
            {
                "call_id": call_id,
                "decided_at": decision.at,
                "response": decision.response,
                "advised": decision.advised,
            }
            for decision in _decisions(rows)
            if not decision.advised
        ]
    frame = to_frame(calls)
    learned = pd.DataFrame(
        [outcome.model_dump() for outcome in outcomes], columns=list(OUTCOME_DTYPES)
    ).astype(OUTCOME_DTYPES)
    received = frame.set_index("call_id")["received_at"]
    made = [from_outcomes(learned, received, rules.rules(), timezone=rules.time_zone)]
    if decisions == "before_advice":
        told = pd.DataFrame(unadvised, columns=["call_id", "decided_at", "response", "advised"])
        meanings = rules.decisions.meanings
        made.append(from_decisions(told, meanings, confidence=rules.decisions.confidence))
    return Dataset(
        calls=frame,
        outcomes=learned,
        labels=pd.concat(made, ignore_index=True).astype(labels.DTYPES),
        groups=_copies(frame),
        assessed=pd.DataFrame(assessed, columns=list(ASSESSED_DTYPES)),
        rejected=pd.DataFrame(rejected),
        manifest={
            "source": "log",
            "time_zone": rules.time_zone,
            "inputs": {path.name: file_digest(path)},
            "mapping": {"name": mapping.stem, "sha256": rules_digest},
            "revision": revision,
            "decisions": decisions,
            "decision_meanings": rules.decisions.meanings,
            "filters": next(iter(filters), ""),
        },
    )


# --- lines ----------------------------------------------------------------------------------------


def _rows(path: Path, progress: Callable[[Iterable[Any]], Iterable[Any]]) -> Iterator[Line]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if file_format(path) != "jsonl":
        raise InputError(f"{path}: give the JSONL of `crisiscall log export`; CSV is for people")
    lines = (
        (number, line) for first, chunk in read(path) for number, line in enumerate(chunk, first)
    )
    empty = True
    for number, line in progress(lines):
        empty = False
        try:
            yield number, LoggedAssessment.model_validate_json(line)
        except ValidationError as error:
            raise _refused(error, f"{path}, line {number}") from None
    if empty:
        raise InputError(f"{path}: holds no assessment")


def _refused(error: ValidationError, where: str) -> InputError:
    """Say what is wrong with a line; names of its own making are not repeated."""
    for cause in error.errors(include_input=False, include_url=False, include_context=False):
        match cause["loc"]:
            case ("call", str(name)) if known_at(name) is Known.AFTER_DISPATCH:
                return LeakError(
                    f"{where}: {name} within the call is known only after dispatch, and no input"
                )
    cause = error.errors(include_input=False, include_url=False, include_context=False)[0]
    known = {*LoggedAssessment.model_fields, *LoggedDecision.model_fields, *Call.model_fields}
    path = [str(part) for part in cause["loc"] if isinstance(part, int) or part in known]
    named = f", {'.'.join(path)}" if path else ""
    return InputError(
        f"{where}{named}: not a row of `crisiscall log export` as JSONL ({cause['type']})"
    )


def _check_row(row: LoggedAssessment, where: str) -> None:
    """Refuse a row that is not whole, or contradicts itself on what was shown."""
    if not row.narratives:
        raise InputError(
            f"{where}: exported without narratives; use `crisiscall log export --with-narratives`"
        )
    own = (row.call_id, row.revision)
    if row.call is not None and (row.call.call_id, row.call.revision) != own:
        raise InputError(f"{where}: its call is another one")
    if row.outcome is not None and row.outcome.call_id != row.call_id:
        raise InputError(f"{where}: its outcome is of another call")
    if row.withheld not in ((None, "held_back") if row.mode == "advisory" else (row.mode,)):
        raise InputError(f"{where}: withheld does not go with its mode")
    for decision in row.decisions:
        if decision.sequence <= row.sequence:
            raise LeakError(f"{where}: a decision stands before its assessment")
        shown = row.withheld is None or decision.action != "commit"
        if (shown and not decision.advice_shown) or (
            decision.advice_shown and not decision.advised
        ):
            raise LeakError(
                f"{where}: a decision says that it was made before advice, but advice was shown"
            )


def _check_call(rows: Sequence[LoggedAssessment], path: Path) -> None:
    """Refuse a call whose rows contradict each other; puts them into the order of the log."""
    call_id = rows[0].call_id
    if len({row.revision for row in rows}) < len(rows):
        raise InputError(f"{path}: a revision of the call {call_id} stands twice")
    if len({row.first_decision for row in rows}) > 1 or any(
        row.outcome != rows[0].outcome for row in rows
    ):
        raise InputError(f"{path}: several exports in one file; import each by itself")
    first = rows[0].first_decision
    for decision in _decisions(rows):
        before = [row.withheld for row in rows if row.sequence < decision.sequence]
        if first is None or decision.sequence < first:
            raise LeakError(
                f"{path}: the call {call_id} was decided before its first decision, so nobody "
                "could say which revisions came after it"
            )
        # What was held back is shown once somebody has decided.
        shown = None in before or (decision.sequence > first and "held_back" in before)
        if shown and not decision.advised:
            raise LeakError(
                f"{path}: a decision on the call {call_id} says that it was made before advice, "
                "but advice on the call had been shown"
            )


# --- calls ----------------------------------------------------------------------------------------


def _decisions(rows: Iterable[LoggedAssessment]) -> list[LoggedDecision]:
    every = [decision for row in rows for decision in row.decisions]
    return sorted(every, key=lambda decision: decision.sequence)


def _before_decision(rows: Iterable[LoggedAssessment]) -> list[LoggedAssessment]:
    """Give the assessments of a call that whoever decided first could have seen, by revision."""
    known = [row for row in rows if row.first_decision is None or row.sequence < row.first_decision]
    return sorted(known, key=lambda row: row.revision)


def _choose(
    rows: Sequence[LoggedAssessment], revision: Revision
) -> tuple[LoggedAssessment | None, str]:
    """Choose the revision of a call; None and the reason if there is none to be had."""
    known = _before_decision(rows)
    if not known:
        return None, "no revision from before the decision"
    chosen = known[0 if revision == "first" else -1]
    return chosen, "the call was erased" if chosen.call is None else ""


def _assessed(chosen: LoggedAssessment, rows: Sequence[LoggedAssessment]) -> dict[str, Any]:
    known = _before_decision(rows)
    first = next((d for d in _decisions(rows) if d.sequence == chosen.first_decision), None)
    prediction = {} if chosen.prediction is None else chosen.prediction.model_dump()
    return {
        "call_id": chosen.call_id,
        "revision": chosen.revision,
        "at": chosen.at,
        "release": chosen.release,
        "mode": chosen.mode,
        "withheld": chosen.withheld,
        "hold_back": chosen.hold_back,
        "drawn": chosen.drawn,
        "chance_unadvised": _chance(known, first),
        "recommendation": chosen.recommendation,
        "abstained": chosen.abstained,
        "unserved": None if chosen.unserved is None else bool(chosen.unserved),
        **{f"probability_{target}": value for target, value in prediction.items()},
        "decided_at": first and first.at,
        "action": first and first.action,
        "response": first and first.response,
        "reason": first and first.reason,
        "advised": first and first.advised,
        "time_to_decide_ms": first and first.time_to_decide_ms,
    }


def _chance(known: Sequence[LoggedAssessment], first: LoggedDecision | None) -> float | None:
    """Tell with which probability a call was to be decided without advice.

    None where its revisions were assessed under several rules, or what came of it fits none.
    """
    states = {(row.mode, row.hold_back) for row in known}
    if len(states) > 1:
        return None
    ((mode, share),) = states
    chance = 1.0 if mode != "advisory" else share or 0.0
    impossible = {0.0: False, 1.0: True}.get(chance)
    return None if first is not None and first.advised is impossible else chance


def _copies(calls: pd.DataFrame) -> pd.DataFrame:
    """Make one incident of calls that repeat a narrative word for word within a day.

    A log knows no incidents; what was entered under two numbers is one, and a split must not part
    it. Shorter texts are alike by chance.
    """
    words = calls["narrative"].map(same_words)
    telling = calls[words.str.count(" ") >= MIN_WORDS - 1].assign(words=words)
    telling = telling.sort_values(["words", "received_at"], kind="stable")
    gap = telling.groupby("words")["received_at"].diff()
    begins = ~(gap <= COPY_WITHIN)
    incident = telling["call_id"].where(begins).ffill()
    several = incident.duplicated(keep=False)
    return pd.DataFrame(
        {"call_id": telling["call_id"][several], "incident_id": incident[several]},
        columns=list(GROUP_DTYPES),
    )
