"""What several layers share: calls and a release, made once for each process of the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from data.dataset import Dataset
from model_service.service.log.place import Place
from model_service.service.postgres import PostgresURL
from tests.browser.reason import NO_BROWSER
from tests.builders import KEY
from tests.eido_schema import NOT_VALIDATED
from tests.invented import HISTORY_FEATURES, PLAN, invented_dataset, trained_on
from tests.stores import KINDS, NO_POSTGRES, Server, database, serving_or_skip
from training.config import load_config
from training.pipeline import Trained, train

# Same examples on every run, and none too slow for a busy machine.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_stores: run with the log in a file and on a server")
    config.addinivalue_line("markers", "file_only: but this test looks into the file")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `both_stores` with either kind of log."""
    if "store_kind" in metafunc.fixturenames:
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        both = "both_stores" in marks and "file_only" not in marks
        kinds = KINDS if both else KINDS[:1]
        metafunc.parametrize("store_kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def store_kind(request: pytest.FixtureRequest) -> str:
    """How the log is kept: in a file, or on a server."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server for all tests of this process."""
    with serving_or_skip() as server:
        yield server


@pytest.fixture
def log(store_kind: str, request: pytest.FixtureRequest) -> PostgresURL | None:
    """Where a service's log is; None for a file in its home."""
    return database(store_kind, request)


@pytest.fixture
def place(tmp_path: Path, log: PostgresURL | None) -> Place:
    """Where a log is; that of `service` too, and nothing is there without one."""
    return log or tmp_path / "log.db"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say it last and loudly when pages, EIDOs or a shared log were not tested."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in (NO_BROWSER, NOT_VALIDATED, NO_POSTGRES):
        untested = sum(reason in str(report.longrepr) for report in skipped)
        if untested:
            line = f"{untested} tests skipped: {reason}"
            terminalreporter.write_line(line, red=True, bold=True)


@pytest.fixture(scope="session")
def invented_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the data and the release of `small`."""
    return tmp_path_factory.mktemp("invented")


@pytest.fixture(scope="session")
def small(invented_home: Path) -> tuple[Dataset, Trained]:
    """Some hundred invented calls, and what training made of them."""
    dataset = invented_dataset()
    return dataset, trained_on(dataset, invented_home)


@pytest.fixture(scope="session")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Trained]:
    """The invented calls, learned from with the history of their premises."""
    dataset = invented_dataset()
    return dataset, trained_on(
        dataset, tmp_path_factory.mktemp("remembering"), features=HISTORY_FEATURES
    )


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Trained]:
    """A few thousand of the project's synthetic calls, trained on as shipped but for the search.

    And but for the promised bound, which so few calls can't support.
    """
    from data.sources.synthetic import synthesize

    home = tmp_path_factory.mktemp("synthetic")
    dataset = synthesize(5000, seed=1)
    dataset.write(home / "data")
    config = load_config("synthetic")
    search = config.search.model_copy(update={"C": (3.0,)})
    quick = config.model_copy(update={"search": search, "plan": PLAN})
    return dataset, train(dataset, quick, store=home / "releases", key=KEY)
