"""Everything that can be set, in one class, from the environment (`CRISISCALL_…`)."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from data.errors import InputError
from model_service.service.log.place import Place
from model_service.service.postgres import SCHEMES, PostgresURL, PostgresURLError

PREFIX = "CRISISCALL_"

LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsError(InputError):
    """A setting that can't be used."""


class Settings(BaseSettings):
    """What the service can be told.

    Every field is read from the environment variable of its name with `CRISISCALL_` before it;
    `load_settings` adds what the command line says and turns mistakes into one line.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(Path("var"), description="Folder of everything that the service keeps.")
    release: Path | None = Field(
        None,
        description="A release's folder, or a file that names one beside it; "
        "home/releases/champion if not set.",
    )
    trusted_keys: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None,
        description="Public keys (Ed25519, hex, separated by commas) one of which must have signed "
        "the release; what home/keys/release.pub holds if not set.",
    )
    log: Annotated[Place | None, NoDecode] = Field(
        None,
        description="The decision log: a file, or postgresql://USER:PASSWORD@HOST/DATABASE for "
        "several processes; home/log.db if not set.",
    )
    record_keys: Annotated[Place | None, NoDecode] = Field(
        None,
        description="Keys of the log's personal text, one a record: a file, home/record-keys.db if "
        "not set; for a log on PostgreSQL postgresql://USER:PASSWORD@HOST/DATABASE, a database of "
        "their own. Keep backups of them apart from the log's.",
    )
    key_encryption_key_file: Path | None = Field(
        None,
        description="Key under which the record keys are encrypted, made if it is not there; "
        "home/keys/log.key if not set. Without it no personal text can be read again. Hosts that "
        "share a log on PostgreSQL need the same.",
    )
    key_encryption_key: SecretStr | None = Field(
        None,
        description="The same from the environment, 64 hexadecimal digits, instead of the file; "
        "while it is being changed the new one, a comma, and the old one.",
    )
    kept_decisions: Path | None = Field(
        None,
        description="File in which decisions wait, encrypted, while the log can't be written, best "
        "on another disk than the log; home/kept-decisions if not set.",
    )
    accounts: Path | None = Field(None, description="Users; home/accounts.db if not set.")
    holdback_key: Path | None = Field(
        None,
        description="Secret that draws the calls on which advice is held back, made if it is not "
        "there; home/keys/holdback.key if not set.",
    )

    checkpoint_key: Path | None = Field(
        None,
        description="Key that signs checkpoints of the log, made if it is not there, its public "
        "part beside it; home/keys/checkpoint.key if not set.",
    )
    checkpoints: Path | None = Field(
        None,
        description="Folder that signed checkpoints of the log are added to, best one in which the "
        "service can add and not change; home/checkpoints if not set.",
    )
    checkpoint_entries: int = Field(
        1000, ge=1, le=4096, description="A checkpoint is taken after so many entries …"
    )
    checkpoint_seconds: float = Field(
        300.0, ge=1, description="… or after this, if there is any new entry."
    )

    host: str = Field("127.0.0.1", description="Address to listen on; this machine's own alone.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 is any free one.")
    log_level: LogLevel = Field("info", description="What the service's own log lines tell:")

    body_limit: int = Field(64 * 1024, ge=1024, description="Bytes of the largest request body.")
    token_hours: float = Field(12.0, gt=0, le=24 * 7, description="A sign-in lasts a shift.")
    token_cache_seconds: float = Field(
        2.0, ge=0, le=10, description="A revoked token or disabled user is out after this."
    )
    session_hours: float = Field(
        12.0, gt=0, le=24, description="A console's session ends after this …"
    )
    session_idle_minutes: float = Field(
        120.0, gt=1, description="… or after this without anybody using it."
    )
    lock_minutes: float = Field(
        30.0,
        ge=0,
        description="A console that nobody touches for this long asks for the password again, "
        "without losing what was typed; 0 is never.",
    )
    place: str = Field("", description="Name of the centre, as every page of the console shows it.")
    shift_starts: Annotated[tuple[time, ...], NoDecode] = Field(
        (time(7), time(19)),
        min_length=1,
        description="When shifts begin, where the centre is, separated by commas; the supervisor's "
        "page looks back on them.",
    )
    lockout_failures: int = Field(5, ge=1, description="Failed sign-ins of one user …")
    lockout_minutes: float = Field(15.0, gt=0, description="… within this, and nobody gets in.")
    reload_seconds: float = Field(
        1.0, gt=0, description="How often the service looks for another release."
    )
    busy_timeout_ms: int = Field(
        500, ge=0, le=1000, description="Wait for a locked database no longer than this."
    )

    @field_validator("log", "record_keys", mode="before")
    @classmethod
    def _place(cls, value: Any) -> Any:
        if isinstance(value, str) and value.partition(":")[0] in SCHEMES:
            try:
                return PostgresURL.parse(value)
            except PostgresURLError as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("trusted_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("shift_starts", mode="before")
    @classmethod
    def _split_times(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("shift_starts")
    @classmethod
    def _check_times(cls, value: tuple[time, ...]) -> tuple[time, ...]:
        if any(one.tzinfo is not None for one in value):
            raise ValueError("a shift begins at a time of the day such as 07:00")
        return tuple(sorted(set(value)))

    @field_validator("trusted_keys")
    @classmethod
    def _check_keys(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for key in value or ():
            if len(key) != 64 or not set(key) <= set("0123456789abcdef"):
                raise ValueError("a public key is 64 lower-case hexadecimal digits")
        return value

    @field_validator("key_encryption_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        for key in [] if value is None else value.get_secret_value().split(","):
            if len(key) != 64 or not set(key) <= set("0123456789abcdef"):
                raise ValueError("a key is 64 lower-case hexadecimal digits")
        return value

    @property
    def release_path(self) -> Path:
        """A release's folder or the file that names it."""
        return self.release or self.home / "releases" / "champion"

    @property
    def key_path(self) -> Path:
        """File of the public keys that are trusted where `trusted_keys` is not set."""
        return self.home / "keys" / "release.pub"

    @property
    def holdback_key_path(self) -> Path:
        """File of the secret that draws held-back calls."""
        return self.holdback_key or self.home / "keys" / "holdback.key"

    @property
    def log_path(self) -> Place:
        """Where the decision log is: a file, or a database."""
        return self.log or self.home / "log.db"

    @property
    def record_keys_path(self) -> Place:
        """Where the keys of the log's personal text are: a file, or a database."""
        return self.record_keys or self.home / "record-keys.db"

    @property
    def key_encryption_key_path(self) -> Path:
        """File of the key under which the record keys are encrypted."""
        return self.key_encryption_key_file or self.home / "keys" / "log.key"

    @property
    def checkpoint_key_path(self) -> Path:
        """File of the key that signs checkpoints."""
        return self.checkpoint_key or self.home / "keys" / "checkpoint.key"

    @property
    def checkpoints_path(self) -> Path:
        """Folder of the checkpoints."""
        return self.checkpoints or self.home / "checkpoints"

    @property
    def kept_decisions_path(self) -> Path:
        """File in which decisions wait while the log can't be written."""
        return self.kept_decisions or self.home / "kept-decisions"

    @property
    def accounts_path(self) -> Path:
        """File of the users."""
        return self.accounts or self.home / "accounts.db"


def load_settings(**given: Any) -> Settings:
    """Read the settings from the environment; what is given and not None goes first.

    Raises
    ------
    SettingsError
        If a setting can't be used; the message names the environment variable.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        raise SettingsError(f"{PREFIX}{name.upper()}: {first['msg']}") from None
