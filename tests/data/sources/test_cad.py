"""Any agency's export becomes calls, outcomes and labels through its mapping alone."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import mappings
from data.call import Call
from data.dataset import Dataset
from data.errors import InputError
from data.frame import to_calls
from data.sources import cad
from data.sources.cad.convert import pseudonymiser
from data.sources.cad.mapping import MappingError, MappingFile, choose, load
from data.sources.cad.reader import CHUNK
from data.sources.cad.table import find_inputs, read_header
from tests.strategies import narratives

EXAMPLE = mappings.FOLDER / "example.yaml"

# Invented, as everything in this file.
ROW = {
    "Incident No": "26-1",
    "Date": "01/05/2026",
    "Time": "14:30:00",
    "Rev": "-",
    "Remarks": "caller says the neighbour's alarm rings",
    "Remarks 2": "",
    "Initial Type": "NOISE &amp; ALARM",
    "Pri": "3",
    "District": "North",
    "Lat": "42.35",
    "Lon": "-71.06",
    "Lang": "SPANISH",
    "Source": "E911",
    "Caller": "W",
    "Address": "12 Elm St",
    "Weapon Asked": "N",
    "Violence Asked": "",
    "Closed": "01/05/2026 15:10",
    "Final Type": "ALARM",
    "Dispo": "SETTLED",
    "Weapon Found": "N",
    "Master Incident": "M-9",
}


def rows(*changes: dict[str, str]) -> list[dict[str, str]]:
    """Give one row per change, with numbers of their own."""
    return [{**ROW, "Incident No": f"26-{i}", **change} for i, change in enumerate(changes, 1)]


def text(table: Iterable[dict[str, str]]) -> str:
    table = list(table)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


def read(path: Path, content: str | bytes, mapping: Path = EXAMPLE, **options: Any) -> Dataset:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return cad.read_calls([path], load(mapping), **options)


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Dataset]:
    """Read rows that differ from the sound one in what is given."""

    def make(*changes: dict[str, str], mapping: Path = EXAMPLE, **options: Any) -> Dataset:
        return read(tmp_path / "export.csv", text(rows(*changes)), mapping, **options)

    return make


@pytest.fixture
def variant(tmp_path: Path) -> Callable[..., Path]:
    """Write the example mapping with keys changed: `call__priority={...}`; None drops one."""

    def make(**changes: Any) -> Path:
        content = yaml.load(EXAMPLE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        for key, value in changes.items():
            *parents, last = key.split("__")
            place = content
            for parent in parents:
                place = place[parent]
            place.pop(last, None)
            if value is not None:
                place[last] = value
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return make


def reasons(dataset: Dataset) -> dict[str, int]:
    assert dataset.rejected is not None
    return dict(dataset.rejected["reason"].value_counts())


# --- a sound row --------------------------------------------------------------------------------


def test_a_row_becomes_a_call(export: Callable[..., Dataset]) -> None:
    dataset = export({})
    (call,) = to_calls(dataset.calls)
    pseudonym = call.premise_id
    assert call == Call(
        call_id="ex-26-1",
        received_at=datetime(2026, 1, 5, 19, 30, tzinfo=UTC),
        narrative="caller says the neighbour's alarm rings",
        call_type="NOISE & ALARM",
        call_source="911",
        priority="3",
        caller_role="bystander",
        language="es",
        neighborhood="North",
        latitude=42.35,
        longitude=-71.06,
        premise_id=pseudonym,
        answers={"weapon": "no"},
    )
    assert pseudonym is not None
    assert re.fullmatch("[0-9a-f]{32}", pseudonym)


def test_a_row_becomes_an_outcome_labels_and_a_group(export: Callable[..., Dataset]) -> None:
    dataset = export({})
    assert dataset.outcomes is not None and dataset.labels is not None
    outcome = dataset.outcomes.iloc[0]
    assert outcome["recorded_at"] == pd.Timestamp("2026-01-05 20:10", tz="UTC")
    assert outcome["final_call_type"] == "ALARM"
    assert outcome["disposition"] == "SETTLED"
    assert outcome["weapon_found"] is False or not outcome["weapon_found"]
    assert pd.isna(outcome["clinician_finding"])
    labels = dataset.labels.set_index("target")
    assert not labels["value"].any()
    assert labels["as_of"]["mental_health_crisis"] == outcome["recorded_at"]
    # 12 hours after the call are later than the outcome.
    assert labels["as_of"]["safety_risk"] == pd.Timestamp("2026-01-06 07:30", tz="UTC")
    assert dataset.incidents().tolist() == ["ex-M-9"]


def test_the_manifest_tells_where_it_came_from(
    export: Callable[..., Dataset], tmp_path: Path
) -> None:
    dataset = export({}, {"Date": "13/45/2026"})
    dataset.write(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((tmp_path / "export.csv").read_bytes()).hexdigest()
    assert manifest["source"] == "cad:example"
    assert manifest["mapping"] == "example"
    assert manifest["mapping_sha256"] == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()
    assert manifest["inputs"] == [{"file": "export.csv", "sha256": digest, "rows": 2}]
    assert (manifest["rows"], manifest["calls"]) == (2, 1)
    assert manifest["rejected"] == {"received_at: not a date in any declared format": 1}
    assert manifest["pseudonyms"] == "constant of the project"
    assert manifest["time_zone"] == "America/New_York"


# --- missing stays missing ----------------------------------------------------------------------


def test_what_is_empty_is_missing(export: Callable[..., Dataset]) -> None:
    optional = dict.fromkeys(set(ROW) - {"Incident No", "Date", "Time"}, " ")
    (call,) = to_calls(export(optional).calls)
    given = call.model_dump(exclude_defaults=True)
    assert set(given) == {"call_id", "received_at"}


def test_declared_markers_are_missing(export: Callable[..., Dataset]) -> None:
    (call,) = to_calls(export({"Pri": "N/A", "Lat": "0", "Lon": "0.0", "Rev": "-"}).calls)
    assert (call.priority, call.latitude, call.longitude, call.revision) == (None, None, None, 1)


@pytest.mark.parametrize(
    ("change", "crisis", "risk"),
    [
        ({"Final Type": "PSYCH EVAL"}, True, pd.NA),
        ({"Final Type": "ASSAULT"}, False, True),
        ({"Final Type": "NOISE"}, False, False),
        ({"Final Type": "NOISE", "Weapon Found": "Y"}, False, True),
        ({"Final Type": "ASSAULT", "Dispo": "CANCELLED"}, False, pd.NA),
        ({"Final Type": "TRAINING"}, pd.NA, pd.NA),
        ({"Final Type": ""}, pd.NA, pd.NA),
    ],
    ids=lambda value: value.get("Final Type") or "none" if isinstance(value, dict) else str(value),
)
def test_a_row_that_fits_no_condition_has_no_label(
    export: Callable[..., Dataset], change: dict[str, str], crisis: Any, risk: Any
) -> None:
    targets = export(change).targets()
    assert targets["mental_health_crisis"].tolist() == [crisis]
    assert targets["safety_risk"].tolist() == [risk]


def test_an_open_call_without_an_outcome_is_kept_without_one(
    export: Callable[..., Dataset], variant: Callable[..., Path]
) -> None:
    mapping = variant(outcome__recorded_at__after_received=None)
    learned = dict.fromkeys(["Closed", "Final Type", "Dispo", "Weapon Found"], "")
    dataset = export(learned, {}, mapping=mapping)
    assert dataset.outcomes is not None
    assert len(dataset.calls) == 2
    assert dataset.outcomes["call_id"].tolist() == ["ex-26-2"]


# --- times --------------------------------------------------------------------------------------


def received(dataset: Dataset) -> str:
    return str(dataset.calls["received_at"].iloc[0])


def test_formats_are_tried_in_order(export: Callable[..., Dataset]) -> None:
    assert received(export({"Time": "14:30"})) == "2026-01-05 19:30:00+00:00"


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("iso", "2026-07-01T10:00:00.000", "2026-07-01 14:00:00+00:00"),
        ("iso", "2026-07-01 10:00:00+02:00", "2026-07-01 08:00:00+00:00"),
        ("iso", "2026-07-01T10:00Z", "2026-07-01 10:00:00+00:00"),
        ("iso", "2026-07-01", "2026-07-01 04:00:00+00:00"),
        ("epoch_s", "1767225600", "2026-01-01 00:00:00+00:00"),
        ("epoch_ms", "1767225600123", "2026-01-01 00:00:00.123000+00:00"),
        ("%d.%m.%y %H:%M", "05.01.26 09:05", "2026-01-05 14:05:00+00:00"),
        ("%Y-%m-%d %H:%M %z", "2026-01-05 09:05 -0800", "2026-01-05 17:05:00+00:00"),
    ],
)
def test_every_form_of_time(
    export: Callable[..., Dataset],
    variant: Callable[..., Path],
    form: str,
    value: str,
    expected: str,
) -> None:
    mapping = variant(
        call__received_at={"column": "Date", "formats": [form]},
        outcome__recorded_at={"after_received": "1 day"},
    )
    dataset = export({"Date": value}, mapping=mapping)
    assert received(dataset) == expected
    assert dataset.outcomes is not None
    delay = dataset.outcomes["recorded_at"].iloc[0] - dataset.calls["received_at"].iloc[0]
    assert delay == pd.Timedelta(days=1)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("earlier", "2026-11-01 05:30:00+00:00"), ("later", "2026-11-01 06:30:00+00:00")],
)
def test_an_hour_that_occurs_twice(
    export: Callable[..., Dataset], variant: Callable[..., Path], policy: str, expected: str
) -> None:
    twice = {"Date": "11/01/2026", "Time": "01:30", "Closed": ""}
    assert received(export(twice, mapping=variant(call__received_at__ambiguous=policy))) == expected


def test_an_hour_that_is_skipped(
    export: Callable[..., Dataset], variant: Callable[..., Path]
) -> None:
    skipped = {"Date": "03/08/2026", "Time": "02:30", "Closed": ""}
    forward = export(skipped, mapping=variant(call__received_at__nonexistent="forward"))
    assert received(forward) == "2026-03-08 07:00:00+00:00"


def test_dubious_hours_can_be_rejected(
    export: Callable[..., Dataset], variant: Callable[..., Path]
) -> None:
    mapping = variant(call__received_at__ambiguous="reject")
    dataset = export(
        {"Date": "11/01/2026", "Time": "01:30", "Closed": ""},
        {"Date": "03/08/2026", "Time": "02:30", "Closed": ""},
        {},
        mapping=mapping,
    )
    assert reasons(dataset) == {
        "received_at: a local time that occurred twice": 1,
        "received_at: a local time that the clocks skipped": 1,
    }


# --- rejected rows ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Date": "02/30/2026"}, "received_at: not a date in any declared format"),
        ({"Date": "2026-01-05"}, "received_at: not a date in any declared format"),
        ({"Date": "", "Time": ""}, "received_at: no value"),
        ({"Date": "01/05/1926", "Closed": ""}, "received_at lies outside 1968-2099"),
        ({"Closed": "01/04/2026 10:00"}, "recorded_at: earlier than received_at"),
        ({"Closed": "yesterday"}, "recorded_at: not a date in any declared format"),
        ({"Incident No": ""}, "call_id: no value"),
        ({"Incident No": "26 17"}, "call_id: String should match pattern '^[!-~]+$'"),
        ({"Rev": "two"}, "revision: not a whole number"),
        ({"Rev": "1.5"}, "revision: not a whole number"),
        ({"Rev": "0"}, "revision: Input should be greater than or equal to 1"),
        ({"Lat": "north"}, "latitude: not a number"),
        ({"Lat": "inf"}, "latitude: not a number"),
        ({"Lat": "142"}, "latitude: Input should be less than or equal to 90"),
        ({"Lat": ""}, "latitude and longitude come together or not at all"),
        ({"Weapon Asked": "X"}, "weapon: a code that the mapping does not list"),
        ({"Weapon Found": "X"}, "weapon_found: a code that the mapping does not list"),
        ({"Initial Type": "x" * 201}, "call_type: String should have at most 200 characters"),
        ({"Remarks": "x" * 20_001}, "narrative: String should have at most 20000 characters"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_wrong_row_is_rejected_with_its_reason(
    export: Callable[..., Dataset], change: dict[str, str], reason: str
) -> None:
    dataset = export({}, change, {})
    assert dataset.rejected is not None
    assert dataset.calls["call_id"].tolist() == ["ex-26-1", "ex-26-3"]
    assert reasons(dataset) == {reason: 1}
    rejected = dataset.rejected.iloc[0]
    assert rejected["row"] == 2
    assert json.loads(rejected["record"]) == rows({}, change)[1]
    assert rejected["field"] == ("" if ":" not in reason else reason.split(":")[0])
    assert set(dataset.labels["call_id"]) == set(dataset.calls["call_id"])  # type: ignore[index]


def test_copies_and_repeated_ids_are_dropped_and_the_first_is_kept(
    export: Callable[..., Dataset],
) -> None:
    dataset = export({}, {"Incident No": "26-1"}, {"Incident No": "26-1", "Pri": "1"})
    assert reasons(dataset) == {"exact duplicate": 1, "duplicate call_id": 1}
    assert dataset.calls["priority"].tolist() == ["3"]


def test_a_row_that_was_rejected_does_not_take_the_id(export: Callable[..., Dataset]) -> None:
    dataset = export({"Incident No": "7", "Lat": "x"}, {"Incident No": "7"})
    assert dataset.calls["call_id"].tolist() == ["ex-7"]
    assert reasons(dataset) == {"latitude: not a number": 1}


def test_revisions_of_a_call_are_kept_and_the_last_tells_the_outcome(
    export: Callable[..., Dataset],
) -> None:
    dataset = export(
        {"Incident No": "7", "Rev": "2", "Final Type": "ASSAULT"},
        {"Incident No": "7", "Rev": "1", "Final Type": "NOISE"},
    )
    assert dataset.outcomes is not None
    assert dataset.calls["revision"].tolist() == [2, 1]
    assert dataset.outcomes["final_call_type"].tolist() == ["ASSAULT"]
    assert dataset.targets()["safety_risk"].tolist() == [True, True]


def test_a_row_of_another_length_is_rejected(tmp_path: Path) -> None:
    lines = text(rows({}, {})).splitlines()
    dataset = read(tmp_path / "a.csv", "\n".join([*lines, "only,three,fields", "", ""]))
    assert dataset.rejected is not None
    assert reasons(dataset) == {"another number of fields than the header": 1}
    assert json.loads(dataset.rejected["record"][0]) == {"values": ["only", "three", "fields"]}


def test_rows_are_numbered_over_chunks_and_files(
    tmp_path: Path, variant: Callable[..., Path]
) -> None:
    mapping = variant(call__call_id={"row_number": "true", "prefix": "n"})
    many = rows(*[{} for _ in range(CHUNK + 3)])
    (tmp_path / "a.csv").write_text(text(many), encoding="utf-8")
    (tmp_path / "b.csv").write_text(text(rows({"Pri": "9"}, {"Pri": "8"})), encoding="utf-8")
    files = find_inputs([tmp_path])
    dataset = cad.read_calls(files, load(mapping))
    assert dataset.calls["call_id"].iloc[[0, CHUNK, -1]].tolist() == [
        "n1",
        f"n{CHUNK + 1}",
        f"n{CHUNK + 5}",
    ]
    assert [item["rows"] for item in dataset.manifest["inputs"]] == [CHUNK + 3, 2]


def test_copies_across_files_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text(rows({}, {})), encoding="utf-8")
    (tmp_path / "b.csv").write_text(text(rows({}, {"Pri": "1"}, {})), encoding="utf-8")
    dataset = cad.read_calls(find_inputs([tmp_path]), load(EXAMPLE))
    assert len(dataset.calls) == 3
    assert reasons(dataset) == {"exact duplicate": 1, "duplicate call_id": 1}


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["plain", "bom", "crlf", "gzip", "zstd", "gzip by another name"])
def test_every_form_of_a_file(tmp_path: Path, form: str) -> None:
    content = text(rows({"Remarks": 'élan, "quoted"\nand a second line'}, {})).encode()
    name = "export.csv"
    if form == "bom":
        content = b"\xef\xbb\xbf" + content
    elif form == "crlf":
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    elif form.startswith("gzip"):
        content, name = gzip.compress(content), "export.csv.gz" if form == "gzip" else name
    elif form == "zstd":
        content, name = pa.compress(content, codec="zstd", asbytes=True), "export.csv.zst"
    dataset = read(tmp_path / name, content)
    assert reasons(dataset) == {}
    lines = dataset.calls["narrative"][0].splitlines()
    assert lines == ['élan, "quoted"', "and a second line"]


def test_a_row_that_is_not_utf8_is_rejected_and_the_others_kept(tmp_path: Path) -> None:
    whole = text(rows({}, {"Remarks": "caf\u00e9 @"}, {"Remarks": "café"})).encode()
    dataset = read(tmp_path / "a.csv", whole.replace("é @".encode(), b"\xe9 @"))
    assert dataset.rejected is not None
    assert reasons(dataset) == {"not utf-8": 1}
    assert dataset.rejected["row"].tolist() == [2]
    assert "caf\\udce9" in dataset.rejected["record"][0]
    assert "café" in dataset.calls["narrative"].tolist()


def test_a_declared_encoding_is_used(tmp_path: Path, variant: Callable[..., Path]) -> None:
    content = text(rows({"Remarks": "café – “quoted”"})).encode("cp1252")
    dataset = read(tmp_path / "a.csv", content, variant(encoding="cp1252"))
    assert dataset.calls["narrative"].tolist() == ["café – “quoted”"]


def test_a_file_that_is_mostly_of_another_encoding_is_refused(tmp_path: Path) -> None:
    content = text(rows(*[{"Remarks": "café"}] * 3, {})).encode("cp1252")
    with pytest.raises(InputError, match=r"not utf-8 \(3 of 4 rows\).*encoding: cp1252"):
        read(tmp_path / "a.csv", content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\x00\x01\x02\xff\xfe" * 500, "not a CSV file of text"),
        (b"PK\x03\x04\x14\x00\x06\x00" + b"\x00" * 100, "not a CSV file of text"),
        ("a,b\n1,2\n".encode("utf-16"), "not a CSV file of text"),
        (b"a,b\n1,2\n", "lacks the column"),
        (b'{"a": 1}', "lacks the column"),
        (gzip.compress(text([ROW] * 50).encode())[:-30], "damaged"),
        (b"\x1f\x8b" + b"\x00" * 40, "damaged"),
        (b"\x28\xb5\x2f\xfd" + b"\x07" * 40, "can't be read"),
        (text([ROW]).splitlines()[0].encode(), "a header and no data row"),
        (text([ROW]).encode() + b'"never closed,1,2', "quotation mark"),
        (text(rows({"Date": "x"}, {"Date": "x"})).encode(), r"none of the 2 rows.*\(2\)"),
    ],
    ids=[
        "empty",
        "blank",
        "garbage",
        "workbook",
        "utf-16",
        "other columns",
        "json",
        "cut gzip",
        "false gzip",
        "false zstd",
        "header only",
        "open quote",
        "nothing kept",
    ],
)
def test_a_file_that_can_not_be_used_says_why_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "a.csv", content)
    assert "\n" not in str(caught.value)
    assert ROW["Remarks"] not in str(caught.value)


def test_a_column_given_twice_is_refused(tmp_path: Path) -> None:
    content = text(rows({})).replace("Remarks 2", "Remarks", 1)
    with pytest.raises(MappingError, match="Remarks 2"):
        read(tmp_path / "a.csv", content)
    with pytest.raises(MappingError, match="Pri twice"):
        read(tmp_path / "a.csv", text([{**ROW, "X": ""}]).replace("Incident,X", "Incident,Pri", 1))


@settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=300))
def test_no_bytes_lead_to_another_error(tmp_path: Path, content: bytes) -> None:
    header = text([ROW]).splitlines()[0].encode()
    for whole in (content, header + b"\n" + content):
        with pytest.raises(InputError):
            read(tmp_path / "a.csv", whole)


@settings(
    deadline=None,
    max_examples=30,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.dictionaries(st.sampled_from(sorted(ROW)), narratives), max_size=3))
def test_whatever_the_fields_hold_every_row_is_kept_or_rejected(
    tmp_path: Path, changes: list[dict[str, str]]
) -> None:
    table = [ROW, *({**ROW, **change} for change in changes)]
    dataset = read(tmp_path / "a.csv", text(table))
    assert dataset.rejected is not None
    assert len(dataset.calls) + len(dataset.rejected) == len(table)
    assert len(to_calls(dataset.calls)) == len(dataset.calls)


def test_inputs_are_found_once_each_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv.gz", "c.CSV.ZST", "notes.txt"):
        (tmp_path / name).write_text("x")
    found = find_inputs([tmp_path / "b.csv", tmp_path])
    assert [path.name for path in found] == ["b.csv", "a.csv.gz", "c.CSV.ZST"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="without a file"):
        find_inputs([tmp_path / "empty"])
    with pytest.raises(InputError, match="does not exist"):
        find_inputs([tmp_path / "none.csv"])


# --- pseudonyms ---------------------------------------------------------------------------------


def test_a_pseudonym_hides_the_address_and_depends_on_the_key(
    export: Callable[..., Dataset],
) -> None:
    changes: list[dict[str, str]] = [{}, {"Address": "12  ELM st "}, {"Address": "14 Elm St"}]
    one = export(*changes, key=b"a secret of sixteen or more")
    two = export(*changes, key=b"another secret of sixteen or more")
    first = one.calls["premise_id"].tolist()
    assert first[0] == first[1] != first[2]
    assert not set(first) & set(two.calls["premise_id"])
    assert not set(first) & set(export(*changes).calls["premise_id"])
    assert one.manifest["pseudonyms"] == "key of the agency"
    assert "elm" not in one.calls.to_csv().lower()


def test_a_short_key_is_refused_and_a_long_one_taken() -> None:
    with pytest.raises(InputError, match="16 bytes"):
        pseudonymiser(b"short")
    assert pseudonymiser(b"k" * 200)("a") != pseudonymiser(b"k" * 201)("a")


# --- mappings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", mappings.paths(), ids=lambda path: path.stem)
def test_every_mapping_that_ships_is_sound(path: Path) -> None:
    rules = load(path).rules
    assert rules.source_page.startswith("https://")
    assert rules.licence
    assert not rules.before_dispatch & rules.after_dispatch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agency": "A B"}, "agency: "),
        ({"time_zone": "Boston"}, "time_zone: not a time zone"),
        ({"encoding": "latin-99"}, "encoding: not an encoding"),
        ({"call__call_id": None}, "call.call_id: Field required"),
        ({"call__disposition": {"column": "Dispo"}}, "disposition is known only after dispatch"),
        ({"call__final_call_type": {"column": "X"}}, "final_call_type is known only after"),
        ({"call__weather": {"column": "X"}}, "call.weather: Extra inputs"),
        ({"call__priority": {"column": "Cleared By"}}, "the column Cleared By is known only after"),
        ({"call__call_type": {"column": "FinalCode"}}, "FinalCode is known only after dispatch"),
        (
            {"known_at": {"Pri": "after_dispatch"}},
            "the column Pri is known only after dispatch, as known_at states",
        ),
        ({"known_at": {"Pri": "later"}}, "known_at.Pri: "),
        ({"known_at": {"Weather": "received"}}, "known_at speaks of Weather"),
        ({"outcome": None, "labels": [], "standard_labels": "true"}, "standard_labels need"),
        ({"call__priority": {"colum": "Pri"}}, "call.priority.colum: Extra inputs"),
        ({"call__priority": {"columns": ["A"], "column": "B"}}, "call.priority: give exactly one"),
        ({"call__priority": {"column": "Pri", "default": "1"}}, "call.priority: default and"),
        ({"call__narrative__cut": "100"}, "narrative can't be cut"),
        ({"call__received_at__formats": []}, "call.received_at.formats: "),
        ({"call__received_at__ambiguous": "maybe"}, "call.received_at.ambiguous: "),
        ({"call__call_source__codes": {"A": "satellite"}}, "call_source: 'satellite' is not"),
        ({"call__answers__weapon__codes": {"Y": "true"}}, "call.answers.weapon: 'true' is not"),
        ({"call__answers__armed": {"column": "X"}}, "call.answers.armed"),
        ({"outcome__recorded_at": {"after_received": "soon"}}, "after_received: a duration"),
        ({"outcome__weapon_found__codes": {"Y": "yes"}}, "weapon_found: 'yes' is not"),
        ({"narrative_cut": {}, "call__narrative": None}, "there is no call.narrative to cut"),
        ({"narrative_cut": {"words": "some"}}, "narrative_cut.words: "),
        (
            {"narrative_cut": {"extra": [{"name": "x", "starts": "a*"}]}},
            "narrative_cut.extra.0.starts: a pattern of a cut",
        ),
        (
            {
                "labels": [
                    {
                        "target": "safety_risk",
                        "source": "free_text_rule",
                        "confidence": "1",
                        "positive": {"$cut": {"pattern": "arrest"}},
                    }
                ]
            },
            "there is no narrative_cut",
        ),
        ({"outcome": None}, "labels need outcome.recorded_at"),
        ({"call__priority": {"column": "Final Type"}}, "the column Final Type feeds both"),
        (
            {"labels": [{"target": "arson", "source": "x", "confidence": "2", "positive": {}}]},
            "labels.0.target: .*labels.0.source: .*labels.0.confidence: ",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_wrong_mapping_names_the_key(
    variant: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MappingError, match=message) as caught:
        load(variant(**changes))
    assert "own.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mapping_may_state_that_a_column_is_known_before_dispatch(
    variant: Callable[..., Path], export: Callable[..., Dataset]
) -> None:
    mapping = variant(call__priority={"column": "Final Pri"}, known_at={"Final Pri": "interview"})
    assert export({"Final Pri": "2"}, mapping=mapping).calls["priority"].tolist() == ["2"]


def test_standard_labels_come_from_the_outcome_where_a_mapping_asks_for_them(
    variant: Callable[..., Path], export: Callable[..., Dataset]
) -> None:
    finding = {"column": "Finding", "codes": {"C": "crisis", "N": "no_crisis"}}
    mapping = variant(standard_labels="true", outcome__clinician_finding=finding, labels=[])
    dataset = export(
        {"Finding": "C", "Weapon Found": "Y"},
        {"Finding": "", "Weapon Found": "N"},
        {"Finding": "N", "Weapon Found": ""},
        mapping=mapping,
    )
    targets = dataset.targets()
    assert targets["mental_health_crisis"].tolist() == [True, pd.NA, False]
    assert targets["safety_risk"].tolist() == [True, pd.NA, pd.NA]
    assert dataset.labels is not None
    assert set(dataset.labels["source"]) == {"clinician_finding", "force_or_weapon_flag"}


def test_narratives_are_cut_at_dispatch_where_a_mapping_asks_for_it(
    variant: Callable[..., Path], export: Callable[..., Dataset]
) -> None:
    remarks = "brother has a knife\n2A12 ON SCENE\nmale arrested"
    label = {
        "target": "safety_risk",
        "source": "free_text_rule",
        "confidence": "0.6",
        "positive": {"$cut": {"pattern": "arrested"}},
    }
    mapping = variant(narrative_cut={}, labels=[label])
    dataset = export({"Remarks": remarks}, {"Remarks": "quiet"}, {"Remarks": ""}, mapping=mapping)
    assert dataset.calls["narrative"].tolist() == ["brother has a knife", "quiet", ""]
    assert dataset.targets()["safety_risk"].tolist() == [True, pd.NA, pd.NA]
    told = dataset.manifest["narrative_cut"]
    assert (told["narratives"], told["narratives_cut"]) == (2, 1)
    assert told["by_rule"] == {"unit status": 1}
    assert "knife" not in json.dumps(dataset.manifest)
    assert "narrative_cut" not in export({"Remarks": remarks}).manifest


def test_stamped_remarks_are_cut_by_the_time_of_dispatch(
    variant: Callable[..., Path], export: Callable[..., Dataset]
) -> None:
    rule = {"column": "Sent", "formats": ["%m/%d/%Y %H:%M"]}
    mapping = variant(narrative_cut={"dispatched_at": rule})
    remarks = "14:31 has a knife\n14:33 in kitchen\n14:40 asleep now"
    dataset = export(
        {"Remarks": remarks, "Sent": "01/05/2026 14:33"},
        {"Remarks": remarks, "Sent": ""},
        {"Remarks": remarks, "Sent": "soon"},
        mapping=mapping,
    )
    assert dataset.calls["narrative"].tolist() == [remarks[:-17].rstrip(), remarks]
    assert reasons(dataset) == {"dispatched_at: not a date in any declared format": 1}


def test_of_two_rules_of_one_source_the_more_confident_wins(
    variant: Callable[..., Path], export: Callable[..., Dataset]
) -> None:
    rules = [
        {"target": "safety_risk", "source": "disposition", "confidence": sure, **says}
        for sure, says in (
            ("0.9", {"positive": {"Weapon Found": ["Y"]}}),
            ("0.5", {"positive": {"Dispo": ["X"]}, "negative": {"Dispo": ["SETTLED"]}}),
        )
    ]
    dataset = export({"Weapon Found": "Y"}, {}, mapping=variant(labels=rules))
    assert dataset.targets()["safety_risk"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a mapping"),
        (b"- a\n- b\n", "not a mapping"),
        (b"a: [1, 2", r"not a mapping \(line"),
        (b"a: 1\nb: 2\na: 3\n", "'a' is given twice"),
        (b"a: \xff", "not UTF-8"),
        (b"a: !!python/object/apply:os.system ['x']", "mapping"),
        (b"x" * 1_000_001, "too large"),
    ],
)
def test_a_file_that_is_no_mapping_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(content)
    with pytest.raises(MappingError, match=message):
        load(path)
    with pytest.raises(MappingError, match="can't be read"):
        load(tmp_path)


def test_codes_that_yaml_would_take_for_something_else_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        EXAMPLE.read_text(encoding="utf-8").replace(
            "codes: {Y: yes, N: no, U: unknown}", "codes: {yes: yes, 0: no, 2026-01-01: unknown}"
        ),
        encoding="utf-8",
    )
    codes = load(path).rules.call.answers["weapon"].codes
    assert codes == {"yes": "yes", "0": "no", "2026-01-01": "unknown"}


def test_a_default_speaks_for_unlisted_codes_but_not_for_missing_ones(
    export: Callable[..., Dataset],
) -> None:
    dataset = export({"Source": "PIGEON"}, {"Source": ""})
    assert dataset.calls["call_source"].fillna("missing").tolist() == ["other", "missing"]


def test_unlisted_codes_may_be_kept_and_values_cut(
    export: Callable[..., Dataset], variant: Callable[..., Path]
) -> None:
    rule = {"column": "Initial Type", "codes": {"A": "ALARM"}, "unlisted": "keep", "cut": "5"}
    dataset = export(
        {"Initial Type": "A"}, {"Initial Type": "BURGLARY"}, mapping=variant(call__call_type=rule)
    )
    assert dataset.calls["call_type"].tolist() == ["ALARM", "BURGL"]


def test_a_flag_that_is_neither_true_nor_false_rejects_the_row(
    export: Callable[..., Dataset], variant: Callable[..., Path]
) -> None:
    mapping = variant(outcome__weapon_found={"column": "Weapon Found"})
    dataset = export({"Weapon Found": "true"}, {"Weapon Found": "Y"}, mapping=mapping)
    assert reasons(dataset) == {"weapon_found: neither true nor false": 1}


# --- Seattle is two mappings of the reader ------------------------------------------------------

SEATTLE_2015 = [
    "Event.Clearance.Code,Event.Clearance.Description,Event.Clearance.SubGroup,"
    "Event.Clearance.Group,Hundred.Block.Location,Longitude,Latitude,Initial.Type.Description,"
    "Initial.Type.Subgroup,Initial.Type.Group,At.Scene.Time",
    "220,CRISIS COMPLAINT - GENERAL,CRISIS CALL,BEHAVIORAL HEALTH,0XX BLOCK OF INVENTED ST,-122.3,"
    "47.6,PERSON IN CRISIS,BEHAVIORAL HEALTH,CRISIS CALL,7/4/15 9:05",
    '43,"ASSAULTS, FIREARM INVOLVED",GUN CALLS,ASSAULTS,0XX BLOCK OF INVENTED ST,-122.3,47.6,'
    "FIGHT,DISTURBANCES,DISTURBANCES,12/31/15 23:59",
    "201,ALACAD - RESIDENTIAL BURGLARY (FALSE),BURGLARY ALACAD (FALSE),FALSE ALACAD,"
    "0XX BLOCK OF INVENTED ST,-122.3,47.6,RESIDENTIAL ALARM,ALACAD,SUSPICIOUS CIRCUMSTANCES,"
    "1/2/15 0:30",
    "242,FIGHT DISTURBANCE,DISTURBANCES,DISTURBANCES,0XX BLOCK OF INVENTED ST,-122.3,47.6,FIGHT,"
    "DISTURBANCES,DISTURBANCES,1/3/15 0:30",
    "999,NEW CODE,NEW,NEVER SEEN,0XX BLOCK OF INVENTED ST,-122.3,47.6,FIGHT,DISTURBANCES,"
    "DISTURBANCES,1/4/15 0:30",
]

SEATTLE_CALLS = [
    '"CAD.Event.Number","Event.Clearance.Description","Call.Type","Priority","Initial.Call.Type",'
    '"Final.Call.Type","Incident.Date","Blurred_Longitude","Blurred_Latitude","broad_category"',
    '1,"ASSISTANCE RENDERED","911",3,"DISTURBANCE","CRISIS COMPLAINT - GENERAL",2024-04-22,'
    '-122.2,47.6,"x"',
    '2,"PHYSICAL ARREST MADE","ONVIEW",1,"DISTURBANCE","WEAPON, PERSON WITH - GUN",2024-04-22,'
    '-122.2,47.6,"x"',
    '3,"UNABLE TO LOCATE INCIDENT OR COMPLAINANT","TELEPHONE OTHER, NOT 911",1,"DISTURBANCE",'
    '"DISTURBANCE - OTHER",2024-04-22,-122.2,47.6,"x"',
    '4,"ASSISTANCE RENDERED","SOMETHING NEW",1,"DISTURBANCE","DISTURBANCE - OTHER",2024-04-22,'
    '-122.2,47.6,"x"',
]


def seattle(tmp_path: Path, lines: list[str]) -> tuple[MappingFile, Dataset]:
    path = tmp_path / "seattle.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    mapping = choose("seattle", read_header(path), path)
    return mapping, cad.read_calls([path], mapping)


def test_seattle_2015(tmp_path: Path) -> None:
    mapping, dataset = seattle(tmp_path, SEATTLE_2015)
    assert mapping.name == "seattle_2015"
    assert dataset.outcomes is not None
    calls = dataset.calls
    assert calls["call_id"].tolist() == [f"sea2015-{i}" for i in range(1, 6)]
    assert calls["call_type"][0] == "CRISIS CALL / BEHAVIORAL HEALTH / PERSON IN CRISIS"
    assert calls["call_type"][2] == "SUSPICIOUS CIRCUMSTANCES / ALARMS / RESIDENTIAL ALARM"
    assert str(calls["received_at"][0]) == "2015-07-04 16:05:00+00:00"
    assert calls["premise_id"].nunique() == 1
    assert (dataset.outcomes["recorded_at"] - calls["received_at"]).eq(pd.Timedelta("1D")).all()
    targets = dataset.targets()
    assert targets["mental_health_crisis"].tolist() == [True, False, False, False, pd.NA]
    assert targets["safety_risk"].tolist() == [pd.NA, True, False, pd.NA, pd.NA]


def test_seattle_of_later_years(tmp_path: Path) -> None:
    mapping, dataset = seattle(tmp_path, SEATTLE_CALLS)
    assert mapping.name == "seattle_calls"
    assert dataset.calls["call_source"].tolist() == ["911", "field", "non_emergency", "other"]
    targets = dataset.targets()
    assert targets["mental_health_crisis"].tolist() == [True, False, pd.NA, False]
    assert targets["safety_risk"].tolist() == [pd.NA, True, pd.NA, False]


def test_a_file_that_fits_no_mapping_of_the_agency_learns_what_the_nearest_lacks() -> None:
    header = SEATTLE_2015[0].split(",")
    with pytest.raises(MappingError, match="seattle_2015: it lacks the column At.Scene.Time$"):
        choose("seattle", header[:-1], Path("a.csv"))
    with pytest.raises(MappingError, match="there are example, seattle"):
        choose("gotham", header, Path("a.csv"))
    assert choose("seattle_2015", header, Path("a.csv")).name == "seattle_2015"
