"""An export and its mapping in, a `Dataset` out: every row is a valid call or says why not."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import ValidationError

from data import frame, labels
from data.call import Call, Outcome
from data.cut import Cut, CutCount, CutRules, cut
from data.dataset import GROUP_DTYPES, OUTCOME_DTYPES, REJECTED_DTYPES, Dataset
from data.errors import InputError
from data.labelling import STANDARD, label, outcome_texts
from data.sources.cad import convert, table
from data.sources.cad.mapping import MappingError, MappingFile, lacking
from data.sources.cad.rules import CUT_REMARKS, Mapping, NarrativeCut
from data.sources.cad.table import Row

CHUNK = 5_000
"""Rows that are converted at a time: memory stays flat, the conversion stays vectorised."""

FLAGS = ("weapon_found", "violence_occurred", "force_used")
NUMBERS = ("latitude", "longitude")

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass
class _Kept:
    """What has been read so far."""

    calls: list[pd.DataFrame] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    labels: list[pd.DataFrame] = field(default_factory=list)
    groups: list[pd.DataFrame] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    rows: set[bytes] = field(default_factory=set)
    ids: set[tuple[str, int]] = field(default_factory=set)
    cut: CutCount | None = None


def read_calls(
    files: list[Path],
    mapping: MappingFile,
    *,
    key: bytes | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read an agency's export.

    Rows are numbered from 1 through all the files in their order. A row that is an exact copy of
    an earlier one, that repeats a call's number and revision, or that is no valid call, goes to
    `rejected`.

    Parameters
    ----------
    files : list of Path
        As `table.find_inputs` gives them.
    mapping : MappingFile
    key : bytes, optional
        The agency's secret for pseudonyms. Without it a constant of the project is used, which is
        fit for public data only.
    progress : callable, optional
        Wraps the iteration over chunks of rows.

    Returns
    -------
    Dataset
        With a manifest that names the mapping and the files with their SHA-256. Not written.

    Raises
    ------
    MappingError
        If a file lacks columns of the mapping.
    InputError
        If a file is empty, damaged, no CSV, or mostly of another encoding; if there is no data
        row, or none could be kept.
    """
    rules = mapping.rules
    pseudonymise = convert.pseudonymiser(key)
    kept = _Kept()
    cut_rules = None if rules.narrative_cut is None else rules.narrative_cut.compile()
    if cut_rules is not None:
        kept.cut = CutCount(cut_rules.digest)
    inputs: list[dict[str, Any]] = []
    read = 0
    for path in files:
        header = _check_header(path, mapping)
        chunks = _chunks(table.read_rows(path, rules.encoding, rules.delimiter, read + 1))
        rows = undecodable = 0
        for chunk in progress(chunks) if progress else chunks:
            rows += len(chunk)
            undecodable += sum(row.undecodable for row in chunk)
            sound = _sound(chunk, header, rules.encoding, kept)
            _take(sound, header, rules, pseudonymise, cut_rules, kept)
        if undecodable * 2 > rows:
            raise InputError(
                f"{path} is not {rules.encoding} ({undecodable:,} of {rows:,} rows); "
                "declare its encoding in the mapping, such as `encoding: cp1252`"
            )
        inputs.append({"file": path.name, "sha256": table.digest(path), "rows": rows})
        read += rows
    return _finish(kept, mapping, inputs, key is not None)


def _check_header(path: Path, mapping: MappingFile) -> list[str]:
    rules = mapping.rules
    header = table.read_header(path, rules.encoding, rules.delimiter)
    lacks = sorted(rules.columns - set(header))
    if lacks:
        raise MappingError(lacking(path, mapping.name, lacks))
    twice = sorted(name for name in rules.columns if header.count(name) > 1)
    if twice:
        raise MappingError(f"{path} has the column {twice[0]} twice; rename one of them")
    return header


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _record(row: Row, header: list[str]) -> str:
    named: dict[str, Any] = dict(zip(header, row.values, strict=False))
    if len(row.values) != len(header):
        named = {"values": row.values}
    return json.dumps(named)  # ASCII: an undecodable byte stays readable as an escape


def _reject(kept: _Kept, row: Row, header: list[str], where: str, reason: str) -> None:
    kept.rejected.append(
        {"row": row.number, "field": where, "reason": reason, "record": _record(row, header)}
    )


