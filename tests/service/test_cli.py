from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from model_service.service import cli
from model_service.service.settings import SettingsError
from tests.builders import a_call, make_champion, make_scorer, release_files
from tests.harness import Process


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", "from training.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_service_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "import model_service.service.cli, model_service.service.app\n"
        "heavy = 'pandas sklearn scipy mlflow matplotlib joblib pyarrow'.split()\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_busy_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, output, errors = run("serve", "--port", port, "--home", str(tmp_path))
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    assert "--port" in errors and port in errors
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_none_is_one_clear_line() -> None:
    with pytest.raises(SettingsError, match="can't listen on"):
        cli._listen("no.such.host.invalid", 0)


def test_users_are_added_listed_disabled_and_reset(tmp_path: Path) -> None:
    runner = CliRunner()
    home = ["--home", str(tmp_path)]

    def users(*arguments: str) -> str:
        result = runner.invoke(cli.users, [*arguments, *home], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    first = users("add", "desk", "--role", "dispatcher").strip()
    assert len(first) == 20
    assert users("list") == "desk\tdispatcher\tactive\n"
    users("disable", "desk")
    assert users("list") == "desk\tdispatcher\tdisabled\n"
    assert users("reset", "desk").strip() not in ("", first)
    assert users("list") == "desk\tdispatcher\tactive\n"


def test_every_command_has_an_example() -> None:
    for command in (cli.serve, cli.users, *cli.users.commands.values()):
        text = CliRunner().invoke(command, ["--help"]).output
        assert "Example" in text and "crisiscall" in text


def test_served_for_real(tmp_path: Path) -> None:
    make_champion(tmp_path)
    password = (
        CliRunner()
        .invoke(cli.users, ["add", "desk", "--role", "dispatcher", "--home", str(tmp_path)])
        .stdout.strip()
    )
    process = Process(tmp_path)
    try:
        process.wait_ready()
        form = {"username": "desk", "password": password}
        token = httpx.post(f"{process.url}/v1/token", data=form).json()["access_token"]
        head = {"authorization": f"Bearer {token}"}
        first = httpx.post(f"{process.url}/v1/assessments", json=a_call(), headers=head)
        assert first.status_code == 201
        assert "server" not in first.headers
        other = make_champion(tmp_path, release_files(make_scorer(bias=(1.0, 1.0))))
        process.process.send_signal(signal.SIGHUP)
        for _ in range(200):
            model = httpx.get(f"{process.url}/v1/model", headers=head).json()
            if model["release"] == other.name:
                break
        assert model["release"] == other.name
    finally:
        assert process.stop() in (0, -signal.SIGTERM)
    errors = (tmp_path / "serve.err").read_text()
    assert "Traceback" not in errors
    assert password not in errors and token not in errors
    assert "voices" not in errors
