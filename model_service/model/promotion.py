"""Who put which release in force, why, and what its gates said: a signed record beside the store.

    promotions/000001.json   what was promoted or taken back, in order; each names the digest of
                             the one before
    champion                 the folder of the release in force

A record is written before `champion` changes, so that no release comes into force without one. The
service reads the newest when a release comes into force, and puts it into the decision log.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from data.files import sync_folder
from model_service.model.release import ReleaseError, canonical

PROMOTIONS = "promotions"
"""The folder of a store that holds the records."""

MAX_RECORD = 64 * 1024
_NAME = re.compile(r"[0-9]{6}\.json")

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Gate(_Part):
    """One thing that a release must show before it comes into force.

    Parameters
    ----------
    name : str
    passed : bool or None
        None: it could not be measured, which is no pass.
    figure : str
        What was measured, in words, with its interval where there is one.
    limit : str
        What was asked for, in words.
    """

    name: Words
    passed: bool | None
    figure: Words
    limit: Words


class Promotion(_Part):
    """A release that was put in force by a person.

    Parameters
    ----------
    kind : {"promotion", "rollback"}
    release : str
        Digest of the release that comes into force.
    before : str or None
        Digest of the one that was in force; None: none was.
    at : str
        UTC, ISO 8601.
    by : str
        The person who signs.
    reason : str
    gates : tuple of Gate
        Empty for a rollback: what once passed its gates needs none to come back.
    overridden : tuple of str
        Gates that did not pass, and were overridden by the person.
    previous : str or None
        SHA-256 of the record before this one.
    """

    kind: Literal["promotion", "rollback"]
    release: Digest
    before: Digest | None
    at: str
    by: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    reason: Words
    gates: tuple[Gate, ...] = Field((), strict=False)
    overridden: tuple[Words, ...] = Field((), strict=False)
    previous: Digest | None = None


def record_promotion(
    store: Path,
    *,
    kind: Literal["promotion", "rollback"],
    release: str,
    before: str | None,
    by: str,
    reason: str,
    key: Ed25519PrivateKey,
    gates: tuple[Gate, ...] = (),
) -> Promotion:
    """Write down that a release is put in force; the caller then names the champion.

    Parameters
    ----------
    store : Path
        Folder of releases.
    kind, release, before, by, reason, gates
        As in `Promotion`; gates that did not pass are put down as overridden.
    key : Ed25519PrivateKey
        Of the person or place that signs releases.

    Raises
    ------
    ReleaseError
        If the records that are there are damaged, or another record was written meanwhile.
    ValidationError
        If a name or reason is missing or too long.
    """
    folder = store / PROMOTIONS
    folder.mkdir(parents=True, exist_ok=True)
    last = _last(folder)
    promotion = Promotion(
        kind=kind,
        release=release,
        before=before,
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        by=by,
        reason=reason,
        gates=gates,
        overridden=tuple(gate.name for gate in gates if gate.passed is not True),
        previous=None if last is None else hashlib.sha256(last.read_bytes()).hexdigest(),
    )
    content = _written(
        promotion, key.public_key().public_bytes_raw().hex(), key.sign(_signed(promotion)).hex()
    )
    path = folder / f"{1 if last is None else int(last.stem) + 1:06d}.json"
    draft = folder / f".{path.name}-{os.getpid()}"
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails where somebody was faster; `replace` would lose their record
    except FileExistsError:
        raise ReleaseError("another release is being put in force; look, and try again") from None
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(folder)
    return promotion


def promotions(store: Path, *, trusted: Collection[str] | None = None) -> list[Promotion]:
    """Read all records of a store, oldest first, and check that none was changed or left out.

    Parameters
    ----------
    store : Path
    trusted : collection of str, optional
        Public keys in hex, one of which must have signed each; None: any key, but every signature
        must fit.

    Raises
    ------
    ReleaseError
        If a record is damaged, missing, or signed by nobody who is trusted.
    """
    found: list[Promotion] = []
    previous: str | None = None
    for number, path in enumerate(_records(store / PROMOTIONS), 1):
        content = path.read_bytes()
        promotion = _parse(path, content, trusted)
        if path.stem != f"{number:06d}" or promotion.previous != previous:
            raise ReleaseError(f"{path.name}: a promotion before it is missing or was changed")
        previous = hashlib.sha256(content).hexdigest()
        found.append(promotion)
    return found


def last_promotion(store: Path, *, trusted: Collection[str] | None = None) -> Promotion | None:
    """Read the newest record of a store; None: there is none.

    Raises
    ------
    ReleaseError
        If it is damaged, or signed by nobody who is trusted.
    """
    last = _last(store / PROMOTIONS)
    return None if last is None else _parse(last, last.read_bytes(), trusted)


def _signed(promotion: Promotion) -> bytes:
    return canonical(promotion.model_dump(mode="json"))


def _written(promotion: Promotion, key: str, signature: str) -> bytes:
    body = promotion.model_dump(mode="json")
    return canonical(
        {"promotion": body, "algorithm": "ed25519", "key": key, "signature": signature}
    )


def _records(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _last(folder: Path) -> Path | None:
    records = _records(folder)
    return records[-1] if records else None


def _parse(path: Path, content: bytes, trusted: Collection[str] | None) -> Promotion:
    damaged = ReleaseError(f"{path.name}: this record of a promotion is damaged")
    if len(content) > MAX_RECORD:
        raise damaged
    try:
        stated: dict[str, Any] = json.loads(content)
        key, signature = str(stated["key"]), bytes.fromhex(stated["signature"])
        promotion = Promotion.model_validate(stated["promotion"])
        if content != _written(promotion, key, signature.hex()):  # one way to write it
            raise ValueError
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(signature, _signed(promotion))
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError, InvalidSignature):
        raise damaged from None
    if trusted is not None and key not in trusted:
        raise ReleaseError(f"{path.name} is signed by a key that is not among the trusted ones")
    return promotion
