"""Batch scoring: a file of calls in, one line per call out."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, delayed
from pydantic import ValidationError

from data.call import TARGETS
from data.errors import InputError
from data.files import inert
from data.frame import with_dtypes
from data.premise import Counts
from data.sources.file import Chunk, Format, Rows, calls_of, file_format, read, refusal
from model_service.model.assess import assess
from model_service.model.release import Release, load_release
from model_service.model.scorer import HistoryTable
from training.history import counts_of, with_history

COLUMNS = ("call_id", "revision", *TARGETS, "recommendation", "abstained", "reasons")


@dataclass(frozen=True)
class Tally:
    """How many calls were scored, how many rows were no call, and whether history was used."""

    scored: int
    rejected: int
    history: bool = False


def score_file(
    source: Path,
    target: Path,
    *,
    release: Path,
    jobs: int = -1,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, _: items,
) -> Tally:
    """Score a file of calls with every core, in order and with bounded memory.

    A release that uses the history of premises has it computed first, in one pass over the calls
    of the file in order of time. A file of calls holds no labels, so that no crisis is known.

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
    table = load_release(release, trusted=None).scorer.history  # fail here, not in a worker
    wanted = file_format(target)
    if not source.is_file():
        raise InputError(f"{source}: no such file")
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: would replace the calls; name another file to write")
    chunks = read(source)
    counts = None if table is None else _history(source, table)
    rejected_path = target.with_name(target.name + ".rejected.jsonl")
    draft, rejected_draft = (
        path.with_name(f".{path.name}-{os.getpid()}") for path in (target, rejected_path)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    scored = rejected = 0
    first_refused: dict[str, Any] | None = None
    unreadable: list[InputError] = []
    try:
        with _Writer(draft, wanted) as writer, rejected_draft.open("wb") as refuse:
            work = Parallel(n_jobs=jobs, return_as="generator")(
                delayed(_score_chunk)(str(release), first, rows, _part(counts, first, rows))
                for first, rows in _until_unreadable(chunks, unreadable)
            )
            for lines, refused in progress(work, "scoring calls"):
                writer.write(lines)
                for entry in refused:
                    first_refused = first_refused or entry
                    refuse.write(orjson.dumps(entry) + b"\n")
                scored, rejected = scored + len(lines), rejected + len(refused)
        if unreadable:
            raise unreadable[0]
        if not scored:
            raise InputError(f"{source}: {_nothing(rejected, first_refused)}")
        draft.replace(target)
        if rejected:
            rejected_draft.replace(rejected_path)
        else:
            rejected_path.unlink(missing_ok=True)
    finally:
        draft.unlink(missing_ok=True)
        rejected_draft.unlink(missing_ok=True)
    return Tally(scored, rejected, history=table is not None)


def _until_unreadable(chunks: Iterator[Chunk], unreadable: list[InputError]) -> Iterator[Chunk]:
    """Stop at an error and keep it: joblib reads ahead in a thread, where it would be lost."""
    try:
        yield from chunks
    except InputError as error:
        unreadable.append(error)


def _nothing(rejected: int, first: dict[str, Any] | None) -> str:
    if first is None:
        return "holds no calls"
    where = f"row {first['row']}" + (f", {first['field']}" if first["field"] else "")
    return f"none of {rejected} rows is a valid call; the first: {where}: {first['reason']}"


@lru_cache(maxsize=1)
def _release(folder: str) -> Release:
    return load_release(Path(folder), trusted=None)


AllCounts = dict[int, Counts | None]
"""The number of a row → what was known of its premise."""


def _history(source: Path, table: HistoryTable) -> AllCounts:
    """Count the history of every valid call of a file, by row."""
    places: list[tuple[int, str, datetime, int, str | None]] = []
    with contextlib.suppress(InputError):  # a file that breaks off is refused when it is scored
        for first, rows in read(source):
            for number, validated in enumerate(calls_of(rows), first):
                try:
                    call = None if validated is None else validated()
                except ValidationError:
                    continue
                if call is not None:
                    at = call.received_at.astimezone(UTC)
                    places.append((number, call.call_id, at, call.revision, call.premise_id))
    frame = pd.DataFrame(
        places, columns=["row", "call_id", "received_at", "revision", "premise_id"]
    ).set_index("row")
    calls = with_history(with_dtypes(frame), table)
    return dict(zip(calls.index.tolist(), counts_of(calls, table), strict=True))


def _part(counts: AllCounts | None, first: int, rows: Rows) -> AllCounts:
    """Take the counts of a chunk."""
    if counts is None:
        return {}
    return {row: counts[row] for row in range(first, first + len(rows)) if row in counts}


def _score_chunk(
    release: str, first: int, rows: Rows, counts: AllCounts
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    loaded = _release(release)
    lines, refused = [], []
    for number, validated in enumerate(calls_of(rows), first):
        if validated is None:
            refused.append({"row": number, "field": "", "reason": "number_of_cells"})
            continue
        try:
            call = validated()
        except ValidationError as error:
            field, reason = refusal(error)
            refused.append({"row": number, "field": field, "reason": reason})
            continue
        assessment = assess(loaded, call, counts.get(number), explained=False)
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
                        "call_id": inert(line["call_id"]),
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
