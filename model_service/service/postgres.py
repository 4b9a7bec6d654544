"""Where a PostgreSQL database is. No driver is loaded for that."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal, cast, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from data.errors import InputError

SCHEMES = ("postgresql", "postgres")

TLS = Literal["disable", "require", "verify-full"]
_LOCAL = {"", "localhost", "127.0.0.1", "::1"}
_PARAMETERS = {"host", "port", "sslmode", "sslrootcert"}


_FORM = "a PostgreSQL URL is postgresql://USER:PASSWORD@HOST:PORT/DATABASE[?sslmode=MODE]"


class PostgresURLError(InputError):
    """A URL that names no PostgreSQL database."""


@dataclass(frozen=True)
class PostgresURL:
    """Where a PostgreSQL database is; written out without its password.

    Parameters
    ----------
    user, password : str
        Without a password, `PGPASSWORD` is asked.
    host : str
        A name or address, or the folder of a Unix socket.
    port : int
    database : str
    tls : str
        `disable`, `require` (whoever answers) or `verify-full`.
    root : str, optional
        File of the certificates that may sign the server's; the system's if not given.
    """

    user: str
    host: str
    port: int
    database: str
    password: str = field(default="", repr=False)
    tls: TLS = "disable"
    root: str | None = None

    @classmethod
    def parse(cls, text: str) -> PostgresURL:
        """Read `postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=…&sslrootcert=…]`.

        `?host=` takes the folder of a Unix socket. Over a network the server's certificate is
        checked unless `sslmode` says otherwise.

        Raises
        ------
        PostgresURLError
            The message never holds the password.

        Examples
        --------
        >>> url = PostgresURL.parse("postgresql://crisiscall:secret@db.centre.example/log")
        >>> str(url), url.tls
        ('postgresql://crisiscall@db.centre.example:5432/log', 'verify-full')
        """
        try:
            parts = urlsplit(text)
            more = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
            port = int(more.get("port") or parts.port or 5432)
        except ValueError:
            raise PostgresURLError(_FORM) from None
        host, database = more.get("host") or parts.hostname or "", unquote(parts.path[1:])
        if parts.scheme not in SCHEMES or not parts.username or not database or parts.fragment:
            raise PostgresURLError(_FORM)
        if not host or more.keys() - _PARAMETERS:
            raise PostgresURLError(_FORM)
        local = host in _LOCAL or host.startswith("/")
        tls = more.get("sslmode", "disable" if local else "verify-full")
        if tls not in get_args(TLS):
            raise PostgresURLError(f"sslmode of a PostgreSQL URL: {', '.join(get_args(TLS))}")
        return cls(
            user=unquote(parts.username),
            password=unquote(parts.password or "") or os.environ.get("PGPASSWORD", ""),
            host=host,
            port=port,
            database=database,
            tls=cast(TLS, tls),
            root=more.get("sslrootcert"),
        )

    def __str__(self) -> str:
        if self.host.startswith("/"):
            return f"postgresql://{self.user}@/{self.database}?host={self.host}&port={self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{self.user}@{host}:{self.port}/{self.database}"
