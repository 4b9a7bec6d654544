"""A file of calls in, one line per call out: the same from every format, or nothing at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.errors import InputError
from data.frame import to_calls, to_frame
from data.sources import file
from model_service.model.assess import assess
from training import batch
from training.batch import COLUMNS, Tally, score_file
from training.pipeline import Trained

MARKER = "xanadumarker"
FORMATS = ("jsonl", "csv", "parquet")
AT = "2021-10-05T21:14:00-04:00"


@pytest.fixture
def release(small: tuple[Dataset, Trained]) -> Path:
    return small[1].folder


def some_calls(small: tuple[Dataset, Trained], n: int = 60) -> list[Call]:
    """Calls of the invented ones, and a few with everything that CSV could trip over."""
    odd = 'said "no, never", then\r\nhung up; =1+1 café 刀\tand \\"left\\" voices knife'
    return [
        *to_calls(small[0].calls.head(n)),
        Call.model_validate_json(
            json.dumps(
                {
                    "call_id": "=cmd",
                    "received_at": AT,
                    "narrative": odd,
                    "call_type": ",",
                    "latitude": 42.25,
                    "longitude": -71.0625,
                    "neighborhood": "Jamaica Plain, South",
                    "answers": {"weapon": "unknown", "suicidal": "yes"},
                    "revision": 3,
                }
            )
        ),
        Call.model_validate_json(json.dumps({"call_id": "least", "received_at": AT})),
    ]


def write(calls: list[Call], path: Path) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(call.model_dump_json() + "\n" for call in calls), encoding="utf-8")
    elif path.suffix == ".csv":
        frame = to_frame(calls)
        frame["received_at"] = frame["received_at"].map(lambda at: at.isoformat())
        frame.to_csv(path, index=False, lineterminator="\r\n")
    else:
        pq.write_table(pa.Table.from_pandas(to_frame(calls), preserve_index=False), path)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [
            {
                **row,
                **{target: float(row[target]) for target in TARGETS},
                "call_id": row["call_id"].removeprefix("'"),
                "revision": int(row["revision"]),
                "abstained": {"True": True, "False": False}[row["abstained"]],
                "reasons": json.loads(row["reasons"]),
            }
            for row in rows
        ]
    return list(pq.read_table(path).to_pylist())


def rejected(path: Path) -> list[dict[str, Any]]:
    beside = path.with_name(path.name + ".rejected.jsonl")
    return [json.loads(line) for line in beside.read_text(encoding="utf-8").splitlines()]


def test_every_format_in_and_out_says_what_assess_says(
    small: tuple[Dataset, Trained], release: Path, tmp_path: Path
) -> None:
    calls = some_calls(small)
    expected = []
    for call in calls:
        assessed = assess(small[1].release, call, explained=False)
        expected.append(
            {
                "call_id": call.call_id,
                "revision": call.revision,
                **assessed.prediction._asdict(),
                "recommendation": assessed.recommendation.response,
                "abstained": assessed.recommendation.abstained,
                "reasons": [reason.code for reason in assessed.recommendation.reasons],
            }
        )
    assert len({line["recommendation"] for line in expected}) > 1
    for given in FORMATS:
        source = write(calls, tmp_path / f"calls.{given}")
        for wanted in FORMATS:
            target = tmp_path / f"{given}.{wanted}"
            assert score_file(source, target, release=release, jobs=1) == Tally(len(calls), 0)
            lines = read(target)
            assert [tuple(line) for line in lines] == [COLUMNS] * len(calls)
            assert lines == expected  # to the last bit, in the same order
    assert not list(tmp_path.glob("*.rejected.jsonl"))
    assert not list(tmp_path.glob(".*"))


def test_several_processes_keep_the_order(
    small: tuple[Dataset, Trained],
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file, "CHUNK", 7)
    calls = to_calls(small[0].calls)
    source = write(calls, tmp_path / "calls.jsonl")
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    score_file(source, one, release=release, jobs=1)
    seen: list[Any] = []

    def watched(items: Any, what: str) -> Any:
        for item in items:
            seen.append(what)
            yield item

    tally = score_file(source, two, release=release, jobs=2, progress=watched)
    assert tally == Tally(len(calls), 0)
    assert one.read_bytes() == two.read_bytes()
    assert [line["call_id"] for line in read(two)] == [call.call_id for call in calls]
    assert len(seen) == 100


def test_a_spreadsheet_takes_no_cell_for_a_formula(
    small: tuple[Dataset, Trained], release: Path, tmp_path: Path
) -> None:
    ids = ["=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(1)", "'quoted", "plain-1"]
    calls = [
        Call.model_validate_json(json.dumps({"call_id": name, "received_at": AT})) for name in ids
    ]
    target = tmp_path / "scored.csv"
    score_file(write(calls, tmp_path / "calls.jsonl"), target, release=release, jobs=1)
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    for row in rows[1:]:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert [row[0].removeprefix("'") for row in rows[1:]] == [i.removeprefix("'") for i in ids]


BAD = [
    ({"call_id": "b c"}, "call_id", "string_pattern_mismatch"),
    ({"received_at": "2021-10-05T21:14:00"}, "received_at", "timezone_aware"),
    ({"received_at": "1917-10-05T21:14:00Z"}, "", "value_error"),
    ({"priority": MARKER * 9}, "priority", "string_too_long"),
    ({"narrative": MARKER * 2000}, "narrative", "string_too_long"),
    ({"call_source": MARKER}, "call_source", "literal_error"),
    ({"latitude": 91.0, "longitude": 0.0}, "latitude", "less_than_equal"),
    ({"latitude": 42.0}, "", "value_error"),
    ({"answers": {"weapon": MARKER}}, "answers", "literal_error"),
    ({"revision": 0}, "revision", "greater_than_equal"),
]


def rows_of(changes: dict[str, Any], given: str) -> Any:
    row = {"call_id": "bad-1", "received_at": AT, "narrative": f"{MARKER} voices", **changes}
    if given == "jsonl":
        return json.dumps(row)
    answers = row.pop("answers", {})
    return {**row, **{f"answer_{question}": value for question, value in answers.items()}}


@pytest.mark.parametrize("given", ["jsonl", "csv"])
def test_rows_that_are_no_call_are_listed_by_number_and_never_repeated(
    release: Path, tmp_path: Path, given: str
) -> None:
    good = {"call_id": "good", "received_at": AT, "narrative": "voices"}
    made = [rows_of(change, given) for change, _, _ in BAD]
    source, target = tmp_path / f"calls.{given}", tmp_path / "scored.jsonl"
    if given == "jsonl":
        lines = [json.dumps(good), *made, "not json " + MARKER, json.dumps({MARKER: 1, **good})]
        lines += [json.dumps(good), "[]", '{"call_id": "\\ud800", "received_at": "x"}']
        source.write_text("\n".join(lines) + "\n", encoding="utf-8")
        more = [
            *({"row": 12, "field": "", "reason": "json_invalid"},),
            {"row": 13, "field": "", "reason": "extra_forbidden"},
            {"row": 15, "field": "", "reason": "model_type"},
            {"row": 16, "field": "", "reason": "json_invalid"},
        ]
    else:
        pd.DataFrame([good, *made, good]).to_csv(source, index=False)
        with source.open("a", encoding="utf-8") as file:
            file.write(f"{MARKER}\n{MARKER},{AT},{'x,' * 30}\n")
        more = [
            {"row": 13, "field": "", "reason": "number_of_cells"},
            {"row": 14, "field": "", "reason": "number_of_cells"},
        ]
    told: list[str] = []
    tally = score_file(source, target, release=release, jobs=1)
    assert tally == Tally(2, len(BAD) + len(more))
    assert [line["call_id"] for line in read(target)] == ["good", "good"]
    assert rejected(target) == [
        *(
            {"row": 2 + number, "field": field, "reason": reason}
            for number, (_, field, reason) in enumerate(BAD)
        ),
        *more,
    ]
    told += [path.read_text(encoding="utf-8") for path in tmp_path.glob("scored*")]
    assert not any(MARKER in text for text in told)


def test_a_parquet_row_that_is_no_call_is_listed(release: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "call_id": ["a", None, "c d", "d"],
            "received_at": pd.to_datetime([AT, AT, AT, None], utc=True),
            "narrative": ["voices", MARKER, MARKER, None],
        }
    )
    source, target = tmp_path / "calls.parquet", tmp_path / "scored.jsonl"
    frame.to_parquet(source)
    assert score_file(source, target, release=release, jobs=1) == Tally(1, 3)
    assert [(entry["row"], entry["field"]) for entry in rejected(target)] == [
        (2, "call_id"),
        (3, "call_id"),
        (4, "received_at"),
    ]
    assert MARKER not in target.with_name("scored.jsonl.rejected.jsonl").read_text()


def test_a_list_of_rejected_rows_goes_when_there_are_none_any_more(
    release: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "calls.jsonl", tmp_path / "scored.jsonl"
    good = json.dumps({"call_id": "a", "received_at": AT})
    source.write_text(good + "\n{}\n")
    score_file(source, target, release=release, jobs=1)
    assert len(rejected(target)) == 1
    source.write_text(good + "\n")
    score_file(source, target, release=release, jobs=1)
    assert {path.name for path in tmp_path.iterdir()} == {"calls.jsonl", "scored.jsonl"}


def test_what_spreadsheets_and_editors_add_is_passed_over(release: Path, tmp_path: Path) -> None:
    good = json.dumps({"call_id": "a", "received_at": AT})
    jsonl = tmp_path / "calls.jsonl"
    jsonl.write_bytes(b"\xef\xbb\xbf" + f"{good}\r\n\r\n{good}\n\n  \n{good}".encode())
    assert score_file(jsonl, tmp_path / "a.jsonl", release=release, jobs=1) == Tally(3, 0)
    table = tmp_path / "calls.csv"
    table.write_bytes(
        b"\xef\xbb\xbf" + f'"call_id",received_at\r\n\r\n"a",{AT}\r\nb,{AT}\r\n\r\n'.encode()
    )
    assert score_file(table, tmp_path / "b.jsonl", release=release, jobs=1) == Tally(2, 0)


def test_an_empty_cell_is_a_field_that_is_not_known(release: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "calls.csv", tmp_path / "scored.jsonl"
    source.write_text(
        f"call_id,received_at,priority,answer_weapon,revision\na,{AT},,,\nb,{AT},NA,yes,2\n"
    )
    assert score_file(source, target, release=release, jobs=1) == Tally(2, 0)
    assert [line["revision"] for line in read(target)] == [1, 2]
    assert "disqualifier:weapon" in read(target)[1]["reasons"]


def parquet(frame: pd.DataFrame) -> bytes:
    packed = io.BytesIO()
    frame.to_parquet(packed)
    return packed.getvalue()


def calls_frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"call_id": ["a"], "received_at": pd.to_datetime([AT], utc=True), **columns}
    )


REFUSED: list[tuple[str, bytes, str]] = [
    ("calls.jsonl", b"", "holds no calls"),
    ("calls.jsonl", b"\n\n", "holds no calls"),
    ("calls.jsonl", b"{}\n[]\n", "none of 2 rows is a valid call; the first: row 1, call_id"),
    ("calls.jsonl", "not json".encode("utf-16"), "none of 1 rows is a valid call"),
    (
        "calls.jsonl",
        b'{"call_id": "a", "received_at": "2021-10-05T21:14:00"}',
        "row 1, received_at: timezone_aware",
    ),
    ("calls.csv", b"", "not even a header"),
    ("calls.csv", b"call_id,received_at\n", "holds no calls"),
    ("calls.csv", b"call_id,narrative\na,b\n", "lacks the column received_at"),
    (
        "calls.csv",
        f"call_id,received_at,disposition\na,{AT},x\n".encode(),
        "'disposition' is not a field of a call",
    ),
    (
        "calls.csv",
        f"call_id,received_at,call_id\na,{AT},b\n".encode(),
        "has the column call_id twice",
    ),
    ("calls.csv", f"{MARKER} knife voices,{AT}\n".encode(), "lacks the column call_id"),
    (
        "calls.csv",
        f"call_id,received_at,{MARKER} said\na,{AT},b\n".encode(),
        "column 3 is not a field of a call",
    ),
    ("calls.csv", f"call_id,received_at\na,{AT}\nb\xe9,{AT}\n".encode("latin-1"), "not UTF-8"),
    ("calls.csv", "call_id,received_at\n".encode("utf-16"), "not UTF-8"),
    ("calls.csv", f'call_id,received_at\n"a"b,{AT}\n'.encode(), "line 2: not a CSV row"),
    ("calls.csv", f'call_id,received_at\n"a,{AT}\n'.encode(), "not a CSV row"),
    ("calls.csv", b"call_id,received_at\na,2021-10-05 21:14\n", "row 1, received_at: "),
    ("calls.parquet", b"", "not a Parquet file of calls"),
    ("calls.parquet", b"PAR1PAR1", "not a Parquet file of calls"),
    ("calls.parquet", parquet(pd.DataFrame({"x": [1]})), "lacks the column call_id"),
    (
        "calls.parquet",
        parquet(calls_frame(disposition=["x"])),
        "'disposition' is not a field of a call",
    ),
    (
        "calls.parquet",
        parquet(calls_frame(received_at=pd.to_datetime(["2021-10-05 21:14"]))),
        "received_at must be a timestamp with a time zone",
    ),
    ("calls.parquet", parquet(calls_frame(received_at=[AT])), "received_at must be a timestamp"),
    ("calls.parquet", parquet(calls_frame(revision=[1.5])), "revision must be whole numbers"),
    ("calls.parquet", parquet(calls_frame(priority=[1])), "priority must be text"),
    ("calls.parquet", parquet(calls_frame(latitude=["42"])), "latitude must be numbers"),
    ("calls.parquet", parquet(calls_frame(call_id=[7])), "call_id must be text"),
    ("calls.parquet", parquet(calls_frame().head(0)), "holds no calls"),
    ("calls.txt", b"x", "the ending must be"),
    ("calls", b"x", "the ending must be"),
]


@pytest.mark.parametrize(("name", "content", "why"), REFUSED, ids=range(len(REFUSED)))
def test_what_can_t_be_scored_is_one_line_and_leaves_everything_as_it_was(
    release: Path, tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    source, target = tmp_path / name, tmp_path / "out" / "scored.jsonl"
    source.write_bytes(content)
    target.parent.mkdir()
    target.write_text("an earlier result\n")
    beside = target.with_name("scored.jsonl.rejected.jsonl")
    beside.write_text("an earlier list\n")
    with pytest.raises(InputError) as caught:
        score_file(source, target, release=release, jobs=1)
    message = str(caught.value)
    assert why in message
    assert message.startswith(str(source))
    assert "\n" not in message
    assert MARKER not in message
    assert target.read_text() == "an earlier result\n"
    assert beside.read_text() == "an earlier list\n"
    assert len(list(target.parent.iterdir())) == 2


def test_a_missing_file_a_target_of_no_format_and_the_source_itself(
    release: Path, tmp_path: Path
) -> None:
    source = tmp_path / "calls.jsonl"
    with pytest.raises(InputError, match="no such file"):
        score_file(source, tmp_path / "new" / "a.csv", release=release, jobs=1)
    assert not (tmp_path / "new").exists()
    good = json.dumps({"call_id": "a", "received_at": AT}) + "\n"
    source.write_text(good)
    with pytest.raises(InputError, match="the ending must be"):
        score_file(source, tmp_path / "a.xlsx", release=release, jobs=1)
    (tmp_path / "link.jsonl").symlink_to(source)
    for itself in (source, tmp_path / "link.jsonl", tmp_path / "." / "calls.jsonl"):
        with pytest.raises(InputError, match="would replace the calls"):
            score_file(source, itself, release=release, jobs=1)
    with pytest.raises(InputError, match="no release at"):
        score_file(source, tmp_path / "a.csv", release=tmp_path / "none", jobs=1)
    assert source.read_text() == good
    assert {path.name for path in tmp_path.iterdir()} == {"calls.jsonl", "link.jsonl"}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("given", ["csv", "parquet"])
def test_damage_far_into_a_file_is_found_and_nothing_is_written(
    small: tuple[Dataset, Trained],
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    jobs: int,
) -> None:
    """Joblib reads ahead in a thread of its own: an error there must not be lost."""
    monkeypatch.setattr(file, "CHUNK", 10)
    calls = to_calls(small[0].calls)
    source, target = tmp_path / f"calls.{given}", tmp_path / "scored.jsonl"
    if given == "csv":
        write(calls, source)
        content = source.read_bytes()
        cut = content.rindex(b"I-00650")
        source.write_bytes(content[:cut] + b"\xff\xfe" + content[cut:])
    else:
        table = pa.Table.from_pandas(to_frame(calls), preserve_index=False)
        pq.write_table(table, source, row_group_size=50, compression="zstd")
        group = pq.ParquetFile(source).metadata.row_group(12)
        start = group.column(3).data_page_offset
        content = bytearray(source.read_bytes())
        content[start : start + 60] = b"\xaa" * 60
        source.write_bytes(content)
    with pytest.raises(InputError, match="not UTF-8" if given == "csv" else "damaged"):
        score_file(source, target, release=release, jobs=jobs)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_parquet_file_is_an_input_error_and_nothing_else(
    small: tuple[Dataset, Trained], release: Path, tmp_path: Path, damage: str
) -> None:
    whole = parquet(small[0].calls.head(30))
    source, target = tmp_path / "calls.parquet", tmp_path / "scored.jsonl"
    rng = np.random.default_rng(0)
    for _ in range(60):
        position = int(rng.integers(0, len(whole)))
        content = bytearray(whole)
        if damage == "cut":
            del content[position:]
        else:
            content[position] ^= int(rng.integers(1, 256))
        source.write_bytes(content)
        try:
            tally = score_file(source, target, release=release, jobs=1)
        except InputError as error:
            assert "\n" not in str(error)
            assert not target.exists()
        else:
            assert damage == "flip"
            assert tally.scored + tally.rejected <= 30
            target.unlink()
            target.with_name(target.name + ".rejected.jsonl").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame.astype({"call_type": "category"}),
        lambda frame: frame.assign(priority=pd.Series([None] * len(frame), dtype=object)),
        lambda frame: frame[["received_at", "call_id", "narrative"]],
        lambda frame: frame.astype({"revision": "int32"}),
        lambda frame: frame.assign(
            received_at=frame["received_at"]
            .dt.tz_convert("Asia/Tokyo")
            .astype("datetime64[ns, Asia/Tokyo]")
        ),
    ],
    ids=["categories", "nothing known", "few columns", "small integers", "another zone"],
)
def test_parquet_of_other_makers(
    small: tuple[Dataset, Trained],
    release: Path,
    tmp_path: Path,
    spoil: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    frame = spoil(small[0].calls.head(20))
    source, target = tmp_path / "calls.parquet", tmp_path / "scored.jsonl"
    source.write_bytes(parquet(frame))
    assert score_file(source, target, release=release, jobs=1) == Tally(20, 0)
    scorer = small[1].release.scorer
    if list(frame.columns) == list(small[0].calls.columns) and frame["priority"].notna().any():
        expected = [scorer.score(call).prediction for call in to_calls(small[0].calls.head(20))]
        assert [(line[TARGETS[0]], line[TARGETS[1]]) for line in read(target)] == expected


def test_a_full_disk_leaves_nothing_half_written(
    small: tuple[Dataset, Trained],
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = write(some_calls(small), tmp_path / "calls.jsonl")

    def full(self: Any, lines: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch._Writer, "write", full)
    with pytest.raises(OSError, match="No space"):
        score_file(source, tmp_path / "scored.parquet", release=release, jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["calls.jsonl"]
