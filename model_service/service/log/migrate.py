"""Brings the PostgreSQL schemas of the log and its keys to this version; lets the service append.

Alembic keeps the versions; it and SQLAlchemy are loaded for this alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pg8000.dbapi
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pg8000.native import identifier

from data.errors import InputError
from model_service.service.log.postgres import REVISION, VERSION_TABLE
from model_service.service.log.server_keys import KEYS_VERSION
from model_service.service.log.session import ServerError, arguments
from model_service.service.postgres import PostgresURL

MIGRATIONS = Path(__file__).with_name("migrations")

_HERE = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"


class MigrationError(InputError):
    """The schema can't be brought to this program's version."""


def migrate(url: PostgresURL, *, grant_to: str | None = None, may_erase: bool = False) -> None:
    """Bring the schema of a log's database to this program's version, whole or not at all.

    Every guard is put back where one is gone.

    Parameters
    ----------
    url : PostgresURL
        As the owner of the tables, not as the service.
    grant_to : str, optional
        Role of the service: it may read and add rows, and nothing else.
    may_erase : bool
        Whether that role may delete personal text too.

    Raises
    ------
    MigrationError
        If the schema is newer, the server can't be reached, or the role of the URL may not.
    """
    with _connected(url, "the decision log's tables") as connection:
        _refuse_newer(connection)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.exec_driver_sql(_HERE)
        _run(connection, "guards.sql")
        if grant_to is not None:
            _grant(connection, identifier(grant_to), may_erase)


def migrate_keys(url: PostgresURL, *, grant_to: str | None = None, may_erase: bool = False) -> None:
    """Make the tables of the record keys, whole or not at all.

    Parameters
    ----------
    url : PostgresURL
        As the owner of the tables, not as the service.
    grant_to : str, optional
        Role of the service: it may read and add keys.
    may_erase : bool
        Whether that role may destroy keys too.

    Raises
    ------
    MigrationError
        As with `migrate`.
    """
    with _connected(url, "the tables of the record keys") as connection:
        _run(connection, "keys.sql")
        newest = connection.exec_driver_sql("SELECT max(number) FROM keys_version").scalar()
        if newest != KEYS_VERSION:
            raise MigrationError("the schema of the record keys is newer: update this crisiscall")
        if grant_to is not None:
            role = identifier(grant_to)
            _execute(
                connection,
                f"REVOKE ALL ON keys, master, keys_version FROM {role}",
                f"GRANT USAGE ON SCHEMA {_schema(connection)} TO {role}",
                f"GRANT SELECT, INSERT ON keys, master TO {role}",
                f"GRANT SELECT ON keys_version TO {role}",
                *([f"GRANT DELETE ON keys TO {role}"] if may_erase else []),
            )


@contextlib.contextmanager
def _connected(url: PostgresURL, what: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(
        "postgresql+pg8000://",
        creator=lambda: pg8000.dbapi.connect(**arguments(url)),
        poolclass=sa.NullPool,
    )
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        why = ServerError(error.orig or error)
        raise MigrationError(f"{what} can't be made or changed ({why})") from None
    finally:
        engine.dispose()


def _run(connection: sa.Connection, name: str) -> None:
    script = resources.files("model_service.service.log") / name
    connection.exec_driver_sql(script.read_text(encoding="utf-8"))


def _execute(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _schema(connection: sa.Connection) -> str:
    name = connection.exec_driver_sql("SELECT current_schema()").scalar()
    return str(identifier(str(name)))


def _refuse_newer(connection: sa.Connection) -> None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return
    version = connection.exec_driver_sql(f"SELECT max(version_num) FROM {VERSION_TABLE}").scalar()
    if version is not None and version > REVISION:
        raise MigrationError("the decision log's schema is newer: update this crisiscall")


def _grant(connection: sa.Connection, role: str, may_erase: bool) -> None:
    _execute(
        connection,
        f"REVOKE ALL ON entries, private, erased FROM {role}",
        f"GRANT USAGE ON SCHEMA {_schema(connection)} TO {role}",
        f"GRANT SELECT, INSERT ON entries, private TO {role}",
        f"GRANT SELECT ON erased, unserved, asked, {VERSION_TABLE} TO {role}",
        *([f"GRANT DELETE ON private TO {role}"] if may_erase else []),
        *([f"GRANT INSERT, UPDATE (destroyed) ON erased TO {role}"] if may_erase else []),
    )
