"""A file of labelled calls, as somebody sends it to have a release measured on.

The columns are the fields of a call, any of them, and the two targets: 1 or 0, true or false, blank
where nobody could say. It stands for no centre: it gives no prevalence and sets no threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
from pydantic import ValidationError

from data import labels
from data.call import TARGETS, Call
from data.dataset import Dataset, file_digest
from data.errors import InputError
from data.frame import to_frame
from data.sources.file import Columns, Rows, calls_of, read, refusal

NO_TIME = datetime(2000, 1, 1, 12, tzinfo=UTC)
"""When calls of a file without `received_at` are taken to have come in: all at one moment, so that
the hour ranks none above another."""

_VALUES = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_BLANK = {"", "nan", "none", "null", "<na>"}
_COLUMNS = Columns(required=(), also=TARGETS)


def read_labelled(path: Path) -> Dataset:
    """Read a file of labelled calls.

    Parameters
    ----------
    path : Path
        CSV, JSONL or Parquet. `call_id` and `received_at` may be missing altogether: the rows are
        then numbered, and all at the moment `NO_TIME`.

    Returns
    -------
    Dataset
        The labels as an expert's (`expert_review`), with the confidence 1.

    Raises
    ------
    InputError
        If the file can't be read, a row is no call, or no target is labelled. It names row and
        field and repeats nothing of what was said.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    calls: list[Call] = []
    given: list[dict[str, Any]] = []
    for first, rows in read(path, _COLUMNS):
        for number, (call, values) in enumerate(_split(rows, first, path), first):
            for target, value in values.items():
                truth = _truth(value)
                if truth is not None:
                    given.append({"call_id": call.call_id, "target": target, "value": truth})
                elif str(value).strip().lower() not in _BLANK:
                    raise InputError(f"{path}, row {number}: {target} must be 1, 0 or blank")
            calls.append(call)
    if not given:
        raise InputError(f"{path}: labels no call; it needs a column {' or '.join(TARGETS)}")
    frame = to_frame(calls)
    if frame.duplicated(["call_id", "revision"]).any():
        raise InputError(f"{path}: a call_id stands twice with the same revision")
    received = frame.drop_duplicates("call_id").set_index("call_id")["received_at"]
    table = pd.DataFrame(given).drop_duplicates(ignore_index=True)
    if table.duplicated(["call_id", "target"]).any():
        raise InputError(f"{path}: revisions of one call have different labels")
    table = table.assign(
        source="expert_review", as_of=table["call_id"].map(received), confidence=1.0, by=None
    )
    return Dataset(
        calls=frame,
        labels=table.astype(labels.DTYPES),
        manifest={"source": f"file:{path.name}", "digest": file_digest(path)},
    )


def _truth(value: Any) -> bool | None:
    return _VALUES.get(str(value).strip().lower())


def _split(rows: Rows, first: int, path: Path) -> Iterator[tuple[Call, dict[str, Any]]]:
    """Part each row into its call and its labels."""
    if isinstance(rows, pd.DataFrame):
        beside = [name for name in TARGETS if name in rows]
        values = [
            dict(zip(beside, row, strict=True))
            for row in rows[beside].astype(object).itertuples(index=False)
        ]
        missing = [n for n in ("call_id", "received_at") if rows[n].isna().all()]
        fields = rows.drop(columns=beside)
        if "call_id" in missing:
            fields = fields.assign(call_id=[str(first + n) for n in range(len(rows))])
        if "received_at" in missing:
            fields = fields.assign(received_at=pd.Timestamp(NO_TIME))
        made = calls_of(fields)
    else:
        records = [_parsed(row, first + n, path) for n, row in enumerate(rows)]
        values = [{t: r.pop(t) for t in TARGETS if t in r} for r in records]
        for number, record in enumerate(records, first):
            record.setdefault("call_id", str(number))
            record.setdefault("received_at", NO_TIME.isoformat())
        texts = any(isinstance(row, dict) for row in rows)
        made = calls_of(records if texts else [orjson.dumps(r) for r in records])  # type: ignore[arg-type]
    for number, (validated, labelled) in enumerate(zip(made, values, strict=True), first):
        try:
            assert validated is not None  # `_parsed` has refused it
            call = validated()
        except ValidationError as error:
            field, reason = refusal(error)
            named = f", {field}" if field else ""
            raise InputError(f"{path}, row {number}{named}: {reason}") from None
        yield call, labelled


def _parsed(row: bytes | dict[str, Any] | None, number: int, path: Path) -> dict[str, Any]:
    if row is None:
        raise InputError(f"{path}, row {number}: more or fewer cells than the header has")
    if isinstance(row, dict):
        return dict(row)
    try:
        record = orjson.loads(row)
    except orjson.JSONDecodeError:
        record = None
    if not isinstance(record, dict):
        raise InputError(f"{path}, row {number}: not a JSON object")
    return record
