"""The decision log and its keys, opened as the settings say."""

from __future__ import annotations

from model_service.service.log.keys import MasterKeys, RecordKeys
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
    given = settings.key_encryption_key
    masters = MasterKeys(
        settings.key_encryption_key_path,
        () if given is None else given.get_secret_value().split(","),
    )
    wait = settings.busy_timeout_ms if busy_timeout_ms is None else busy_timeout_ms
    return RecordKeys(settings.record_keys_path, masters, busy_timeout_ms=wait)


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