def _sound(chunk: list[Row], header: list[str], encoding: str, kept: _Kept) -> list[Row]:
    """Reject rows that are wrong whatever they say: their form, their encoding, copies."""
    sound = []
    for row in chunk:
        if len(row.values) != len(header):
            _reject(kept, row, header, "", "another number of fields than the header")
        elif row.undecodable:
            _reject(kept, row, header, "", f"not {encoding}")
        else:
            mark = hashlib.blake2b("\x1f".join(row.values).encode(), digest_size=16).digest()
            if mark in kept.rows:
                _reject(kept, row, header, "", "exact duplicate")
            else:
                kept.rows.add(mark)
                sound.append(row)
    return sound


def _take(
    rows: list[Row],
    header: list[str],
    rules: Mapping,
    pseudonymise: convert.Pseudonymise,
    cut_rules: CutRules | None,
    kept: _Kept,
) -> None:
    """Convert and validate a chunk, and keep what is valid."""
    if not rows:
        return
    used = [header.index(name) for name in sorted(rules.columns)]
    raw = pd.DataFrame(
        [[row.values[index] for index in used] for row in rows],
        columns=sorted(rules.columns),
        dtype="str",
    )
    numbers = [row.number for row in rows]
    problems = convert.Problems()

    def text(name: str, rule: Any) -> pd.Series:
        return convert.text(rule, name, raw, numbers, pseudonymise, problems)

    received = convert.time(rules.call.received_at, "received_at", rules.time_zone, raw, problems)
    columns: dict[str, list[Any]] = {"received_at": _times(received)}
    for name, rule in rules.call.texts().items():
        values = text(name, rule)
        if name in NUMBERS:
            columns[name] = _plain(convert.number(values, name, problems))
        elif name == "revision":
            whole = convert.number(values, name, problems, whole=True)
            columns[name] = [None if n is None else int(n) for n in _plain(whole)]
        else:
            columns[name] = _plain(values)
    cuts: list[Cut] = []
    if cut_rules is not None and rules.narrative_cut is not None:
        cuts = _cut(columns, cut_rules, rules.narrative_cut, rules.time_zone, raw, problems)
        columns["narrative"] = [part.kept or None for part in cuts]
        raw[CUT_REMARKS] = pd.Series([part.removed or None for part in cuts], dtype="str")
    answers = {str(q): _plain(text(q, rule)) for q, rule in rules.call.answers.items()}
    recorded: list[Any] = [None] * len(rows)
    learned: dict[str, list[Any]] = {}
    if rules.outcome is not None:
        times = convert.recorded(
            rules.outcome.recorded_at, rules.time_zone, raw, received, problems
        )
        recorded = _times(times)
        for name, rule in rules.outcome.texts().items():
            values = text(name, rule)
            if name in FLAGS:
                neither = values.notna() & ~values.isin(["true", "false"])
                problems.note(neither, name, "neither true nor false")
            told = _plain(values)
            learned[name] = [_FLAG.get(v) for v in told] if name in FLAGS else told

    calls: dict[int, Call] = {}
    for index, row in enumerate(rows):
        if index in problems.found:
            _reject(kept, row, header, *problems.found[index])
            continue
        call, outcome, wrong = _validate(
            _given(columns, index) | {"answers": _given(answers, index)},
            _given(learned, index),
            recorded[index],
        )
        if call is None or (call.call_id, call.revision) in kept.ids:
            _reject(kept, row, header, *(wrong or ("call_id", "duplicate call_id")))
            continue
        kept.ids.add((call.call_id, call.revision))
        calls[index] = call
        if kept.cut is not None:
            kept.cut.add(cuts[index])
        if outcome is not None:
            kept.outcomes.append(outcome.model_dump() | {"revision": call.revision})
    _keep(calls, raw, rules, received, recorded, learned, kept, text)


def _cut(
    columns: dict[str, list[Any]],
    cut_rules: CutRules,
    how: NarrativeCut,
    zone: str,
    raw: pd.DataFrame,
    problems: convert.Problems,
) -> list[Cut]:
    """Cut the narratives of a chunk at dispatch, in the agency's local time."""
    sent: list[Any] = [None] * len(raw)
    if how.dispatched_at is not None:
        sent = _times(convert.time(how.dispatched_at, "dispatched_at", zone, raw, problems))
    local = ZoneInfo(zone)
    return [
        cut(
            text or "",
            cut_rules,
            received_at=None if received is None else received.astimezone(local),
            dispatched_at=None if at is None else at.astimezone(local),
            newest_first=how.order == "newest_first",
        )
        for text, received, at in zip(
            columns["narrative"], columns["received_at"], sent, strict=True
        )
    ]


_FLAG = {"true": True, "false": False}


def _plain(values: pd.Series) -> list[Any]:
    return values.astype(object).where(values.notna(), None).tolist()


