"""`crisiscall log`: verify against checkpoints, proofs, the key and the dump."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from data.errors import InputError
from model_service import log_verifier
from model_service.service.log import verify
from model_service.service.log.checkpoint import name_of
from model_service.service.log.place import Place
from tests.faults.attacks import PUBLIC, Rows, fill_log
from tests.stores import environment, execute
from training.cli import cli

pytestmark = pytest.mark.both_stores

ENTRIES = 30


@dataclass
class Home:
    """A home with a log, its checkpoints, and the public key that signed them."""

    path: Path
    place: Place

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def cut(self, size: int) -> None:
        """Cut off the entries after so many."""
        tables = ("private WHERE seq", "erased WHERE by", "entries WHERE seq")
        execute(self.place, *(f"DELETE FROM {table} > {size}" for table in tables))


@pytest.fixture
def home(tmp_path: Path, place: Place) -> Home:
    fill_log(place, tmp_path, entries=ENTRIES, every=10)
    (tmp_path / "keys").mkdir(exist_ok=True)
    (tmp_path / "keys" / "checkpoint.pub").write_text(f"{PUBLIC}\n")
    return Home(tmp_path, place)


def run(home: Home, *arguments: str | Path) -> Result:
    given = environment(home.path, home.place)
    return CliRunner(env=given).invoke(cli, ["log", *map(str, arguments)])


def test_a_log_is_verified_against_the_services_own_checkpoints(home: Home) -> None:
    done = run(home, "verify")
    assert done.exit_code == 0
    assert "30 entries, whole" in done.stdout
    assert "3 checkpoints vouch for the first 30" in done.stdout
    home.cut(20)
    done = run(home, "verify")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"{home.place}: entry 21: missing\n"


def test_checkpoints_and_keys_are_taken_from_where_one_says(home: Home, tmp_path: Path) -> None:
    one = home / "checkpoints" / name_of(20)
    assert (
        "1 checkpoints vouch for the first 20" in run(home, "verify", "--checkpoints", one).stdout
    )
    home.cut(20)
    assert run(home, "verify", "--checkpoints", one, "--key", PUBLIC).exit_code == 0
    done = run(home, "verify", "--key", "00" * 32)
    assert done.exit_code == 1
    assert done.stderr.count("is signed by a key that is not trusted\n") == 3
    (home / "keys" / "checkpoint.pub").unlink()
    done = run(home, "verify")
    assert isinstance(done.exception, InputError) and "give --key" in str(done.exception)


def test_a_log_without_checkpoints_is_verified_alone(home: Home) -> None:
    for file in (home / "checkpoints").iterdir():
        file.unlink()
    (home / "checkpoints").rmdir()
    assert "0 checkpoints vouch for the first 0" in run(home, "verify").stdout


def test_the_key_is_made_once_and_printed(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "log.db")
    first = run(home, "key")
    assert first.exit_code == 0
    assert first.stdout == run(home, "key").stdout
    assert first.stdout == (tmp_path / "keys" / "checkpoint.pub").read_text()
    assert (tmp_path / "keys" / "checkpoint.key").stat().st_mode & 0o777 == 0o600


def test_proofs_are_made_and_checked_without_the_log(home: Home, tmp_path: Path) -> None:
    inclusion, growth = tmp_path / "entry.json", tmp_path / "growth.json"
    inclusion.write_text(run(home, "proof", "7", "--size", "20").stdout)
    growth.write_text(run(home, "consistency", "10", "30").stdout)
    latest = orjson.loads(run(home, "proof", "7").stdout)
    assert (latest["seq"], latest["size"]) == (7, ENTRIES)
    against = ("--checkpoints", home / "checkpoints", "--key", PUBLIC)
    home = Home(tmp_path, tmp_path / "nowhere.db")
    done = run(home, "check", inclusion, *against)
    assert done.exit_code == 0 and "is in the log of 20 entries" in done.stdout
    done = run(home, "check", growth, *against)
    assert done.exit_code == 0 and "begins with the 10 that it had before" in done.stdout
    inclusion.write_text(inclusion.read_text().replace("desk", "dusk"))
    done = run(home, "check", inclusion, *against)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "is not proved to be in the log" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("proof", "31"), "entry 31 is not among the first 30"),
        (("proof", "25", "--size", "20"), "entry 25 is not among the first 20"),
        (("proof", "7", "--size", "31"), "that can't be proved"),
        (("consistency", "20", "10"), "that can't be proved"),
        (("consistency", "20", "31"), "that can't be proved"),
    ],
)
def test_what_is_not_there_is_not_proved(home: Home, arguments: tuple[str, ...], says: str) -> None:
    done = run(home, *arguments)
    assert isinstance(done.exception, InputError)
    assert says in str(done.exception)


def test_without_a_checkpoint_the_size_has_to_be_said(home: Home) -> None:
    for file in (home / "checkpoints").iterdir():
        file.unlink()
    done = run(home, "proof", "7")
    assert isinstance(done.exception, InputError) and "--size" in str(done.exception)


def test_the_dump_is_what_the_second_verifier_reads(home: Home) -> None:
    out = home / "chain.jsonl"
    done = run(home, "dump", "--out", out)
    assert (done.exit_code, done.stdout) == (0, f"{out}: 30 entries\n")
    assert out.stat().st_mode & 0o777 == 0o600
    assert b"words of" not in out.read_bytes()
    found = verify(home.place)
    assert log_verifier.verify(out, []) == (*found.head, 0)
    if isinstance(home.place, Path):
        assert log_verifier.verify(home.place, []) == (*found.head, 0)
    against = ["--checkpoints", str(home / "checkpoints"), "--key", PUBLIC]
    assert log_verifier.main([str(out), *against]) == 0
    again = run(home, "dump", "--out", out)
    assert isinstance(again.exception, InputError) and "is there already" in str(again.exception)


def test_the_dump_of_a_changed_log_is_found_out_by_the_second_verifier(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(home.place, "UPDATE entries SET actor = 'somebody else' WHERE seq = 17")
    out = home / "chain.jsonl"
    assert run(home, "dump", "--out", out).exit_code == 0
    against = ["--checkpoints", str(home / "checkpoints"), "--key", PUBLIC]
    assert log_verifier.main([str(out), *against]) == 1
    assert "entry 17" in "".join(capsys.readouterr())
    done = run(home, "verify")
    assert done.exit_code == 1 and f"{home.place}: entry 17: changed" in done.stderr


def test_a_log_is_proved_without_its_keys(home: Home) -> None:
    """As by an auditor who may not read what was said."""
    place = home.place
    given = {"CRISISCALL_HOME": str(home.path), "CRISISCALL_LOG": str(place)}
    if isinstance(place, Path):
        (place.parent / "record-keys.db").unlink()
    for arguments in (["verify"], ["proof", "7"], ["consistency", "10", "30"]):
        done = CliRunner(env=given).invoke(cli, ["log", *arguments])
        assert done.exit_code == 0, done.output


@pytest.mark.file_only
def test_what_can_not_be_read_is_an_entry_too(home: Home) -> None:
    log = home / "log.db"
    last = Rows.read(log).entries[-1][7].encode()
    log.write_bytes(log.read_bytes().replace(last, b"\xff" + last[1:]))
    done = run(home, "verify")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"{log}: entry 30: can't be read\n")
