"""`crisiscall data`: what it writes, what it refuses, and that a refusal writes nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data import mappings
from data.call import Call
from data.dataset import Dataset
from data.frame import to_frame
from data.sources import synthetic
from model_service.service.routes.examples import EIDOS
from training.cli import main

EXAMPLE = str(mappings.FOLDER / "example.yaml")
HEADER = (
    "Incident No,Date,Time,Rev,Remarks,Remarks 2,Initial Type,Pri,District,Lat,Lon,Lang,Source,"
    "Caller,Address,Weapon Asked,Violence Asked,Closed,Final Type,Dispo,Weapon Found,"
    "Master Incident"
)
ROWS = [
    f"26-{i},01/{i:02}/2026,14:30,-,invented remark {i},,NOISE,3,North,42.3,-71.0,ENGLISH,E911,W,"
    f"{i} Elm St,N,,01/{i:02}/2026 15:10,{['NOISE', 'ASSAULT', 'PSYCH'][i % 3]},SETTLED,N,"
    for i in range(1, 29)
]
SOUND = "\n".join([HEADER, *ROWS]) + "\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `crisiscall data …` in an empty folder; give the exit code and both streams."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRISISCALL_PSEUDONYM_KEY", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["data", *arguments])
        code = caught.value.code
        assert isinstance(code, int)
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


def files() -> dict[str, bytes]:
    """Give every file below the working folder with its content."""
    return {str(p): p.read_bytes() for p in sorted(Path().rglob("*")) if p.is_file()}


# --- import -------------------------------------------------------------------------------------


def test_an_import_writes_a_folder_and_says_what_it_kept(run: Run) -> None:
    bad = ROWS[3].replace("42.3", "x")
    Path("export.csv").write_text(f"{SOUND}{ROWS[0]}\n{bad}\n", encoding="utf-8")
    code, out, err = run("import", "--mapping", EXAMPLE, "--input", "export.csv", "--out", "calls")
    assert code == 0
    assert "calls: 28 calls, 2026-01-01 to 2026-01-28" in out
    assert "rejected 1: exact duplicate" in out
    assert "rejected 1: latitude: not a number" in out
    assert "public data only" in err
    assert "remark" not in out + err
    assert "Elm" not in out + err
    assert len(Dataset.read(Path("calls")).calls) == 28


def test_eido_files_are_imported_without_a_mapping(run: Run) -> None:
    Path("in").mkdir()
    document = json.dumps(EIDOS["notes so far"])
    Path("in/a.json").write_text(document, encoding="utf-8")
    Path("in/b.json").write_text('{"$id": "a secret"}', encoding="utf-8")
    code, out, err = run("import", "--source", "eido", "--input", "in")
    assert (code, err) == (0, "")
    assert "eido: 1 calls, 2021-10-06 to 2021-10-06" in out
    assert "rejected 1: lastUpdateTimeStamp: missing" in out
    assert "slept" not in out
    assert "secret" not in out
    (kept,) = Dataset.read(Path("var/data/eido")).calls.to_dict("records")
    assert kept["call_type"] == "EMOTIONALLY DISTURBED PERSON"
    assert run("import", "--source", "eido", "--input", "gone")[0] == 2


def test_several_inputs_and_the_default_folder(run: Run) -> None:
    Path("in").mkdir()
    Path("in/a.csv").write_text("\n".join([HEADER, *ROWS[:9]]), encoding="utf-8")
    Path("in/b.csv.gz").write_bytes(gzip.compress("\n".join([HEADER, *ROWS[5:20]]).encode()))
    Path("c.csv").write_text("\n".join([HEADER, *ROWS[18:]]), encoding="utf-8")
    code, out, _ = run("import", "--source", "example", "--input", "in", "--input", "c.csv")
    assert code == 0
    assert "rejected 6: exact duplicate" in out
    assert len(Dataset.read(Path("var/data/example")).calls) == 28


@pytest.mark.parametrize("how", ["file", "variable"])
def test_a_key_makes_other_pseudonyms_and_no_warning(
    run: Run, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    Path("export.csv").write_text(SOUND, encoding="utf-8")
    arguments = ["import", "--source", "example", "--input", "export.csv", "--out"]
    run(*arguments, "public")
    secret = "a secret of the agency"
    if how == "file":
        Path("key").write_text(secret + "\n", encoding="utf-8")
        code, _, err = run(*arguments, "keyed", "--key-file", "key")
    else:
        monkeypatch.setenv("CRISISCALL_PSEUDONYM_KEY", secret)
        code, _, err = run(*arguments, "keyed")
    assert (code, err) == (0, "")
    public, keyed = (Dataset.read(Path(name)) for name in ("public", "keyed"))
    assert not set(public.calls["premise_id"]) & set(keyed.calls["premise_id"])
    assert secret not in json.dumps(keyed.manifest)


def garbage() -> bytes:
    return bytes(range(256)) * 40


BAD_FILES: dict[str, bytes] = {
    "missing columns": b"a,b\n1,2\n",
    "another encoding": SOUND.replace("remark", "caf\u00e9").encode("cp1252"),
    "impossible dates": SOUND.replace("01/", "13/").encode(),
    "empty": b"",
    "header only": HEADER.encode(),
    "garbage": garbage(),
    "damaged gzip": gzip.compress(SOUND.encode())[:-40],
    "open quote": (SOUND + '"never closed').encode(),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=list(BAD_FILES))
@pytest.mark.parametrize("how", ["--mapping", "--source"])
@pytest.mark.parametrize("earlier", [False, True], ids=["new folder", "earlier folder"])
def test_a_bad_file_is_one_line_and_nothing_is_written(
    run: Run, content: bytes, how: str, earlier: bool
) -> None:
    if earlier:
        Path("good.csv").write_text(SOUND, encoding="utf-8")
        run("import", "--source", "example", "--input", "good.csv", "--out", "calls")
    Path("bad.csv").write_bytes(content)
    before = files()
    mapping = EXAMPLE if how == "--mapping" else "example"
    code, out, err = run("import", how, mapping, "--input", "bad.csv", "--out", "calls")
    *warnings, line = err.splitlines()
    assert (code, out) == (2, "")
    assert line.startswith("crisiscall: bad.csv")
    assert all("warning" in warning for warning in warnings)
    assert "remark" not in err
    assert "Elm" not in err
    assert files() == before


def test_ids_that_repeat_keep_the_first(run: Run) -> None:
    again = "\n".join(row.replace(",3,North", ",1,North") for row in ROWS)
    Path("a.csv").write_text(SOUND + again, encoding="utf-8")
    code, out, _ = run("import", "--source", "example", "--input", "a.csv", "--out", "calls")
    assert code == 0
    assert "rejected 28: duplicate call_id" in out
    assert set(Dataset.read(Path("calls")).calls["priority"]) == {"3"}


def test_rows_of_a_wrong_encoding_are_left_out(run: Run) -> None:
    lines = SOUND.replace("remark 7", "caf\u00e9").encode("cp1252")
    Path("a.csv").write_bytes(lines)
    code, out, _ = run("import", "--source", "example", "--input", "a.csv", "--out", "calls")
    assert code == 0
    assert "27 calls" in out
    assert "rejected 1: not utf-8" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "example", "--input", "none.csv"], "none.csv does not exist"),
        (["--source", "example", "--input", "empty"], "empty is a folder without a file"),
        (["--source", "gotham", "--input", "a.csv"], "there are example, seattle"),
        (["--source", "seattle", "--input", "a.csv"], "lacks the column"),
        (["--mapping", "none.yaml", "--input", "a.csv"], "none.yaml can't be read"),
        (["--mapping", "a.csv", "--input", "a.csv"], "a.csv is not a mapping"),
        (["--input", "a.csv"], "either --source AGENCY or --mapping"),
        (["--source", "example", "--mapping", EXAMPLE, "--input", "a.csv"], "either --source"),
        (["--source", "example", "--input", "a.csv", "--key-file", "none"], "key file none"),
        (["--source", "example", "--input", "a.csv", "--key-file", "short"], "16 bytes"),
        (["--source", "example", "--input", "a.csv", "--out", "a.csv"], "a.csv is a file"),
        (["--source", "example", "--input", "a.csv", "--out", "full"], "full holds other files"),
        (["--source", "example", "--input", "a.csv", "--out", "a.csv/calls"], "can't be written"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, str) else None,
)
def test_what_can_not_be_done_is_one_line(run: Run, arguments: list[str], message: str) -> None:
    Path("a.csv").write_text(SOUND, encoding="utf-8")
    Path("short").write_text("short", encoding="utf-8")
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/thesis.txt").write_text("years of work", encoding="utf-8")
    before = files()
    out_given = [] if "--out" in arguments else ["--out", "calls"]
    code, out, err = run("import", *arguments, *out_given)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("crisiscall: ")
    assert files() == before


# --- synthesize ---------------------------------------------------------------------------------


def test_synthesize_hands_its_options_on_and_writes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def make(n_calls: int, **options: Any) -> Dataset:
        asked.update(options, n_calls=n_calls)
        start = pd.Timestamp(options["start"], tz="UTC").to_pydatetime()
        calls = [Call(call_id=f"s{i}", received_at=start) for i in range(n_calls)]
        return Dataset(to_frame(calls), manifest={"source": "synthetic"})

    monkeypatch.setattr(synthetic, "synthesize", make)
    code, out, _ = run(
        *("synthesize", "--calls", "7", "--seed", "3", "--days", "30", "--start", "2024-02-29"),
        *("--label-noise", "0.1", "--missing-labels", "0.3", "--crisis-share", "0.25"),
    )
    assert code == 0
    assert "7 calls, 2024-02-29 to 2024-02-29" in out
    assert len(Dataset.read(Path("var/data/synthetic")).calls) == 7
    del asked["progress"]
    assert asked == {
        "n_calls": 7,
        "seed": 3,
        "start": date(2024, 2, 29),
        "days": 30,
        "label_noise": 0.1,
        "missing_labels": 0.3,
        "crisis_share": 0.25,
    }


@pytest.mark.parametrize(
    "arguments",
    [["--calls", "0"], ["--crisis-share", "1"], ["--start", "29.2.2024"], ["--label-noise", "x"]],
    ids="-".join,
)
def test_synthesize_refuses_senseless_options(run: Run, arguments: list[str]) -> None:
    code, out, err = run("synthesize", *arguments)
    assert (code, out) == (2, "")
    assert arguments[0] in err
    assert files() == {}


# --- check --------------------------------------------------------------------------------------


def test_check_reports_and_passes_sound_calls(run: Run) -> None:
    Path("a.csv").write_text(SOUND, encoding="utf-8")
    run("import", "--source", "example", "--input", "a.csv", "--out", "calls")
    code, out, err = run("check", "calls")
    assert (code, err) == (0, "")
    assert "28 calls, 2026-01-01 to 2026-01-28, from cad:example" in out
    assert "mental_health_crisis        9        19         0            32.1%" in out
    assert "nothing that would spoil training" in out
    assert "remark" not in out


def test_check_fails_what_would_spoil_training(run: Run) -> None:
    told = SOUND.replace("invented remark", "patient transported to hospital")
    Path("a.csv").write_text(told, encoding="utf-8")
    run("import", "--source", "example", "--input", "a.csv", "--out", "calls")
    code, out, _ = run("check", "calls")
    assert code == 1
    assert "error" in out
    assert "[narrative_tells_outcome]" in out
    assert "patient" not in out


@pytest.mark.parametrize("state", ["none", "other", "changed"])
def test_check_refuses_what_is_no_folder_of_calls(run: Run, state: str) -> None:
    if state == "changed":
        Path("a.csv").write_text(SOUND, encoding="utf-8")
        run("import", "--source", "example", "--input", "a.csv", "--out", "calls")
        Path("calls/calls.parquet").write_bytes(b"x")
    elif state == "other":
        Path("calls").mkdir()
    code, out, err = run("check", "calls")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("crisiscall: calls")


@pytest.mark.parametrize("verb", ["synthesize", "import", "check", "label"])
def test_help_has_an_example(run: Run, verb: str) -> None:
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"Example: crisiscall data {verb}" in out
