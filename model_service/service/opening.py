"""The decision log, its keys and what waits beside it, opened as the settings say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from model_service.service.log.keys import MasterKeys, RecordKeys
from model_service.service.log.place import open_keys as keys_of
from model_service.service.log.place import open_store as store_of
from model_service.service.log.spool import Spool
from model_service.service.log.store import LogStore
from model_service.service.postgres import PostgresURL
from model_service.service.settings import Settings, SettingsError


def open_keys(settings: Settings, *, busy_timeout_ms: int | None = None) -> RecordKeys:
    """Give the keys of the log's personal text.

    Parameters
    ----------
    settings : Settings
    busy_timeout_ms : int, optional
        That of the settings if not given.

    Raises
    ------
    SettingsError
        If they lie where not every process that writes to the log would find them, or beside it.
    """
    _check_places(settings)
    wait = settings.busy_timeout_ms if busy_timeout_ms is None else busy_timeout_ms
    return keys_of(settings.record_keys_path, open_masters(settings), busy_timeout_ms=wait)


def open_masters(settings: Settings) -> MasterKeys:
    """Give the keys under which the log's record keys, and decisions that wait, are encrypted."""
    given = settings.key_encryption_key
    return MasterKeys(
        settings.key_encryption_key_path,
        () if given is None else given.get_secret_value().split(","),
    )


def open_spool(settings: Settings) -> Spool:
    """Give the file in which decisions wait while the log can't be written."""
    return Spool(settings.kept_decisions_path, open_masters(settings))


@contextlib.contextmanager
def keys_at_hand(settings: Settings) -> Iterator[RecordKeys | None]:
    """Give the keys of the log's personal text if they are there, and let go of them.

    Raises
    ------
    SettingsError, KeysUnavailable
    """
    if isinstance(settings.log_path, PostgresURL) and settings.record_keys is None:
        yield None
        return
    with contextlib.closing(open_keys(settings)) as keys:
        yield keys if keys.there() else None


def _check_places(settings: Settings) -> None:
    log, keys = settings.log_path, settings.record_keys_path
    if isinstance(log, PostgresURL):
        if not isinstance(keys, PostgresURL):
            raise SettingsError(
                "CRISISCALL_RECORD_KEYS: with the log on PostgreSQL the record keys must be where "
                "every host finds them: give a postgresql:// URL of a database of their own"
            )
        if (log.host, log.port, log.database) == (keys.host, keys.port, keys.database):
            raise SettingsError(
                "CRISISCALL_RECORD_KEYS: the keys must not lie in the log's own database: give "
                "them another one"
            )
    elif isinstance(keys, PostgresURL):
        raise SettingsError(
            "CRISISCALL_RECORD_KEYS: the keys of a log in a file are a file too: give its path"
        )


def open_store(settings: Settings, *, busy_timeout_ms: int | None = None) -> LogStore:
    """Give the store of the decision log; nothing is opened before it is used.

    Parameters
    ----------
    settings : Settings
    busy_timeout_ms : int, optional
        That of the settings if not given; a verb waits longer than a service may.

    Raises
    ------
    SettingsError
        As with `open_keys`.
    """
    wait = settings.busy_timeout_ms if busy_timeout_ms is None else busy_timeout_ms
    keys = open_keys(settings, busy_timeout_ms=wait)
    return store_of(settings.log_path, keys, busy_timeout_ms=wait)
