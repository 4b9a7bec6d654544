"""What is shipped: plain files with a digest and a signature. Nothing is ever unpickled.

    model.json       bias, categories, history of the premise, which texts, shares of answers
    terms.json       the terms of each text
    concepts.yaml    the list of concepts, to the letter
    disqualifiers.yaml  the rules that read facts from a narrative, to the letter
    weights.npz      idf and weights of the terms, arrays of float64
    thresholds.json  what separates the bands, with the evidence for it
    plan.yaml        the response plan, to the letter
    metrics.json     how it was measured
    card.md          the model card
    release.json     size and SHA-256 of each of these; its own SHA-256 is the release's digest
    signature.json   Ed25519 over the digest (RFC 8032)

Reading goes the other way about: signature, then digests, then parsing.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from numpy.typing import NDArray
from pydantic import ValidationError

from data.call import TARGETS
from data.errors import InputError
from model_service.model.concepts import matcher
from model_service.model.plan import PlanError, ResponsePlan, Thresholds, ThresholdSet, parse_plan
from model_service.model.rules import RuleReader, rule_reader, rules_text
from model_service.model.scorer import (
    CategoryTable,
    ConceptTable,
    HistoryTable,
    Pair,
    Scorer,
    TextTable,
)

FORMAT = 4
READABLE = (2, 3, FORMAT)
"""Format 2 knew no history of premises. Before 4 there were no shares of answers, and a release
without them asks no next question; nor were there rules, and those of this version are used."""
MANIFEST, SIGNATURE = "release.json", "signature.json"
RULES, RULES_SINCE = "disqualifiers.yaml", 4
FILES = (
    "model.json",
    "terms.json",
    "concepts.yaml",
    RULES,
    "weights.npz",
    "thresholds.json",
    "plan.yaml",
    "metrics.json",
    "card.md",
)
MAX_FILE = 256 * 1024 * 1024
MAX_MANIFEST = 64 * 1024
NAME_LENGTH = 16
"""Characters of the digest that name a release's folder."""


class ReleaseError(InputError):
    """A release that is missing, damaged, or signed by nobody who is trusted."""


@dataclass(frozen=True)
class Release:
    """A loaded release.

    Parameters
    ----------
    digest : str
        SHA-256 of the manifest, in hex; it names the release everywhere.
    signer : str or None
        Public key that signed it, in hex; None where no key was asked for.
    scorer : Scorer
    rules : RuleReader
        What reads facts from a narrative.
    plan : ResponsePlan
    plan_digest : str
        SHA-256 of plan.yaml, in hex.
    thresholds : dict of str to Thresholds
    metrics : dict
    card : str
    """

    digest: str
    signer: str | None
    scorer: Scorer
    rules: RuleReader
    plan: ResponsePlan
    plan_digest: str
    thresholds: ThresholdSet
    metrics: dict[str, Any]
    card: str

    @property
    def name(self) -> str:
        """The short name: the first characters of the digest."""
        return self.digest[:NAME_LENGTH]


def scorer_files(scorer: Scorer) -> dict[str, bytes]:
    """Turn a scorer into model.json, terms.json, concepts.yaml and weights.npz."""
    model = {
        "format": FORMAT,
        "targets": list(TARGETS),
        "timezone": scorer.timezone,
        "bias": scorer.bias,
        "texts": [{"column": t.column, "longest": t.longest} for t in scorer.texts],
        "concepts": None if scorer.concepts is None else {"column": scorer.concepts.column},
        "history": None if scorer.history is None else asdict(scorer.history),
        "categories": [
            {"field": c.field, "values": c.values, "other": c.other, "mean": c.mean}
            for c in scorer.categories
        ],
        "yes_shares": scorer.yes_shares,
    }
    source = "# none\n" if scorer.concepts is None else scorer.concepts.source
    arrays = {}
    for table in scorer.texts:
        arrays[f"{table.column}.idf"] = table.idf
        arrays[f"{table.column}.weights"] = table.weights
    if scorer.concepts is not None:
        arrays["concepts.weights"] = scorer.concepts.weights
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    return {
        "model.json": canonical(model),
        "terms.json": canonical({table.column: list(table.terms) for table in scorer.texts}),
        "concepts.yaml": source.encode(),
        "weights.npz": packed.getvalue(),
    }


