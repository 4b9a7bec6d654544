"""Batch scoring: a file of calls in, one line per call out."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, delayed
from pydantic import ValidationError

from data.call import ANSWER_PREFIX, TARGETS, Call
from data.errors import InputError
from data.frame import DTYPES, to_records, with_dtypes
from model_service.model.assess import assess
from model_service.model.release import Release, load_release

CHUNK = 2000
"""Calls handed to a worker at a time: enough to hide the hand-over, few enough to stay small."""

COLUMNS = ("call_id", "revision", *TARGETS, "recommendation", "abstained", "reasons")
Format = Literal["jsonl", "csv", "parquet"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Tally:
    """How many calls were scored, and how many rows were no valid call."""

    scored: int
    rejected: int


def file_format(path: Path) -> Format:
    """Tell the format of a file by its ending.

    Raises
    ------
    InputError
        If the ending is not .jsonl, .csv or .parquet.
    """
    known: dict[str, Format] = {
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".csv": "csv",
        ".parquet": "parquet",
    }
    try:
        return known[path.suffix.lower()]
    except KeyError:
        raise InputError(f"{path}: the ending must be .jsonl, .csv or .parquet") from None


def score_file(
    source: Path,
    target: Path,
    *,
    release: Path,
    jobs: int = -1,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, _: items,
) -> Tally:
    """Score a file of calls with every core, in order and with bounded memory.

    A row that is no valid call is not scored: its number, field and reason (never its content)
    go to `<target>.rejected.jsonl`. The target appears whole, at the end, or not at all.

    Parameters
    ----------
    source : Path
        JSONL, CSV or Parquet; the columns of CSV and Parquet are those of `data.frame.DTYPES`.
    target : Path
        JSONL, CSV or Parquet with the columns of `COLUMNS`.
    release : Path
        A release's folder.
    jobs : int
        Worker processes, as joblib counts them.
    progress : callable
        Wraps the chunks and draws their progress.

    Returns
    -------
    Tally

    Raises
    ------
    InputError
        If the source can't be read or holds no valid call.
    """
    load_release(release, trusted=None)  # fail here, not in a worker
    wanted = file_format(target)
    chunks = _read(source)
    rejected_path = target.with_name(target.name + ".rejected.jsonl")
    draft, rejected_draft = (
        path.with_name(f".{path.name}-{os.getpid()}") for path in (target, rejected_path)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    scored = rejected = 0
    try:
        with _Writer(draft, wanted) as writer, rejected_draft.open("wb") as refuse:
            work = Parallel(n_jobs=jobs, return_as="generator")(
                delayed(_score_chunk)(str(release), first, rows) for first, rows in chunks
            )
            for lines, refused in progress(work, "scoring calls"):
                writer.write(lines)
                for entry in refused:
                    refuse.write(orjson.dumps(entry) + b"\n")
                scored, rejected = scored + len(lines), rejected + len(refused)
        if not scored:
            raise InputError(
                f"{source}: "
                + (f"none of {rejected} rows is a valid call" if rejected else "holds no calls")
            )
        draft.replace(target)
        if rejected:
            rejected_draft.replace(rejected_path)
        else:
            rejected_path.unlink(missing_ok=True)
    finally:
        draft.unlink(missing_ok=True)
        rejected_draft.unlink(missing_ok=True)
    return Tally(scored, rejected)


@lru_cache(maxsize=1)
def _release(folder: str) -> Release:
    return load_release(Path(folder), trusted=None)


Rows = list[bytes] | list[dict[str, Any]] | pd.DataFrame
"""A chunk as JSON lines, as text fields by column (CSV), or as a typed frame (Parquet)."""


def _calls(rows: Rows) -> Iterator[Callable[[], Call]]:
    if isinstance(rows, pd.DataFrame):
        yield from (partial(Call.model_validate, record) for record in to_records(rows))
        return
    for row in rows:
        if isinstance(row, bytes):
            yield partial(Call.model_validate_json, row)
        else:
            yield partial(Call.model_validate_strings, row)


def _score_chunk(
    release: str, first: int, rows: Rows
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    loaded = _release(release)
    lines, refused = [], []
    for number, validated in enumerate(_calls(rows), first):
        try:
            call = validated()
        except ValidationError as error:
            cause = error.errors(include_input=False, include_url=False)[0]
            # A path may hold a key of the row's own making: only fields of a call are named.
            field = str(cause["loc"][0]) if cause["loc"] else ""
            refused.append(
                {
                    "row": number,
                    "field": field if field in Call.model_fields else "",
                    "reason": cause["type"],
                }
            )
            continue
        assessment = assess(loaded, call, explained=False)
        recommendation = assessment.recommendation
        lines.append(
            {
                "call_id": call.call_id,
                "revision": call.revision,
                **assessment.prediction._asdict(),
                "recommendation": recommendation.response,
                "abstained": recommendation.abstained,
                "reasons": [reason.code for reason in recommendation.reasons],
            }
        )
    return lines, refused


def _read(source: Path) -> Iterator[tuple[int, Rows]]:
    if not source.is_file():
        raise InputError(f"{source}: no such file")
    readers: dict[Format, Callable[[Path], Iterator[Rows]]] = {
        "jsonl": _read_jsonl,
        "csv": _read_csv,
        "parquet": _read_parquet,
    }
    first = 1
    for rows in readers[file_format(source)](source):
        yield first, rows
        first += len(rows)


def _read_jsonl(source: Path) -> Iterator[Rows]:
    chunk: list[bytes] = []
    with source.open("rb") as file:
        for line in file:
            chunk.append(line)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _read_csv(source: Path) -> Iterator[Rows]:
    try:
        for chunk in pd.read_csv(
            source, dtype=str, chunksize=CHUNK, encoding="utf-8-sig", keep_default_na=False
        ):
            _check_columns(chunk.columns, source)
            yield [_record(row) for row in chunk.to_dict("records")]
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        kind = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not a CSV with a header"
        raise InputError(f"{source}: {kind}") from None


def _record(row: dict[Any, str]) -> dict[str, Any]:
    """Turn a CSV row into a call's fields; an empty cell is a field that is not known."""
    record: dict[str, Any] = {}
    for name, value in row.items():
        if value == "":
            continue
        if name.startswith(ANSWER_PREFIX):
            record.setdefault("answers", {})[name.removeprefix(ANSWER_PREFIX)] = value
        else:
            record[name] = value
    return record


