"""What is in the log as rows, one per assessment, for whoever learns from it or audits it.

A row is made of the whole log, also where the export is narrowed: whether a person had seen advice
on a call before deciding hangs on revisions that the export may leave out.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from data.errors import InputError
from data.files import drafted, inert
from data.logged import FLAT, flat
from model_service.service.log.entry import Draft, Entry
from model_service.service.log.filters import Filters
from model_service.service.log.private import Broken
from model_service.service.log.reading import MAX_PAGE, Reader
from model_service.service.log.store import LogStore, LogUnavailable, prepare
from model_service.service.views import CALL, NOTE, OUTCOME

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: dict[str, Format] = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}

_BATCH = 1000


class ExportError(InputError):
    """The log, or a part of it, can't be exported."""


def export_rows(reader: Reader, filters: Filters, *, narratives: bool) -> Iterator[dict[str, Any]]:
    """Give the assessments that are wanted, in the order of the log.

    Parameters
    ----------
    reader : Reader
        Over a snapshot, so that all rows are of one moment.
    filters : Filters
    narratives : bool
        Whether narratives and notes come along.

    Yields
    ------
    dict
        With the fields of `data.logged.LoggedAssessment`, as JSON has them.

    Raises
    ------
    ExportError
        If what is kept apart from the chain does not fit it.
    """
    words, after = filters.words(), 0
    while page := reader.page(after=after, limit=MAX_PAGE, kind="assessment"):
        for entry in page:
            with _fitting(entry):
                wanted = filters.takes(reader, entry)
            if wanted:
                yield {**_row(reader, entry, narratives), "filters": words}
        after = page[-1].seq


def _row(reader: Reader, entry: Entry, narratives: bool) -> dict[str, Any]:
    body = entry.content()
    about = reader.of_call(str(entry.call_id))
    decided = [one for one in about if one.kind == "decision"]
    call = _private(reader, entry).get(CALL)
    outcome = reader.outcome(str(entry.call_id))
    learned = None if outcome is None else _private(reader, outcome).get(OUTCOME)
    content = None if call is None else orjson.loads(call)
    if content is not None and not narratives:
        content.pop("narrative", None)
    recommendation = body["recommendation"] or {}
    return {
        "sequence": entry.seq,
        "digest": entry.digest,
        "at": entry.at,
        "actor": entry.actor,
        "assessment_id": entry.assessment_id,
        "call_id": entry.call_id,
        "revision": entry.revision,
        "leads": body["leads"],
        "mode": body.get("mode", "advisory"),  # entries of before there were modes
        "withheld": body.get("withheld"),
        "hold_back": (body.get("hold_back") or {}).get("share"),
        "drawn": _drawn(entry, about),
        "release": body["model"]["release"],
        "release_digest": body["model"]["digest"],
        "plan": body["plan"]["plan"],
        "plan_version": body["plan"]["version"],
        "prediction": body["prediction"],
        "recommendation": recommendation.get("response"),
        "abstained": recommendation.get("abstained"),
        "unserved": None
        if body["recommendation"] is None
        else [f"{one['response']}:{one['reason']}" for one in recommendation.get("unserved", ())],
        "narratives": narratives,
        "call": content,
        "decisions": [
            _decision(reader, one, about, narratives)
            for one in decided
            if one.assessment_id == entry.assessment_id
        ],
        "first_decision": decided[0].seq if decided else None,
        "outcome": None if learned is None else orjson.loads(learned),
    }


def _decision(
    reader: Reader, entry: Entry, about: Sequence[Entry], narratives: bool
) -> dict[str, Any]:
    body = entry.content()
    note = _private(reader, entry).get(NOTE) if narratives else None
    return {
        "sequence": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "action": body["action"],
        "response": body["response"],
        "reason": body["reason"],
        "note": None if note is None else note.decode(),
        "advice_shown": body.get("advice_shown", True),
        "advised": _advised(entry, about),
        "time_to_decide_ms": body["time_to_decide_ms"],
    }


def _advised(decision: Entry, about: Sequence[Entry]) -> bool:
    """Say whether advice on any revision of the call had been there to be seen by then.

    What was held back is shown once somebody has decided.
    """
    if decision.content().get("advice_shown", True):
        return True
    earlier = [one for one in about if one.seq < decision.seq]
    decided = any(one.kind == "decision" for one in earlier)
    why = [one.content().get("withheld") for one in earlier if one.kind == "assessment"]
    return None in why or (decided and "held_back" in why)


