"""Record keys: one for every entry that has personal text, wrapped, apart from the log.

A record key is 32 random bytes. It is kept wrapped with AES-256-GCM under a key-encryption key,
which lies in neither: `MasterKeys`. A copy of the log tells nothing without the record keys, and
these tell nothing without the key-encryption key. The keys of a log in a file lie in another file,
those of a log on a server in another database (`server_keys.py`).

Destroying a record key is what erases a text. In a file the row is deleted with SQLite's
`secure_delete`, which overwrites it with zeros, and the write-ahead log is emptied. What a file
system, a flash drive or a backup keeps of the file as it was is out of reach of a database; it is
wrapped, and worthless once the key-encryption key has been changed (`rotate`) and the old one is
gone from where it was kept. So keep backups of the two apart, and those of the keys no longer than
of anything else.

Wrapping uses random 96-bit nonces: NIST SP 800-38D allows 2^32 of them under one key, so change the
key-encryption key before four billion records.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, TypeVar

import apsw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from data.errors import InputError
from data.files import drafted, sync_folder
from model_service.service.database import empty_wal
from model_service.service.log.connection import Connection, Line, Unusable
from model_service.service.log.file_line import FileLine
from model_service.service.log.private import NONCE_BYTES

KEY_BYTES = 32

APPLICATION_ID = 0x43524B31  # "CRK1"
VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    seq     INTEGER NOT NULL,
    entry   TEXT NOT NULL,
    master  TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (seq, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_master ON keys (master);
CREATE TABLE IF NOT EXISTS master (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL)
    STRICT;
"""

_ROTATED_AT_ONCE = 1000

Place = tuple[int, str]
"""Sequence and digest of the entry that a key belongs to."""

PEPPER: Place = (0, "pepper")
"""Where the secret lies under which idempotency keys are digested; no entry has this place."""


class Wrapped(NamedTuple):
    """A key as it is kept: of which entry, under which key-encryption key."""

    seq: int
    entry: str
    master: str
    wrapped: bytes


class KeysUnavailable(InputError):
    """The keys of the log can't be read or written now; the message says why."""


def name_of(key: bytes) -> str:
    """Name a key-encryption key: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(key).hexdigest()[:16]


class MasterKeys:
    """Key-encryption keys: from a file that is made when it is first needed, or given.

    Parameters
    ----------
    path : Path
        Holds one key a line, 64 hexadecimal digits each; the first is the newest. While it is being
        changed there are two.
    given : sequence of str, optional
        Keys in the same form, instead of the file's.
    """

    def __init__(self, path: Path, given: Sequence[str] = ()) -> None:
        self._path = path
        self._given = tuple(given)
        self._known: dict[str, AESGCM] = {}

    @property
    def fixed(self) -> bool:
        """Whether the keys were given, and can't be changed here."""
        return bool(self._given)

    def newest(self, *, make: bool = False) -> str:
        """Name the newest key.

        Parameters
        ----------
        make : bool
            Whether to make the file if it is not there.

        Raises
        ------
        KeysUnavailable
        """
        if make and not self._given and not self._path.exists():
            self._write([os.urandom(KEY_BYTES)])
        return name_of(self._read()[0])

    def cipher(self, name: str) -> AESGCM:
        """Give the cipher of a key.

        Raises
        ------
        KeysUnavailable
            If there is no such key.
        """
        if name not in self._known:
            self._known = {name_of(key): AESGCM(key) for key in self._read()}
        if name not in self._known:
            raise KeysUnavailable(
                f"the key-encryption key {name} of the records is not there: put it back into "
                f"keys/{self._path.name}, or CRISISCALL_KEY_ENCRYPTION_KEY"
            )
        return self._known[name]

    def add(self) -> None:
        """Make a new key and put it before the others; given ones stay as they are."""
        if not self._given:
            self._write([os.urandom(KEY_BYTES), *self._read()])

    def keep(self, name: str) -> None:
        """Let go of every key but one; given ones stay as they are."""
        if not self._given:
            self._write([key for key in self._read() if name_of(key) == name])
        self._known = {}

    def count(self) -> int:
        """Tell how many keys there are."""
        return len(self._read())

    def _read(self) -> list[bytes]:
        try:
            lines = self._given or self._path.read_text(encoding="ascii").split()
            keys = [bytes.fromhex(line) for line in lines]
        except (OSError, ValueError):
            keys = []
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise KeysUnavailable(
                f"the key-encryption key of the records can't be read: put back "
                f"keys/{self._path.name}, or set CRISISCALL_KEY_ENCRYPTION_KEY"
            )
        return keys

    def _write(self, keys: Sequence[bytes]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with (
                drafted(self._path, mode=0o600) as draft,
                draft.open("w", encoding="ascii") as file,
            ):
                file.writelines(key.hex() + "\n" for key in keys)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._path.parent)
        except OSError as error:
            reason = (error.strerror or "system error").lower()
            raise KeysUnavailable(
                f"the key-encryption key of the records can't be written ({reason})"
            ) from None
        self._known = {}


