"""The decision log, its keys and what waits beside it, opened as the settings say."""

from __future__ import annotations

from model_service.service.log.keys import MasterKeys, RecordKeys
from model_service.service.log.spool import Spool
from model_service.service.log.store import Store
from model_service.service.settings import Settings


def open_keys(settings: Settings, *, busy_timeout_ms: int | None = None) -> RecordKeys:
    """Give the keys of the log's personal text.

    Parameters
    ----------
    settings : Settings
    busy_timeout_ms : int, optional
        That of the settings if not given.
    """
    wait = settings.busy_timeout_ms if busy_timeout_ms is None else busy_timeout_ms
    return RecordKeys(settings.record_keys_path, open_masters(settings), busy_timeout_ms=wait)


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


def open_store(settings: Settings, *, busy_timeout_ms: int | None = None) -> Store:
    """Give the store of the decision log; nothing is opened before it is used.

    Parameters
    ----------
    settings : Settings
    busy_timeout_ms : int, optional
        That of the settings if not given; a verb waits longer than a service may.
    """
    wait = settings.busy_timeout_ms if busy_timeout_ms is None else busy_timeout_ms
    keys = open_keys(settings, busy_timeout_ms=wait)
    return Store(settings.log_path, busy_timeout_ms=wait, keys=keys)
