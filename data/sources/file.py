"""Files of calls as they are: JSONL, CSV or Parquet, whose columns are the fields of a call.

Nothing is mapped or coerced here; another agency's columns need a mapping (`data.sources.cad`).
"""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from data.call import ANSWER_PREFIX, Call
from data.errors import InputError
from data.frame import DTYPES, to_records, with_dtypes

CHUNK = 2000
"""Calls read at a time: enough to hide a hand-over to a worker, few enough to stay small."""

MAX_CELL = 16 * 1024 * 1024
"""Characters; a longer cell is a quotation mark that was never closed."""

Format = Literal["jsonl", "csv", "parquet"]

Rows = list[bytes] | list[dict[str, Any] | None] | pd.DataFrame
"""A chunk as JSON lines, as text fields by column (CSV; None: more or fewer cells than the header
has), or as a typed frame (Parquet)."""

Chunk = tuple[int, Rows]
"""The number of the first row, counted from 1, and the rows."""


def refusal(error: ValidationError) -> tuple[str, str]:
    """Say of a row that is no call which field is wrong, and how; nothing that it holds.

    A path may hold a key of the row's own making: only fields of a call are named, else none.
    """
    cause = error.errors(include_input=False, include_url=False)[0]
    field = str(cause["loc"][0]) if cause["loc"] else ""
    return field if field in Call.model_fields else "", cause["type"]


def calls_of(rows: Rows) -> Iterator[Callable[[], Call] | None]:
    """Give for each row what validates it; None for a row that has not the header's cells."""
    if isinstance(rows, pd.DataFrame):
        yield from (partial(Call.model_validate, record) for record in to_records(rows))
        return
    for row in rows:
        if isinstance(row, bytes):
            yield partial(Call.model_validate_json, row)
        else:
            yield None if row is None else partial(Call.model_validate_strings, row)


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


@dataclass(frozen=True)
class Columns:
    """What a file must hold, and what it may hold beside the fields of a call."""

    required: Collection[str] = ("call_id", "received_at")
    also: Collection[str] = ()


def read(source: Path, columns: Columns | None = None) -> Iterator[Chunk]:
    """Read a file in chunks, in order.

    Parameters
    ----------
    source : Path
    columns : Columns, optional
        What it must and may hold; in JSONL that shows only when a line is validated.

    Yields
    ------
    Chunk

    Raises
    ------
    InputError
        If the ending or the columns are wrong, or the file is damaged; at the chunk where it is.
    """
    columns = columns or Columns()
    readers: dict[Format, Callable[[Path, Columns], Iterator[Rows]]] = {
        "jsonl": _read_jsonl,
        "csv": _read_csv,
        "parquet": _read_parquet,
    }
    first = 1
    for rows in readers[file_format(source)](source, columns):
        yield first, rows
        first += len(rows)


def _read_jsonl(source: Path, _: Columns) -> Iterator[Rows]:
    chunk: list[bytes] = []
    with source.open("rb") as file:
        if file.read(len(BOM_UTF8)) != BOM_UTF8:
            file.seek(0)
        for line in file:
            if not line.strip():
                continue
            chunk.append(line)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _read_csv(source: Path, columns: Columns) -> Iterator[Rows]:
    # csv, not pandas: pandas moves the columns of a row with a cell too many, without a word.
    csv.field_size_limit(MAX_CELL)
    chunk: list[dict[str, Any] | None] = []
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            _check_columns(header, source, columns)
            for row in rows:
                if not row:
                    continue
                chunk.append(_record(header, row) if len(row) == len(header) else None)
                if len(chunk) == CHUNK:
                    yield chunk
                    chunk = []
    except UnicodeDecodeError:
        raise InputError(f"{source}: not UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{source}, line {rows.line_num}: not a CSV row ({error})") from None
    if chunk:
        yield chunk


def _record(header: list[str], row: list[str]) -> dict[str, Any]:
    """Turn a CSV row into a call's fields; an empty cell is a field that is not known."""
    record: dict[str, Any] = {}
    for name, value in zip(header, row, strict=True):
        if value == "":
            continue
        if name.startswith(ANSWER_PREFIX):
            record.setdefault("answers", {})[name.removeprefix(ANSWER_PREFIX)] = value
        else:
            record[name] = value
    return record


def _read_parquet(source: Path, columns: Columns) -> Iterator[Rows]:
    try:
        with pq.ParquetFile(source) as file:
            _check_columns(file.schema_arrow.names, source, columns)
            _check_types(file.schema_arrow, source)
            for batch in file.iter_batches(CHUNK):
                frame = batch.to_pandas()
                beside = [name for name in columns.also if name in frame]
                yield with_dtypes(frame.drop(columns=beside)).join(frame[beside])
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError):
        # Arrow tells of damaged pages by OSError, and of text that is not UTF-8 by ValueError.
        raise InputError(f"{source}: not a Parquet file of calls, or damaged") from None


def _column(name: str, number: int) -> str:
    return f"{name!r}" if re.fullmatch(r"[A-Za-z_]\w{0,63}", name) else f"column {number}"


def _check_types(schema: pa.Schema, source: Path) -> None:
    """Refuse types that would have to be coerced, which may change what a cell says."""
    for field in schema:
        if field.name not in DTYPES:
            continue
        kind, wanted = field.type, DTYPES[field.name]
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        fits, words = {
            "str": (_is_text(kind), "text"),
            "int64": (pa.types.is_integer(kind), "whole numbers"),
            "float64": (pa.types.is_floating(kind) or pa.types.is_integer(kind), "numbers"),
        }.get(
            wanted,
            (
                pa.types.is_timestamp(kind) and kind.tz is not None,
                "a timestamp with a time zone",
            ),
        )
        if not fits and not (pa.types.is_null(kind) and field.name != "received_at"):
            raise InputError(f"{source}: {field.name} must be {words}")


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _check_columns(header: Iterable[str], source: Path, columns: Columns) -> None:
    names = list(header)
    given = set(names)
    if not names:
        raise InputError(f"{source}: holds no calls, not even a header")
    wrong = [f"lacks the column {name}" for name in columns.required if name not in given]
    if not wrong:  # else it may be no header at all, but a row of somebody's words
        wrong = [
            f"{_column(name, number)} is not a field of a call"
            for number, name in enumerate(names, 1)
            if name not in DTYPES and name not in columns.also
        ]
    wrong += [f"has the column {name} twice" for name in sorted(given) if names.count(name) > 1]
    if wrong:
        raise InputError(f"{source}: {'; '.join(wrong[:5])}")