def _read_parquet(source: Path) -> Iterator[Rows]:
    try:
        with pq.ParquetFile(source) as file:
            _check_columns(file.schema_arrow.names, source)
            times = file.schema_arrow.field("received_at").type
            if not pa.types.is_timestamp(times) or times.tz is None:
                raise InputError(f"{source}: received_at must be a timestamp with a time zone")
            for batch in file.iter_batches(CHUNK):
                yield with_dtypes(batch.to_pandas())
    except (pa.ArrowInvalid, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{source}: not a Parquet file of calls") from None


def _check_columns(columns: Iterable[str], source: Path) -> None:
    given = set(columns)
    wrong = [f"lacks the column {name}" for name in ("call_id", "received_at") if name not in given]
    wrong += [f"{name!r} is not a field of a call" for name in sorted(given - set(DTYPES))]
    if wrong:
        raise InputError(f"{source}: {'; '.join(wrong)}")


class _Writer:
    """Writes scored calls in one of the formats."""

    def __init__(self, path: Path, wanted: Format) -> None:
        self.wanted = wanted
        self.path = path

    def __enter__(self) -> _Writer:
        self._file = self.path.open("wb")
        self._parquet: pq.ParquetWriter | None = None
        if self.wanted == "csv":
            self._file.write((",".join(COLUMNS) + "\r\n").encode())
        return self

    def __exit__(self, *_: object) -> None:
        if self._parquet is not None:
            self._parquet.close()
        self._file.close()

    def write(self, lines: list[dict[str, Any]]) -> None:
        """Write the lines of one chunk."""
        if self.wanted == "jsonl":
            self._file.write(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        elif self.wanted == "csv":
            text = io.StringIO()
            writer = csv.DictWriter(text, COLUMNS)
            for line in lines:
                writer.writerow(
                    {
                        **line,
                        "call_id": _inert(line["call_id"]),
                        "reasons": json.dumps(line["reasons"]),
                    }
                )
            self._file.write(text.getvalue().encode())
        else:
            table = pa.Table.from_pylist(lines, schema=_SCHEMA)
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self._file, _SCHEMA, compression="zstd")
            self._parquet.write_table(table)


_SCHEMA = pa.schema(
    [
        ("call_id", pa.string()),
        ("revision", pa.int64()),
        *((target, pa.float64()) for target in TARGETS),
        ("recommendation", pa.string()),
        ("abstained", pa.bool_()),
        ("reasons", pa.list_(pa.string())),
    ]
)


def _inert(text: str) -> str:
    """Keep a spreadsheet from taking a cell for a formula."""
    return "'" + text if text.startswith(_FORMULA) else text