def _drawn(entry: Entry, about: Sequence[Entry]) -> bool | None:
    """Say whether the call was drawn to have advice held back; None where nothing tells."""
    body = entry.content()
    if body.get("hold_back") is None:
        return None
    if body.get("withheld") == "held_back":
        return True
    earlier = [one for one in about if one.seq < entry.seq]
    if not any(one.kind == "decision" for one in earlier):
        return False
    # A drawn call is no longer held back once it is decided; its earlier revisions tell.
    alike = [one for one in earlier if one.content().get("hold_back") == body["hold_back"]]
    return _drawn(alike[0], about) if alike else None


def _private(reader: Reader, entry: Entry) -> dict[str, bytes]:
    with _fitting(entry):
        return reader.private(entry)


@contextlib.contextmanager
def _fitting(entry: Entry) -> Iterator[None]:
    try:
        yield
    except Broken:
        raise ExportError(
            f"the text of entry {entry.seq} does not fit its digest, or was erased just now: "
            "export again, or run `crisiscall log verify`"
        ) from None


def record_reading(store: LogStore, actor: str, filters: Filters, kind: Format) -> None:
    """Write into the log that somebody takes narratives out of it; no record, no narratives.

    Parameters
    ----------
    store : LogStore
        Of a log that exists; the service may be writing to it.
    actor : str
    filters : Filters
    kind : str

    Raises
    ------
    ExportError
        If it can't be recorded.
    """
    body = {"filters": filters.words(), "format": kind}
    try:
        store.write([prepare(Draft("narratives_read", actor, body))])
    except LogUnavailable as error:
        raise ExportError(f"{error}: what can't be recorded is not read, so try again") from None
    finally:
        store.close()


def format_of(path: Path) -> Format:
    """Tell the format of a file to write by its ending.

    Raises
    ------
    ExportError
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise ExportError(f"{path}: the ending must be .jsonl, .csv or .parquet") from None


def write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows into a new file, readable by its owner alone; it appears whole or not at all.

    In CSV, text that a spreadsheet would take for a formula has an apostrophe before it; numbers,
    flags and times are as they are.

    Parameters
    ----------
    path : Path
        Its ending tells the format.
    rows : iterator of dict
        As `export_rows` gives them.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    ExportError
        If the file is there already, or its ending is of no format.
    """
    write = {"jsonl": _write_jsonl, "csv": _write_csv, "parquet": _write_parquet}[format_of(path)]
    if path.exists():
        raise ExportError(f"{path} is there already; name a new file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with drafted(path, mode=0o600) as draft:
        return write(draft, rows)


def _write_jsonl(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    n = 0
    with path.open("wb") as file:
        for n, row in enumerate(rows, 1):  # noqa: B007 - the last number is how many there were
            file.write(orjson.dumps(row) + b"\n")
    return n


def _write_csv(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    n = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FLAT)
        for n, row in enumerate(rows, 1):  # noqa: B007 - as above
            writer.writerow(cells(flat(row)))
    return n


def cells(row: dict[str, Any]) -> list[str]:
    """Write a flat row as CSV has it: nothing in it is a formula."""
    made = []
    for name, kind in FLAT.items():
        value = row[name]
        if value is None:
            made.append("")
        elif kind == "flag":
            made.append("true" if value else "false")
        else:
            made.append(inert(value) if kind == "text" else str(value))
    return made


def _write_parquet(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    import pyarrow as pa  # only here: the service runs without it
    import pyarrow.parquet as pq

    types = {
        "text": pa.string(),
        "whole": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in FLAT.items()])
    batch: list[dict[str, Any]] = []
    n = 0

    def flush(writer: Any) -> None:
        writer.write_table(pa.Table.from_pylist(batch, schema=schema))
        batch.clear()

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for row in rows:
            batch.append(_timed(flat(row)))
            n += 1
            if len(batch) == _BATCH:
                flush(writer)
        flush(writer)
    return n


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    read: Callable[[str], datetime] = datetime.fromisoformat
    return {
        name: read(value) if FLAT[name] == "time" and value is not None else value
        for name, value in row.items()
    }