class RecordKeys(ABC):
    """The keys of the records.

    Parameters
    ----------
    masters : MasterKeys
    line : Line
        To where they are kept.

    Raises
    ------
    KeysUnavailable
        By every method, if the keys can't be read or written.
    """

    def __init__(self, masters: MasterKeys, line: Line) -> None:
        self._masters = masters
        self._line = line
        self._pepper: bytes | None = None

    @abstractmethod
    def there(self) -> bool:
        """Say whether keys were ever kept here."""

    def close(self) -> None:
        """Let go of the connection; the next use makes another one."""
        self._line.close()

    def _guarded(self) -> AbstractContextManager[Connection]:
        """Give the connection; inside, the database's errors become `KeysUnavailable`."""
        return _told(self._line.open())

    def _writing(self) -> AbstractContextManager[Connection]:
        """Give the connection in a transaction, during which no other master takes over."""
        return _told(self._line.writing())

    def _switching(self) -> AbstractContextManager[Connection]:
        """Give the connection in a transaction that is alone, for another master to take over."""
        return self._writing()

    @abstractmethod
    def _insert(self, connection: Connection, rows: Sequence[Wrapped]) -> None:
        """Add rows; those that are there already may be replaced."""

    @abstractmethod
    def _renew(self, current: str) -> None:
        """See to it that there is a newer key-encryption key than the current one, if need be."""

    def _scrub(self) -> bool:
        """Wipe out what the database still holds of deleted rows; whether nothing is left."""
        return True

    def _master(self, connection: Connection) -> str:
        """Name the key-encryption key in force."""
        return str(connection.execute("SELECT name FROM master").fetchone()[0])

    def put(self, keys: Sequence[tuple[int, str, bytes]]) -> None:
        """Keep keys; they are on disk when this returns.

        Parameters
        ----------
        keys : sequence of (int, str, bytes)
            Sequence and digest of the entry, and its key.
        """
        if not keys:
            return
        with self._writing() as connection:
            # Asked within the transaction: it may have been changed by another process.
            master = self._master(connection)
            cipher = self._masters.cipher(master)
            rows = [
                Wrapped(seq, entry, master, encrypt(cipher, key, _bound(seq, entry)))
                for seq, entry, key in keys
            ]
            self._insert(connection, rows)

    def get(self, seq: int, entry: str) -> bytes | None:
        """Find the key of an entry; None if it has none, or no longer.

        Raises
        ------
        KeysUnavailable
        """
        with self._guarded() as connection:
            row = connection.execute(
                "SELECT seq, entry, master, wrapped FROM keys WHERE seq = ? AND entry = ?",
                (seq, entry),
            ).fetchone()
        return None if row is None else self._unwrapped(Wrapped(*row))

    def between(self, first: int, last: int) -> dict[Place, bytes]:
        """Find the keys of the entries from one sequence to another, both included."""
        with self._guarded() as connection:
            rows = connection.execute(
                "SELECT seq, entry, master, wrapped FROM keys WHERE seq >= ? AND seq <= ?",
                (first, last),
            ).fetchall()
        return {(row[0], row[1]): self._unwrapped(Wrapped(*row)) for row in rows}

    def _unwrapped(self, row: Wrapped) -> bytes:
        cipher = self._masters.cipher(row.master)
        try:
            return decrypt(cipher, row.wrapped, _bound(row.seq, row.entry))
        except (InvalidTag, ValueError):
            return b""  # fits nothing: whoever uses it finds the text broken

    def destroy(self, places: Sequence[Place]) -> bool:
        """Destroy keys, and what a file holds of them.

        Returns
        -------
        bool
            Whether the write-ahead log of a file could be emptied too; if not, another process was
            reading, and it is done when the file is next opened.
        """
        with self._writing() as connection:
            for place in places:
                connection.execute("DELETE FROM keys WHERE seq = ? AND entry = ?", place)
        return self._scrub()

    def pepper(self) -> bytes:
        """Give the secret under which idempotency keys are digested; made when first asked for."""
        if self._pepper is None:
            if self.get(*PEPPER) is None:
                with self._writing() as connection:
                    master = self._master(connection)
                    wrapped = encrypt(
                        self._masters.cipher(master), os.urandom(KEY_BYTES), _bound(*PEPPER)
                    )
                    connection.execute(
                        "INSERT INTO keys VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                        (*PEPPER, master, wrapped),
                    )
            self._pepper = self.get(*PEPPER)
        assert self._pepper is not None
        return self._pepper

    def rotate(self, *, before_letting_go: Callable[[], None] | None = None) -> int:
        """Wrap every key anew under a new key-encryption key, and let go of the old one.

        Whatever stops it, both keys are there and it can be run again. A service that runs goes on
        writing: it takes the new key up with the first record after the change. Given keys (those
        from the environment) are not made here: the first of them is taken up, and the others can
        be left out of the environment afterwards.

        Parameters
        ----------
        before_letting_go : callable, optional
            Called before the old key goes; if it raises, both are kept.

        Returns
        -------
        int
            The number of keys.
        """
        with self._guarded() as connection:
            current = self._master(connection)
        self._renew(current)
        newest = self._masters.newest()
        self._masters.cipher(newest)
        with self._switching() as connection:
            connection.execute("UPDATE master SET name = ?", (newest,))
        n = 0
        while done := self._rewrap(newest):
            n += done
        self._scrub()
        if before_letting_go is not None:
            before_letting_go()
        self._masters.keep(newest)
        return n

    def _rewrap(self, newest: str) -> int:
        """Wrap some anew: few at once, for a service may be waiting to write."""
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT seq, entry, master, wrapped FROM keys WHERE master < ? OR master > ?"
                " LIMIT ?",
                (newest, newest, _ROTATED_AT_ONCE),
            ).fetchall()
            cipher = self._masters.cipher(newest)
            for seq, entry, master, wrapped in rows:
                before = self._masters.cipher(master)
                try:
                    key = decrypt(before, wrapped, _bound(seq, entry))
                except (InvalidTag, ValueError):
                    raise KeysUnavailable(
                        f"the key of entry {seq} was changed; run `crisiscall log verify`"
                    ) from None
                again = encrypt(cipher, key, _bound(seq, entry))
                connection.execute(
                    "UPDATE keys SET master = ?, wrapped = ? WHERE seq = ? AND entry = ?",
                    (newest, again, seq, entry),
                )
        return len(rows)

    def probe(self) -> None:
        """Find out whether keys could be kept now."""
        with self._writing() as connection:
            self._masters.cipher(self._master(connection))