def canonical(value: Any) -> bytes:
    """Write JSON with sorted keys and no spaces: the same value gives the same bytes."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def write_release(store: Path, files: Mapping[str, bytes], key: Ed25519PrivateKey) -> Path:
    """Write a release into a store of releases, whole or not at all.

    Parameters
    ----------
    store : Path
        Folder that holds releases, each in a folder named by its digest.
    files : mapping of file name to content
        All of `FILES`, and nothing else.
    key : Ed25519PrivateKey

    Returns
    -------
    Path
        The release's folder. A release that is there already, whole and signed by this key, is
        left as it is.

    Raises
    ------
    ValueError
        If a file is missing or unknown: the caller's mistake, not the user's.
    """
    if set(files) != set(FILES):
        raise ValueError(f"a release is made of {', '.join(FILES)}")
    listed = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    manifest = canonical({"format": FORMAT, "files": listed})
    digest = hashlib.sha256(manifest).hexdigest()
    public = key.public_key().public_bytes_raw().hex()
    signature = _signature(public, key.sign(digest.encode()))
    folder = store / digest[:NAME_LENGTH]
    if folder.exists() and _is_whole(folder, public):
        return folder
    store.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".release-", dir=store))
    try:
        for name, content in {**files, MANIFEST: manifest, SIGNATURE: signature}.items():
            (work / name).write_bytes(content)
        os.chmod(work, 0o755)
        if folder.exists():  # damaged, or signed by a key that was lost: its name says what it was
            shutil.rmtree(folder)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return folder


def _signature(public: str, signature: bytes) -> bytes:
    return canonical({"algorithm": "ed25519", "key": public, "signature": signature.hex()})


def _is_whole(folder: Path, key: str) -> bool:
    try:
        load_release(folder, trusted=[key])
    except ReleaseError:
        return False
    return True


def load_release(folder: Path, *, trusted: Collection[str] | None) -> Release:
    """Check and read a release.

    Parameters
    ----------
    folder : Path
    trusted : collection of str, or None
        Public keys in hex, one of which must have signed it. None checks the digests alone: for
        the person who made the release on this machine.

    Raises
    ------
    ReleaseError
        If it is missing, not whole, not signed by a trusted key, or not a release.
    """
    manifest = _read(folder, MANIFEST, MAX_MANIFEST)
    digest = hashlib.sha256(manifest).hexdigest()
    signer = None if trusted is None else _check_signature(folder, digest, trusted)
    contents = _check_files(folder, manifest)
    try:
        return _parse(digest, signer, contents)
    except PlanError as error:
        raise ReleaseError(f"{folder}: {error}") from None
    except Exception as error:  # whatever a parser makes of bytes that are no release
        raise ReleaseError(f"{folder}: not a release this version can read") from error


def _read(folder: Path, name: str, limit: int) -> bytes:
    path = folder / name
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError:
        raise ReleaseError(
            f"no release at {folder}: {name} can't be read; train one with `crisiscall train`"
        ) from None
    if len(content) > limit:
        raise ReleaseError(f"{path} is larger than {limit} bytes")
    return content


def _check_signature(folder: Path, digest: str, trusted: Collection[str]) -> str:
    content = _read(folder, SIGNATURE, MAX_MANIFEST)
    try:
        stated = json.loads(content)
        key, signature = str(stated["key"]), bytes.fromhex(stated["signature"])
        if content != _signature(key, signature):  # one way to write it, and nothing beside it
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ReleaseError(f"{folder / SIGNATURE} is damaged") from None
    if key not in trusted:
        raise ReleaseError(f"{folder} is signed by a key that is not among the trusted ones")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, digest.encode())
    except (InvalidSignature, ValueError):
        raise ReleaseError(
            f"{folder}: the signature does not fit; the release was changed"
        ) from None
    return key


def _check_files(folder: Path, manifest: bytes) -> dict[str, bytes]:
    damaged = ReleaseError(f"{folder / MANIFEST} is damaged")
    try:
        document = json.loads(manifest)
        listed = {
            name: (int(entry["bytes"]), str(entry["sha256"]))
            for name, entry in document["files"].items()
        }
        version = document["format"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise damaged from None
    if version not in READABLE:
        raise ReleaseError(
            f"{folder} has format {version}; this version reads {READABLE[0]} to {READABLE[-1]}"
        )
    if set(listed) != set(FILES) - ({RULES} if version < RULES_SINCE else set()):
        raise damaged
    strangers = sorted({path.name for path in folder.iterdir()} - {*FILES, MANIFEST, SIGNATURE})
    if strangers:
        raise ReleaseError(f"{folder} holds {strangers[0]!r}, which is no part of the release")
    contents = {}
    for name, (size, digest) in listed.items():
        content = _read(folder, name, MAX_FILE)
        if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
            raise ReleaseError(f"{folder / name} is not what the release says it is")
        contents[name] = content
    return contents


def _parse(digest: str, signer: str | None, contents: Mapping[str, bytes]) -> Release:
    model = json.loads(contents["model.json"])
    if model["format"] not in READABLE or model["targets"] != list(TARGETS):
        raise ValueError("other format or targets")
    terms = json.loads(contents["terms.json"])
    with np.load(io.BytesIO(contents["weights.npz"]), allow_pickle=False) as arrays:
        texts = tuple(
            TextTable(
                column=str(text["column"]),
                longest=int(text["longest"]),
                terms=[str(term) for term in terms[text["column"]]],
                idf=_finite(arrays[f"{text['column']}.idf"], (len(terms[text["column"]]),)),
                weights=_finite(
                    arrays[f"{text['column']}.weights"], (len(terms[text["column"]]), 2)
                ),
            )
            for text in model["texts"]
        )
        concepts = None
        if model["concepts"] is not None:
            source = contents["concepts.yaml"].decode()
            concepts = ConceptTable(
                column=str(model["concepts"]["column"]),
                source=source,
                weights=_finite(arrays["concepts.weights"], (len(matcher(source).columns), 2)),
            )
    categories = tuple(
        CategoryTable(
            field=str(table["field"]),
            values={str(value): _pair(pair) for value, pair in table["values"].items()},
            other=_pair(table["other"]),
            mean=_pair(table["mean"]),
        )
        for table in model["categories"]
    )
    scorer = Scorer(
        timezone=str(model["timezone"]),
        bias=_pair(model["bias"]),
        texts=texts,
        categories=categories,
        concepts=concepts,
        history=_history(model.get("history")),
        yes_shares={str(q): float(share) for q, share in model.get("yes_shares", {}).items()},
    )
    scorer.prepare()
    try:
        thresholds = {
            target: Thresholds(low=entry["low"], high=entry["high"])
            for target, entry in json.loads(contents["thresholds.json"]).items()
        }
    except ValidationError:
        raise ValueError("thresholds") from None
    if set(thresholds) != set(TARGETS):
        raise ValueError("thresholds")
    return Release(
        digest=digest,
        signer=signer,
        scorer=scorer,
        rules=rule_reader(contents[RULES].decode() if RULES in contents else rules_text()),
        plan=parse_plan(contents["plan.yaml"].decode(), name="plan.yaml"),
        plan_digest=hashlib.sha256(contents["plan.yaml"]).hexdigest(),
        thresholds=thresholds,
        metrics=dict(json.loads(contents["metrics.json"])),
        card=contents["card.md"].decode(),
    )


def _history(table: dict[str, Any] | None) -> HistoryTable | None:
    if table is None:
        return None
    return HistoryTable(
        windows=tuple(int(days) for days in table["windows"]),
        crises={
            str(field): tuple(str(value) for value in values)
            for field, values in table["crises"].items()
        },
        weights=tuple(_pair(pair) for pair in table["weights"]),
        none=_pair(table["none"]),
        means=tuple(_pair(pair) for pair in table["means"]),
        none_mean=_pair(table["none_mean"]),
    )


def _pair(values: Any) -> Pair:
    first, second = (float(value) for value in values)
    if not (math.isfinite(first) and math.isfinite(second)):
        raise ValueError("a weight is not finite")
    return first, second


def _finite(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    if array.dtype != np.float64 or array.shape != shape or not np.isfinite(array).all():
        raise ValueError("weights have the wrong shape or are not finite")
    return array