def _times(values: pd.Series) -> list[Any]:
    return [None if value is pd.NaT else value.to_pydatetime() for value in values]


def _given(columns: dict[str, list[Any]], index: int) -> dict[str, Any]:
    return {name: column[index] for name, column in columns.items() if column[index] is not None}


def _validate(
    call: dict[str, Any], learned: dict[str, Any], recorded: Any
) -> tuple[Call | None, Outcome | None, tuple[str, str] | None]:
    """Make the records of a row, or the field and the reason why there are none."""
    outcome = None
    try:
        made = Call.model_validate(call)
        if learned and recorded is None:
            return None, None, ("recorded_at", "recorded_at: no value")
        if learned:
            known = {"call_id": made.call_id, "recorded_at": recorded}
            outcome = Outcome.model_validate(known | learned)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            what = "no value"
        return None, None, (where, f"{where}: {what}" if where else what)
    return made, outcome, None


def _keep(
    calls: dict[int, Call],
    raw: pd.DataFrame,
    rules: Mapping,
    received: pd.Series,
    recorded: list[Any],
    learned: dict[str, list[Any]],
    kept: _Kept,
    text: Callable[[str, Any], pd.Series],
) -> None:
    """Add the valid calls of a chunk with their labels and groups."""
    if not calls:
        return
    kept.calls.append(frame.to_frame(calls.values()))
    index = list(calls)
    about = pd.DataFrame(
        {
            "call_id": [call.call_id for call in calls.values()],
            "revision": [call.revision for call in calls.values()],
            "received_at": received.loc[index].reset_index(drop=True),
            "as_of": pd.Series([recorded[i] for i in index], dtype="datetime64[us, UTC]"),
        }
    )
    part = raw.loc[index].reset_index(drop=True)
    if rules.labels:
        kept.labels.append(label(rules.labels, part, about, timezone=rules.time_zone))
    if rules.standard_labels:
        told = pd.DataFrame({name: [values[i] for i in index] for name, values in learned.items()})
        texts = outcome_texts(told.reindex(range(len(index))))
        kept.labels.append(label(STANDARD, texts, about))
    if rules.groups is not None:
        incident = text("incident_id", rules.groups.incident_id)
        group = about[["call_id"]].assign(incident_id=incident.loc[index].reset_index(drop=True))
        kept.groups.append(group.dropna())


def _latest(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Of what several revisions of a call say, keep what the last one does."""
    last = rows["revision"] == rows.groupby(by)["revision"].transform("max")
    kept = rows[last].drop(columns="revision").drop_duplicates()
    return kept.reset_index(drop=True)


def _finish(
    kept: _Kept, mapping: MappingFile, inputs: list[dict[str, Any]], keyed: bool
) -> Dataset:
    rules = mapping.rules
    rows = sum(item["rows"] for item in inputs)
    names = ", ".join(item["file"] for item in inputs)
    if rows == 0:
        raise InputError(f"{names}: a header and no data row")
    if not kept.calls:
        top = Counter(item["reason"] for item in kept.rejected).most_common(3)
        reasons = "; ".join(f"{reason} ({n:,})" for reason, n in top)
        raise InputError(f"{names}: none of the {rows:,} rows could be kept: {reasons}")
    outcomes = pd.DataFrame(kept.outcomes, columns=[*OUTCOME_DTYPES, "revision"])
    given = [part for part in kept.labels if len(part)]
    label_rows = (
        _latest(pd.concat(given, ignore_index=True), ["call_id", "target", "source"])
        if given
        else pd.DataFrame(columns=list(labels.DTYPES))
    )
    groups = pd.concat([pd.DataFrame(columns=list(GROUP_DTYPES), dtype="str"), *kept.groups])
    pseudonyms = ("key of the agency" if keyed else "constant of the project") * (
        rules.has_pseudonyms
    )
    return Dataset(
        calls=pd.concat(kept.calls, ignore_index=True),
        outcomes=_latest(outcomes, ["call_id"]),
        labels=label_rows,
        groups=groups.drop_duplicates("call_id"),
        rejected=pd.DataFrame(kept.rejected, columns=list(REJECTED_DTYPES)),
        manifest={
            "source": f"cad:{rules.agency}",
            "title": rules.title,
            "source_page": rules.source_page,
            "licence": rules.licence,
            "time_zone": rules.time_zone,
            "mapping": mapping.name,
            "mapping_sha256": mapping.digest,
            "notes": rules.notes,
            "pseudonyms": pseudonyms or "none",
            "inputs": inputs,
            "rows": rows,
            **({} if kept.cut is None else {"narrative_cut": kept.cut.as_manifest()}),
        },
    )