class FileKeys(RecordKeys):
    """Keys in a SQLite file.

    Parameters
    ----------
    path : Path
        Made when it is first written to.
    masters : MasterKeys
    busy_timeout_ms : int
    """

    def __init__(self, path: Path, masters: MasterKeys, *, busy_timeout_ms: int = 500) -> None:
        self._file = FileLine(path, busy_timeout_ms=busy_timeout_ms, look=self._look)
        super().__init__(masters, self._file)
        self.path = path

    def there(self) -> bool:
        """Say whether keys were ever kept here."""
        return self.path.exists()

    def _insert(self, connection: Connection, rows: Sequence[Wrapped]) -> None:
        for row in rows:
            connection.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", row)

    def _renew(self, current: str) -> None:
        if not self._masters.fixed and self._masters.newest() == current:
            self._masters.add()

    def _scrub(self) -> bool:
        with _told(self._file.open()) as connection:
            return empty_wal(connection)

    def _look(self, connection: apsw.Connection) -> None:
        written = (connection.pragma("application_id"), connection.pragma("user_version"))
        fresh = connection.execute("SELECT 1 FROM sqlite_schema").get is None
        if written != (APPLICATION_ID, VERSION) and not (written == (0, 0) and fresh):
            raise KeysUnavailable("the file of the log's keys is no such file of this version")
        if fresh:
            master = self._masters.newest(make=True)
            with connection:
                connection.execute(SCHEMA)
                connection.execute("INSERT OR IGNORE INTO master VALUES (1, ?)", (master,))
                connection.pragma("application_id", APPLICATION_ID)
                connection.pragma("user_version", VERSION)
        # Nothing is appended to a write-ahead log that may not be on disk, and nothing of what
        # was destroyed stays in it.
        empty_wal(connection, seconds=0)


C = TypeVar("C", bound=Connection)


@contextlib.contextmanager
def _told(opened: AbstractContextManager[C]) -> Iterator[C]:
    try:
        with opened as connection:
            yield connection
    except Unusable as error:
        raise KeysUnavailable(f"the keys of the log can't be used ({error})") from error


def keys_beside(log: Path) -> RecordKeys:
    """Give the keys of a log where they lie unless somebody says otherwise."""
    return FileKeys(log.with_name("record-keys.db"), MasterKeys(log.parent / "keys" / "log.key"))


def encrypt(cipher: AESGCM, text: bytes, bound: bytes) -> bytes:
    """Encrypt with a fresh nonce, which stands before the ciphertext."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, text, bound)


def decrypt(cipher: AESGCM, encrypted: bytes, bound: bytes) -> bytes:
    """Decrypt what `encrypt` made.

    Raises
    ------
    InvalidTag, ValueError
        If it is not that, or another key's, or bound to something else.
    """
    return cipher.decrypt(encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:], bound)


def _bound(seq: int, entry: str) -> bytes:
    return f"{seq} {entry}".encode()
